package diagnose

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

var soapTime = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// judgeHTTP runs records of one session through the watcher and returns the
// findings.
func judgeHTTP(t *testing.T, end *record.Session, records ...record.Record) []*record.Finding {
	t.Helper()
	var found []*record.Finding
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			found = append(found, f)
		}
		return nil
	}), []Family{httpFamily(), soapFamily()})
	server := netip.MustParseAddrPort("192.0.2.20:80")
	for _, r := range append(records, end) {
		h := r.Head()
		h.Session, h.Server, h.Protocol = "s", server, "http"
		if h.Time.IsZero() {
			h.Time = soapTime
		}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return found
}

func closed() *record.Session { return &record.Session{End: record.EndClosed, EndedBy: "server"} }

func call(status int, change func(c *record.SOAPCall)) []record.Record {
	x := &record.HTTPExchange{Method: "POST", Target: record.Plain("/s"), Status: status, State: record.HTTPComplete, Carries: "soap"}
	c := &record.SOAPCall{
		Form: "soap", Version: "1.1", Carrier: "http", Endpoint: "http://ws.example/s", Operation: "Pay", Status: status,
		Request: &record.SOAPMessage{Size: 100, Content: &record.Content{SHA256: "ab"}},
	}
	change(c)
	return []record.Record{x, c}
}

func TestSOAPFindings(t *testing.T) {
	fault := func(codes ...string) func(c *record.SOAPCall) {
		return func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Fault = &record.SOAPFault{Code: codes[0], Subcodes: codes[1:], Reason: "why"}
		}
	}
	answered := func(change func(c *record.SOAPCall)) func(c *record.SOAPCall) {
		return func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			change(c)
		}
	}
	problem := func(code, detail string) []record.Record {
		return call(200, answered(func(c *record.SOAPCall) {
			c.Request.Problems = []record.SOAPXMLProblem{{Code: code, Detail: detail, Line: 3, Column: 7, Near: "<a>&</a>"}}
		}))
	}
	raised := map[string]bool{}
	defer func() {
		for _, i := range soapCodes() {
			if !raised[i.Code] && !t.Failed() {
				t.Errorf("no case raises %s", i.Code)
			}
		}
	}()
	for _, c := range []struct {
		name, code, title string
		records           []record.Record
	}{
		{"must understand", "soap.must_understand", "mandatory headers: Security", call(500, func(c *record.SOAPCall) {
			fault("MustUnderstand")(c)
			c.Request.Headers = []record.SOAPHeader{{Name: "Trace"}, {Name: "Security", MustUnderstand: true}}
		})},
		{"version", "soap.version_mismatch", "Pay failed with VersionMismatch", call(500, fault("VersionMismatch"))},
		{"fault with 200", "soap.fault_with_success", "came with HTTP status 200", call(200, func(c *record.SOAPCall) {
			fault("Server")(c)
			c.StatusMisfit = "fault with status 200"
		})},
		{"result with 500", "soap.result_with_error", "HTTP 500 and a result", call(500, answered(func(*record.SOAPCall) {}))},
		{"empty", "soap.no_soap_answer", "HTTP 500: empty answer", call(500, func(c *record.SOAPCall) { c.StatusMisfit = "empty answer" })},
		{"401", "soap.refused", "the credentials are missing or do not do", call(401, func(*record.SOAPCall) {})},
		{"403", "soap.refused", "the credentials are missing or do not do", call(403, func(*record.SOAPCall) {})},
		{"404", "soap.refused", "there is no service at http://ws.example/s", call(404, func(*record.SOAPCall) {})},
		{"405", "soap.refused", "there is no service at http://ws.example/s", call(405, func(*record.SOAPCall) {})},
		{"413", "soap.refused", "the call's 100 B are too much", call(413, func(*record.SOAPCall) {})},
		{"502", "soap.gateway", "HTTP 502", call(502, func(*record.SOAPCall) {})},
		{"503", "soap.gateway", "HTTP 503", call(503, func(*record.SOAPCall) {})},
		{"cut", "soap.cut", "the response to Pay ends after 50 B", call(200, func(c *record.SOAPCall) {
			c.State, c.Response = record.HTTPResponseCut, &record.SOAPMessage{Size: 50, Content: &record.Content{}}
		})},
		{"cut request", "soap.cut", "the request of Pay ends after 100 B", call(0, func(c *record.SOAPCall) { c.State = record.HTTPRequestCut })},
		{"malformed", "soap.malformed", "the request of Pay: end tag b (line 3, column 7)", problem("xml_malformed", "end tag b")},
		{"encoding", "soap.encoding", "byte 0xE9", problem("xml_encoding", "byte 0xE9 is no UTF-8, although utf-8 was declared")},
		{"namespace", "soap.namespace", "neither SOAP", problem("soap_namespace", "neither SOAP 1.1's nor 1.2's")},
		{"declared type", "soap.media_type", "text/plain", problem("soap_media_type", "an envelope sent as text/plain")},
		{"dtd", "soap.dtd", "document type", problem("xml_dtd", "document type declaration")},
		{"depth", "soap.limits", "deeper", problem("xml_too_deep", "elements nest deeper than 512")},
		{"replay", "soap.replay", " repeats the nonce of Pay, 3.00 s later", call(200, answered(func(c *record.SOAPCall) {
			c.Replayed = &record.SOAPLink{Operation: "Pay", By: "nonce", After: 3e9}
		}))},
		{"password", "soap.password_clear", "the password of bob went to http://ws.example/s in the clear", call(200, answered(func(c *record.SOAPCall) {
			c.Request.Security = &record.SOAPSecurity{User: "bob", PasswordType: "text"}
		}))},
		{"unknown operation", "soap.contract_operation", "no operation Pay", call(200, answered(func(c *record.SOAPCall) {
			c.Contract = &record.SOAPContract{Deviations: []record.SOAPDeviation{{Code: "unknown_operation", Message: "request", Detail: "no operation Pay"}}}
		}))},
		{"oversize", "soap.oversize", "the request of Pay is 20 MB long", call(200, answered(func(c *record.SOAPCall) { c.Request.Size = 20e6 }))},
		{"slow network", "soap.slow", "", call(200, answered(func(c *record.SOAPCall) { c.Latency, c.Receiving = 8e9, 7e9 }))},
		{"future", "soap.expired", "2h00m in the future", call(200, answered(func(c *record.SOAPCall) {
			c.Request.Security = &record.SOAPSecurity{Created: "2026-01-01T14:00:00Z"}
		}))},
		{"clock", "soap.clock", "are 2h00m apart: the client's is 2h00m behind the capture's, the server's agrees with the capture's",
			dated(call(500, func(c *record.SOAPCall) {
				fault("Sender", "MessageExpired")(c)
				c.Request.Security = &record.SOAPSecurity{Created: "2026-01-01T10:00:00Z", Expires: "2026-01-01T10:05:00Z"}
			}), "Thu, 01 Jan 2026 12:00:00 GMT")},
		{"server's clock", "soap.clock", "is 1h00m ahead of the capture's", dated(call(200, answered(func(*record.SOAPCall) {})), "Thu, 01 Jan 2026 13:00:00 GMT")},
		{"server", "soap.fault_server", "Pay failed with Server: why", call(500, fault("Server"))},
		{"client", "soap.fault_client", "Pay failed with Sender: why", call(400, fault("Sender"))},
		{"login", "soap.authentication", "FailedAuthentication", call(500, fault("Sender", "FailedAuthentication"))},
		{"html", "soap.html_answer", "HTTP 200 and a web page", call(200, func(c *record.SOAPCall) { c.StatusMisfit = "HTML instead of SOAP" })},
		{"gateway", "soap.gateway", "HTTP 504", call(504, func(c *record.SOAPCall) { c.StatusMisfit = "HTML instead of SOAP" })},
		{"media type", "soap.refused", "it does not take this media type for SOAP 1.1", call(415, func(*record.SOAPCall) {})},
		{"mismatch", "soap.action_mismatch", `action "a" and wsa:Action "b"`, call(200, func(c *record.SOAPCall) {
			c.Response, c.Action, c.ActionMismatch = &record.SOAPMessage{}, "a", "b"
		})},
		{"bomb", "soap.entity_attack", "entities made of entities", call(200, func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Request.Problems = []record.SOAPXMLProblem{{Code: "xml_entity_bomb", Detail: "entities made of entities", Line: 1, Column: 1}}
		})},
		{"slow", "soap.slow", "Pay took 8.00 s, 7.00 s of it in the client's sending: the client was slow to write", call(200, func(c *record.SOAPCall) {
			c.Response, c.Latency, c.Sending = &record.SOAPMessage{}, 8e9, 7e9
		})},
		{"expired", "soap.expired", "expired at 2026-01-01T09:00:00Z, 3h00m before", call(200, func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Request.Security = &record.SOAPSecurity{Expires: "2026-01-01T09:00:00Z"}
		})},
		{"part", "soap.part_missing", "refers to part one@ws", call(200, func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Request.Attachments = []record.SOAPAttachment{{ID: "one@ws", Referenced: true, Missing: true}}
		})},
		{"repeated", "soap.repeated", "Pay was sent again", append(
			call(503, func(*record.SOAPCall) {}), call(200, func(c *record.SOAPCall) { c.Response = &record.SOAPMessage{} })...)},
		{"action", "soap.action_missing", "Pay was called without a SOAPAction field", call(200, func(c *record.SOAPCall) { c.Response = &record.SOAPMessage{} })},
		{"contract", "soap.contract", "the request of Pay departs from its WSDL: sum is missing", call(200, func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Contract = &record.SOAPContract{Deviations: []record.SOAPDeviation{{Code: "element_missing", Message: "request", Path: "/s:Envelope/s:Body/p:Pay", Detail: "sum is missing"}}}
		})},
		{"unanswered", "soap.not_answered", "closed by the server", call(0, func(c *record.SOAPCall) { c.Unanswered = true })},
		{"smuggling", "http.smuggling", "no single reading", append(call(200, func(c *record.SOAPCall) { c.Response = &record.SOAPMessage{} }),
			&record.Anomaly{Code: "http_te_and_length", Detail: "both"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := judgeHTTP(t, closed(), c.records...)
			raised[c.code] = true
			if !slices.ContainsFunc(found, func(f *record.Finding) bool {
				return f.Code == c.code && strings.Contains(f.Title, c.title)
			}) {
				for _, f := range found {
					t.Logf("found %s: %s", f.Code, f.Title)
				}
				t.Errorf("no %s with %q", c.code, c.title)
			}
		})
	}
}

// dated gives the answer of an exchange a Date, a second after the call.
func dated(records []record.Record, date string) []record.Record {
	x := records[0].(*record.HTTPExchange)
	x.Answer.Time = soapTime.Add(time.Second)
	x.ResponseHeaders = []record.Field{{Name: "Date", Value: record.Plain(date)}}
	return records
}

// TestSOAPClock: a clock that differs is the cause of a message that expired,
// and a capture whose own clock is wrong expires nothing.
func TestSOAPClock(t *testing.T) {
	late := func(created, expires, date string) []record.Record {
		return dated(call(500, func(c *record.SOAPCall) {
			c.Response = &record.SOAPMessage{}
			c.Fault = &record.SOAPFault{Code: "Sender", Subcodes: []string{"FailedAuthentication"}}
			c.Request.Security = &record.SOAPSecurity{Created: created, Expires: expires}
		}), date)
	}
	causes := map[string]string{}
	for _, f := range judgeHTTP(t, closed(), late("2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z", "Thu, 01 Jan 2026 12:00:01 GMT")...) {
		causes[f.Code] = f.Cause
	}
	if causes["soap.expired"] != "soap.clock" || causes["soap.authentication"] != "soap.clock" {
		t.Errorf("the clocks explain nothing: %v", causes)
	}
	// Both peers agree; the machine that captured is three hours behind.
	for _, f := range judgeHTTP(t, closed(), late("2026-01-01T15:00:00Z", "2026-01-01T15:05:00Z", "Thu, 01 Jan 2026 15:00:01 GMT")...) {
		if f.Code == "soap.clock" || f.Code == "soap.expired" {
			t.Errorf("peers that agree: %s: %s", f.Code, f.Title)
		}
	}
}

// TestSOAPHealthy: ordinary calls raise nothing.
func TestSOAPHealthy(t *testing.T) {
	records := call(200, func(c *record.SOAPCall) { c.Action, c.Response, c.Latency = "urn:pay", &record.SOAPMessage{}, 40e6 })
	records = append(records, call(202, func(c *record.SOAPCall) { c.Action, c.OneWay = "urn:pay", true })...)
	for _, f := range judgeHTTP(t, closed(), records...) {
		t.Errorf("healthy calls raise %s: %s", f.Code, f.Title)
	}
}

// TestLateFamily: a family that wakes behind its carrier's records has seen
// the last of them, however long the session was.
func TestLateFamily(t *testing.T) {
	var records []record.Record
	for range 100 {
		records = append(records, &record.HTTPExchange{Method: "GET", Target: record.Plain("/"), Status: 200, State: record.HTTPComplete})
	}
	records = append(records, call(200, func(c *record.SOAPCall) { c.Response = &record.SOAPMessage{} })...)
	for i, r := range records {
		r.Head().Offset = int64(i / 2 * 2) // call and exchange share theirs
	}
	found := judgeHTTP(t, closed(), records...)
	if !slices.ContainsFunc(found, func(f *record.Finding) bool { return f.Code == "soap.action_missing" }) {
		t.Errorf("the exchange that carried the first call was not seen: %v", found)
	}
}

// TestRetryOverAnotherConnection: a call that is sent again after a failure is
// found over sessions.
func TestRetryOverAnotherConnection(t *testing.T) {
	var found []*record.Finding
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok && f.Code == "soap.repeated" {
			found = append(found, f)
		}
		return nil
	}), []Family{soapFamily()})
	for i, status := range []int{503, 200} {
		for _, r := range append(call(status, func(*record.SOAPCall) {}), closed()) {
			r.Head().Session, r.Head().Time = string(rune('a'+i)), soapTime.Add(time.Duration(i)*time.Second)
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || !strings.Contains(found[0].Title, "again 1.00 s after") || len(found[0].Evidence) != 2 {
		t.Errorf("findings %+v", found)
	}
}
