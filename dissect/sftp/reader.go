package sftp

import (
	"encoding/binary"

	"sniff/record"
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
func (r *reader) string() string { return record.Lossless(string(r.bytes())) }
