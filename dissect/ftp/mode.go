package ftp

import "encoding/binary"

// kind is how a file is laid on its data connection.
type kind uint8

const (
	stream kind = iota
	block
	compressed
)

// blocks undoes block and compressed mode. It keeps no bytes, only where it
// stands.
type blocks struct {
	kind  kind
	head  [3]byte // header that is not whole yet
	have  int
	code  byte
	left  int // bytes of the current block that are still to come
	begun bool
	ended bool
	last  bool // the block that is being read is the last one
	lost  bool // behind a gap the blocks cannot be found again
}

// Descriptor codes of block mode (RFC 959, section 3.4.2).
const (
	descriptorEOF    = 64
	descriptorMarker = 16
)

// inside reports whether the stream stands in the middle of a file.
func (m *blocks) inside() bool { return m.kind != stream && m.begun && !m.ended }

func (m *blocks) gap() {
	if m.kind != stream {
		m.lost = true
	}
}

// decode hands the file's bytes in b to write, and returns how many bytes it
// used. ended says that the file is whole; what is behind belongs to the next
// one.
func (m *blocks) decode(b []byte, write func([]byte)) (n int, ended bool) {
	if m.lost {
		return len(b), false
	}
	m.begun = true
	for n < len(b) {
		var used int
		if m.kind == block {
			used = m.blockMode(b[n:], write)
		} else {
			used = m.compressedMode(b[n:], write)
		}
		n += used
		if m.last && m.left == 0 && m.have == 0 {
			m.ended = true
			return n, true
		}
	}
	return n, false
}

// blockMode reads a piece of a block: descriptor, count, data (RFC 959,
// section 3.4.2).
func (m *blocks) blockMode(b []byte, write func([]byte)) int {
	if m.left > 0 {
		n := min(m.left, len(b))
		if m.code&descriptorMarker == 0 {
			write(b[:n])
		}
		m.left -= n
		return n
	}
	n := copy(m.head[m.have:3], b)
	if m.have += n; m.have == 3 {
		m.have = 0
		m.code = m.head[0]
		m.left = int(binary.BigEndian.Uint16(m.head[1:]))
		m.last = m.code&descriptorEOF != 0
	}
	return n
}

// Headers of compressed mode (RFC 959, section 3.4.3).
const (
	replicated = 0x80 // 10nnnnnn byte: the byte n times
	filler     = 0xc0 // 11nnnnnn: n fillers, a blank in text and zero else
)

// compressedMode reads a piece: a run of bytes, a replicated byte, fillers,
// or an escape with a descriptor as in block mode.
func (m *blocks) compressedMode(b []byte, write func([]byte)) int {
	if m.left > 0 {
		n := min(m.left, len(b))
		write(b[:n])
		m.left -= n
		return n
	}
	m.head[m.have] = b[0]
	m.have++
	switch c := m.head[0]; {
	case c == 0:
		if m.have == 2 {
			m.last = m.head[1]&descriptorEOF != 0
			m.have = 0
		}
	case c < replicated:
		m.left, m.have = int(c), 0
	case c < filler:
		if m.have == 2 {
			repeat(m.head[1], int(c&0x3f), write)
			m.have = 0
		}
	default:
		repeat(0, int(c&0x3f), write)
		m.have = 0
	}
	return 1
}

func repeat(c byte, n int, write func([]byte)) {
	var run [63]byte
	for i := range run[:n] {
		run[i] = c
	}
	write(run[:n])
}
