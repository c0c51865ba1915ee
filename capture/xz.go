package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
)

// openXZ opens an xz stream after a look at the dictionary that its first
// block asks for: the decoder would allocate up to 4 GiB without a question.
func openXZ(r io.Reader) (io.Reader, func(), error) {
	br := bufio.NewReader(r)
	// A stream header of 12 bytes; then the block header, 1024 bytes at most,
	// whose first byte tells its size. A short file is the decoder's to refuse.
	head, _ := br.Peek(12 + 1024)
	if len(head) > 12 && head[12] != 0 {
		size := 4 * (int(head[12]) + 1)
		block := head[12:min(12+size, len(head))]
		dict, err := xzDictionary(block)
		if err != nil {
			return nil, nil, err
		}
		if dict > maxWindow {
			return nil, nil, fmt.Errorf("dictionary of %d bytes exceeds %d", dict, maxWindow)
		}
	}
	z, err := xz.NewReader(br)
	return z, nil, err
}

// xzDictionary reads the dictionary size out of a block header (xz file
// format 1.0.4, section 3.1, and 5.3.1 for LZMA2).
func xzDictionary(block []byte) (uint64, error) {
	short := errors.New("block header is too short")
	if len(block) < 2 {
		return 0, short
	}
	flags, b := block[1], block[2:]
	integer := func() (v uint64, ok bool) {
		for i := 0; i < len(b) && i < 9; i++ {
			v |= uint64(b[i]&0x7f) << (7 * i)
			if b[i]&0x80 == 0 {
				b = b[i+1:]
				return v, true
			}
		}
		return 0, false
	}
	for _, bit := range []byte{0x40, 0x80} { // compressed, uncompressed size
		if flags&bit != 0 {
			if _, ok := integer(); !ok {
				return 0, short
			}
		}
	}
	for range int(flags&3) + 1 {
		id, ok1 := integer()
		size, ok2 := integer()
		if !ok1 || !ok2 || size > uint64(len(b)) {
			return 0, short
		}
		if id == 0x21 && size >= 1 {
			bits := uint64(b[0] & 0x3f)
			return (2 | bits&1) << (bits/2 + 11), nil
		}
		b = b[size:]
	}
	return 0, nil
}
