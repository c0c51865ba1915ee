package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"sniff/record"
)

// tlsFailure says why no TLS session came about, with both hellos in view.
func tlsFailure(h *record.TLSHandshake, rep *Reporter) {
	switch h.Outcome {
	case "alert":
		for _, a := range h.Alerts {
			if a.Level != "warning" {
				explainAlert(h, a, rep)
				return
			}
		}
	case "closed":
		if h.Client != nil && h.Server == nil {
			if rep.Has("tls.plain_port") {
				break // it was, and not in TLS
			}
			rep.Raise("tls.not_answered", fmt.Sprintf("%s closed the connection without an answer to the ClientHello of %s", h.Header.Server, h.Header.Client.Addr()), h)
		} else if h.Client != nil {
			rep.Raise("tls.handshake_cut", fmt.Sprintf("the TLS handshake between %s and %s was not completed, and no alert says why", h.Header.Client.Addr(), h.Header.Server), h)
		}
	}
	for _, a := range h.Alerts {
		if a.Name == "unrecognized_name" && a.Level == "warning" {
			rep.Raise("tls.name_unknown", fmt.Sprintf("%s does not know the name %s, and goes on", h.Header.Server, h.ServerName), h)
		}
	}
}

// explainAlert says what an alert that ended the connection means in this
// case.
func explainAlert(h *record.TLSHandshake, a record.TLSAlert, rep *Reporter) {
	client, server := h.Header.Client.Addr().String(), h.Header.Server.String()
	byClient := a.By == "client"
	who, peer := server, client
	if byClient {
		who, peer = client, server
	}
	seen := record.Plain(alertText(a))
	switch a.Name {
	case "encrypted":
		rep.Raise("tls.refused_unread", fmt.Sprintf("%s ended the handshake with %s by an alert that is encrypted", who, peer), h, seen)
	case "unknown_ca", "bad_certificate", "certificate_unknown", "certificate_expired", "certificate_revoked", "unsupported_certificate",
		"bad_certificate_status_response":
		if byClient {
			rep.Raise("tls.certificate_refused", fmt.Sprintf("%s refused the certificate of %s: %s", client, server, a.Name), h, seen)
		} else {
			rep.Raise("tls.client_certificate_refused", fmt.Sprintf("%s refused the client's certificate: %s", server, a.Name), h, seen)
		}
	case "certificate_required", "no_certificate":
		rep.Raise("tls.client_certificate_required", fmt.Sprintf("%s demands a certificate, and %s sent none", server, client), h, seen)
	case "protocol_version":
		if h.Outcome == "established" { // a record that is none, long after the version was settled
			rep.Raise("tls.connection_failed", fmt.Sprintf("%s ended the connection with %s: %s", who, peer, a.Name), h, seen)
			break
		}
		rep.Raise("tls.no_shared_version", fmt.Sprintf("%s and %s have no TLS version in common: the client offers %s", client, server, versionsOf(h)), h, seen)
	case "inappropriate_fallback":
		rep.Raise("tls.fallback_refused", fmt.Sprintf("%s tried %s again with %s, although both could do better", client, server, versionsOf(h)), h, seen)
	case "unrecognized_name":
		rep.Raise("tls.name_unknown", fmt.Sprintf("%s does not know the name %s", server, h.ServerName), h, seen)
	case "no_application_protocol":
		rep.Raise("tls.no_shared_alpn", fmt.Sprintf("%s speaks none of the protocols that %s offers: %s", server, client, alpnOf(h)), h, seen)
	case "handshake_failure", "insufficient_security", "illegal_parameter", "missing_extension":
		switch {
		case !byClient && h.Server == nil:
			rep.Raise("tls.no_shared_parameters", fmt.Sprintf("%s accepts none of what %s offers: %s", server, client, offers(h)), h, seen)
		case !byClient && h.CertificateRequested && h.NoClientCertificate:
			rep.Raise("tls.client_certificate_required", fmt.Sprintf("%s demands a certificate, and %s sent none", server, client), h, seen)
		default:
			rep.Raise("tls.handshake_failed", fmt.Sprintf("%s ended the handshake with %s: %s", who, peer, a.Name), h, seen)
		}
	case "user_canceled", "close_notify":
	default:
		if h.Outcome == "established" {
			rep.Raise("tls.connection_failed", fmt.Sprintf("%s ended the connection with %s: %s", who, peer, a.Name), h, seen)
		} else {
			rep.Raise("tls.handshake_failed", fmt.Sprintf("%s ended the handshake with %s: %s", who, peer, a.Name), h, seen)
		}
	}
}

func alertText(a record.TLSAlert) string {
	return strings.Join(slices.DeleteFunc([]string{a.By + " sent alert", a.Level, a.Name, a.Meaning}, func(s string) bool { return s == "" }), ", ")
}

func versionsOf(h *record.TLSHandshake) string {
	if h.Client == nil {
		return "an unseen version"
	}
	var vs []string
	for _, v := range h.Client.Versions {
		if v != "GREASE" {
			vs = append(vs, v)
		}
	}
	if len(vs) > 0 {
		return strings.Join(vs, ", ")
	}
	return "at most " + h.Client.LegacyVersion
}

func alpnOf(h *record.TLSHandshake) string {
	if h.Client == nil {
		return "unseen"
	}
	return strings.Join(h.Client.ALPN, ", ")
}

// offers says what a refused ClientHello had to offer.
func offers(h *record.TLSHandshake) string {
	c := h.Client
	if c == nil {
		return "its hello was not captured"
	}
	s := fmt.Sprintf("%s; suites %s", versionsOf(h), few(c.Ciphers))
	if len(c.Groups) > 0 {
		s += "; groups " + few(c.Groups)
	}
	if len(c.Signatures) > 0 {
		s += "; signatures " + few(c.Signatures)
	}
	return s
}

// few lists the first of many names.
func few(names []string) string {
	const most = 4
	var shown []string
	for _, n := range names {
		if n != "GREASE" && !strings.HasSuffix(n, "_SCSV") {
			shown = append(shown, n)
		}
	}
	if len(shown) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(shown[:most], ", "), len(shown)-most)
	}
	return strings.Join(shown, ", ")
}
