package flow

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

func TestSideStats(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	w.play(
		seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abcd"},
		seg{from: "S", flags: "A", seq: 1, ack: 7, full: true},
		seg{from: "C", flags: "A", seq: 6, ack: 1},
		seg{from: "C", flags: "A", seq: 6, ack: 1, data: "\x00"},
		seg{from: "S", flags: "A", seq: 1, ack: 7, full: true},
	)
	w.expectHeard(t, "C abc | C def | C eof | S eof | open")
	h := w.sessions[0]
	want := [2]record.SideStats{
		{Packets: 7, Retransmitted: 4, OutOfOrder: 1, KeepAlives: 2, Flags: "SA"},
		{Packets: 3, ZeroWindows: 2, Flags: "SA"},
	}
	if !reflect.DeepEqual(h.counts, want) {
		t.Errorf("counted %+v, want %+v", h.counts, want)
	}
	if h.handshake != time.Millisecond {
		t.Errorf("handshake took %v, want 1ms", h.handshake)
	}
	if h.number != 1 || h.packet != 1 || !h.start.Equal(begin.Add(time.Millisecond)) {
		t.Errorf("session %d began with packet %d at %v", h.number, h.packet, h.start)
	}
}

// TestOrientation wants the client on the right side whatever the capture
// shows first.
func TestOrientation(t *testing.T) {
	mail := Config{Protocols: []dissect.Protocol{{Name: "mail", Ports: []uint16{2525}}}}
	for _, tt := range []struct {
		name             string
		client, server   uint16
		segs             []seg
		want             string
		swapped, oneSide bool
	}{
		{"handshake", 25, 40000, handshake, "handshake", false, false},
		{"SYN-ACK only", 25, 40000, []seg{{from: "S", flags: "SA", ack: 1}, {from: "S", flags: "A", seq: 1, ack: 1, data: "x"}}, "handshake", false, true},
		{"server's data first", 40000, 25, []seg{{from: "S", flags: "A", seq: 1, ack: 1, data: "x"}}, "port", false, true},
		{"known port", 1000, 2525, []seg{{from: "S", flags: "A", seq: 1, ack: 1, data: "x"}}, "port", false, true},
		{"no hint", 40000, 50000, []seg{{from: "S", flags: "A", seq: 1, ack: 1, data: "x"}}, "first", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(mail)
			for _, s := range tt.segs {
				cs := w.segment(s)
				port := func(own bool) uint16 {
					if own == (s.from == "C") {
						return tt.client
					}
					return tt.server
				}
				cs.Src = addrPortOf(cs.Src.Addr())
				cs.Dst = addrPortOf(cs.Dst.Addr())
				src, dst := cs.Src.Addr(), cs.Dst.Addr()
				cs.Src, cs.Dst = withPort(src, port(true)), withPort(dst, port(false))
				w.e.Segment(cs)
			}
			w.e.Close()
			h := w.sessions[0]
			if h.orientation != tt.want {
				t.Errorf("told by %s, want %s", h.orientation, tt.want)
			}
			if swapped := h.client.Addr() != clientAddr.Addr(); swapped != tt.swapped {
				t.Errorf("client is %v", h.client)
			}
			if h.one != tt.oneSide {
				t.Errorf("one-sided: %v, want %v", h.one, tt.oneSide)
			}
		})
	}
}

// TestHoleWithoutAnswers fills a hole late, or never, in a capture of one
// direction.
func TestHoleWithoutAnswers(t *testing.T) {
	first := []seg{
		{from: "C", flags: "S"}, {from: "C", flags: "A", seq: 1, ack: 1},
		{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
	}
	w := newWire(Config{})
	w.play(first...)
	w.play(seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc", after: 5 * time.Second})
	w.expectHeard(t, "C abc | C def | C eof | S eof | open")

	w = newWire(Config{})
	w.play(first...)
	w.play(seg{from: "C", flags: "A", seq: 7, ack: 1, data: "g", after: 11 * time.Second})
	w.expectHeard(t, "C gap 3 | C def | C g | C eof | S eof | open")

	w = newWire(Config{})
	w.play(first...)
	w.e.Advance(w.now.Add(11 * time.Second))
	if got := w.sessions[0].String(); got != "C gap 3 | C def" {
		t.Errorf("when time passed without segments: heard %s", got)
	}
}

// TestOutOfOrderLimit takes a hole for lost when too much waits behind it.
func TestOutOfOrderLimit(t *testing.T) {
	w := newWire(Config{Limits: Limits{OutOfOrder: 8 << 10}})
	w.play(handshake...)
	text := strings.Repeat("x", 1000)
	for i := range 6 {
		w.play(seg{from: "C", flags: "A", seq: 11 + i*1000, ack: 1, data: text})
	}
	if h := w.sessions[0]; len(h.log) == 0 || h.log[0] != "C gap 10" {
		t.Errorf("heard %.100v, want a gap first", h)
	}
}

// TestGiants are segments that offloading made, larger than any packet.
func TestGiants(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	a, b := strings.Repeat("a", 200_000), strings.Repeat("b", 60_000)
	w.play(
		seg{from: "C", flags: "A", seq: 1 + len(a), ack: 1, data: b},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: a},
		seg{from: "C", flags: "A", seq: 1 + len(a) + len(b), ack: 1, data: a},
	)
	w.expectHeard(t, "C "+a+" | C "+b+" | C "+a+" | C eof | S eof | open")
}

// TestOffsetsBeyondFourGigabytes passes the whole of the sequence space, most
// of it cut off by a snap length.
func TestOffsetsBeyondFourGigabytes(t *testing.T) {
	w := newWire(Config{})
	w.isn["C"] = 1<<32 - 5
	w.play(handshake...)
	seq := 1
	for range 12 {
		w.play(seg{from: "C", flags: "A", seq: seq, ack: 1, data: "x", cut: 1<<30 - 1})
		w.play(seg{from: "S", flags: "A", seq: 1, ack: seq + 1<<30})
		seq += 1 << 30
	}
	w.e.Close()
	h := w.sessions[0]
	if len(h.wrong) > 0 || h.offset[0] != 12<<30 {
		t.Errorf("offset %d, want %d; %v", h.offset[0], 12<<30, h.wrong)
	}
}

// TestForgedAcknowledgement must not make the stream skip real bytes.
func TestForgedAcknowledgement(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	w.play(seg{from: "S", flags: "A", seq: 1, ack: 500_000})
	for i := range 30 {
		w.play(
			seg{from: "C", flags: "A", seq: 1 + i, ack: 1, data: "c"},
			seg{from: "S", flags: "A", seq: 1, ack: 2 + i},
		)
	}
	w.expectHeard(t, strings.Repeat("C c | ", 30)+"C eof | S eof | open")
}

// TestConflictNamesBothPackets reads what the session's record of a conflict
// says.
func TestConflictNamesBothPackets(t *testing.T) {
	var anomalies []*record.Anomaly
	e := New(Config{Inline: true, Sink: record.SinkFunc(func(r record.Record) error {
		if a, ok := r.(*record.Anomaly); ok {
			anomalies = append(anomalies, a)
		}
		return nil
	})})
	w := &wire{e: e, isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
	w.play(handshake...)
	w.play(
		seg{from: "S", flags: "A", seq: 1, ack: 1, data: "HTTP/1.1 200 forged"},
		seg{from: "S", flags: "A", seq: 1, ack: 1, data: "HTTP/1.1 302 real and longer"},
	)
	e.Close()
	if len(anomalies) != 1 {
		t.Fatalf("%d anomalies, want 1", len(anomalies))
	}
	a := anomalies[0]
	if a.Code != "tcp_overlap_conflict" || a.Dir != "server" || a.Offset != 9 || a.Packet != 5 ||
		!strings.Contains(a.Detail, "packet 5") || !strings.Contains(a.Detail, "packet 4") {
		t.Errorf("told %+v", a)
	}
}

// TestTimeFromTheFuture must not end what is under way.
func TestTimeFromTheFuture(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	w.play(seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"})
	other := w.segment(seg{from: "C", flags: "S"})
	other.Src = withPort(clientAddr.Addr(), 5)
	other.Time = begin.AddDate(50, 0, 0)
	w.e.Segment(other)
	w.play(seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"})
	w.e.Close()
	if got := w.sessions[0].String(); got != "C abc | C def | C eof | S eof | open" {
		t.Errorf("heard %s", got)
	}
}

// TestSessionsAreNumberedByFirstPacket although they end in another order.
func TestSessionsAreNumberedByFirstPacket(t *testing.T) {
	var got []string
	e := New(Config{Inline: true, Sink: record.SinkFunc(func(r record.Record) error {
		if s, ok := r.(*record.Session); ok {
			got = append(got, fmt.Sprintf("%d %d %d %s", s.Number, s.Packet, s.Client.Port(), s.End))
		}
		return nil
	})})
	w := &wire{e: e, isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
	for _, s := range []struct {
		port uint16
		seg  seg
	}{
		{1, seg{from: "C", flags: "S"}},
		{2, seg{from: "C", flags: "S"}},
		{3, seg{from: "C", flags: "A", seq: 1, ack: 1, data: "x"}},
		{2, seg{from: "S", flags: "RA", ack: 1}},
		{1, seg{from: "S", flags: "SA", ack: 1}},
		{1, seg{from: "C", flags: "A", seq: 1, ack: 1}},
		{4, seg{from: "C", flags: "S", after: 10 * time.Second}},
	} {
		cs := w.segment(s.seg)
		if s.seg.from == "C" {
			cs.Src = withPort(cs.Src.Addr(), s.port)
		} else {
			cs.Dst = withPort(cs.Dst.Addr(), s.port)
		}
		e.Segment(cs)
	}
	e.Close()
	want := "[2 2 2 refused 1 1 1 open 3 3 3 open 4 7 4 unanswered]"
	if fmt.Sprint(got) != want {
		t.Errorf("sessions %v, want %s", got, want)
	}
}

// TestIgnoredSegmentsAreTold at the end of the input.
func TestIgnoredSegmentsAreTold(t *testing.T) {
	var told []string
	e := New(Config{Inline: true, Sink: record.SinkFunc(func(r record.Record) error {
		told = append(told, string(r.Kind())+": "+r.Summary())
		return nil
	})})
	w := &wire{e: e, isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
	w.play(handshake...)
	w.play(
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "x", bad: true},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "y", bad: true},
	)
	e.Close()
	want := "[session: open anomaly: tcp_bad_checksum: 2 segments with a wrong checksum were ignored]"
	if fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
}

// TestCaptureOfOneDirectionEnds does not wait an hour for the FIN of the side
// that is not captured.
func TestCaptureOfOneDirectionEnds(t *testing.T) {
	w := newWire(Config{})
	w.play(
		seg{from: "C", flags: "S"},
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "QUIT"},
		seg{from: "C", flags: "FA", seq: 5, ack: 9},
		seg{from: "C", flags: "A", seq: 6, ack: 10},
	)
	w.e.Advance(w.now.Add(10 * time.Second))
	h := w.sessions[0]
	if got := h.String(); got != "C QUIT | C eof | S eof | half-closed client" || !h.one {
		t.Errorf("heard %s, one-sided %v", got, h.one)
	}
}

// TestClosedWithLastAck wants the session ended, and its memory given back, as
// soon as both sides have acknowledged the other's FIN: not when some time has
// passed behind it.
func TestClosedWithLastAck(t *testing.T) {
	w := newWire(Config{})
	w.play(handshake...)
	w.play(
		seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
		seg{from: "C", flags: "FA", seq: 4, ack: 1},
		seg{from: "S", flags: "FA", seq: 1, ack: 5},
	)
	const before = "C abc | C eof | S eof"
	if got := w.sessions[0].String(); got != before {
		t.Fatalf("heard %q, want %q: the last acknowledgement is still to come", got, before)
	}
	w.play(seg{from: "C", flags: "A", seq: 5, ack: 2})
	if got := w.sessions[0].String(); got != before+" | closed client" {
		t.Errorf("heard %q with the last acknowledgement, want the session closed", got)
	}
	if n := w.e.lingering.n + w.e.active.n; n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}
