package http_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/http"
	"sniff/dissect/soap"
	"sniff/flow"
	"sniff/record"
)

// BenchmarkCalls reads SOAP calls of 4 KB each, as segments of 1,448 bytes,
// from the reassembled stream to the record, with digests.
func BenchmarkCalls(b *testing.B) {
	var body strings.Builder
	body.WriteString(`<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body><GetOrders xmlns="urn:orders">`)
	for i := 0; body.Len() < 3000; i++ {
		fmt.Fprintf(&body, "\n  <order><id>%d</id><customer>Customer number %d of the shop</customer><amount currency=\"EUR\">%d.50</amount></order>", i, i, i*3)
	}
	body.WriteString("</GetOrders></s:Body></s:Envelope>")
	request := []byte(fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: ws.example\r\nUser-Agent: bench\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"urn:orders#GetOrders\"\r\nContent-Length: %d\r\n\r\n%s", body.Len(), &body))
	answer := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetOrdersResponse xmlns="urn:orders"><ok>` + strings.Repeat("yes ", 100) + `</ok></GetOrdersResponse></s:Body></s:Envelope>`
	response := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))

	calls := 0
	reader := content.New(content.Config{Loads: []content.Load{soap.NewLoad(soap.Config{})}})
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{http.Protocol()},
		Content:   reader,
		Sink: record.SinkFunc(func(r record.Record) error {
			if r.Kind() == record.KindSOAPCall {
				calls++
			}
			return nil
		}),
	})
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := e.Open(flow.Conn{
		Client: netip.MustParseAddrPort("192.0.2.1:40000"), Server: netip.MustParseAddrPort("192.0.2.2:80"),
		Start: start, Oriented: true,
	})
	b.SetBytes(int64(len(request) + len(response)))
	b.ReportAllocs()
	n, at := 0, record.Stamp{Time: start}
	give := func(dir dissect.Dir, p []byte) {
		for len(p) > 0 {
			k := min(len(p), 1448)
			at.Time, at.Packet = at.Time.Add(time.Microsecond), at.Packet+1
			s.Data(dir, p[:k], at)
			p = p[k:]
		}
	}
	for b.Loop() {
		give(dissect.ClientToServer, request)
		give(dissect.ServerToClient, response)
		n++
	}
	s.Close(record.EndClosed, "client", at)
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		b.Fatal(err)
	}
	if calls != n {
		b.Fatalf("%d calls went in, %d came out", n, calls)
	}
}
