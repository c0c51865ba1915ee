package flow

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

var toyConn = Conn{Protocol: "toy", Oriented: true}

func TestHoldKeepsCauseBeforeEffect(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("HOLD\nafter\n").r("hm\n")
	b.want("C HOLD", "S hm")
	if off, held := b.s.Limit(c2s); off != 5 || !held {
		t.Errorf("Limit is %d, %v; want 5, true", off, held)
	}
	b.r("GO\nlater\n")
	b.want("C HOLD", "S hm", "S GO", "C after", "S later")
	if off, held := b.s.Limit(c2s); off != 11 || held {
		t.Errorf("Limit is %d, %v; want 11, false", off, held)
	}
}

func TestReleasedBytesMayHoldAgain(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("HOLD\none\nHOLD\ntwo\n").r("GO\nx\nGO\ny\n")
	b.want("C HOLD", "S GO", "C one", "C HOLD", "S x", "S GO", "C two", "S y")
}

func TestHoldIsBounded(t *testing.T) {
	limits := Limits{Held: 16, HoldTime: time.Minute}
	tests := []struct {
		name string
		free func(b *bench)
		want []string
	}{
		{"bytes", func(b *bench) { b.c("0123456789abcdef\n") }, []string{"C kept", "C 0123456789abcdef"}},
		{"time", func(b *bench) { b.now = b.now.Add(time.Hour); b.r("x\n") }, []string{"C kept", "S x"}},
		{"gap in its own bytes", func(b *bench) { b.s.Gap(c2s, 3, b.at()) }, []string{"C kept", "C [gap 3]"}},
		{"gap in the answer", func(b *bench) { b.s.Gap(s2c, 3, b.at()) }, []string{"S [gap 3]", "C kept"}},
		{"own end", func(b *bench) { b.s.EOF(c2s, b.at()) }, []string{"C kept", "C [eof]"}},
		{"other end", func(b *bench) { b.s.EOF(s2c, b.at()) }, []string{"S [eof]", "C kept"}},
		{"one direction only", func(b *bench) { b.s.oneSided(true); b.c("x\n") }, []string{"C kept", "C x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{Limits: limits}, toyConn)
			b.c("HOLD\nkept\n")
			b.want("C HOLD")
			tt.free(b)
			b.want(append([]string{"C HOLD"}, tt.want...)...)
			if _, held := b.s.Limit(c2s); held {
				t.Error("still held")
			}
		})
	}
}

func TestHoldThatNobodyCanFreeIsIgnored(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.s.EOF(s2c, b.at())
	b.c("HOLD\nx\n")
	b.want("S [eof]", "C HOLD", "C x")
}

func TestEndReadsThroughAllHolds(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("HOLD\none\nHOLD\ntwo\n")
	b.s.EOF(c2s, b.at())
	b.want("C HOLD", "C one", "C HOLD", "C two", "C [eof]")
}

func TestChangedWakesWaiters(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	ch := b.s.Changed()
	b.c("x\n")
	select {
	case <-ch:
		t.Fatal("woken although nothing changed")
	default:
	}
	b.c("HOLD\n")
	<-ch
	ch = b.s.Changed()
	b.r("GO\n")
	<-ch
}

func TestGapDropsUnfinishedToken(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("one\nunfini")
	b.s.Gap(c2s, 10, b.at())
	b.c("shed\ntwo\n")
	b.want("C one", "C [gap 16]", "C shed", "C two")
	last := b.records[len(b.records)-1].Head()
	if last.Offset != 25 {
		t.Errorf("offset behind the gap is %d, want 25", last.Offset)
	}
	rec := b.close()
	if rec.ClientSide.Missing != 10 || len(rec.ClientSide.Gaps) != 1 || rec.ClientSide.Gaps[0] != (record.Range{From: 10, To: 20}) {
		t.Errorf("the session says %+v", rec.ClientSide)
	}
}

func TestUnfinishedTokenIsLimited(t *testing.T) {
	for _, chunk := range []int{1, 7, 100} {
		b := newBench(t, Config{Limits: Limits{Pending: 10}}, toyConn)
		text := "ok\n0123456789\nnext\n"
		for i := 0; i < len(text); i += chunk {
			b.c(text[i:min(i+chunk, len(text))])
		}
		b.r("other\n")
		b.want("C ok", "! token_too_long", "S other")
		if a := b.anomaly(codeTooLong); a.Offset != 3 || a.Dir != "client" {
			t.Errorf("chunks of %d: anomaly at %s %d, want client 3", chunk, a.Dir, a.Offset)
		}
		if from := b.close().OpaqueFrom["client"]; from != 3 {
			t.Errorf("opaque from %d, want 3", from)
		}
	}
}

func TestErrorTurnsOneDirectionOpaque(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("a\nERROR\nb\n").r("still\n").c("c\n")
	b.want("C a", "! sync_lost", "S still")
	rec := b.close()
	if len(rec.OpaqueFrom) != 1 || rec.OpaqueFrom["client"] != 2 {
		t.Errorf("opaque from %v, want client 2", rec.OpaqueFrom)
	}
	if rec.ClientSide.Bytes != 12 {
		t.Errorf("%d bytes counted, want 12", rec.ClientSide.Bytes)
	}
}

func TestErrorFreesTheOtherSide(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("HOLD\nkept\n").r("ERROR\n")
	b.want("C HOLD", "! sync_lost", "C kept")
}

func TestPanicEndsOnlyItsSession(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	other := b.open(Conn{Protocol: "toy", Oriented: true, Client: netip.MustParseAddrPort("192.0.2.9:9")})
	b.c("HOLD\n").r("PANIC\n").c("more\n").r("more\n")
	other.Data(c2s, []byte("fine\n"), b.at())
	b.want("C HOLD", "! internal_error", "C fine")
	a := b.anomaly(codeInternal)
	if !strings.Contains(a.Detail, "toy was asked to") || !strings.Contains(a.Detail, "(*toy).Consume (toy_test.go:") {
		t.Errorf("the anomaly does not name the fault and its place: %q", a.Detail)
	}
	if _, held := b.s.Limit(c2s); held {
		t.Error("the proxy would wait for ever")
	}
	if rec := b.close(); rec.OpaqueFrom["server"] != 0 || rec.OpaqueFrom["client"] != 5 {
		t.Errorf("opaque from %v", rec.OpaqueFrom)
	}
}

func TestViolationsAreBounded(t *testing.T) {
	b := newBench(t, Config{Limits: Limits{Violations: 3}}, toyConn)
	b.c(strings.Repeat("VIOLATE x\n", 10))
	b.want("! toy_odd", "! toy_odd", "! toy_odd")
	b.close()
	var last *record.Anomaly
	for _, r := range b.records {
		if a, ok := r.(*record.Anomaly); ok {
			last = a
		}
	}
	if last.Count != 7 || last.Offset != 90 || last.Session == "" {
		t.Errorf("%+v, want a count of 7 at offset 90", last)
	}
}

func TestEndIsToldInOrder(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("a\nunfinished").r("b\n")
	rec := b.close()
	b.want("C a", "S b", "C [eof]", "S [eof]", "C [closed closed]")
	if eof := b.records[2].Head(); eof.Offset != 12 {
		t.Errorf("the end is at %d, want 12", eof.Offset)
	}
	if rec.What != "5 things said" || rec.End != "closed" || rec.EndedBy != "client" || rec.Protocol != "toy" {
		t.Errorf("session: %+v", rec)
	}
	n := len(b.records)
	b.c("late\n")
	b.s.Close(record.EndReset, "", b.at())
	if len(b.records) != n {
		t.Error("records came behind the end")
	}
}

func TestHandoffProbesAfresh(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c("HANDOFF\ntoy again\n").r("yes\n")
	b.want("C HANDOFF", "C [eof]", "S [eof]", "C toy again", "S yes")
	if off := b.records[3].Head().Offset; off != 8 {
		t.Errorf("offset behind the handoff is %d, want 8", off)
	}
	b.c("HANDOFF\nunknown")
	if rec := b.close(); rec.OpaqueFrom["client"] != 26 {
		t.Errorf("opaque from %v, want client 26", rec.OpaqueFrom)
	}
}

func TestStampsComeFromTheirPackets(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	for i, part := range []string{"o", "ne\ntw", "o\nthree\n"} {
		b.s.Data(c2s, []byte(part), record.Stamp{Time: t0.Add(time.Duration(i) * time.Second), Packet: uint64(i + 1)})
	}
	for i, want := range []struct {
		offset int64
		packet uint64
	}{{0, 1}, {4, 2}, {8, 3}} {
		h := b.records[i].Head()
		if h.Offset != want.offset || h.Packet != want.packet || h.Time != t0.Add(time.Duration(want.packet-1)*time.Second) {
			t.Errorf("record %d: offset %d, packet %d, time %v; want %+v", i, h.Offset, h.Packet, h.Time, want)
		}
	}
}

// TestHalf plays random takes and advances against a plain model.
func TestHalf(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h half
		var stream []byte
		var packets []uint64
		read := 0
		for packet := uint64(1); packet < 60; packet++ {
			b := make([]byte, 1+rnd.IntN(40))
			for i := range b {
				b[i] = byte(rnd.IntN(256))
				packets = append(packets, packet)
			}
			stream = append(stream, b...)
			h.take(b, record.Stamp{Packet: packet, Time: t0})
			for len(h.unread) > 0 && rnd.IntN(3) > 0 {
				n := 1 + rnd.IntN(len(h.unread))
				h.advance(n)
				read += n
			}
			h.keep()
			clear(b)
			if string(h.unread) != string(stream[read:]) {
				t.Fatalf("unread bytes are not those of the stream at %d", read)
			}
			for i := range h.unread {
				if at := h.stamp(i); at.Packet != packets[read+i] || at.Offset != int64(read+i) {
					t.Fatalf("stamp of %d: %+v, want packet %d", read+i, at, packets[read+i])
				}
			}
		}
	}
}

// counting consumes everything and keeps nothing.
type counting struct{ n int }

func (d *counting) Consume(_ dissect.Dir, b []byte) (int, dissect.Action, error) {
	d.n += len(b)
	return len(b), dissect.Continue, nil
}
func (d *counting) Gap(dissect.Dir, int64) {}
func (d *counting) EOF(dissect.Dir)        {}

func TestDataDoesNotAllocate(t *testing.T) {
	d := &counting{}
	p := dissect.Protocol{Name: "counting", New: func(dissect.Env) dissect.Dissector { return d }}
	b := newBench(t, Config{Protocols: []dissect.Protocol{p}}, Conn{Protocol: "counting", Oriented: true})
	payload := make([]byte, 1448)
	b.s.Data(c2s, payload, b.at())
	at := b.at()
	n := testing.AllocsPerRun(1000, func() {
		at.Packet++
		b.s.Data(c2s, payload, at)
		b.s.Data(s2c, payload, at)
	})
	if n != 0 {
		t.Errorf("%v allocations for two segments, want none", n)
	}
	if d.n == 0 {
		t.Error("nothing was consumed")
	}
}

func BenchmarkData(b *testing.B) {
	d := &counting{}
	p := dissect.Protocol{Name: "counting", New: func(dissect.Env) dissect.Dissector { return d }}
	e := New(Config{Protocols: []dissect.Protocol{p}, Inline: true})
	s := e.Open(Conn{Client: client, Server: server, Protocol: "counting", Oriented: true, Start: t0})
	payload := make([]byte, 1448)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		s.Data(c2s, payload, record.Stamp{Time: t0})
	}
}
