package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// tlsFamily judges TLS: why a handshake failed, what is wrong with the
// certificate, and how well the connection is protected.
func tlsFamily() Family {
	return Family{
		Name:    "tls",
		Codes:   append(tlsHandshakeCodes(), tlsStrengthCodes()...),
		Wakes:   wakesTLS,
		Session: func() Observer { return &tlsObserver{} },
	}
}

type tlsObserver struct {
	hs       *record.TLSHandshake // the first one; of a proxy's two the client's
	injected *record.Anomaly      // plaintext behind the agreement to start TLS
	host     tlsHost
	clear    bool // the server spoke the protocol in the clear, and meant it
}

func (o *tlsObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.TLSHandshake:
		if o.hs == nil && r.Substream != record.UpstreamLeg {
			o.hs = r
		}
		if r.Renegotiation && r.Server != nil && !r.Server.SecureReneg {
			rep.Raise("tls.insecure_renegotiation", fmt.Sprintf("%s and %s renegotiated without the protection of RFC 5746", r.Header.Client.Addr(), r.Header.Server), r)
		}
		tlsFailure(r, rep)
		tlsCertificate(r, rep)
		tlsStrength(r, rep)
	case *record.TLSEnd:
		o.end(r, rep)
	case *record.Anomaly:
		if r.Code == "starttls_injection" && o.injected == nil {
			o.injected = r
		}
		tlsAnomaly(r, rep)
	default:
		o.host.see(r)
		o.clear = o.clear || answersInClear(r)
	}
}

// answersInClear reports whether a server goes along with a dialogue. What it
// says to somebody who forgot TLS is a refusal or the way to where TLS is.
func answersInClear(r record.Record) bool {
	switch r := r.(type) {
	case *record.HTTPExchange:
		return r.Status >= 200 && r.Status < 300 || r.Status > 400
	case *record.SMTPExchange:
		return r.Reply != nil && r.Reply.Code < 400
	case *record.FTPExchange:
		return len(r.Replies) > 0 && r.Replies[0].Code < 400
	}
	return false
}

// wakesTLS lets the family see sessions in which TLS was tried and no handshake
// recorded, or where it should have been.
func wakesTLS(r record.Record) bool {
	if slices.Contains(tlsPorts, r.Head().Server.Port()) {
		return true
	}
	a, ok := r.(*record.Anomaly)
	return ok && (strings.HasPrefix(a.Code, "tls_") || a.Code == "starttls_injection" || tlsProxyCodes(a.Code) != "")
}

// tlsProxyCodes returns the finding behind what the proxy reports of its TLS.
func tlsProxyCodes(anomaly string) string {
	switch anomaly {
	case "proxy_client_distrust":
		return "tls.proxy_client_distrust"
	case "proxy_client_pinned":
		return "tls.proxy_client_pinned"
	case "proxy_tls_required":
		return "tls.proxy_tls_required"
	case "proxy_stripped":
		return "tls.proxy_stripped"
	case "proxy_upstream_certificate":
		return "tls.proxy_upstream_certificate"
	case "proxy_upstream_unverified":
		return "tls.proxy_upstream_unverified"
	case "proxy_upstream_tls":
		return "tls.proxy_upstream_failed"
	case "proxy_client_tls":
		return "tls.proxy_client_failed"
	case "proxy_data_tls":
		return "tls.proxy_data_failed"
	}
	return ""
}

// explainedByTLS links what a server seemed to answer, and did not, to why the
// proxy ended the dialogue in its place.
func explainedByTLS(rep *Reporter, symptoms ...string) {
	for _, cause := range []string{"tls.proxy_upstream_certificate", "tls.proxy_upstream_failed", "tls.proxy_tls_required"} {
		for _, symptom := range symptoms {
			rep.Explains(cause, symptom)
		}
	}
}

// tlsAnomaly turns what the dissector and the engine found odd into findings.
func tlsAnomaly(r *record.Anomaly, rep *Reporter) {
	if code := tlsProxyCodes(r.Code); code != "" {
		rep.Raise(code, r.Detail, r)
		return
	}
	switch r.Code {
	case "tls_plain_answer":
		rep.Raise("tls.plain_port", fmt.Sprintf("%s was spoken to in TLS and answered in the clear", r.Server), r, record.Plain(r.Detail))
	case "tls_bad_record":
		rep.Raise("tls.bad_record", fmt.Sprintf("a record of the %s does not authenticate", r.Dir), r, record.Plain(r.Detail))
	case "tls_heartbleed":
		rep.Raise("tls.heartbleed", fmt.Sprintf("the %s of the connection to %s sent a heartbeat that asks for more than it brings", r.Dir, r.Server), r, record.Plain(r.Detail))
	}
}

// end judges alerts behind the handshake: in TLS 1.3 the server hears of a
// refused certificate, and the client of a missing one, only then.
func (o *tlsObserver) end(e *record.TLSEnd, rep *Reporter) {
	if o.hs == nil || o.hs.Outcome != "established" {
		return
	}
	for _, a := range e.Alerts {
		if a.Level == "fatal" {
			explainAlert(o.hs, a, rep)
		}
	}
}

func (o *tlsObserver) End(s *record.Session, rep *Reporter) {
	if s.End == record.EndOpen { // it was the capture that ended
		rep.Withdraw("tls.handshake_cut")
		rep.Withdraw("tls.not_answered")
	}
	// The families of mail and file transfer say it in their own words.
	if o.injected != nil && !rep.Has("smtp.plaintext_injected") && !rep.Has("ftp.tls_injection") {
		rep.Raise("tls.starttls_injection", o.injected.Detail, o.injected)
	}
	o.host.judge(o.hs, rep)
	o.plain(s, rep)
	for _, cause := range []string{"tls.certificate_expired", "tls.certificate_not_yet_valid", "tls.certificate_name", "tls.certificate_self_signed", "tls.certificate_untrusted"} {
		rep.Explains(cause, "tls.certificate_refused")
	}
	rep.Explains("tls.certificate_self_signed", "tls.certificate_untrusted")
	rep.Explains("tls.missing_intermediate", "tls.certificate_untrusted")
	rep.Explains("tls.downgrade", "tls.handshake_failed") // the client sees it too
}

// tlsCertificate judges the server's certificate.
func tlsCertificate(h *record.TLSHandshake, rep *Reporter) {
	leaf, c := h.Leaf(), h.Chain
	if leaf == nil || c == nil {
		return
	}
	who := h.Header.Server.String()
	if h.ServerName != "" {
		who = h.ServerName
	}
	switch c.Validity {
	case "expired":
		rep.Raise("tls.certificate_expired", fmt.Sprintf("the certificate of %s expired on %s, %d days before", who, day(leaf.NotAfter), int(h.Time.Sub(leaf.NotAfter).Hours()/24)), h)
	case "not_yet_valid":
		rep.Raise("tls.certificate_not_yet_valid", fmt.Sprintf("the certificate of %s is valid from %s on only", who, day(leaf.NotBefore)), h)
	default:
		if left := leaf.NotAfter.Sub(h.Time); left < 7*24*time.Hour {
			rep.Raise("tls.certificate_expires_soon", fmt.Sprintf("the certificate of %s expires on %s, %d days after this connection", who, day(leaf.NotAfter), int(left.Hours()/24)), h)
		}
	}
	switch c.Matches {
	case "no":
		rep.Raise("tls.certificate_name", fmt.Sprintf("%s shows a certificate for %s, the client asked for %s", h.Header.Server, namesOf(leaf), c.Name), h)
	case "common_name":
		rep.Raise("tls.certificate_common_name", fmt.Sprintf("the certificate of %s names it in the common name only", who), h)
	}
	switch {
	case leaf.SelfSigned:
		rep.Raise("tls.certificate_self_signed", fmt.Sprintf("the certificate of %s is self-signed", who), h)
	case c.Verified == "no" && c.Validity == "valid":
		rep.Raise("tls.certificate_untrusted", fmt.Sprintf("the certificate of %s, issued by %s, does not verify: %s", who, leaf.Issuer, c.Problem), h)
	}
	if c.Missing != "" && !leaf.SelfSigned && c.Verified != "yes" && len(h.Certificates) == 1 {
		rep.Raise("tls.missing_intermediate", fmt.Sprintf("%s sends its own certificate alone; that of the issuer, %s, is missing", who, c.Missing), h)
	}
	if c.Order == "unordered" {
		rep.Raise("tls.chain_order", fmt.Sprintf("%s sends its chain of %d certificates in the wrong order", who, len(h.Certificates)), h)
	}
	weakCertificates(h, who, rep)
	if h.OCSP != nil && h.OCSP.Status == "revoked" {
		rep.Raise("tls.certificate_revoked", fmt.Sprintf("the certificate of %s was revoked on %s, as its own stapled OCSP response says", who, day(h.OCSP.RevokedAt)), h)
	}
}

// weakCertificates judges keys and signatures of the chain. The signature of
// a self-signed root is not what it is trusted for.
func weakCertificates(h *record.TLSHandshake, who string, rep *Reporter) {
	for i := range h.Certificates {
		c := &h.Certificates[i]
		if c.Key == "RSA" && c.KeyBits < 2048 || strings.HasPrefix(c.Key, "DSA") || strings.HasPrefix(c.Key, "ECDSA") && c.KeyBits < 224 {
			rep.Raise("tls.weak_key", fmt.Sprintf("the certificate of %s in the chain of %s has a key of %d bits (%s)", namesOf(c), who, c.KeyBits, c.Key), h)
		}
		if s := strings.ToUpper(c.Signature); !c.SelfSigned && (strings.Contains(s, "SHA1") || strings.Contains(s, "MD5") || strings.Contains(s, "MD2")) {
			rep.Raise("tls.weak_signature", fmt.Sprintf("the certificate of %s in the chain of %s is signed with %s", namesOf(c), who, c.Signature), h)
		}
	}
}

func namesOf(c *record.TLSCertificate) string {
	switch {
	case len(c.Names) > 3:
		return fmt.Sprintf("%s and %d more names", c.Names[0], len(c.Names)-1)
	case len(c.Names) > 0:
		return strings.Join(c.Names, ", ")
	case c.CommonName != "":
		return c.CommonName
	}
	return "no name at all"
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// tlsPorts are ports on which TLS begins with the connection.
var tlsPorts = []uint16{443, 465, 636, 853, 989, 990, 993, 995, 8443}

// plain judges a session without TLS on a port that is for it, unless the server
// goes along, as in a capture of the plaintext, or a proxy did something about it.
func (o *tlsObserver) plain(s *record.Session, rep *Reporter) {
	if o.clear || s.TLS != "" || s.Protocol == "" || s.Protocol == "tls" || s.Protocol == "ssh" || !slices.Contains(tlsPorts, s.Header.Server.Port()) {
		return
	}
	for _, f := range rep.findings {
		if strings.HasPrefix(f.Code, "tls.proxy_") {
			return
		}
	}
	rep.Raise("tls.plain_to_tls_port", fmt.Sprintf("%s spoke %s in the clear to %s, a port for TLS", s.Header.Client.Addr(), s.Protocol, s.Header.Server), s)
}
