package diagnose

import (
	"fmt"
	"strings"

	"sniff/record"
)

// soapFamily judges calls: faults and where they arose, answers that are no
// SOAP, damage, time, and what is unsafe.
func soapFamily() Family {
	return Family{Name: "soap", Codes: soapCodes(), Session: func() Observer { return &soapObserver{} },
		Whole: func() Observer { return &soapWhole{failed: map[request]*record.SOAPCall{}} }}
}

const (
	// slowCall is how long a call may take without being called slow.
	slowCall = record.Seconds(5e9)
	// bigEnvelope is the size from which an envelope is called big.
	bigEnvelope = 10 << 20
)

type soapObserver struct {
	unanswered []*record.SOAPCall
	slow       []*record.SOAPCall
	tls        bool
	exchange   *record.HTTPExchange // the last one
	clocked    bool                 // clocks were found to differ
	dated      lastDate             // the Date of the last answer
}

func (o *soapObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.TLSHandshake:
		o.tls = true
	case *record.HTTPExchange:
		o.exchange = r
	case *record.SOAPCall:
		o.call(r, rep)
	}
}

func (o *soapObserver) call(c *record.SOAPCall, rep *Reporter) {
	switch {
	case c.Fault != nil:
		o.fault(c, rep)
	case c.Unanswered:
		if len(o.unanswered) < 16 {
			o.unanswered = append(o.unanswered, c)
		}
	default:
		o.misfit(c, rep)
	}
	if c.ActionMismatch != "" {
		rep.Raise("soap.action_mismatch", fmt.Sprintf("%s was called with action %q and wsa:Action %q", c.Name(), c.Action, c.ActionMismatch), c)
	}
	if first := c.Replayed; first != nil {
		f := rep.Raise("soap.replay", fmt.Sprintf("%s from %s repeats the %s of %s, %s later", c.Name(), c.Client.Addr(), first.By, first.Operation, first.After), c)
		if len(f.Evidence) < 4 {
			e := record.Evidence{Session: first.Session, Dir: record.ClientToServer.String(), Text: record.Plain(first.Operation + ", which used it first")}
			e.Time, e.Offset = first.Time, first.Offset
			f.Evidence = append(f.Evidence, e)
		}
	}
	if c.Latency > slowCall && len(o.slow) < maxSlow {
		o.slow = append(o.slow, c)
	}
	o.actionMissing(c, rep)
	x := o.carrierOf(c)
	k := o.readClocks(c, x)
	if !o.clocked {
		k.judge(c, x, rep)
		o.clocked = rep.Has("soap.clock")
	}
	o.message(c, c.Request, "request", k.server, rep)
	o.message(c, c.Response, "response", k.client, rep)
	o.cut(c, rep)
	contract(c, rep)
	rep.Explains("soap.replay", "soap.authentication")
	rep.Explains("soap.clock", "soap.expired")
	rep.Explains("soap.clock", "soap.authentication")
	rep.Explains("soap.expired", "soap.authentication")
	rep.Explains("soap.malformed", "soap.fault_client")
	rep.Explains("soap.contract", "soap.fault_client")
	rep.Explains("soap.contract_operation", "soap.fault_client")
	rep.Explains("soap.cut", "soap.malformed")
	rep.Explains("soap.namespace", "soap.version_mismatch")
	rep.Explains("soap.media_type", "soap.refused")
}

// carrierOf returns the exchange that carried a call, nil when another one was
// the last.
func (o *soapObserver) carrierOf(c *record.SOAPCall) *record.HTTPExchange {
	if x := o.exchange; x != nil && x.Offset == c.Offset && x.Dir == c.Dir {
		return x
	}
	return nil
}

// fault sorts a fault by who is at fault.
func (o *soapObserver) fault(c *record.SOAPCall, rep *Reporter) {
	title := fmt.Sprintf("%s failed with %s", c.Name(), c.Fault)
	code := "soap.fault_server"
	codes := append([]string{c.Fault.Code}, c.Fault.Subcodes...)
	switch {
	case has(codes, "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable", "FailedCheck", "Authentication", "MessageExpired"):
		code = "soap.authentication"
	case has(codes, "MustUnderstand"):
		code = "soap.must_understand"
		if names := mandatory(c.Request); names != "" {
			title += "; mandatory headers: " + names
		}
	case has(codes, "VersionMismatch"):
		code = "soap.version_mismatch"
	case has(codes, "Client", "Sender"):
		code = "soap.fault_client"
	}
	seen := record.Plain(c.Fault.String())
	if d := details(c.Fault.Detail); d != "" {
		seen = record.Plain(c.Fault.String() + " (" + d + ")")
	}
	rep.Raise(code, title, c, seen)
	if strings.HasPrefix(c.StatusMisfit, "fault with") {
		rep.Raise("soap.fault_with_success", fmt.Sprintf("the fault of %s came with HTTP status %d", c.Name(), c.Status), c)
	}
}

func has(codes []string, wanted ...string) bool {
	for _, c := range codes {
		for _, w := range wanted {
			if c == w {
				return true
			}
		}
	}
	return false
}

// mandatory names the header blocks that must be understood.
func mandatory(m *record.SOAPMessage) string {
	if m == nil {
		return ""
	}
	var names []string
	for _, h := range m.Headers {
		if h.MustUnderstand {
			names = append(names, h.Name)
		}
	}
	return strings.Join(names, ", ")
}

// details writes a fault's detail in one line.
func details(nodes []record.SOAPNode) string {
	var parts []string
	for i, n := range nodes {
		if i == 4 {
			break
		}
		switch {
		case n.Value != "":
			parts = append(parts, n.Name+": "+n.Value)
		case len(n.Children) > 0:
			parts = append(parts, n.Name+": "+details(n.Children))
		default:
			parts = append(parts, n.Name)
		}
	}
	return strings.Join(parts, ", ")
}

// misfit judges answers without a fault by their HTTP status and kind.
func (o *soapObserver) misfit(c *record.SOAPCall, rep *Reporter) {
	answer := func() string {
		return fmt.Sprintf("%s answered %s with HTTP %d", c.Server, c.Name(), c.Status)
	}
	switch {
	case c.Response != nil && c.Status >= 400:
		rep.Raise("soap.result_with_error", answer()+" and a result", c)
	case c.Response != nil || c.Request == nil || c.Status == 0:
	case c.Status == 502 || c.Status == 503 || c.Status == 504:
		rep.Raise("soap.gateway", answer(), c)
	case c.Status >= 400 && c.Status < 500:
		rep.Raise("soap.refused", answer()+refusal(c), c)
	case strings.HasPrefix(c.StatusMisfit, "HTML"):
		rep.Raise("soap.html_answer", answer()+" and a web page", c)
	case c.StatusMisfit != "":
		rep.Raise("soap.no_soap_answer", answer()+": "+c.StatusMisfit, c)
	}
}

// refusal says what a status of refusal means for a call.
func refusal(c *record.SOAPCall) string {
	switch c.Status {
	case 401, 403:
		return ": the credentials are missing or do not do"
	case 404, 405:
		return ": there is no service at " + c.Endpoint
	case 413:
		return fmt.Sprintf(": the call's %s are too much", record.Bytes(c.Request.Size))
	case 415:
		return ": it does not take this media type for SOAP " + c.Version
	}
	return ""
}

// actionMissing finds calls of SOAP 1.1 without the field that it demands.
func (o *soapObserver) actionMissing(c *record.SOAPCall, rep *Reporter) {
	x := o.carrierOf(c)
	if x == nil || c.Form != "soap" || c.Version != "1.1" || c.Request == nil || c.Action != "" || x.Method != "POST" || c.State == record.HTTPRequestCut {
		return
	}
	for _, f := range x.RequestHeaders {
		if strings.EqualFold(f.Name, "SOAPAction") {
			return // empty: the meaning is the URL's
		}
	}
	rep.Raise("soap.action_missing", fmt.Sprintf("%s was called without a SOAPAction field", c.Name()), c)
}

// cut judges exchanges that end in the middle.
func (o *soapObserver) cut(c *record.SOAPCall, rep *Reporter) {
	switch {
	case c.State == record.HTTPRequestCut && c.Request != nil && wasCut(c.Request.Content):
		rep.Raise("soap.cut", fmt.Sprintf("the request of %s ends after %s", c.Name(), record.Bytes(c.Request.Size)), c)
	case c.State == record.HTTPResponseCut && c.Response == nil:
		rep.Raise("soap.cut", fmt.Sprintf("the response to %s ends too early", c.Name()), c)
	case c.State == record.HTTPResponseCut && wasCut(c.Response.Content):
		rep.Raise("soap.cut", fmt.Sprintf("the response to %s ends after %s", c.Name(), record.Bytes(c.Response.Size)), c)
	}
}

func (o *soapObserver) End(s *record.Session, rep *Reporter) {
	for _, c := range o.slow {
		rep.Raise("soap.slow", slowTitle(c, s), c)
	}
	if s.OneSided || s.End == record.EndOpen || s.ServerSide.Missing > 0 {
		return
	}
	for _, c := range o.unanswered {
		rep.Raise("soap.not_answered", fmt.Sprintf("%s was not answered; the connection: %s after %s", c.Name(), ended(s), record.Between(c.Time, s.Time.Add(s.Duration.Duration()))), c)
	}
	rep.Explains("tls.plain_to_tls_port", "soap.not_answered")
	explainedByTLS(rep, "soap.not_answered", "soap.gateway", "soap.no_soap_answer")
}
