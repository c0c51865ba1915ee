package flow

import (
	"sort"
	"sync"
	"time"

	"sniff/record"
)

// maxMarks bounds how many stamps are kept for the unread bytes of one
// direction. Past it bytes take the stamp of the ones before them.
const maxMarks = 1024

// half is one direction of a stage: its unread bytes, where in the stream
// they stand, and when each came.
type half struct {
	read   int64  // offset of the first unread byte
	unread []byte // the caller's slice while own is nil
	own    *buffer
	marks  []mark // of the unread bytes, in order, from index first on
	first  int
	last   record.Stamp // of the latest event

	held       bool
	heldSince  time.Time
	opaque     bool  // nobody reads it any more,
	unreadable int64 // from this offset on
	ending     bool  // EOF is coming: what is left is read now, nothing may hold it
	ended      bool  // EOF came
	running    bool  // its consume loop is on the stack
	gated      bool  // waits for its first TLS record, see upgrade.go
}

// mark says when the bytes from off on came, and in which TLS record.
type mark struct {
	off     int64
	time    time.Time
	packet  uint64
	carrier int64
}

// buffer owns unread bytes between two events. It begins small: there may be as
// many as connections, each with the front of a line.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 128)} }}

// maxPooled is the largest buffer that goes back to the pool.
const maxPooled = 64 << 10

// take adds b, which came at the given time, behind the unread bytes. b is
// borrowed until keep.
func (h *half) take(b []byte, at record.Stamp) {
	h.last.Time, h.last.Packet, h.last.Offset, h.last.Carrier = at.Time, at.Packet, at.Offset, at.Carrier // as in stampTo
	h.mark(h.read+int64(len(h.unread)), at)
	if len(h.unread) == 0 {
		h.free()
		h.unread = b
		return
	}
	h.keep()
	o := h.own
	if off := len(o.b) - len(h.unread); off > len(o.b)/2 {
		o.b = o.b[:copy(o.b, h.unread)]
		off = 0
		h.unread = o.b
	}
	off := len(o.b) - len(h.unread)
	o.b = append(o.b, b...)
	h.unread = o.b[off:]
}

// keep copies unread bytes that are the caller's, before it gets them back.
func (h *half) keep() {
	switch {
	case len(h.unread) == 0:
		h.free()
	case h.own == nil:
		h.own = buffers.Get().(*buffer)
		h.own.b = append(h.own.b[:0], h.unread...)
		h.unread = h.own.b
	}
}

// turnOpaque gives up what is unread and all that comes.
func (h *half) turnOpaque() {
	h.opaque, h.held, h.unreadable = true, false, h.read
	h.drop()
}

// end is the offset that EOF is told: where the stream ended, or where it
// became unreadable.
func (h *half) end() int64 {
	if h.opaque {
		return h.unreadable
	}
	return h.read
}

func (h *half) free() {
	if h.own != nil && cap(h.own.b) <= maxPooled {
		buffers.Put(h.own)
	}
	h.own, h.unread = nil, nil
}

// advance goes on behind the next n unread bytes.
func (h *half) advance(n int) {
	h.unread = h.unread[n:]
	h.read += int64(n)
	for h.first+1 < len(h.marks) && h.marks[h.first+1].off <= h.read {
		h.first++
	}
}

// drop forgets all unread bytes and returns how many there were.
func (h *half) drop() int64 {
	n := int64(len(h.unread))
	h.advance(len(h.unread))
	h.free()
	return n
}

// move hands the unread bytes and their marks to another half, which must
// have none.
func (h *half) move(to *half) {
	h.keep()
	to.read, to.unread, to.own = h.read, h.unread, h.own
	to.marks, to.first, to.last = h.marks, h.first, h.last
	h.unread, h.own, h.marks, h.first = nil, nil, nil, 0
}

func (h *half) mark(off int64, at record.Stamp) {
	if len(h.unread) == 0 {
		h.marks, h.first = h.marks[:0], 0
	}
	if n := len(h.marks); n > 0 {
		l := &h.marks[n-1]
		if l.packet == at.Packet && l.carrier == at.Carrier && l.time.Equal(at.Time) || n-h.first >= maxMarks {
			return
		}
		if h.first > n/2 {
			h.marks = h.marks[:copy(h.marks, h.marks[h.first:])]
			h.first = 0
		}
	}
	h.marks = append(h.marks, mark{off, at.Time, at.Packet, at.Carrier})
}

// stamp returns the stamp of unread byte i.
func (h *half) stamp(i int) (at record.Stamp) {
	h.stampTo(&at, i)
	return at
}

// stampTo makes at the stamp of unread byte i. For every segment it is set
// field by field: the processor cannot read a pair of words that it has just
// written one by one before all it wrote earlier is in the cache, the bytes of
// the segment that a dissector passed on for example.
func (h *half) stampTo(at *record.Stamp, i int) {
	off := h.read + int64(i)
	m := h.marks[h.first:]
	k := 0
	if len(m) > 1 && m[1].off <= off {
		k = sort.Search(len(m), func(k int) bool { return m[k].off > off }) - 1
	}
	at.Offset = off
	if len(m) == 0 {
		at.Time, at.Packet, at.Carrier = h.last.Time, h.last.Packet, h.last.Carrier
		return
	}
	at.Time, at.Packet, at.Carrier = m[k].time, m[k].packet, m[k].carrier
}
