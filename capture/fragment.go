package capture

import (
	"container/list"
	"net/netip"
	"time"
)

const (
	// maxDatagrams and maxFragmentBytes bound what is kept of datagrams whose
	// fragments have not all come.
	maxDatagrams     = 4096
	maxFragmentBytes = 32 << 20
	// fragmentTimeout is how long a datagram waits, in capture time (RFC 791
	// suggests 15 s, RFC 8200 demands 60 s; hosts take 30 to 60).
	fragmentTimeout = int64(60 * time.Second)
	// maxRanges bounds the bookkeeping for one datagram.
	maxRanges = 512
	// maxPieces bounds the packet numbers kept for one datagram: a datagram of
	// 64 KiB has some 8,000 fragments at most.
	maxPieces = 8192
)

// fragments puts IP datagrams together. The first bytes that came for a place
// stay, as in TCP reassembly.
type fragments struct {
	waiting map[fragmentKey]*datagram
	// byAge lists the datagrams, the one begun first in front.
	byAge      list.List
	bytes      int
	incomplete uint64
	spare      *datagram // its buffer may still be in use until the next packet
	doneProto  uint8     // what the datagram that was completed last carries
	donePieces []uint64  // the packets that it came in
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8 // IPv4 only
}

type datagram struct {
	key     fragmentKey
	begun   int64
	buf     []byte
	ranges  []byteRange // sorted, apart from each other
	cut     []byteRange // parts that were on the wire but not captured
	length  int         // -1 until the last fragment has come
	proto   uint8       // what the first fragment says
	pieces  []uint64    // numbers of the packets that brought fragments
	element *list.Element
}

type byteRange struct{ from, to int }

// fragment adds one fragment. When it completes its datagram, that is
// returned as far as it goes without a hole, and how many bytes lie behind.
func (d *decoder) fragment(key fragmentKey, proto uint8, offset int, more bool, b []byte, cut int) (whole []byte, missing int, done bool) {
	f := &d.fragments
	d.stats.Fragments++
	f.expire(d.ns)

	end := offset + len(b) + cut
	if end > maxIPDatagram || end == offset {
		return nil, 0, false
	}
	g := f.waiting[key]
	if g == nil {
		g = f.begin(key, d.ns)
	}
	if offset == 0 {
		g.proto = proto
	}
	if n := len(g.pieces); n < maxPieces && (n == 0 || g.pieces[n-1] != d.stats.Packets) {
		g.pieces = append(g.pieces, d.stats.Packets)
	}
	if !more && g.length < 0 {
		g.length = end
	}
	f.store(g, offset, b)
	for f.bytes > maxFragmentBytes && f.byAge.Front() != g.element {
		f.drop(f.byAge.Front().Value.(*datagram))
	}
	if cut > 0 && len(g.cut) < maxRanges {
		g.cut = append(g.cut, byteRange{offset + len(b), end})
	}
	g.add(byteRange{offset, end})
	if !g.complete() {
		if len(g.ranges) > maxRanges {
			f.drop(g)
		}
		return nil, 0, false
	}
	have := g.length
	for _, c := range g.cut {
		have = min(have, c.from)
	}
	have = min(have, len(g.buf))
	whole, missing = g.buf[:have], g.length-have
	f.doneProto = g.proto
	f.donePieces = append(f.donePieces, g.pieces...)
	f.remove(g)
	f.spare = g
	return whole, missing, true
}

func (f *fragments) begin(key fragmentKey, now int64) *datagram {
	for len(f.waiting) >= maxDatagrams || f.bytes >= maxFragmentBytes {
		f.drop(f.byAge.Front().Value.(*datagram))
	}
	g := f.spare
	f.spare = nil
	if g == nil {
		g = &datagram{}
	}
	*g = datagram{key: key, begun: now, length: -1, buf: g.buf[:0], ranges: g.ranges[:0], cut: g.cut[:0], pieces: g.pieces[:0]}
	if f.waiting == nil {
		f.waiting = make(map[fragmentKey]*datagram)
	}
	f.waiting[key] = g
	f.bytes += cap(g.buf)
	g.element = f.byAge.PushBack(g)
	return g
}

// store copies b to its place, except where bytes are already.
func (f *fragments) store(g *datagram, offset int, b []byte) {
	end := offset + len(b)
	if end > len(g.buf) {
		before := cap(g.buf)
		if end > before {
			bigger := make([]byte, len(g.buf), min(max(end, 2*before, 4096), maxIPDatagram))
			copy(bigger, g.buf)
			g.buf = bigger
			f.bytes += cap(bigger) - before
		}
		from := len(g.buf)
		g.buf = g.buf[:end]
		clear(g.buf[from:])
	}
	at := offset
	for _, r := range g.ranges {
		if r.to <= at {
			continue
		}
		if r.from >= end {
			break
		}
		if r.from > at {
			copy(g.buf[at:r.from], b[at-offset:])
		}
		at = r.to
	}
	if at < end {
		copy(g.buf[at:end], b[at-offset:])
	}
}

// add joins r into the sorted ranges.
func (g *datagram) add(r byteRange) {
	i := 0
	for i < len(g.ranges) && g.ranges[i].to < r.from {
		i++
	}
	j := i
	for j < len(g.ranges) && g.ranges[j].from <= r.to {
		r.from = min(r.from, g.ranges[j].from)
		r.to = max(r.to, g.ranges[j].to)
		j++
	}
	if i == j {
		g.ranges = append(g.ranges, byteRange{})
		copy(g.ranges[i+1:], g.ranges[i:])
		g.ranges[i] = r
		return
	}
	g.ranges[i] = r
	g.ranges = append(g.ranges[:i+1], g.ranges[j:]...)
}

func (g *datagram) complete() bool {
	return g.length >= 0 && len(g.ranges) > 0 && g.ranges[0].from == 0 && g.ranges[0].to >= g.length
}

// expire gives up datagrams that have waited too long. Captures whose clock
// jumps back only make them wait longer; the bounds hold all the same.
func (f *fragments) expire(now int64) {
	for e := f.byAge.Front(); e != nil; e = f.byAge.Front() {
		g := e.Value.(*datagram)
		if now-g.begun < fragmentTimeout {
			return
		}
		f.drop(g)
	}
}

func (f *fragments) expireAll() {
	for e := f.byAge.Front(); e != nil; e = f.byAge.Front() {
		f.drop(e.Value.(*datagram))
	}
}

func (f *fragments) drop(g *datagram) {
	f.incomplete++
	f.remove(g)
}

func (f *fragments) remove(g *datagram) {
	delete(f.waiting, g.key)
	f.byAge.Remove(g.element)
	f.bytes -= cap(g.buf)
}
