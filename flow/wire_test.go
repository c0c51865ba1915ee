package flow

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/record"
)

// The tests of reassembly read as lists of segments and of what the session
// hears. Sequence numbers are relative to the initial ones.

var (
	clientAddr = netip.MustParseAddrPort("192.0.2.1:40000")
	serverAddr = netip.MustParseAddrPort("198.51.100.2:25")
	begin      = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
)

// seg is one segment of a test. It comes a millisecond behind the one before,
// and after more.
type seg struct {
	from  string // "C" or "S"
	flags string // letters of S, A, F, R, P, U
	seq   int
	ack   int
	data  string
	after time.Duration
	full  bool // window 0
	cut   int
	bad   bool   // wrong checksum
	icmp  [2]int // an ICMP error about a segment of from
	isn   uint32 // replaces the ISN of from
}

// wire plays segments to an engine and keeps what the sessions heard.
type wire struct {
	e        *Engine
	sessions []*heard
	isn      map[string]uint32
	now      time.Time
	packet   uint64
}

func newWire(cfg Config) *wire {
	cfg.Inline = true
	w := &wire{e: New(cfg), isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
	w.e.open = func(o opening) receiver {
		h := &heard{opening: o}
		w.sessions = append(w.sessions, h)
		return h
	}
	return w
}

func (w *wire) play(segments ...seg) {
	for _, s := range segments {
		w.e.Segment(w.segment(s))
	}
}

func (w *wire) segment(s seg) *capture.Segment {
	w.now = w.now.Add(time.Millisecond + s.after)
	w.packet++
	own, peer := "C", "S"
	src, dst := clientAddr, serverAddr
	if s.from == "S" {
		own, peer, src, dst = "S", "C", serverAddr, clientAddr
	}
	if s.isn != 0 {
		w.isn[own] = s.isn
	}
	cs := &capture.Segment{
		Time: w.now, Packet: w.packet, Src: src, Dst: dst,
		Seq: w.isn[own] + uint32(s.seq), Window: 1000, Payload: []byte(s.data), Cut: s.cut, BadChecksum: s.bad,
	}
	for _, f := range s.flags {
		cs.Flags |= map[rune]capture.Flags{'S': capture.SYN, 'A': capture.ACK, 'F': capture.FIN, 'R': capture.RST, 'P': capture.PSH, 'U': capture.URG}[f]
	}
	if cs.Flags&capture.ACK != 0 {
		cs.Ack = w.isn[peer] + uint32(s.ack)
	}
	if s.full {
		cs.Window = 0
	}
	if s.icmp != [2]int{} {
		cs.Unreachable, cs.ICMPType, cs.ICMPCode = true, uint8(s.icmp[0]), uint8(s.icmp[1])
		cs.ICMPFrom = netip.MustParseAddr("203.0.113.9")
	}
	return cs
}

// heard is a session that writes down what it hears.
type heard struct {
	opening
	log    []string
	one    bool
	counts [2]record.SideStats
	offset [2]int64
	ended  [2]bool
	closed bool
	wrong  []string
}

func name(dir dissect.Dir) string { return [...]string{"C", "S"}[dir] }

func (h *heard) say(format string, args ...any) { h.log = append(h.log, fmt.Sprintf(format, args...)) }

func (h *heard) check(dir dissect.Dir, at record.Stamp) {
	if h.closed || h.ended[dir] {
		h.wrong = append(h.wrong, name(dir)+" goes on behind its end")
	}
	if at.Offset != h.offset[dir] {
		h.wrong = append(h.wrong, fmt.Sprintf("%s: offset %d, want %d", name(dir), at.Offset, h.offset[dir]))
	}
}

func (h *heard) Data(dir dissect.Dir, b []byte, at record.Stamp) {
	h.check(dir, at)
	h.offset[dir] += int64(len(b))
	h.say("%s %s", name(dir), b)
}

func (h *heard) Gap(dir dissect.Dir, n int64, at record.Stamp) {
	h.check(dir, at)
	h.offset[dir] += n
	h.say("%s gap %d", name(dir), n)
}

func (h *heard) EOF(dir dissect.Dir, at record.Stamp) {
	h.check(dir, at)
	h.ended[dir] = true
	h.say("%s eof", name(dir))
}

func (h *heard) Close(end, by string, _ record.Stamp) {
	if h.closed {
		h.wrong = append(h.wrong, "closed twice")
	}
	h.closed = true
	h.say("%s", strings.TrimSpace(end+" "+by))
}

func (h *heard) anomaly(code string, dir dissect.Dir, at record.Stamp, detail string) {
	h.say("! %s", code)
}

func (h *heard) reset(string)                {}
func (h *heard) oneSided(yes bool)           { h.one = yes }
func (h *heard) stats() *[2]record.SideStats { return &h.counts }

func (h *heard) String() string { return strings.Join(h.log, " | ") }

// expectHeard ends the input and compares what all sessions heard, one line each.
func (w *wire) expectHeard(t *testing.T, want ...string) {
	t.Helper()
	if err := w.e.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range w.sessions {
		got = append(got, h.String())
		for _, wrong := range h.wrong {
			t.Error(wrong)
		}
	}
	if g, x := strings.Join(got, "\n"), strings.Join(want, "\n"); g != x {
		t.Errorf("heard\n%s\nwant\n%s", g, x)
	}
	if n := w.e.blocks.inUse; n != 0 {
		t.Errorf("%d bytes of blocks are still in use", n)
	}
}

// handshake is an ordinary beginning.
var handshake = []seg{
	{from: "C", flags: "S"},
	{from: "S", flags: "SA", ack: 1},
	{from: "C", flags: "A", seq: 1, ack: 1},
}

func withPort(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
