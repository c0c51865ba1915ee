package dissecttest

import (
	"net/netip"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

var (
	start      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	mainClient = netip.MustParseAddrPort("192.0.2.1:40000")
	mainServer = netip.MustParseAddr("198.51.100.1")
)

// played is what one play brought.
type played struct {
	records []record.Record
	err     error
}

// check fails the test for what no input may lead to.
func (p *played) check(t testing.TB) {
	t.Helper()
	if p.err != nil {
		t.Fatalf("engine: %v", p.err)
	}
	for _, r := range p.records {
		if a, ok := r.(*record.Anomaly); ok && a.Code == "internal_error" {
			t.Fatalf("the dissector failed: %s", a.Detail)
		}
	}
}

// play runs a transcript through an engine, its bytes cut at the given
// offsets of all data together.
func (o *options) play(tr *transcript, cuts []int) *played {
	p := &played{}
	cfg := flow.Config{
		Protocols: o.protocols,
		TLS:       o.tls,
		Inline:    true,
		Secrets:   record.NewKeyer([]byte("dissecttest")),
		Sink: record.SinkFunc(func(r record.Record) error {
			p.records = append(p.records, r)
			return nil
		}),
	}
	if o.content != nil {
		cfg.Content = o.content()
	}
	e := flow.New(cfg)
	sessions := make([]*flow.Session, len(tr.conns))
	ended := make([][2]bool, len(tr.conns))
	sessions[0] = e.Open(o.mainConn(tr))
	last, offset := start, 0
	for packet, st := range tr.steps {
		last = start.Add(st.at)
		at := record.Stamp{Time: last, Packet: uint64(packet + 1)}
		s := sessions[st.conn]
		switch st.kind {
		case open:
			c := tr.conns[st.conn]
			sessions[st.conn] = e.Open(flow.Conn{Client: c.client, Server: c.server, Start: last, Oriented: true})
		case data:
			b := st.b
			for len(cuts) > 0 && cuts[0] < offset+len(b) {
				k := max(cuts[0]-offset, 0)
				give(s, st.dir, b[:k], at)
				b, offset, cuts = b[k:], offset+k, cuts[1:]
			}
			give(s, st.dir, b, at)
			offset += len(b)
		case gap:
			s.Gap(st.dir, st.n, at)
		case eof:
			s.EOF(st.dir, at)
			ended[st.conn][st.dir] = true
			if ended[st.conn] == [2]bool{true, true} {
				s.Close(record.EndClosed, st.dir.Other().String(), at)
			}
		case reset:
			s.Close(record.EndReset, st.dir.String(), at)
		}
	}
	for i := len(sessions) - 1; i >= 0; i-- {
		if sessions[i] != nil {
			sessions[i].Close(record.EndOpen, "", record.Stamp{Time: last})
		}
	}
	p.err = e.Close()
	return p
}

// give hands over a copy that is spoilt afterwards: who keeps a slice that
// was only lent is found out.
func give(s *flow.Session, dir dissect.Dir, b []byte, at record.Stamp) {
	if len(b) == 0 {
		return
	}
	lent := append([]byte(nil), b...)
	s.Data(dir, lent, at)
	for i := range lent {
		lent[i] = 0xA5
	}
}

func (o *options) mainConn(tr *transcript) flow.Conn {
	port := o.port
	if tr.port != 0 {
		port = tr.port
	}
	c := flow.Conn{
		Client: mainClient, Server: netip.AddrPortFrom(mainServer, port),
		Start: start, Oriented: !tr.midstream, Midstream: tr.midstream,
		TLS: tr.tls, ALPN: tr.alpn, Protocol: o.protocols[0].Name,
	}
	if o.probe || tr.probe {
		c.Protocol = ""
	}
	return c
}
