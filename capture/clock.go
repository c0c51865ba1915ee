package capture

import (
	"math"
	"math/bits"
)

// clock turns the time stamps of a pcapng interface into Unix nanoseconds.
type clock struct {
	// factor is nanoseconds per unit where that is a whole number, else 0.
	factor uint64
	// Units per second are 2^exponent or 10^exponent.
	binary   bool
	exponent uint
	offset   int64 // seconds
}

// Times before 1678 and after 2262 do not fit; they stop at these seconds.
const maxSeconds = math.MaxInt64/1_000_000_000 - 1

// newClock takes if_tsresol and if_tsoffset (pcapng, section 4.2): the upper
// bit of the resolution tells powers of 2 from powers of 10.
func newClock(resolution byte, offset int64) clock {
	c := clock{binary: resolution&0x80 != 0, exponent: uint(resolution & 0x7f)}
	c.offset = min(max(offset, -maxSeconds), maxSeconds)
	if !c.binary && c.exponent <= 9 {
		c.factor = power10(9 - c.exponent)
	}
	return c
}

func (c *clock) ns(ts uint64) int64 {
	if c.factor != 0 && c.offset == 0 {
		if hi, lo := bits.Mul64(ts, c.factor); hi == 0 && lo <= math.MaxInt64 {
			return int64(lo)
		}
	}
	var sec, ns uint64
	switch {
	case c.binary && c.exponent < 64:
		sec = ts >> c.exponent
		hi, lo := bits.Mul64(ts&(1<<c.exponent-1), 1e9)
		ns = lo>>c.exponent | hi<<(64-c.exponent)
	case c.binary:
		hi, _ := bits.Mul64(ts, 1e9)
		ns = hi >> (c.exponent - 64)
	case c.exponent <= 19:
		unit := power10(c.exponent)
		sec = ts / unit
		hi, lo := bits.Mul64(ts%unit, 1e9)
		ns, _ = bits.Div64(hi, lo, unit)
	case c.exponent-9 <= 19:
		ns = ts / power10(c.exponent-9)
	}
	total := int64(min(sec, maxSeconds)) + c.offset
	total = min(max(total, -maxSeconds), maxSeconds)
	return total*1e9 + int64(ns)
}

func power10(n uint) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
