package flow

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"sniff/capture"
)

// shortConnection is a connection from the given port that says hello and ends
// in order.
func shortConnection(w *wire, port int) {
	for _, s := range []seg{
		{from: "C", flags: "S"},
		{from: "S", flags: "SA", ack: 1},
		{from: "C", flags: "A", seq: 1, ack: 1, data: "hello"},
		{from: "S", flags: "AF", seq: 1, ack: 6},
		{from: "C", flags: "AF", seq: 6, ack: 2},
		{from: "S", flags: "A", seq: 2, ack: 7},
	} {
		w.e.Segment(w.onPort(s, port))
	}
}

// onPort is segment s with the client on another port and address: low bits and
// high bits of port.
func (w *wire) onPort(s seg, port int) *capture.Segment {
	cs := w.segment(s)
	a := clientAddr.Addr().As4()
	a[3] += byte(port >> 15)
	for _, p := range []*netip.AddrPort{&cs.Src, &cs.Dst} {
		if *p == clientAddr {
			*p = withPort(netip.AddrFrom4(a), uint16(10_000+port&0x7fff))
		}
	}
	return cs
}

// Of a connection that ended little is kept, and nothing a minute later.
func TestEndedConnectionsAreSmall(t *testing.T) {
	const connections = 20_000
	w := newWire(Config{})
	w.e.open = func(opening) receiver { return &deaf{} }
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	shortConnection(w, 0)
	before := live()
	begun := w.now
	for i := range connections {
		w.now = begun // all within tombTime
		shortConnection(w, i)
	}
	if n := len(w.e.graves.at); n != connections {
		t.Fatalf("%d tombs, want %d", n, connections)
	}
	if each := (live() - before) / connections; each > 110 {
		t.Errorf("%d bytes are kept of a connection that ended", each)
	}
	w.now = w.now.Add(tombTime)
	shortConnection(w, 1)
	if each := (live() - before) / connections; each > 10 || len(w.e.graves.at) != 1 {
		t.Errorf("%d bytes for each are still kept a minute later, and %d tombs", each, len(w.e.graves.at))
	}
	w.e.Close()
}

// Tombs go in the order in which they came, also when some were dropped in
// between: their ports are in use again.
func TestGraves(t *testing.T) {
	var g graves
	g.init()
	k := func(i int) key { return key{{lo: uint64(i)}, {tail: 21}} }
	for round := range 3 {
		for i := range 3 * tombPage {
			g.add(k(i), tomb{next: [2]uint32{uint32(i)}}, int64(round))
		}
		for i := range 3 * tombPage {
			if i%3 != 0 {
				g.drop(k(i))
			}
		}
		for i := 0; i < 3*tombPage; i += 3 {
			if got := g.find(k(i)); got == nil || got != g.oldest() || got.next[0] != uint32(i) {
				t.Fatalf("round %d: tomb %d is %+v, and %+v is the oldest", round, i, got, g.oldest())
			}
			if g.find(k(i+1)) != nil {
				t.Fatalf("round %d: tomb %d was dropped", round, i+1)
			}
			g.forget()
		}
		if g.oldest() != nil || len(g.pages) > 1 {
			t.Fatalf("round %d: %d pages and %+v are left", round, len(g.pages), g.oldest())
		}
	}
	g.add(k(1), tomb{}, 0)
	if n := testing.AllocsPerRun(100, func() { g.find(k(1)); g.find(k(2)) }); n != 0 {
		t.Errorf("%v allocations to look for a tomb, want none", n)
	}
}

// A connection that took over the ports of one that had ended is still known
// when that one's tomb would be forgotten.
func TestPortsInUseAgainBehindTheTomb(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	w.play(
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "old"},
		seg{from: "C", flags: "AF", seq: 4, ack: 1},
		seg{from: "S", flags: "AF", seq: 1, ack: 4}, // its FIN is not acknowledged: the connection lingers
		seg{from: "C", flags: "S", isn: 70_000},
		seg{from: "S", flags: "SA", ack: 1, isn: 90_000},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "new"},
	)
	for i := range 3 {
		w.now = w.now.Add(tombTime)
		// Another connection speaks in between, so that this one is looked up.
		other := w.segment(seg{from: "C", flags: "A", seq: 1, data: "x"})
		other.Src = withPort(other.Src.Addr(), 50_000)
		w.e.Segment(other)
		w.play(seg{from: "C", flags: "A", seq: 4 + i, ack: 1, data: "+"})
	}
	w.e.Close()
	var got []string
	for _, h := range w.sessions {
		got = append(got, h.String())
	}
	if len(got) != 3 || !strings.HasPrefix(got[1], "C new | C + | C + | C + | ") {
		t.Errorf("heard\n%s", strings.Join(got, "\n"))
	}
}
