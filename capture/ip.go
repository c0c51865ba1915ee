package capture

import (
	"encoding/binary"
	"net/netip"
)

// maxOffload is the longest packet without a length that is believed; Linux
// hands 512 KiB to a network card at most.
const maxOffload = 1 << 20

// ip reads IP of the version that it says it is.
func (d *decoder) ip(b []byte, cut int, depth int) verdict {
	if len(b) < 1 {
		return short(cut)
	}
	switch b[0] >> 4 {
	case 4:
		return d.ipv4(b, cut, depth)
	case 6:
		return d.ipv6(b, cut, depth)
	}
	return undecodable
}

// ipv4 reads a header (RFC 791, section 3.1). Only its total length tells
// payload from the padding of short Ethernet frames.
func (d *decoder) ipv4(b []byte, cut int, depth int) verdict {
	if len(b) < ipv4Header {
		return short(cut)
	}
	header := int(b[0]&15) * 4
	if b[0]>>4 != 4 || header < ipv4Header {
		return undecodable
	}
	if header > len(b) {
		return short(cut)
	}
	// The length is 0 in packets that were captured on their way to a network
	// card that segments them: then all there is belongs to the packet.
	if total := int(b[2])<<8 | int(b[3]); total != 0 {
		if total < header {
			return undecodable
		}
		if total <= len(b) {
			b, cut = b[:total], 0
		} else {
			cut = total - len(b)
		}
	} else if len(b)+cut > maxOffload {
		return undecodable
	}
	src := netip.AddrFrom4([4]byte(b[12:16]))
	dst := netip.AddrFrom4([4]byte(b[16:20]))
	proto := b[9]
	headerOK := !d.checkChecksums || sum(b[:header], 0) == 0xffff
	if frag := uint16(b[6])<<8 | uint16(b[7]); frag&0x3fff != 0 {
		key := fragmentKey{src: src, dst: dst, id: uint32(binary.BigEndian.Uint16(b[4:])), proto: proto}
		whole, missing, done := d.fragment(key, proto, int(frag&0x1fff)*8, frag&0x2000 != 0, b[header:], cut)
		if !done {
			return reassembling
		}
		b, cut = whole, missing
	} else {
		b = b[header:]
	}
	for range maxExtensions {
		if proto != protoAH {
			break
		}
		if len(b) < 2 {
			return short(cut)
		}
		n := (int(b[1]) + 2) * 4
		if n > len(b) {
			return short(cut)
		}
		proto, b = b[0], b[n:]
	}
	v := d.transport(proto, b, cut, src, dst, depth)
	if !headerOK && v == segment && !d.seg.Unreachable && !d.seg.BadChecksum {
		d.seg.BadChecksum = true
		d.stats.Skipped.BadChecksum++
	}
	return v
}

// ipv6 reads a header and its extensions (RFC 8200, sections 3 and 4).
func (d *decoder) ipv6(b []byte, cut int, depth int) verdict {
	if len(b) < ipv6Header {
		return short(cut)
	}
	if b[0]>>4 != 6 {
		return undecodable
	}
	src := netip.AddrFrom16([16]byte(b[8:24]))
	dst := netip.AddrFrom16([16]byte(b[24:40]))
	proto := b[6]
	// The length is 0 in jumbograms and in what a network card will segment.
	if length := int(b[4])<<8 | int(b[5]); length != 0 {
		b, cut = narrow(b, cut, ipv6Header+length)
	} else if len(b)+cut > maxOffload {
		return undecodable
	}
	b = b[ipv6Header:]
	for range maxExtensions {
		n := 0
		switch proto {
		case protoHopByHop, protoRouting, protoDestOpts, protoMobility, protoHIP, protoShim6:
			if len(b) < 8 {
				return short(cut)
			}
			n = (int(b[1]) + 1) * 8
		case protoAH:
			if len(b) < 8 {
				return short(cut)
			}
			n = (int(b[1]) + 2) * 4
		case protoFragment:
			if len(b) < fragmentHeader {
				return short(cut)
			}
			frag := binary.BigEndian.Uint16(b[2:])
			next, offset, more := b[0], int(frag&^7), frag&1 != 0
			if offset == 0 && !more { // atomic (RFC 6946): whole as it is
				n = fragmentHeader
				break
			}
			key := fragmentKey{src: src, dst: dst, id: binary.BigEndian.Uint32(b[4:])}
			whole, missing, done := d.fragment(key, next, offset, more, b[fragmentHeader:], cut)
			if !done {
				return reassembling
			}
			// What follows is named by the first fragment, which is the one
			// that has it right.
			proto, b, cut = d.fragments.doneProto, whole, missing
			continue
		default:
			return d.transport(proto, b, cut, src, dst, depth)
		}
		if n > len(b) {
			return short(cut)
		}
		proto, b = b[0], b[n:]
	}
	return undecodable
}
