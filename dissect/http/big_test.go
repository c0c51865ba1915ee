package http_test

import (
	"fmt"
	"net/netip"
	"runtime"
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

// TestBigEnvelope takes one envelope of 200 MB from the stream to its record:
// the heap stays below 64 MiB all the way, and nothing is lost.
func TestBigEnvelope(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	const size = 200_000_000
	var call *record.SOAPCall
	reader := content.New(content.Config{Loads: []content.Load{soap.NewLoad(soap.Config{Contracts: &soap.Contracts{}})}})
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{http.Protocol()},
		Content:   reader,
		Sink: record.SinkFunc(func(r record.Record) error {
			if c, ok := r.(*record.SOAPCall); ok {
				call = c
			}
			return nil
		}),
	})
	at := record.Stamp{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := e.Open(flow.Conn{Client: netip.MustParseAddrPort("192.0.2.1:40000"), Server: netip.MustParseAddrPort("192.0.2.2:80"), Start: at.Time, Oriented: true})
	front := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Import xmlns="urn:bulk">`
	back := `</Import></s:Body></s:Envelope>`
	row := `<row><id>4711</id><text>` + strings.Repeat("bulk data ", 140) + "</text></row>\n"
	rows := (size - len(front) - len(back)) / len(row)
	total := len(front) + rows*len(row) + len(back)
	var most uint64
	var stats runtime.MemStats
	give := func(dir dissect.Dir, p string) {
		at.Packet++
		at.Time = at.Time.Add(time.Microsecond)
		s.Data(dir, []byte(p), at)
	}
	give(dissect.ClientToServer, fmt.Sprintf("POST /bulk HTTP/1.1\r\nHost: ws.example\r\nContent-Type: text/xml\r\nSOAPAction: \"\"\r\nContent-Length: %d\r\n\r\n%s", total, front))
	for i := range rows {
		give(dissect.ClientToServer, row)
		if i%5000 == 0 {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}
	give(dissect.ClientToServer, back)
	give(dissect.ServerToClient, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
	s.Close(record.EndClosed, "client", at)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if call == nil || call.Operation != "Import" || call.Request.Size != int64(total) || call.Request.Elements != 3+3*rows || call.Request.Partial {
		t.Fatalf("the call: %+v", call)
	}
	if most > 64<<20 {
		t.Errorf("the heap grew to %d MiB", most>>20)
	}
}
