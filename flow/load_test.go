package flow

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/record"
)

// deaf is a session that hears nothing.
type deaf struct {
	bytes  int64
	counts [2]record.SideStats
}

func (d *deaf) Data(_ dissect.Dir, b []byte, _ record.Stamp)                 { d.bytes += int64(len(b)) }
func (d *deaf) Gap(dissect.Dir, int64, record.Stamp)                         {}
func (d *deaf) EOF(dissect.Dir, record.Stamp)                                {}
func (d *deaf) Close(string, string, record.Stamp)                           {}
func (d *deaf) anomaly(code string, _ dissect.Dir, _ record.Stamp, _ string) {}
func (d *deaf) reset(string)                                                 {}
func (d *deaf) oneSided(bool)                                                {}
func (d *deaf) stats() *[2]record.SideStats                                  { return &d.counts }

// transfer is a connection in the middle of a long upload.
type transfer struct {
	e    *Engine
	s    capture.Segment
	out  *deaf
	time time.Time
}

const mss = 1460

func newTransfer(open bool) *transfer {
	e := New(Config{Inline: true})
	tr := &transfer{e: e, out: &deaf{}, time: begin}
	if !open {
		e.open = func(opening) receiver { return tr.out }
	}
	w := &wire{e: e, isn: map[string]uint32{"C": 1<<32 - 1<<20, "S": 1}, now: begin}
	w.play(handshake...)
	tr.s = capture.Segment{
		Src: clientAddr, Dst: serverAddr, Seq: 1<<32 - 1<<20 + 1, Ack: 2,
		Flags: capture.ACK, Window: 512, Payload: make([]byte, mss),
	}
	for i := range tr.s.Payload {
		tr.s.Payload[i] = byte(i)
	}
	return tr
}

// send plays the segment that is so many behind the next one.
func (tr *transfer) send(ahead int) {
	s := tr.s
	s.Seq += uint32(ahead * mss)
	tr.time = tr.time.Add(time.Microsecond)
	tr.s.Packet++
	s.Time, s.Packet = tr.time, tr.s.Packet
	tr.e.Segment(&s)
}

func TestNoAllocationPerSegment(t *testing.T) {
	for _, real := range []bool{false, true} {
		tr := newTransfer(real)
		step := func() {
			tr.send(0)
			tr.s.Seq += mss
		}
		for range 5000 {
			step()
		}
		if n := testing.AllocsPerRun(2000, step); n != 0 {
			t.Errorf("%v allocations for a segment in order (real session: %v), want none", n, real)
		}
	}
	tr := newTransfer(false)
	step := func() {
		tr.send(2)
		tr.send(1)
		tr.send(0)
		tr.s.Seq += 3 * mss
	}
	for range 2000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n > 0.1 {
		t.Errorf("%v allocations for three segments out of order, want none", n)
	}
	if tr.out.bytes == 0 {
		t.Error("nothing was delivered")
	}
}

func BenchmarkSegment(b *testing.B) {
	b.Run("in order", func(b *testing.B) {
		tr := newTransfer(false)
		b.SetBytes(mss)
		b.ReportAllocs()
		for b.Loop() {
			tr.send(0)
			tr.s.Seq += mss
		}
	})
	b.Run("in order, real session", func(b *testing.B) {
		tr := newTransfer(true)
		b.SetBytes(mss)
		b.ReportAllocs()
		for b.Loop() {
			tr.send(0)
			tr.s.Seq += mss
		}
	})
	b.Run("out of order", func(b *testing.B) {
		tr := newTransfer(false)
		b.SetBytes(mss)
		b.ReportAllocs()
		order := [...]int{1, 0, 3, 2, 7, 6, 5, 4}
		i := 0
		for b.Loop() {
			tr.send(order[i&7])
			if i++; i&7 == 0 {
				tr.s.Seq += 8 * mss
			}
		}
	})
	b.Run("many connections", func(b *testing.B) {
		e := New(Config{Inline: true})
		out := &deaf{}
		e.open = func(opening) receiver { return out }
		const n = 20_000
		s := capture.Segment{Dst: serverAddr, Flags: capture.ACK, Window: 1, Ack: 1, Payload: make([]byte, mss), Time: begin}
		b.SetBytes(mss)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			s.Src = loadClient(i % n)
			s.Seq = uint32(i/n) * mss
			s.Packet++
			e.Segment(&s)
			i++
		}
	})
}

// loadClient returns one of many clients.
func loadClient(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 24), byte(i >> 16), byte(i >> 8)}), 1024+uint16(i&255))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestManyConnectionsFitIntoMemory holds 200,000 connections open that have
// carried data, with their sessions.
func TestManyConnectionsFitIntoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second and some hundred MB")
	}
	before := heapInUse()
	e := New(Config{Inline: true})
	const n = 200_000
	s := capture.Segment{Window: 1, Time: begin}
	data := []byte("GET / HTTP/1.1\r\n")
	for i := range n {
		client := loadClient(i)
		send := func(src, dst netip.AddrPort, f capture.Flags, seq, ack uint32, p []byte) {
			s.Src, s.Dst, s.Flags, s.Seq, s.Ack, s.Payload = src, dst, f, seq, ack, p
			s.Packet++
			e.Segment(&s)
		}
		server := netip.AddrPortFrom(serverAddr.Addr(), uint16(i&1023))
		send(client, server, capture.SYN, 10, 0, nil)
		send(server, client, capture.SYN|capture.ACK, 20, 11, nil)
		send(client, server, capture.ACK, 11, 21, data)
		send(server, client, capture.ACK, 21, 11+uint32(len(data)), data)
	}
	if e.nConns != n {
		t.Fatalf("%d connections are kept, want %d", e.nConns, n)
	}
	used := heapInUse() - before
	t.Logf("%d connections take %d MiB, %d bytes each", n, used>>20, used/n)
	if used > 1<<30 {
		t.Errorf("%d connections take %d MiB, more than 1 GiB", n, used>>20)
	}
	runtime.KeepAlive(e)
}

// TestFloodOfSYNs sends more SYNs, most of them answered, than may be kept.
func TestFloodOfSYNs(t *testing.T) {
	const limit, n = 50_000, 1_000_000
	var told []record.Record
	sessions := 0
	before := heapInUse()
	e := New(Config{Inline: true, Limits: Limits{HalfOpen: limit}, Sink: record.SinkFunc(func(r record.Record) error {
		if r.Kind() == record.KindSession {
			sessions++
		} else {
			told = append(told, r)
		}
		return nil
	})})
	s := capture.Segment{Window: 1, Time: begin}
	for i := range n {
		s.Packet++
		s.Time = begin.Add(time.Duration(i) * time.Microsecond)
		s.Src, s.Dst, s.Flags, s.Seq, s.Ack = loadClient(i), serverAddr, capture.SYN, uint32(i), 0
		e.Segment(&s)
		if i%3 != 0 {
			s.Packet++
			s.Src, s.Dst, s.Flags, s.Seq, s.Ack = serverAddr, loadClient(i), capture.SYN|capture.ACK, 7, uint32(i)+1
			e.Segment(&s)
		}
	}
	used := heapInUse() - before
	t.Logf("%d half-open connections take %d MiB", limit, used>>20)
	if used > 1<<30*limit/500_000 {
		t.Errorf("%d half-open connections take %d MiB", limit, used>>20)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if sessions != limit {
		t.Errorf("%d sessions were told, want the %d that were kept", sessions, limit)
	}
	if len(told) != 1 {
		t.Fatalf("%d other records, want one that tells what was given up", len(told))
	}
	a, ok := told[0].(*record.Anomaly)
	if !ok || a.Code != "attempts_evicted" || a.Detail != "950000 connection attempts without data were given up to stay within the limit of half-open connections; they are not listed" {
		t.Errorf("told %+v", told[0])
	}
}

// TestOutOfOrderIsBounded opens holes on many connections and never fills
// them.
func TestOutOfOrderIsBounded(t *testing.T) {
	const each, total = 64 << 10, 1 << 20
	e := New(Config{Inline: true, Limits: Limits{OutOfOrder: each, OutOfOrderTotal: total}})
	out := &deaf{}
	e.open = func(opening) receiver { return out }
	s := capture.Segment{Dst: serverAddr, Flags: capture.ACK, Window: 1, Payload: make([]byte, mss), Time: begin}
	for round := range 100 {
		for i := range 200 {
			s.Src, s.Seq = loadClient(i), uint32(round*2*mss)
			s.Packet++
			e.Segment(&s)
			if e.blocks.inUse > total {
				t.Fatalf("%d bytes are kept ahead, the limit is %d", e.blocks.inUse, total)
			}
		}
	}
	if out.bytes < 100*200*mss-total {
		t.Errorf("only %d bytes were delivered", out.bytes)
	}
	e.Close()
	if e.blocks.inUse != 0 {
		t.Errorf("%d bytes are still kept", e.blocks.inUse)
	}
}

// TestConnectionsAreEvicted keeps no more connections than allowed, and says
// which it gave up: those that were silent for longest.
func TestConnectionsAreEvicted(t *testing.T) {
	ends := map[string]int{}
	var first string
	e := New(Config{Inline: true, Limits: Limits{Connections: 10}, Sink: record.SinkFunc(func(r record.Record) error {
		if s, ok := r.(*record.Session); ok {
			ends[s.End]++
			if first == "" {
				first = s.Client.String()
			}
		}
		return nil
	})})
	s := capture.Segment{Dst: serverAddr, Flags: capture.ACK, Window: 1, Payload: []byte("hello"), Time: begin}
	send := func(i int, seq uint32) {
		s.Src, s.Seq = loadClient(i), seq
		s.Packet++
		s.Time = s.Time.Add(time.Second)
		e.Segment(&s)
	}
	for i := range 10 {
		send(i, 1)
	}
	send(0, 6) // the oldest speaks again: the next one goes first
	for i := 10; i < 15; i++ {
		send(i, 1)
	}
	e.Close()
	if ends[record.EndEvicted] != 5 || ends[record.EndOpen] != 10 {
		t.Errorf("sessions ended %v, want 5 evicted and 10 open", ends)
	}
	if want := loadClient(1).String(); first != want {
		t.Errorf("%s was given up first, want %s", first, want)
	}
}
