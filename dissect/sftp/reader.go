package sftp

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// reader takes fields off a packet (RFC 4251, section 5). Past the end it
// gives zeroes and remembers that it did.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// int64 reads an offset or size; one beyond 2^63 is cut to the largest.
func (r *reader) int64() int64 { return int64(min(r.uint64(), 1<<63-1)) }

func (r *reader) bytes() []byte {
	n := r.uint32()
	if int64(n) > int64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	return r.take(int(n))
}

// string reads a string; bytes that are no UTF-8 come out as \xNN.
func (r *reader) string() string { return text(r.bytes()) }

func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	const hex = "0123456789abcdef"
	var s strings.Builder
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			s.WriteString(`\x`)
			s.WriteByte(hex[b[0]>>4])
			s.WriteByte(hex[b[0]&15])
		} else {
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}
