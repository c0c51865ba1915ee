package diagnose

import (
	"fmt"
	"time"

	"sniff/record"
)

// message judges one document by itself. ahead is how far its receiver's clock
// is ahead of the capture's.
func (o *soapObserver) message(c *record.SOAPCall, m *record.SOAPMessage, side string, ahead time.Duration, rep *Reporter) {
	if m == nil {
		return
	}
	for _, p := range m.Problems {
		o.problem(c, p, side, rep)
	}
	for _, a := range m.Attachments {
		if a.Missing {
			rep.Raise("soap.part_missing", fmt.Sprintf("the %s of %s refers to part %s, which did not come", side, c.Name(), a.ID), c)
		}
	}
	if m.Size > bigEnvelope {
		rep.Raise("soap.oversize", fmt.Sprintf("the %s of %s is %s long", side, c.Name(), record.Bytes(m.Size)), c)
	}
	if s := m.Security; s != nil {
		o.security(c, s, side, ahead, rep)
	}
}

// problem turns what is wrong with a document into a finding.
func (o *soapObserver) problem(c *record.SOAPCall, p record.SOAPXMLProblem, side string, rep *Reporter) {
	code := ""
	switch p.Code {
	case "xml_malformed", "xml_undefined_prefix", "xml_empty":
		code = "soap.malformed"
	case "xml_truncated":
		if c.State != "" && c.State != record.HTTPComplete {
			return // the cut is what is reported
		}
		code = "soap.malformed"
	case "xml_encoding", "xml_encoding_conflict", "xml_encoding_unknown":
		code = "soap.encoding"
	case "soap_namespace", "soap_no_envelope", "soap_no_body", "soap_namespace_mixed":
		code = "soap.namespace"
	case "soap_media_type":
		code = "soap.media_type"
	case "xml_external_entity", "xml_entity_bomb":
		code = "soap.entity_attack"
	case "xml_dtd", "xml_entities":
		code = "soap.dtd"
	case "xml_too_deep", "xml_too_long", "xml_too_many_attributes", "xml_too_many_elements":
		code = "soap.limits"
	default:
		return
	}
	seen := record.Plain(p.Near)
	if p.Near == "" {
		seen = record.Plain(p.Detail)
	}
	title := fmt.Sprintf("the %s of %s: %s", side, c.Name(), p.Detail)
	if p.Line > 0 {
		title += fmt.Sprintf(" (line %d, column %d)", p.Line, p.Column)
	}
	rep.Raise(code, title, c, seen)
}

// security judges a WS-Security header against transport and time: capture
// time, unless the receiver's own clock is known to differ.
func (o *soapObserver) security(c *record.SOAPCall, s *record.SOAPSecurity, side string, ahead time.Duration, rep *Reporter) {
	if s.PasswordType == "text" && !o.tls && c.Carrier == "http" {
		rep.Raise("soap.password_clear", fmt.Sprintf("the password of %s went to %s in the clear", s.User, c.Endpoint), c, record.Plain("UsernameToken "+s.User))
	}
	seen := c.Time
	if side == "response" {
		seen = seen.Add(c.Latency.Duration())
	}
	if ahead.Abs() > clockSlack {
		seen = seen.Add(ahead)
	}
	if t, err := time.Parse(time.RFC3339, s.Expires); err == nil && seen.After(t) {
		rep.Raise("soap.expired", fmt.Sprintf("the %s of %s expired at %s, %s before it was sent", side, c.Name(), s.Expires, record.Between(t, seen)), c)
	}
	created := createdIn(s)
	if t, err := time.Parse(time.RFC3339, created); err == nil && t.Sub(seen) > clockSlack {
		rep.Raise("soap.expired", fmt.Sprintf("the %s of %s was created at %s, %s in the future", side, c.Name(), created, record.Between(seen, t)), c)
	}
}
