package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxPacket is the longest packet that is believed, unless the file names
	// a longer snap length; it is the limit of libpcap and Wireshark.
	maxPacket = 262144
	// maxSnapLen is the longest that is believed at all.
	maxSnapLen = 16 << 20

	pcapFileHeader = 24
)

// Magic numbers of pcap as they read in the writer's byte order.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's patch: longer record headers
)

// fileFormat reads packets out of a stream. A failure is an error with
// s.off at the beginning of what could not be read.
type fileFormat interface {
	next(p *packet) error
}

// openFormat finds out what the stream holds.
func openFormat(s *stream, sh *shared) (fileFormat, error) {
	if !s.need(4) {
		switch {
		case s.err != io.EOF:
			return nil, s.err
		case len(s.data) == 0:
			return nil, errors.New("empty, not a capture")
		}
		return nil, errors.New("not a capture: too short")
	}
	if binary.LittleEndian.Uint32(s.data) == blockSection {
		return newPcapng(s, sh), nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch magic := order.Uint32(s.data); magic {
		case magicMicro, magicNano, magicModified:
			f, err := newPcap(s, sh, order, magic)
			if err != nil {
				return nil, err
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("not a capture: unknown format, begins with % x", s.data[:4])
}

// pcap is the classic format: a file header, then records.
type pcap struct {
	s         *stream
	order     binary.ByteOrder
	bigEndian bool
	nsPerUnit int64
	header    int // length of a record header
	limit     uint32
	// swapped: files before version 2.3 have the two lengths the other way
	// round, and some of 2.3 do.
	alwaysSwapped, maybeSwapped bool
	link                        uint32
	iface                       int
}

func newPcap(s *stream, sh *shared, order binary.ByteOrder, magic uint32) (*pcap, error) {
	if !s.need(pcapFileHeader) {
		return nil, fmt.Errorf("pcap file header is cut: %w", noEOF(s.err))
	}
	h := s.data[:pcapFileHeader]
	major, minor := order.Uint16(h[4:]), order.Uint16(h[6:])
	if major != 2 {
		return nil, fmt.Errorf("pcap version %d.%d is not supported", major, minor)
	}
	f := &pcap{
		s: s, order: order, bigEndian: order == binary.ByteOrder(binary.BigEndian),
		nsPerUnit: 1000, header: 16, limit: maxPacket,
		alwaysSwapped: minor < 3, maybeSwapped: minor == 3,
		// The upper bits may tell the length of frame check sequences.
		link: order.Uint32(h[20:]) & 0xffff,
	}
	switch magic {
	case magicNano:
		f.nsPerUnit = 1
	case magicModified:
		f.header = 24
	}
	snapLen := order.Uint32(h[16:])
	if snapLen > f.limit && snapLen <= maxSnapLen {
		f.limit = snapLen
	}
	f.iface = sh.addInterface("", f.link, snapLen)
	s.skip(pcapFileHeader)
	return f, nil
}

func (f *pcap) next(p *packet) error {
	s := f.s
	if len(s.data) < f.header && !s.more(f.header) {
		if len(s.data) == 0 {
			return s.err
		}
		return fmt.Errorf("cut within a record header: %w", noEOF(s.err))
	}
	var sec, frac, length, wire uint32
	if h := s.data[:16]; f.bigEndian {
		sec, frac = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		length, wire = binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
	} else {
		sec, frac = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		length, wire = binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	}
	if f.alwaysSwapped || f.maybeSwapped && length > wire {
		length, wire = wire, length
	}
	if length > f.limit {
		return fmt.Errorf("record length %d exceeds %d", length, f.limit)
	}
	n := f.header + int(length)
	if len(s.data) < n && !s.more(n) {
		return fmt.Errorf("cut within a packet, %d of %d bytes are there: %w",
			len(s.data)-f.header, length, noEOF(s.err))
	}
	p.data = s.data[f.header:n:n]
	p.wire = max(int(wire), int(length))
	p.ns = int64(sec)*1e9 + int64(frac)*f.nsPerUnit
	p.link = f.link
	p.iface = f.iface
	p.bigEndian = f.bigEndian
	s.data = s.data[n:]
	s.off += int64(n)
	return nil
}
