package content

import (
	"bytes"

	"sniff/record"
)

// base64Block is what a base64 decoder works with during a write: characters
// without line ends on their way in, decoded bytes on their way out. An open
// body that waits for more has none.
type base64Block struct {
	in  [32 << 10]byte // a multiple of four
	out [24 << 10]byte
}

// base64Decoder undoes base64 (RFC 2045, section 6.8). Lines are gathered
// without their ends to blocks, and whole blocks of nothing but the alphabet
// are decoded at once; what has anything else in it goes through slow.
type base64Decoder struct {
	rd   *reading
	c    *record.Content
	next sink

	left [3]byte // the beginning of a group that was cut
	n    int     // characters in left
	tail [3]byte // what the last group decodes to

	quad   uint32 // of an unfinished group, for slow
	digits int
	padded int  // padding characters seen in this group or right behind it
	resync bool // behind a hole: skip to the next line
}

func newBase64(rd *reading, c *record.Content, next sink) *base64Decoder {
	return &base64Decoder{rd: rd, c: c, next: next}
}

func (d *base64Decoder) write(p []byte) {
	if d.resync {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			return
		}
		p, d.resync = p[i+1:], false
	}
	block := d.rd.r.pools.base64s.Get().(*base64Block)
	n := copy(block.in[:], d.left[:d.n])
	d.n = 0
	for len(p) > 0 {
		line := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line, p = p[:i], p[i+1:]
		} else {
			p = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		for len(line) > 0 {
			m := copy(block.in[n:], line)
			line = line[m:]
			if n += m; n == len(block.in) {
				d.decode(block, n)
				n = 0
			}
		}
	}
	if d.digits == 0 && d.padded == 0 {
		d.n = copy(d.left[:], block.in[n&^3:n])
		n &^= 3
	}
	d.decode(block, n)
	d.rd.r.pools.base64s.Put(block)
}

// decode passes on what the first n characters of the block say.
func (d *base64Decoder) decode(block *base64Block, n int) {
	in := block.in[:n]
	if d.digits == 0 && d.padded == 0 {
		groups := in
		if end := bytes.IndexByte(in, '='); end >= 0 {
			groups = in[:end]
		}
		groups = groups[:len(groups)&^3]
		if n, ok := decodeQuads(block.out[:], groups); ok && n > 0 {
			d.next.write(block.out[:n])
			in = in[len(groups):]
		}
	}
	if len(in) > 0 {
		d.next.write(d.slow(block.out[:0], in))
	}
}

// slow decodes anything: white space is skipped, so is what is not in the
// alphabet, with a problem; padding ends a group, and when more follows
// another stream begins (mails put together by concatenation).
func (d *base64Decoder) slow(out, in []byte) []byte {
	for _, b := range in {
		if b == '=' {
			if d.digits == 0 {
				if d.padded--; d.padded < 0 {
					d.damaged()
					d.padded = 0
				}
				continue
			}
			out = d.group(out)
			continue
		}
		v := base64Value[b]
		if v == noDigit {
			if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
				d.damaged()
			}
			continue
		}
		d.quad = d.quad<<6 | uint32(v)
		if d.digits++; d.digits == 4 {
			out = append(out, byte(d.quad>>16), byte(d.quad>>8), byte(d.quad))
			d.quad, d.digits, d.padded = 0, 0, 0
		}
	}
	return out
}

// group ends a group of fewer than four digits at its first padding.
func (d *base64Decoder) group(out []byte) []byte {
	switch d.digits {
	case 2:
		out = append(out, byte(d.quad>>4))
		d.padded = 1
	case 3:
		out = append(out, byte(d.quad>>10), byte(d.quad>>2))
		d.padded = 0
	default:
		d.damaged()
		d.padded = 0
	}
	d.quad, d.digits = 0, 0
	return out
}

func (d *base64Decoder) damaged() { d.c.Problem("base64_damaged") }

// gap starts afresh at the next line: encoders fill lines with whole groups.
func (d *base64Decoder) gap(int64) {
	d.flushRest()
	d.resync = true
	d.next.gap(-1)
}

func (d *base64Decoder) close(complete bool) {
	if d.flushRest() && complete {
		// A group that lacks its padding is common enough and still whole.
		d.c.Problem("base64_unpadded")
	}
	d.next.close(complete)
}

// flushRest decodes what is left, and reports whether its last group lacked
// its padding.
func (d *base64Decoder) flushRest() bool {
	d.next.write(d.slow(d.tail[:0], d.left[:d.n]))
	d.n, d.padded = 0, 0
	if d.digits == 0 {
		return false
	}
	d.next.write(d.group(d.tail[:0]))
	d.padded = 0
	return true
}

const noDigit = 0xff

// base64Value maps characters to their values, or noDigit.
var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = noDigit
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

// base64Places are base64Value shifted to the four places of a group, with
// the highest bit set where there is no value.
var base64Places = func() (t [4][256]uint32) {
	for i, v := range base64Value {
		for place := range t {
			if v == noDigit {
				t[place][i] = 1 << 31
			} else {
				t[place][i] = uint32(v) << (18 - 6*place)
			}
		}
	}
	return t
}()

// decodeQuads decodes groups of four digits; ok is false if there is anything
// else in src. Four table look-ups for a group run twice as fast as
// encoding/base64, which has to watch for line ends and padding.
func decodeQuads(dst, src []byte) (n int, ok bool) {
	t := &base64Places
	bad := uint32(0)
	for len(src) >= 8 && len(dst) >= n+8 {
		s := src[:8:8]
		a := t[0][s[0]] | t[1][s[1]] | t[2][s[2]] | t[3][s[3]]
		b := t[0][s[4]] | t[1][s[5]] | t[2][s[6]] | t[3][s[7]]
		bad |= a | b
		d := dst[n : n+6 : n+6]
		d[0], d[1], d[2] = byte(a>>16), byte(a>>8), byte(a)
		d[3], d[4], d[5] = byte(b>>16), byte(b>>8), byte(b)
		n += 6
		src = src[8:]
	}
	for len(src) >= 4 {
		a := t[0][src[0]] | t[1][src[1]] | t[2][src[2]] | t[3][src[3]]
		bad |= a
		dst[n], dst[n+1], dst[n+2] = byte(a>>16), byte(a>>8), byte(a)
		n += 3
		src = src[4:]
	}
	return n, bad>>31 == 0
}
