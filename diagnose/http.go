package diagnose

import (
	"fmt"

	"sniff/record"
)

// httpFamily judges HTTP exchanges that carry no SOAP; soapFamily has its own
// words for what goes wrong under a call.
func httpFamily() Family {
	return Family{Name: "http", Codes: httpCodes(), Session: func() Observer { return &httpObserver{} }}
}

func httpCodes() []Info {
	return []Info{
		{
			Code: "http.server_error", Severity: record.SeverityWarning,
			Explanation: "The server says that it failed to handle a request that it took for valid, or that a machine behind it failed.",
			Advice:      "Read the server's log at this time. With 502, 503 and 504 look at the machine behind the gateway.",
			Reference:   "RFC 9110, section 15.6",
		},
		{
			Code: "http.login_refused", Severity: record.SeverityWarning,
			Explanation: "The request came with credentials and the server refused them.",
			Advice:      "Check account, password and realm. A 401 in answer to a request without credentials is the normal first step and is not reported.",
			Reference:   "RFC 9110, section 15.5.2",
		},
		{
			Code: "http.no_response", Severity: record.SeverityError,
			Explanation: "The request was sent whole, both directions were captured, and no response came before the connection ended.",
			Advice:      "See who ended the connection. A server that closes or resets it without a word crashed, or a device between the two timed out.",
			Reference:   "RFC 9112, section 9.5",
		},
		{
			Code: "http.not_http", Severity: record.SeverityError,
			Explanation: "What came back is no HTTP response: the port belongs to another service, or something between the two answers in the server's place.",
			Advice:      "Check host and port in the client's configuration. A reply with 220 is a mail or FTP server's.",
			Reference:   "RFC 9112, section 4",
		},
		{
			Code: "http.response_cut", Severity: record.SeverityError,
			Explanation: "The response ends before the length that it announced, or without the last chunk. The client has only a part.",
			Advice:      "Look for a crash of the server while it was writing, and for timeouts and size limits of proxies on the way.",
			Reference:   "RFC 9112, section 8",
		},
		{
			Code: "http.smuggling", Severity: record.SeverityWarning,
			Explanation: "The message can be read in two ways: two peers may disagree on where it ends, and take what one holds for a body as the next request.",
			Advice:      "Find out who sent it. Servers should refuse such messages; proxies must not pass them on as they are.",
			Reference:   "RFC 9112, section 11.2",
		},
		{
			Code: "http.password_clear", Severity: record.SeverityWarning,
			Explanation: "Credentials went over a connection without TLS. Everybody on the way can read and use them.",
			Advice:      "Use HTTPS, and refuse credentials on plain connections.",
			Reference:   "RFC 7617, section 4",
		},
		{
			Code: "http.slow", Severity: record.SeverityNotice,
			Explanation: "The server took long from the last byte of a request to the first byte of its response.",
			Advice:      "The time went by in the server or behind it, not on the network: look at what this request makes it do.",
			Reference:   "",
		},
	}
}

// slowAnswer is how long a server may think without being called slow.
const slowAnswer = record.Seconds(5e9)

type httpObserver struct {
	unanswered []*record.HTTPExchange // the first few
	strange    *record.Anomaly        // the first answer that is no HTTP
	tls        bool
}

func (o *httpObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.TLSHandshake:
		o.tls = true
	case *record.Anomaly:
		if r.Code == "http_bad_status_line" && o.strange == nil {
			o.strange = r
		}
		if smuggles(r.Code) {
			rep.Raise("http.smuggling", "a message of the "+r.Dir+" has no single reading: "+r.Detail, r, record.Plain(r.Detail))
		}
	case *record.Credential:
		o.credential(r, rep)
	case *record.HTTPExchange:
		if r.Carries == "" || r.Carries == "wsdl" {
			o.exchange(r, rep)
		}
	}
}

// smuggles reports whether an anomaly makes the end of a message ambiguous.
func smuggles(code string) bool {
	switch code {
	case "http_te_and_length", "http_length_conflict", "http_te_repeated", "http_te_unknown", "http_te_unframed",
		"http_space_before_colon", "http_length_invalid", "http_chunk_bare_lf":
		return true
	}
	return false
}

func (o *httpObserver) credential(c *record.Credential, rep *Reporter) {
	if c.Protocol != "http" || isToken(c.Mechanism) {
		return
	}
	switch {
	case c.Exposure == record.ExposureClear:
		rep.Raise("http.password_clear", fmt.Sprintf("%s credentials of %s went to %s in the clear", c.Mechanism, orUnknown(c.Account), c.Server), c)
	}
	if c.Worked == "no" {
		rep.Raise("http.login_refused", fmt.Sprintf("%s refused %s with %s credentials: %s", c.Server, orUnknown(c.Account), c.Mechanism, c.Reply), c)
	}
}

// isToken tells WS-Security's credentials, which are SOAP's to judge.
func isToken(mechanism string) bool {
	return mechanism == "UsernameToken" || mechanism == "UsernameToken digest"
}

func orUnknown(account string) string {
	if account == "" {
		return "an unknown account"
	}
	return account
}

func (o *httpObserver) exchange(x *record.HTTPExchange, rep *Reporter) {
	what := x.Method + " " + x.Target.String()
	switch {
	case x.State == record.HTTPNoResponse:
		if len(o.unanswered) < 8 {
			o.unanswered = append(o.unanswered, x)
		}
	case x.State == record.HTTPResponseCut && wasCut(x.Response):
		rep.Raise("http.response_cut", fmt.Sprintf("the response to %s ends after %s", what, record.Bytes(x.ResponseSize)), x)
	case x.Status >= 500:
		rep.Raise("http.server_error", fmt.Sprintf("%s answered %s with %d %s", x.Server, what, x.Status, x.Reason), x)
	}
	if x.Waiting > slowAnswer {
		rep.Raise("http.slow", fmt.Sprintf("%s was answered after %s", what, x.Waiting), x)
	}
}

// wasCut reports whether a body was cut by its sender, not by the capture.
func wasCut(c *record.Content) bool { return c == nil || c.Missing == 0 }

func (o *httpObserver) End(s *record.Session, rep *Reporter) {
	if s.OneSided || s.End == record.EndOpen || s.ServerSide.Missing > 0 {
		return
	}
	if a := o.strange; a != nil && len(o.unanswered) > 0 {
		x := o.unanswered[0]
		rep.Raise("http.not_http", fmt.Sprintf("%s answered %s %s with something that is not HTTP: %s", x.Server, x.Method, x.Target, a.Detail), a, record.Plain(a.Detail))
	}
	for _, x := range o.unanswered {
		rep.Raise("http.no_response", fmt.Sprintf("%s %s was not answered; the connection: %s", x.Method, x.Target, ended(s)), x)
	}
	rep.Explains("http.response_cut", "http.no_response")
	rep.Explains("http.not_http", "http.no_response")
	rep.Explains("tls.plain_to_tls_port", "http.no_response")
	explainedByTLS(rep, "http.no_response", "http.server_error")
}

// ended says how a session ended, in words.
func ended(s *record.Session) string {
	if s.EndedBy == "" {
		return s.End
	}
	return s.End + " by the " + s.EndedBy
}
