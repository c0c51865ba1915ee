package tls

import (
	"encoding/binary"

	"sniff/dissect"
)

// Gap says that bytes of dir were not captured.
func (l *layer) Gap(dir dissect.Dir, n int64) {
	s := &l.sides[dir]
	s.stats = l.stats(dir)
	switch {
	case s.clear:
		l.env.PlainGap(dir, n)
		return
	case s.foreign:
		return
	case n > 0 && n <= int64(s.skip):
		s.skip -= int(n) // within a record that is only counted
		return
	}
	s.skip, s.started = 0, true
	if s.lost || s.unsure {
		if n < 0 || s.missing < 0 {
			s.missing = -1
		} else {
			s.missing += n
		}
	} else {
		s.missing = n
	}
	s.lost, s.msg = true, nil
	if h := l.hs; h != nil && !h.emitted {
		h.partial = true
	} else if h == nil {
		l.begin(l.env.At(0))
		l.hs.partial = true
	}
	switch {
	case !s.sealed || s.blind:
	case s.opener != nil && s.opener.sequential():
		l.giveUp(dir, "bytes are missing from the capture, and the cipher cannot go on without them")
	default:
		s.unsure = true
		l.env.PlainGap(dir, -1)
	}
}

// search looks for a record behind a hole: a header at whose end the next one
// stands. It returns how many bytes it passed over; the record is not used.
func (l *layer) search(dir dissect.Dir, b []byte) int {
	s := &l.sides[dir]
	for i := range b {
		switch boundary(b[i:]) {
		case boundaryYes:
			s.lost = false
			if i > 0 {
				l.passOver(dir, i)
				return i
			}
			n, _, _ := l.consume(dir, b)
			s.lost = s.lost || n == 0
			return n
		case boundaryMore:
			if i > 0 {
				l.passOver(dir, i)
			}
			return i
		}
	}
	l.passOver(dir, len(b))
	return len(b)
}

// passOver counts bytes between a hole and the next record.
func (l *layer) passOver(dir dissect.Dir, n int) {
	s := &l.sides[dir]
	if s.missing >= 0 {
		s.missing += int64(n)
	}
	if s.blind {
		l.env.Opaque(dir, int64(n))
	}
}

type boundaryVerdict uint8

const (
	boundaryNo boundaryVerdict = iota
	boundaryYes
	boundaryMore
)

// boundary reports whether a record stands at the front of b, with the header
// of another one behind it.
func boundary(b []byte) boundaryVerdict {
	for range 2 {
		if len(b) == 0 {
			return boundaryMore
		}
		if !isRecord(b) {
			return boundaryNo
		}
		if len(b) < recordHeader {
			return boundaryMore
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 {
			return boundaryNo
		}
		b = b[min(recordHeader+n, len(b)):]
	}
	return boundaryYes
}
