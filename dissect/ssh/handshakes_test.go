package ssh

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

// recorded is a sample's dialogue, piece by piece.
func recorded(tb testing.TB, file string) (said []spoken, size int) {
	tb.Helper()
	r, err := capture.OpenFiles([]string{file}, capture.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	var seg capture.Segment
	for {
		if err := r.Next(&seg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			tb.Fatal(err)
		}
		if len(seg.Payload) == 0 {
			continue
		}
		dir := dissect.ClientToServer
		if seg.Src.Port() == 22 {
			dir = dissect.ServerToClient
		}
		said = append(said, spoken{dir, append([]byte(nil), seg.Payload...)})
		size += len(seg.Payload)
	}
	return said, size
}

// BenchmarkHandshakes plays whole connections, from the identification to a
// command, through the engine: the cost of one is that of a handshake, with
// its login inferred.
func BenchmarkHandshakes(b *testing.B) {
	said, size := recorded(b, "../../samples/ssh/publickey-exec.pcapng")
	e := flow.New(flow.Config{Protocols: []dissect.Protocol{Protocol()}, Inline: true, Sink: record.SinkFunc(func(record.Record) error { return nil })})
	defer e.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		s := e.Open(flow.Conn{
			Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("192.0.2.20:22"), Start: now, Oriented: true,
		})
		for _, m := range said {
			now = now.Add(time.Millisecond)
			s.Data(m.dir, m.b, record.Stamp{Time: now})
		}
		s.Close(record.EndClosed, "client", record.Stamp{Time: now})
	}
}
