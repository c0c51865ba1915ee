package soap

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"sniff/content"
	"sniff/record"
)

// SecretMaker makes a masked secret with a keyed token.
type SecretMaker func(text string) record.Secret

// Pair makes the call out of what was recognised in an exchange.
func (l *load) Pair(x *content.Exchange, emit func(record.Record)) {
	req, reqBody := l.take(x.Request)
	resp, respBody := l.take(x.Response)
	if req == nil && resp == nil {
		return
	}
	defer l.release(req)
	defer l.release(resp)
	made := &call{}
	c := &made.SOAPCall
	c.Header = *x.Carrier.Head()
	c.RecordKind = ""
	if req != nil {
		c.Request = req.finish(&made.request, reqBody, x.Request)
	}
	if resp != nil {
		c.Response = resp.finish(&made.response, respBody, x.Response)
		c.Fault = resp.fault
	}
	main := req
	if main == nil {
		main = resp
	}
	c.Form, c.Version = main.form, main.version
	if req != nil && req.fault != nil {
		// A fault that is sent as a request: the answer to an earlier call.
		c.Fault = req.fault
	}
	called(c, req, resp)
	c.Style = style(req, resp)
	c.Action, c.ActionMismatch = action(req)
	switch r := x.Carrier.(type) {
	case *record.HTTPExchange:
		overHTTP(c, r, req, resp)
	default:
		c.Carrier = "smtp"
		if m, ok := r.(*record.SMTPMessage); ok && !m.DataAt.IsZero() {
			c.Time = m.DataAt // not when its envelope was given
		}
		if req != nil && req.dir == record.ServerToClient {
			c.Carrier = string(r.Kind())
		}
		c.OneWay = true
	}
	l.link(c, x)
	l.hold(c, req, resp, c.Endpoint)
	emit(c)
	l.extras(c, req, resp, emit)
}

// call is a record with its messages: one allocation for all.
type call struct {
	record.SOAPCall
	request, response record.SOAPMessage
}

// take returns the first document that this load made of a body, once: it is
// released when the call is made.
func (l *load) take(r content.Result) (*envelope, *record.Content) {
	if r == nil {
		return nil, nil
	}
	loaded := r.Loaded()
	for i := range loaded {
		v := &loaded[i]
		if e, ok := v.Value.(*envelope); ok && v.Load == content.Load(l) {
			v.Value = nil
			return e, v.Content
		}
	}
	return nil, nil
}

// release gives an envelope back.
func (l *load) release(e *envelope) {
	if e != nil {
		*e = envelope{doc: e.doc[:0]}
		l.envelopes.Put(e)
	}
}

// finish makes m the record of the message. It adds what only the whole body
// knows: the parts beside the envelope.
func (e *envelope) finish(m *record.SOAPMessage, c *record.Content, r content.Result) *record.SOAPMessage {
	*m = e.msg
	m.Content = c
	root := r.Wait()
	if root == c && len(e.refs) == 0 {
		return m
	}
	wanted := make(map[string]bool, len(e.refs))
	for _, id := range e.refs {
		wanted[id] = true
	}
	attach(m, root, c, wanted)
	for _, id := range e.refs {
		if wanted[id] {
			wanted[id] = false
			m.Attachments = append(m.Attachments, record.SOAPAttachment{ID: id, Referenced: true, Missing: true})
		}
	}
	return m
}

// maxAttachments bounds the list of parts.
const maxAttachments = 256

// attach lists the leaves of a MIME tree but the envelope itself.
func attach(m *record.SOAPMessage, c, envelope *record.Content, wanted map[string]bool) {
	if len(c.Parts) == 0 && c != envelope && c.Path != "" && len(m.Attachments) < maxAttachments {
		_, referenced := wanted[c.ID]
		m.Attachments = append(m.Attachments, record.SOAPAttachment{ID: c.ID, MediaType: c.MediaType, Size: c.Size, SHA256: c.SHA256, Referenced: referenced})
		if referenced {
			wanted[c.ID] = false
		}
	}
	for _, part := range c.Parts {
		attach(m, part, envelope, wanted)
	}
}

// called finds out what was called.
func called(c *record.SOAPCall, req, resp *envelope) {
	switch {
	case req != nil && req.fault == nil:
		c.Operation, c.Namespace = req.msg.Element, req.msg.Namespace
	case resp != nil && resp.fault == nil:
		c.Operation = strings.TrimSuffix(strings.TrimSuffix(resp.msg.Element, "Response"), "Result")
		c.Namespace = resp.msg.Namespace
	}
}

// style tells rpc, document and wrapped apart, as far as one call shows it.
func style(req, resp *envelope) string {
	switch {
	case req == nil || req.form != "soap" || req.element == "" || req.fault != nil:
		return ""
	case req.plain || strings.HasSuffix(req.msg.EncodingStyle, "/encoding/") || strings.HasSuffix(req.msg.EncodingStyle, "soap-encoding"):
		return "rpc"
	case resp != nil && resp.element == req.element+"Response":
		return "wrapped"
	}
	return "document"
}

// action returns the call's action and another one that contradicts it.
func action(req *envelope) (first, other string) {
	if req == nil {
		return "", ""
	}
	first = req.action
	if a := req.msg.Addressing; a != nil && a.Action != "" {
		if first != "" && first != a.Action {
			return first, a.Action
		}
		first = a.Action
	}
	return first, ""
}

// overHTTP adds what the HTTP exchange tells.
func overHTTP(c *record.SOAPCall, r *record.HTTPExchange, req, resp *envelope) {
	c.Carrier, c.Endpoint, c.Status, c.ResponseType = "http", r.URL, r.Status, r.ResponseType
	c.State = r.State
	c.Latency, c.Sending, c.Waiting, c.Receiving = r.Latency, r.Sending, r.Waiting, r.Receiving
	if i := strings.IndexByte(c.Endpoint, '?'); i >= 0 {
		c.Endpoint = c.Endpoint[:i]
	}
	if c.Action == "" {
		c.Action = r.Action
	}
	switch {
	case r.State == record.HTTPNoResponse:
		c.Unanswered = true
	case req != nil && resp == nil && r.ResponseSize == 0 && (r.Status == 202 || r.Status == 204 || r.Status == 200):
		c.OneWay = true
	}
	c.StatusMisfit = misfit(c, r, resp)
}

// misfit says how the status belies the outcome: SOAP 1.1, section 6.2; SOAP
// 1.2 part 2, section 7.5.
func misfit(c *record.SOAPCall, r *record.HTTPExchange, resp *envelope) string {
	switch {
	case r.Status == 0:
		return ""
	case resp != nil && resp.form == "xml-rpc":
		if r.Status != 200 {
			return "XML-RPC answer with error status"
		}
		return ""
	case resp != nil && resp.fault != nil && r.Status < 400:
		return "fault with status " + strconv.Itoa(r.Status)
	case resp != nil && resp.fault == nil && r.Status >= 400:
		return "result with error status"
	case resp == nil && c.Request != nil && strings.Contains(r.ResponseType, "html"):
		return "HTML instead of SOAP"
	case resp == nil && c.Request != nil && r.ResponseSize == 0 && r.Status >= 400:
		return "empty answer"
	case resp == nil && c.Request != nil && r.ResponseSize > 0:
		return "answer that is no SOAP"
	}
	return ""
}

// link ties asynchronous answers to their calls, and finds replays.
func (l *load) link(c *record.SOAPCall, x *content.Exchange) {
	req := c.Request
	if req == nil {
		return
	}
	if a := req.Addressing; a != nil {
		c.Answers = l.links.find("wsa", a.RelatesTo, "RelatesTo", c.Time)
		c.Replayed = l.links.find("wsa", a.MessageID, "MessageID", c.Time)
	}
	if s := req.Security; s != nil && s.Nonce != "" {
		nonce := s.User + " " + s.Nonce + " " + s.TokenCreated
		if again := l.links.find("nonce", nonce, "nonce", c.Time); again != nil {
			c.Replayed = again
		}
		l.links.remember("nonce", nonce, c)
	}
	if m := x.Request.Wait().Message; m != nil {
		if c.Answers == nil {
			c.Answers = l.links.find("mail", m.InReplyTo, "In-Reply-To", c.Time)
		}
		l.links.remember("mail", m.MessageID, c)
		c.Endpoint = strings.Join(m.To, ", ")
	}
	if a := req.Addressing; a != nil {
		l.links.remember("wsa", a.MessageID, c)
	}
	if c.Answers != nil && c.Operation == "" {
		c.Operation = c.Answers.Operation
	}
}

// extras emits the credential and the anomalies of both messages.
func (l *load) extras(c *record.SOAPCall, req, resp *envelope, emit func(record.Record)) {
	if req != nil && req.msg.Security != nil && req.msg.Security.User != "" {
		emit(l.credential(c, req))
	}
	for _, e := range []*envelope{req, resp} {
		if e == nil {
			continue
		}
		for _, p := range e.msg.Problems {
			if p.Code == "xml_gap" {
				continue
			}
			a := &record.Anomaly{Code: p.Code, Detail: p.Detail}
			if p.Line > 0 {
				a.Detail += ", line " + strconv.Itoa(p.Line) + " column " + strconv.Itoa(p.Column)
			}
			a.Header = c.Header
			a.Stamp(e.stamp, e.dir)
			emit(a)
		}
	}
}

// credential reports a UsernameToken, and whether it worked as far as the
// answer tells.
func (l *load) credential(c *record.SOAPCall, req *envelope) *record.Credential {
	s := req.msg.Security
	cr := &record.Credential{Account: s.User, Mechanism: "UsernameToken", Exposure: record.ExposureClear, Worked: "unknown"}
	cr.Header = c.Header
	cr.Stamp(req.stamp, req.dir)
	if s.PasswordType == "digest" {
		cr.Mechanism, cr.Exposure = "UsernameToken digest", record.ExposureCrackable
	}
	if req.secret != "" {
		cr.Secret = l.secret(req.secret)
		if line := tokenHash(s, req.secret); line != "" {
			cr.Hash, cr.HashMode = l.secret(line), 120
		}
	}
	switch {
	case c.Fault != nil && securityFault(c.Fault):
		cr.Worked, cr.Reply = "no", c.Fault.String()
	case c.Status == 401 || c.Status == 403:
		cr.Worked, cr.Reply = "no", strconv.Itoa(c.Status)
	case c.Response != nil && c.Fault == nil && c.Status < 400:
		cr.Worked = "yes"
	}
	return cr
}

func (l *load) secret(text string) record.Secret {
	if l.config.Secret == nil {
		return record.NewSecret(text, "")
	}
	return l.config.Secret(text)
}

// tokenHash writes the digest of a password as hashcat's 120 with --hex-salt:
// SHA-1 over nonce, time and password (UsernameToken Profile 1.1, section 3.1).
// It returns "" for a password that is no such digest.
func tokenHash(s *record.SOAPSecurity, digest string) string {
	sum, err := base64.StdEncoding.DecodeString(digest)
	if err != nil || len(sum) != sha1.Size || s.PasswordType != "digest" {
		return ""
	}
	nonce, err := base64.StdEncoding.DecodeString(s.Nonce)
	// hashcat takes salts of up to 256 bytes.
	if n := len(nonce) + len(s.TokenCreated); err != nil || n == 0 || n > 256 {
		return ""
	}
	return hex.EncodeToString(sum) + ":" + hex.EncodeToString(nonce) + hex.EncodeToString([]byte(s.TokenCreated))
}

// securityFault recognises the fault codes of WSS 1.1, section 12.
func securityFault(f *record.SOAPFault) bool {
	for _, code := range append([]string{f.Code}, f.Subcodes...) {
		switch code {
		case "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable", "FailedCheck",
			"UnsupportedSecurityToken", "Authentication", "AuthenticationFailed", "MessageExpired":
			return true
		}
	}
	return false
}
