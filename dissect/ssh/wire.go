package ssh

import (
	"encoding/binary"
	"strings"
)

// reader takes the data types of RFC 4251, section 5, off the front of a
// payload. It is sticky: after a short read everything is empty and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) bool() bool { return r.byte() != 0 }

func (r *reader) uint32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// string takes a string without copying it.
func (r *reader) string() []byte {
	n := r.uint32()
	if n > uint32(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	return r.take(int(n))
}

// mpint takes a multiple precision integer and returns its magnitude without
// leading zeros.
func (r *reader) mpint() []byte {
	p := r.string()
	for len(p) > 0 && p[0] == 0 {
		p = p[1:]
	}
	return p
}

// names takes a name-list as one string.
func (r *reader) names() string { return string(r.string()) }

// bitLen is the size of a magnitude in bits.
func bitLen(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	n := (len(p) - 1) * 8
	for x := p[0]; x != 0; x >>= 1 {
		n++
	}
	return n
}

// maxNames bounds a name-list in a record. OpenSSH offers some twenty names;
// the longest lists seen are test programs'.
const maxNames = 512

// split takes a name-list apart, at most maxNames of it. (strings.SplitN would
// set aside room for all of maxNames.)
func split(list string) []string {
	if list == "" {
		return nil
	}
	names := make([]string, min(strings.Count(list, ",")+1, maxNames))
	for i := range names {
		names[i], list, _ = strings.Cut(list, ",")
	}
	return names
}

// clip makes a string of at most n bytes.
func clip(b []byte, n int) string { return string(b[:min(len(b), n)]) }
