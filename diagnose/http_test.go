package diagnose

import (
	"net/netip"
	"testing"
	"time"

	"sniff/record"
)

func TestHTTPFindings(t *testing.T) {
	head := record.Header{Session: "s", Protocol: "http", Client: netip.MustParseAddrPort("192.0.2.10:4000"), Server: netip.MustParseAddrPort("192.0.2.20:80")}
	exchange := func(change func(*record.HTTPExchange)) record.Record {
		x := &record.HTTPExchange{Header: head, Method: "GET", Target: record.Plain("/"), Status: 200, State: record.HTTPComplete}
		change(x)
		return x
	}
	for want, r := range map[string]record.Record{
		"":                    exchange(func(*record.HTTPExchange) {}),
		"http.server_error":   exchange(func(x *record.HTTPExchange) { x.Status = 502 }),
		"http.no_response":    exchange(func(x *record.HTTPExchange) { x.Status, x.State = 0, record.HTTPNoResponse }),
		"http.response_cut":   exchange(func(x *record.HTTPExchange) { x.State = record.HTTPResponseCut }),
		"http.slow":           exchange(func(x *record.HTTPExchange) { x.Waiting = record.Seconds(6 * time.Second) }),
		"http.smuggling":      &record.Anomaly{Header: head, Code: "http_te_and_length", Detail: "both"},
		"http.password_clear": &record.Credential{Header: head, Mechanism: "Basic", Account: "bob", Exposure: record.ExposureClear, Worked: "yes"},
		"http.login_refused":  &record.Credential{Header: head, Mechanism: "Basic", Account: "bob", Exposure: record.ExposureHidden, Worked: "no", Reply: "401"},
	} {
		found := run([]Family{httpFamily()}, exchange(func(*record.HTTPExchange) {}), r)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[want] == nil) {
			t.Errorf("want %q, got %v", want, found)
		}
	}
	// A mail server in the place of the HTTP server.
	asked := exchange(func(x *record.HTTPExchange) { x.Status, x.State = 0, record.HTTPNoResponse })
	found := run([]Family{httpFamily()}, asked, &record.Anomaly{Header: head, Code: "http_bad_status_line", Detail: "220 mx.example"})
	if found["http.not_http"] == nil || found["http.no_response"] == nil || found["http.no_response"].Cause != "http.not_http" {
		t.Errorf("an answer that is no HTTP: %v", found)
	}
	// What a proxy answered in the server's place, and why it did.
	bad := exchange(func(x *record.HTTPExchange) { x.Status = 502 })
	for anomaly, cause := range map[string]string{"proxy_upstream_tls": "tls.proxy_upstream_failed", "proxy_upstream_certificate": "tls.proxy_upstream_certificate"} {
		found := run([]Family{tlsFamily(), httpFamily()}, &record.Anomaly{Header: head, Code: anomaly, Detail: "x"}, bad)
		if found["http.server_error"] == nil || found["http.server_error"].Cause != cause {
			t.Errorf("%s: %v", anomaly, found["http.server_error"])
		}
	}
	// What the capture lacks, nobody failed to send.
	lost := exchange(func(x *record.HTTPExchange) {
		x.State, x.Response = record.HTTPResponseCut, &record.Content{Missing: 10}
	})
	if found := run([]Family{httpFamily()}, lost); len(found) > 0 {
		t.Errorf("a hole in the capture: %v", found)
	}
}
