package flow

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// deferring emits each line of the client at once, and defers those of the
// server until they are let through.
type deferring struct {
	toy
	gate *sync.WaitGroup
}

func (d *deferring) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	r := &said{Text: string(b)}
	r.Stamp(d.env.At(0), dir)
	if dir == c2s {
		d.env.Emit(r)
	} else {
		d.env.Defer(r, func(emit func(record.Record)) {
			d.gate.Wait()
			emit(r)
			emit(&said{Text: "of " + r.Text})
		})
	}
	return len(b), dissect.Continue, nil
}

func TestDeferredRecordsKeepTheirPlace(t *testing.T) {
	for _, inline := range []bool{true, false} {
		var gate sync.WaitGroup
		if !inline {
			gate.Add(1)
		}
		var got []string
		e := New(Config{
			Inline: inline,
			Protocols: []dissect.Protocol{{Name: "toy", New: func(env dissect.Env) dissect.Dissector {
				return &deferring{toy{env: env}, &gate}
			}}},
			Sink: record.SinkFunc(func(r record.Record) error {
				h := r.Head()
				got = append(got, fmt.Sprint(h.RecordKind, " ", h.Dir, " ", h.Offset, " ", h.Protocol, " ", r.Summary()))
				return nil
			}),
		})
		s := e.Open(Conn{Client: client, Server: server, Start: t0, Protocol: "toy"})
		s.Data(c2s, []byte("a"), record.Stamp{Time: t0})
		s.Data(s2c, []byte("b"), record.Stamp{Time: t0})
		s.Data(c2s, []byte("c"), record.Stamp{Time: t0})
		s.Close(record.EndOpen, "", record.Stamp{Time: t0})
		if !inline {
			gate.Done()
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint([]string{
			"toy.said client 0 toy a", "toy.said server 0 toy b", "toy.said server 0 toy of b", "toy.said client 1 toy c",
			"toy.said client 2 toy [eof]", "toy.said server 1 toy [eof]", "toy.said client 1 toy [closed open]",
			"session  0 toy 7 things said",
		})
		if fmt.Sprint(got) != want {
			t.Errorf("inline %v: got\n%q, want\n%s", inline, got, want)
		}
	}
}

func TestFaultOfADeferredRecord(t *testing.T) {
	var got []record.Record
	e := New(Config{Sink: record.SinkFunc(func(r record.Record) error { got = append(got, r); return nil })})
	e.put(item{record: &said{}, finish: func(func(record.Record)) { panic("deferred") }})
	e.put(item{record: &said{Text: "next"}})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if a, ok := got[0].(*record.Anomaly); !ok || a.Code != codeInternal || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestFirstErrorOfTheSinkIsKept(t *testing.T) {
	full := errors.New("disk is full")
	for _, inline := range []bool{true, false} {
		n := 0
		e := New(Config{Inline: inline, Sink: record.SinkFunc(func(record.Record) error { n++; return full })})
		for range 3 * maxQueued {
			e.put(item{record: &said{}})
		}
		if err := e.Close(); !errors.Is(err, full) {
			t.Errorf("Close returned %v", err)
		}
		if n != 1 {
			t.Errorf("%d records were written to a sink that had failed", n)
		}
	}
}

func TestCommunityID(t *testing.T) {
	// The first is from the specification's baseline.
	tests := []struct{ a, b, want string }{
		{"128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204:80", "128.232.110.120:34855", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"[::ffff:66.35.250.204]:80", "128.232.110.120:34855", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	}
	for _, tt := range tests {
		if got := record.CommunityID(netip.MustParseAddrPort(tt.a), netip.MustParseAddrPort(tt.b)); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestSessionIDIsStable(t *testing.T) {
	id := sessionID(t0, client, server)
	if id != sessionID(t0, server, client) || len(id) != 13 || id[0] != 's' {
		t.Errorf("id %q and %q", id, sessionID(t0, server, client))
	}
	if id == sessionID(t0.Add(1), client, server) {
		t.Error("another connection has the same id")
	}
}

func TestBodiesAreCounted(t *testing.T) {
	b := counter{}.Open(content.Info{Name: "a.txt"})
	b.Write([]byte("ab"))
	b.Gap(3)
	b.Write([]byte("c"))
	c := b.Close(true).Wait()
	if c.Name != "a.txt" || c.Size != 3 || c.Missing != 3 || !c.Partial || c.Gaps[0] != (record.Range{From: 2, To: 5}) {
		t.Errorf("%+v", c)
	}
	if c.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" { // of "abc"
		t.Errorf("digest %s", c.SHA256)
	}
}

func TestChannelIsANestedStream(t *testing.T) {
	clock := func() time.Time { return t0.Add(time.Hour) }
	inner := toyProtocol
	inner.Name = "inner"
	b := newBench(t, Config{Clock: clock, Protocols: []dissect.Protocol{toyProtocol, inner}}, toyConn)
	if b.s.Channel("nonsense", "") != nil {
		t.Error("a channel of an unknown protocol")
	}
	ch := b.s.Channel("inner", "channel 0")
	ch.Data(c2s, []byte("hi\n"))
	ch.Gap(s2c, 4)
	h := b.records[0].Head()
	if h.Protocol != "inner" || h.Session != b.s.ID() || h.Time != clock() {
		t.Errorf("header %+v", h)
	}
	b.close()
	b.want("C hi", "S [gap 4]", "C [eof]", "S [eof]", "C [closed closed]", "C [eof]", "S [eof]", "C [closed closed]")
	if b.s.Protocol() != "toy" {
		t.Errorf("the session's protocol is %q", b.s.Protocol())
	}
}

// TestSessionsInParallel is for the race detector: a proxy's two pumps and
// another session at work.
func TestSessionsInParallel(t *testing.T) {
	var mu sync.Mutex
	n := 0
	e := New(Config{Inline: true, Protocols: []dissect.Protocol{toyProtocol}, Sink: record.SinkFunc(func(record.Record) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		return nil
	})})
	var wg sync.WaitGroup
	for i := range 4 {
		s := e.Open(Conn{Client: netip.AddrPortFrom(client.Addr(), uint16(i+1)), Server: server, Start: t0, Protocol: "toy", Oriented: true})
		var pumps sync.WaitGroup
		for _, dir := range []dissect.Dir{c2s, s2c} {
			pumps.Go(func() {
				for range 100 {
					s.Data(dir, []byte("line\n"), record.Stamp{Time: t0})
					s.Limit(dir)
					s.Consumed(dir)
				}
			})
		}
		wg.Go(func() { pumps.Wait(); s.Close(record.EndClosed, "", record.Stamp{Time: t0}) })
	}
	wg.Wait()
	if want := 4 * (200 + 4); n != want {
		t.Errorf("%d records, want %d", n, want)
	}
}
