package record

import (
	"fmt"
	"strings"
)

func (h *TLSHandshake) Summary() string {
	var b strings.Builder
	name := h.Version
	if name == "" {
		name = "TLS"
	}
	b.WriteString(name)
	if h.ServerName != "" {
		b.WriteString(" for " + h.ServerName)
	}
	for _, part := range h.details() {
		b.WriteString(", " + part)
	}
	return b.String()
}

// details are the parts of the summary behind version and name.
func (h *TLSHandshake) details() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if h.Renegotiation {
		add("renegotiated")
	}
	if h.Cipher != "" {
		add("%s", h.Cipher)
	}
	if h.Group != "" {
		add("%s", h.Group)
	}
	if h.ALPN != "" {
		add("ALPN %s", h.ALPN)
	}
	if h.Resumed != "" {
		add("resumed")
	}
	if p := h.certificateProblem(); p != "" {
		add("%s", p)
	}
	if f := h.failure(); f != "" {
		add("%s", f)
	}
	return out
}

// certificateProblem says what is wrong with the server's certificate, the
// worst first.
func (h *TLSHandshake) certificateProblem() string {
	leaf, c := h.Leaf(), h.Chain
	if leaf == nil || c == nil {
		return ""
	}
	switch {
	case c.Validity == "expired":
		return "certificate expired on " + leaf.NotAfter.UTC().Format("2006-01-02")
	case c.Validity == "not_yet_valid":
		return "certificate not valid before " + leaf.NotBefore.UTC().Format("2006-01-02")
	case c.Matches == "no":
		return "certificate is for " + leaf.owner() + ", not for " + c.Name
	case leaf.SelfSigned:
		return "certificate is self-signed"
	case c.Matches == "common_name":
		return "certificate has its name in the common name only"
	case c.Verified == "no":
		return "certificate does not verify"
	}
	return ""
}

// owner names whom a certificate is for.
func (c *TLSCertificate) owner() string {
	switch {
	case len(c.Names) > 2:
		return fmt.Sprintf("%s and %d more", c.Names[0], len(c.Names)-1)
	case len(c.Names) > 0:
		return strings.Join(c.Names, " and ")
	case c.CommonName != "":
		return c.CommonName
	}
	return "nobody"
}

// failure says why no session came about.
func (h *TLSHandshake) failure() string {
	switch h.Outcome {
	case "alert":
		for _, a := range h.Alerts {
			if a.Level != "warning" {
				return "failed: " + a.words()
			}
		}
		return "failed"
	case "closed":
		return "not completed"
	}
	return ""
}

// words says an alert: who, what.
func (a *TLSAlert) words() string {
	if a.Name == "encrypted" {
		return a.By + " sent an encrypted alert"
	}
	s := a.By + " sent " + a.Name
	if a.Meaning != "" {
		s += " (" + a.Meaning + ")"
	}
	return s
}

// Tell adds the handshake to the session's outline. A healthy one says little:
// the protocol inside has more to tell. Of a proxy's two the client's counts.
func (h *TLSHandshake) Tell(o *Outline) {
	f := o.Fact("tls")
	if h.Substream != UpstreamLeg {
		f.N++
	}
	if (h.Renegotiation || h.Substream == UpstreamLeg) && f.Text != "" {
		return
	}
	f.Rank = -1
	text := h.Version
	if text == "" {
		text = "TLS"
	}
	if h.ServerName != "" {
		text += " for " + h.ServerName
	}
	if p := h.certificateProblem(); p != "" {
		text += ", " + p
		f.Rank = 1
	}
	if p := h.failure(); p != "" {
		text += ", " + p
		f.Rank = 2
	} else if h.Decryption == "opaque" {
		text += ", " + h.opacity()
	}
	f.Text = text
}

// opacity says that it was not read, and why if there is more to it than keys.
func (h *TLSHandshake) opacity() string {
	if h.Opaque == "" || strings.HasPrefix(h.Opaque, "no secrets") {
		return "not decrypted"
	}
	return "not decrypted: " + h.Opaque
}

// Lines shows the handshake in a dialogue, as notes.
func (h *TLSHandshake) Lines() []Line {
	var out []Line
	note := func(s string, fold ...string) {
		out = append(out, Line{Time: h.Time, Dir: ClientToServer, Note: true, Text: Plain(s), Fold: fold})
	}
	leg := ""
	if h.Substream != "" {
		leg = h.Substream + " leg, "
	}
	note(leg+"TLS handshake: "+h.Summary(), h.Describe()...)
	return out
}

// Describe lays the handshake out in lines for people.
func (h *TLSHandshake) Describe() []string {
	var out []string
	add := func(label, value string) {
		if value != "" {
			out = append(out, label+": "+value)
		}
	}
	if c := h.Client; c != nil {
		versions := c.Versions
		if len(versions) == 0 {
			versions = []string{"up to " + c.LegacyVersion}
		}
		add("client offers", strings.Join(versions, ", "))
		add("cipher suites", strings.Join(c.Ciphers, ", "))
		add("groups", strings.Join(c.Groups, ", "))
		add("signatures", strings.Join(c.Signatures, ", "))
		add("ALPN", strings.Join(c.ALPN, ", "))
	}
	add("JA4", h.JA4)
	add("JA3", h.JA3)
	if r := h.HelloRetry; r != nil {
		add("server asks for another hello", "group "+r.Group)
	}
	if h.Server != nil {
		add("server chooses", strings.Join(nonEmpty(h.Version, h.Cipher, h.Group, h.ALPN), ", "))
		add("JA3S", h.JA3S)
	}
	if h.Resumed != "" {
		s := "by " + h.Resumed
		if h.ResumedFrom != "" {
			s += ", from session " + h.ResumedFrom
		}
		add("resumed", s)
	}
	for i := range h.Certificates {
		add("server certificate", h.Certificates[i].describe())
	}
	if c := h.Chain; c != nil {
		add("chain", strings.Join(nonEmpty(c.Validity, match(c), c.Order, prefixed("missing ", c.Missing), verified(c), c.Problem), ", "))
	}
	if h.OCSP != nil {
		add("stapled OCSP response", h.OCSP.Status)
	}
	for i := range h.ClientCertificates {
		add("client certificate", h.ClientCertificates[i].describe())
	}
	if h.NoClientCertificate {
		add("client certificate", "asked for, none sent")
	}
	for _, a := range h.Alerts {
		add("alert", a.words())
	}
	add("early data", h.EarlyData)
	if h.Decryption == "read" {
		add("decrypted with", h.Keys)
	} else {
		add("not decrypted", h.Opaque)
	}
	return out
}

func (c *TLSCertificate) describe() string {
	if c.Problem != "" {
		return "unreadable: " + c.Problem
	}
	key := c.Key
	if c.KeyBits > 0 && !strings.Contains(key, "-") {
		key += fmt.Sprintf(" %d bits", c.KeyBits)
	}
	parts := nonEmpty(c.Subject, prefixed("for ", strings.Join(c.Names, " ")), prefixed("issued by ", c.Issuer),
		c.NotBefore.UTC().Format("2006-01-02")+" to "+c.NotAfter.UTC().Format("2006-01-02"), key, prefixed("signed by ", c.Signature))
	if c.SelfSigned {
		parts = append(parts, "self-signed")
	}
	return strings.Join(append(parts, "SHA-256 "+c.SHA256), "; ")
}

func match(c *TLSChain) string {
	switch c.Matches {
	case "yes":
		return "for " + c.Name
	case "no":
		return "not for " + c.Name
	}
	return ""
}

func verified(c *TLSChain) string {
	switch c.Verified {
	case "yes":
		return "verified"
	case "no":
		return "not verified"
	}
	return ""
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func nonEmpty(parts ...string) []string {
	out := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

func (e *TLSEnd) Summary() string {
	s := "client: " + e.Client.words() + "; server: " + e.Server.words()
	for _, a := range e.Alerts {
		if a.Name != "close_notify" {
			s += "; " + a.words()
		}
	}
	return s
}

func (s *TLSSide) words() string {
	t := fmt.Sprintf("%d records", s.Records)
	if s.Failed > 0 {
		t += fmt.Sprintf(", %d not authentic", s.Failed)
	}
	return t + ", " + strings.ReplaceAll(s.End, "_", " ")
}

// Tell adds what went wrong behind the handshake.
func (e *TLSEnd) Tell(o *Outline) {
	for _, a := range e.Alerts {
		if a.Level == "fatal" {
			f := o.Fact("tls-alert")
			f.Text = a.words()
		}
	}
}

// Lines shows the end in a dialogue, as a note.
func (e *TLSEnd) Lines() []Line {
	return []Line{{Time: e.Time, Note: true, Text: Plain("TLS ends: " + e.Summary())}}
}
