package ssh

import (
	"errors"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// Behind a hole the place in the stream is lost: where a packet begins, which
// number it has, and with CTR ciphers how much of the keystream is spent. All
// of that can be searched, because a packet proves itself by its tag: places
// are tried one after another, at each the numbers that the missing bytes leave
// room for, and only a packet that is authentic is believed. CBC ciphers,
// compression, and MACs that are not verified leave no way back in.

// place is where a packet may be: packets and bytes behind the last one that
// was opened. bytes is -1 when the size of the hole is not known.
type place struct {
	packets uint32
	bytes   int64
}

// resumer is an opener that can go on behind a hole. seq is always the number
// of the packet at the place.
type resumer interface {
	opener
	// resumable reports whether it can with the ciphers that it has; sized is
	// whether the size of the hole is known.
	resumable(sized bool) bool
	// least is the size of the smallest packet.
	least() int
	// candidates appends those of the places of at.packets packets and fewer at
	// which four bytes make a packet of a plausible size. seq is the number of
	// the one behind which the hole came; work is how much there was to try.
	candidates(dst []candidate, at place, seq uint32, head []byte) (found []candidate, work int)
	// openAt is open for a packet at a place, and goes on from there if it is
	// authentic.
	openAt(at place, seq uint32, b []byte) ([]byte, error)
}

// Limits of a search.
const (
	maxFound   = 64 << 10  // a packet by which it can end
	maxScan    = 256 << 10 // places looked at, several of the largest packets that peers send
	maxMissed  = 8192      // packets in a hole
	maxUnsized = 512       // ... of a size that is not known
	maxPending = 1024      // places where a packet may be that is not whole yet
	holeWork   = 1 << 28   // places tried and bytes authenticated for one hole
	totalWork  = 1 << 30   // ... for all holes of a direction
)

// search is the look-out for a way back in.
type search struct {
	lost    int64 // from the last packet that was opened to the front of what Consume is given; -1: not known
	scanned int   // bytes that were given up
	tried   int   // places at the front of what Consume is given that were tried
	work    int
	pending []candidate  // in order
	fresh   []candidate  // of the place in hand
	at      record.Stamp // of the hole
}

// candidate is where a packet may be. It may wait for its end: as long as the
// search goes on, Consume is given the same bytes again and more.
type candidate struct {
	from, size   int
	first, limit uint32 // packets that may have been missed
}

var (
	errHole     = errors.New("part of it was not captured, and no packet behind that could be authenticated")
	errNoResume = errors.New("part of it was not captured, and with this cipher and MAC there is no way back in")
	errDeflated = errors.New("part of it was not captured, and what is compressed cannot be read without it")
	errDelayed  = errors.New("part of the login was not captured, and where compression begins does not show")
)

// gapOpened begins a search behind a hole, or ends the decryption of the
// direction. The beginning of a packet that was captured is part of the n bytes.
func (d *dissector) gapOpened(dir dissect.Dir, n int64) {
	w := &d.dec.ways[dir]
	if w.dark {
		return
	}
	s := search{at: d.env.At(0)}
	if w.search != nil {
		s = search{lost: w.search.lost, scanned: w.search.scanned, work: w.search.work, at: w.search.at}
	}
	if s.lost >= 0 && n >= 0 {
		s.lost += n
	} else {
		s.lost = -1
	}
	o, ok := w.opener.(resumer)
	switch {
	case w.inflate != nil:
		d.darken(dir, s.at, errDeflated)
	case w.compression == delayed && !d.dec.login.done:
		d.darken(dir, s.at, errDelayed)
	case !ok || !o.resumable(s.lost >= 0):
		d.darken(dir, s.at, errNoResume)
	default:
		w.search = &s
		d.dec.login.holed[dir] = true
		d.dec.conn.holed(dir)
	}
}

// resume consumes what comes before the first authentic packet in b, and that
// packet.
func (d *dissector) resume(dir dissect.Dir, b []byte) int {
	w := &d.dec.ways[dir]
	s := w.search
	plain, at, from, end := w.find(b)
	if plain == nil {
		if s.scanned > maxScan || w.weary() {
			d.darken(dir, s.at, errHole)
			return len(b)
		}
		return from
	}
	w.search = nil
	stamp := d.env.At(from)
	unread := "an unknown number of bytes"
	if at.bytes >= 0 {
		unread = record.Bytes(at.bytes)
	}
	d.violate("ssh_packets_lost", dir, stamp, fmt.Sprintf("part of what the %s sends was not captured: %s, in which there were %s, cannot be read",
		dir, unread, counted(int(at.packets), "packet")))
	w.seq += at.packets
	payload, err := w.payload(plain)
	if err != nil {
		d.darken(dir, stamp, err)
		return end
	}
	d.opened(dir, payload, stamp)
	return end
}

// find looks for an authentic packet. Without one plain is nil, and the bytes
// up to from are given up.
func (w *way) find(b []byte) (plain []byte, at place, from, end int) {
	o, s := w.opener.(resumer), w.search
	// What was waited for comes before what is new.
	waiting := s.pending[:0]
	for _, c := range s.pending {
		if c.from+c.size > len(b) {
			waiting = append(waiting, c)
		} else if plain, at = w.try(o, c, b); plain != nil {
			return plain, at, c.from, c.from + c.size
		}
	}
	s.pending = waiting
	for ; s.tried+4 <= len(b) && !w.weary(); s.tried++ {
		at = s.place(s.tried, maxUnsized)
		if at.bytes >= 0 {
			at.packets = uint32(min(maxMissed, at.bytes/int64(o.least())))
		}
		var work int
		s.fresh, work = o.candidates(s.fresh[:0], at, w.seq, b[s.tried:s.tried+4])
		w.spend(work)
		for _, c := range s.fresh {
			c.from = s.tried
			if c.from+c.size > len(b) {
				if len(s.pending) < maxPending {
					s.pending = append(s.pending, c)
				}
			} else if plain, at = w.try(o, c, b); plain != nil {
				return plain, at, c.from, c.from + c.size
			}
		}
	}
	from = s.tried
	if len(s.pending) > 0 {
		from = s.pending[0].from
	}
	s.drop(from)
	return nil, at, from, from
}

// place is where the packet is that begins from bytes into what Consume is
// given, behind so many that were missed.
func (s *search) place(from int, packets uint32) place {
	if s.lost < 0 {
		return place{packets, -1}
	}
	return place{packets, s.lost + int64(from)}
}

// drop gives up the first n bytes.
func (s *search) drop(n int) {
	if s.lost >= 0 {
		s.lost += int64(n)
	}
	s.scanned += n
	s.tried -= n
	for i := range s.pending {
		s.pending[i].from -= n
	}
}

// try opens a candidate under each of its numbers.
func (w *way) try(o resumer, c candidate, b []byte) (plain []byte, at place) {
	for n := c.first; n <= c.limit && !w.weary(); n++ {
		w.spend(c.size)
		at = w.search.place(c.from, n)
		if plain, err := o.openAt(at, w.seq+n, b[c.from:c.from+c.size]); err == nil {
			return plain, at
		}
	}
	return nil, at
}

func (w *way) spend(work int) {
	w.search.work += work
	w.work += work
}

// weary reports whether the search has gone on for long enough.
func (w *way) weary() bool { return w.search.work > holeWork || w.work > totalWork }

// appendClear is candidates for openers whose packet_length is in the clear, so
// that it is the same whatever the number.
func appendClear(dst []candidate, at place, size int, err error) ([]candidate, int) {
	if err != nil || size > maxFound || at.packets == 0 {
		return dst, 1
	}
	return append(dst, candidate{size: size, first: 1, limit: at.packets}), 1
}
