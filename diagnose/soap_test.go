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
	for _, c := range []struct {
		name, code, title string
		records           []record.Record
	}{
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
