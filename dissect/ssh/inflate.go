package ssh

import "errors"

// inflater undoes zlib (RFC 1950 and 1951) packet by packet. The library's
// reader does not fit: SSH ends each packet with a partial flush, which stops
// between two bytes and does not make that reader hand out what it has.
//
// Input that ends within a symbol is kept; decoding goes back to where that
// symbol began when more comes.
type inflater struct {
	in     []byte
	bit    int // position in in
	header bool
	out    []byte // of this packet, behind up to 32 KiB of what was before
	block  blockKind
	left   int // bytes of a stored block
	lit    huffman
	dist   huffman
	last   bool
}

type blockKind uint8

const (
	betweenBlocks blockKind = iota
	storedBlock
	codedBlock
)

// maxInflated bounds what one packet may grow to: OpenSSH's limit on a packet.
const maxInflated = maxPacket

// maxUnread bounds input that completes no symbol; a block's head has less.
const maxUnread = 4096

const window = 32 << 10

var (
	errInflate = errors.New("compressed data is damaged")
	errBomb    = errors.New("a packet is too large when uncompressed")
	errShort   = errors.New("more input is needed") // never leaves this file
)

// packet takes the next packet and returns what it holds, valid until the next
// call.
func (f *inflater) packet(p []byte) ([]byte, error) {
	f.in = append(f.in[f.bit/8:], p...)
	f.bit %= 8
	if over := len(f.out) - window; over > 0 {
		f.out = append(f.out[:0], f.out[over:]...)
	}
	from := len(f.out)
	for {
		at := f.bit
		err := f.step()
		if err == errShort {
			f.bit = at
			if len(f.in)-f.bit/8 > maxUnread {
				return nil, errInflate
			}
			return f.out[from:], nil
		}
		if err != nil {
			return nil, err
		}
		if len(f.out)-from > maxInflated {
			return nil, errBomb
		}
	}
}

// step reads one symbol or head. On errShort it has changed nothing but bit.
func (f *inflater) step() error {
	if !f.header {
		head, err := f.bits(16)
		if err != nil {
			return err
		}
		if head&15 != 8 || (head&0xff<<8|head>>8)%31 != 0 {
			return errInflate
		}
		f.header = true
		return nil
	}
	switch f.block {
	case storedBlock:
		n := min(f.left, len(f.in)-f.bit/8)
		if n == 0 {
			return errShort
		}
		f.out = append(f.out, f.in[f.bit/8:f.bit/8+n]...)
		f.bit += 8 * n
		if f.left -= n; f.left == 0 {
			f.block = betweenBlocks
		}
		return nil
	case codedBlock:
		return f.symbol()
	}
	if f.last {
		return errInflate // the stream of a connection has no end
	}
	return f.head()
}

// bits takes n bits, the lowest first.
func (f *inflater) bits(n int) (int, error) {
	if len(f.in)*8-f.bit < n {
		return 0, errShort
	}
	v := 0
	for i := range n {
		v |= int(f.in[f.bit>>3]>>(f.bit&7)&1) << i
		f.bit++
	}
	return v, nil
}

// head reads the head of a block (RFC 1951, section 3.2.3).
func (f *inflater) head() error {
	v, err := f.bits(3)
	if err != nil {
		return err
	}
	switch v >> 1 {
	case 0:
		f.bit = (f.bit + 7) &^ 7
		n, err := f.bits(32)
		if err != nil {
			return err
		}
		size := n & 0xffff
		if size != ^(n>>16)&0xffff {
			return errInflate
		}
		if f.left = size; size > 0 {
			f.block = storedBlock
		}
	case 1:
		f.lit, f.dist = fixedCodes()
		f.block = codedBlock
	case 2:
		lit, dist, err := f.codes()
		if err != nil {
			return err
		}
		f.lit, f.dist, f.block = lit, dist, codedBlock
	default:
		return errInflate
	}
	f.last = v&1 == 1
	return nil
}

// symbol reads a literal, the end of the block, or a length with its distance
// (RFC 1951, section 3.2.5).
func (f *inflater) symbol() error {
	s, err := f.lit.read(f)
	if err != nil {
		return err
	}
	switch {
	case s < 256:
		f.out = append(f.out, byte(s))
		return nil
	case s == 256:
		f.block = betweenBlocks
		return nil
	case s > 285:
		return errInflate
	}
	length := s - 254
	if s == 285 {
		length = 258
	} else if s >= 265 {
		extra := (s - 261) / 4
		more, err := f.bits(extra)
		if err != nil {
			return err
		}
		length = (4+(s-265)%4)<<extra + 3 + more
	}
	d, err := f.dist.read(f)
	if err != nil {
		return err
	}
	if d > 29 {
		return errInflate
	}
	distance := d + 1
	if d >= 4 {
		extra := d/2 - 1
		more, err := f.bits(extra)
		if err != nil {
			return err
		}
		distance = (2+d%2)<<extra + 1 + more
	}
	if distance > len(f.out) || distance > window {
		return errInflate
	}
	for range length {
		f.out = append(f.out, f.out[len(f.out)-distance])
	}
	return nil
}

// codes reads the codes of a block that brings its own (RFC 1951, section
// 3.2.7).
func (f *inflater) codes() (lit, dist huffman, err error) {
	v, err := f.bits(14)
	if err != nil {
		return lit, dist, err
	}
	literals, distances, n := v&31+257, v>>5&31+1, v>>10+4
	if literals > 286 || distances > 30 {
		return lit, dist, errInflate
	}
	var lengths [320]uint8
	order := [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	for _, at := range order[:n] {
		l, err := f.bits(3)
		if err != nil {
			return lit, dist, err
		}
		lengths[at] = uint8(l)
	}
	var code huffman
	if !code.build(lengths[:19]) {
		return lit, dist, errInflate
	}
	clear(lengths[:])
	for i := 0; i < literals+distances; {
		s, err := code.read(f)
		if err != nil {
			return lit, dist, err
		}
		if s < 16 {
			lengths[i] = uint8(s)
			i++
			continue
		}
		repeat := [...]struct{ bits, least int }{{2, 3}, {3, 3}, {7, 11}}[s-16]
		more, err := f.bits(repeat.bits)
		if err != nil {
			return lit, dist, err
		}
		times, value := repeat.least+more, uint8(0)
		if s == 16 {
			if i == 0 {
				return lit, dist, errInflate
			}
			value = lengths[i-1]
		}
		if i+times > literals+distances {
			return lit, dist, errInflate
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	if !lit.build(lengths[:literals]) || !dist.build(lengths[literals:literals+distances]) {
		return lit, dist, errInflate
	}
	return lit, dist, nil
}

// huffman is a canonical code: how many symbols have each length, and the
// symbols in order.
type huffman struct {
	count  [16]uint16
	symbol [288]uint16
}

// build makes the code of the lengths (RFC 1951, section 3.2.2); false when
// they are too many for their lengths. Codes may be incomplete: a block without
// distances has none.
func (h *huffman) build(lengths []uint8) bool {
	*h = huffman{}
	for _, l := range lengths {
		h.count[l]++
	}
	h.count[0] = 0
	left := 1
	var at [16]uint16
	for l := 1; l < 16; l++ {
		left = left<<1 - int(h.count[l])
		if left < 0 {
			return false
		}
		at[l] = at[l-1] + h.count[l-1]
	}
	for s, l := range lengths {
		if l > 0 {
			h.symbol[at[l]] = uint16(s)
			at[l]++
		}
	}
	return true
}

func (h *huffman) read(f *inflater) (int, error) {
	code, first, index := 0, 0, 0
	for l := 1; l < 16; l++ {
		b, err := f.bits(1)
		if err != nil {
			return 0, err
		}
		code |= b
		n := int(h.count[l])
		if code-n < first {
			return int(h.symbol[index+code-first]), nil
		}
		index += n
		first = (first + n) << 1
		code <<= 1
	}
	return 0, errInflate
}

// fixedCodes are those of RFC 1951, section 3.2.6.
func fixedCodes() (lit, dist huffman) {
	var l [288]uint8
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	lit.build(l[:])
	var d [30]uint8
	for i := range d {
		d[i] = 5
	}
	dist.build(d[:])
	return lit, dist
}
