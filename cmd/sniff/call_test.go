//go:build !race

package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sniff/content"
	"sniff/diagnose"
	"sniff/dissect"
	"sniff/dissect/soap"
	"sniff/flow"
	"sniff/record"
)

// TestCallAllocations: what a small call costs, from its bytes to its findings,
// is a few allocations for each record, and does not creep up. (The race
// detector makes pools forget what they were given: no counts then.)
func TestCallAllocations(t *testing.T) {
	secrets := record.NewKeyer(nil)
	bodies := content.New(content.Config{Loads: loads(secrets, &soap.Contracts{}), Workers: -1})
	calls := 0
	sink := record.SinkFunc(func(r record.Record) error {
		if c, ok := r.(*record.SOAPCall); ok && c.Operation == "Add" && c.Response != nil {
			calls++
		}
		return nil
	})
	engine := flow.New(flow.Config{
		Protocols: protocols(nil), Content: bodies, Secrets: secrets, Inline: true,
		Sink: diagnose.NewWatcher(sink, diagnose.Families()),
	})
	at := record.Stamp{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := engine.Open(flow.Conn{
		Client: netip.MustParseAddrPort("192.0.2.1:40000"), Server: netip.MustParseAddrPort("192.0.2.2:80"),
		Protocol: "http", Oriented: true, Start: at.Time,
	})
	envelope := func(body string) string {
		return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><t:Trace xmlns:t="urn:trace">7</t:Trace></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
	}
	message := func(head, body string) []byte {
		return fmt.Appendf(nil, "%s\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	request := message("POST /sums HTTP/1.1\r\nHost: sums.example\r\nSOAPAction: \"urn:sums#Add\"", envelope(`<m:Add xmlns:m="urn:sums"><m:a>1</m:a><m:b>2</m:b></m:Add>`))
	response := message("HTTP/1.1 200 OK\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT", envelope(`<m:AddResponse xmlns:m="urn:sums"><m:sum>3</m:sum></m:AddResponse>`))
	const runs = 500
	n := testing.AllocsPerRun(runs, func() {
		s.Data(dissect.ClientToServer, request, at)
		s.Data(dissect.ServerToClient, response, at)
	})
	if calls != runs+1 { // AllocsPerRun warms up with one
		t.Fatalf("%d calls came out of %d", calls, runs+1)
	}
	if n > 20 {
		t.Errorf("%v allocations for a call", n)
	}
}
