package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng, section 11.1). Name
// resolution, custom and unknown blocks are skipped.
const (
	blockSection        = 0x0a0d0d0a // reads the same in both byte orders
	blockInterface      = 1
	blockPacket         = 2 // obsolete
	blockSimple         = 3
	blockStatistics     = 5
	blockEnhanced       = 6
	blockSecrets        = 10
	sectionByteOrder    = 0x1a2b3c4d
	maxBlock            = maxSnapLen + 64<<10
	maxSectionInterface = 65536
)

// Options that are read.
const (
	optEnd              = 0
	optInterfaceName    = 2
	optInterfaceTSRes   = 9
	optInterfaceTSOff   = 14
	optStatisticsIfDrop = 5
	optStatisticsOSDrop = 7
)

// pcapng reads sections, each of its own byte order and with interfaces of
// its own, each of which has its own link type and clock.
type pcapng struct {
	s          *stream
	shared     *shared
	order      binary.ByteOrder
	bigEndian  bool
	interfaces []ngInterface // of this section
	lastNS     int64         // simple packets have no time
}

type ngInterface struct {
	link    uint32
	snapLen uint32
	index   int // in shared.interfaces
	clock   clock
	dropped uint64
}

func newPcapng(s *stream, sh *shared) *pcapng {
	return &pcapng{s: s, shared: sh, order: binary.LittleEndian}
}

func (f *pcapng) next(p *packet) error {
	s := f.s
	for {
		if len(s.data) < 12 && !s.more(12) {
			if len(s.data) == 0 {
				return s.err
			}
			return fmt.Errorf("cut within a block header: %w", noEOF(s.err))
		}
		typ := f.order.Uint32(s.data)
		if typ == blockSection {
			if err := f.section(); err != nil {
				return err
			}
		}
		length := f.order.Uint32(s.data[4:])
		if length < 12 || length%4 != 0 {
			return fmt.Errorf("block length %d is impossible", length)
		}
		switch typ {
		case blockSection, blockInterface, blockPacket, blockSimple, blockStatistics, blockEnhanced, blockSecrets:
		default:
			if !s.discard(int64(length)) {
				return fmt.Errorf("cut within a block of type %#x: %w", typ, noEOF(s.err))
			}
			continue
		}
		if length > maxBlock {
			return fmt.Errorf("block length %d exceeds %d", length, maxBlock)
		}
		n := int(length)
		if len(s.data) < n && !s.more(n) {
			return fmt.Errorf("cut within a block, %d of %d bytes are there: %w", len(s.data), n, noEOF(s.err))
		}
		if again := f.order.Uint32(s.data[n-4:]); again != length {
			return fmt.Errorf("block lengths differ: %d in front, %d behind", length, again)
		}
		isPacket, err := f.block(typ, s.data[8:n-4:n-4], p)
		if err != nil {
			return err
		}
		s.data = s.data[n:]
		s.off += int64(n)
		if isPacket {
			return nil
		}
	}
}

// section begins a section: it settles the byte order before the length of
// the block can be read.
func (f *pcapng) section() error {
	b := f.s.data
	switch uint32(sectionByteOrder) {
	case binary.LittleEndian.Uint32(b[8:]):
		f.order, f.bigEndian = binary.LittleEndian, false
	case binary.BigEndian.Uint32(b[8:]):
		f.order, f.bigEndian = binary.BigEndian, true
	default:
		return fmt.Errorf("pcapng section has an unknown byte order, % x", b[8:12])
	}
	f.interfaces = f.interfaces[:0]
	return nil
}

// block reads the body of one block; it says whether it filled p.
func (f *pcapng) block(typ uint32, b []byte, p *packet) (isPacket bool, err error) {
	o := f.order
	switch typ {
	case blockEnhanced:
		if len(b) < 20 {
			return false, errors.New("packet block is too short")
		}
		if f.bigEndian {
			o := binary.BigEndian
			err = f.packet(p, o.Uint32(b), uint64(o.Uint32(b[4:]))<<32|uint64(o.Uint32(b[8:])), o.Uint32(b[12:]), o.Uint32(b[16:]), b[20:])
		} else {
			o := binary.LittleEndian
			err = f.packet(p, o.Uint32(b), uint64(o.Uint32(b[4:]))<<32|uint64(o.Uint32(b[8:])), o.Uint32(b[12:]), o.Uint32(b[16:]), b[20:])
		}
		return true, err
	case blockPacket:
		if len(b) < 20 {
			return false, errors.New("packet block is too short")
		}
		err = f.packet(p, uint32(o.Uint16(b)), uint64(o.Uint32(b[4:]))<<32|uint64(o.Uint32(b[8:])), o.Uint32(b[12:]), o.Uint32(b[16:]), b[20:])
		return true, err
	case blockSimple:
		return true, f.simple(p, b)
	case blockSection:
		if len(b) < 16 {
			return false, errors.New("section header is too short")
		}
		if major := o.Uint16(b[4:]); major != 1 {
			return false, fmt.Errorf("pcapng version %d.%d is not supported", major, o.Uint16(b[6:]))
		}
	case blockInterface:
		return false, f.describe(b)
	case blockStatistics:
		f.statistics(b)
	case blockSecrets:
		if len(b) < 8 || uint64(o.Uint32(b[4:])) > uint64(len(b)-8) {
			return false, errors.New("decryption secrets are longer than their block")
		}
		if !f.shared.addSecret(o.Uint32(b), b[8:8+o.Uint32(b[4:])]) {
			return false, fmt.Errorf("more than %d bytes of decryption secrets", maxSecrets)
		}
	}
	return false, nil
}

func (f *pcapng) packet(p *packet, iface uint32, ts uint64, length, wire uint32, b []byte) error {
	if uint64(iface) >= uint64(len(f.interfaces)) {
		return fmt.Errorf("packet of interface %d, which was not described", iface)
	}
	in := &f.interfaces[iface]
	if uint64(length) > uint64(len(b)) {
		return fmt.Errorf("packet length %d exceeds its block, which has room for %d", length, len(b))
	}
	p.data = b[:length:length]
	p.wire = max(int(wire), int(length))
	p.ns = in.clock.ns(ts)
	p.link = in.link
	p.iface = in.index
	p.bigEndian = f.bigEndian
	f.lastNS = p.ns
	return nil
}

// simple reads a packet block that knows neither interface nor time: it is of
// the first interface, and as old as the packet before it.
func (f *pcapng) simple(p *packet, b []byte) error {
	if len(b) < 4 {
		return errors.New("packet block is too short")
	}
	if len(f.interfaces) == 0 {
		return errors.New("packet of interface 0, which was not described")
	}
	in := &f.interfaces[0]
	wire := f.order.Uint32(b)
	length := min(uint64(wire), uint64(len(b)-4))
	if in.snapLen > 0 {
		length = min(length, uint64(in.snapLen))
	}
	p.data = b[4 : 4+length : 4+length]
	p.wire = int(wire)
	p.ns = f.lastNS
	p.link = in.link
	p.iface = in.index
	p.bigEndian = f.bigEndian
	return nil
}

func (f *pcapng) describe(b []byte) error {
	if len(b) < 8 {
		return errors.New("interface description is too short")
	}
	if len(f.interfaces) == maxSectionInterface {
		return fmt.Errorf("more than %d interfaces in a section", maxSectionInterface)
	}
	in := ngInterface{link: uint32(f.order.Uint16(b)), snapLen: f.order.Uint32(b[4:])}
	name, resolution, offset := "", byte(6), int64(0)
	f.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == optInterfaceName:
			name = string(v[:min(len(v), 256)])
		case code == optInterfaceTSRes && len(v) >= 1:
			resolution = v[0]
		case code == optInterfaceTSOff && len(v) >= 8:
			offset = int64(f.order.Uint64(v))
		}
	})
	in.clock = newClock(resolution, offset)
	in.index = f.shared.addInterface(name, in.link, in.snapLen)
	f.interfaces = append(f.interfaces, in)
	return nil
}

// statistics takes over how many packets the capturing side lost. The counts
// of an interface are running totals.
func (f *pcapng) statistics(b []byte) {
	if len(b) < 12 || uint64(f.order.Uint32(b)) >= uint64(len(f.interfaces)) {
		return
	}
	in := &f.interfaces[f.order.Uint32(b)]
	var dropped uint64
	f.options(b[12:], func(code uint16, v []byte) {
		if (code == optStatisticsIfDrop || code == optStatisticsOSDrop) && len(v) >= 8 {
			dropped += f.order.Uint64(v)
		}
	})
	if dropped > in.dropped {
		f.shared.interfaces[in.index].Dropped += dropped - in.dropped
		in.dropped = dropped
	}
}

// options calls each for the options in b. They only add to what the block
// itself says, so a list that is broken ends without making the file damaged.
func (f *pcapng) options(b []byte, each func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		b = b[4:]
		if code == optEnd || n > len(b) {
			return
		}
		each(code, b[:n])
		b = b[min(len(b), (n+3)&^3):]
	}
}
