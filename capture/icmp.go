package capture

import (
	"encoding/binary"
	"net/netip"
)

// icmp reports errors that say a TCP segment could not be delivered (RFC 792):
// destination unreachable and time exceeded in transit. "Fragmentation
// needed" is left out: it tells a host to send smaller packets, not that the
// peer is out of reach.
func (d *decoder) icmp(b []byte, cut int, from netip.Addr, depth int) verdict {
	if len(b) < 8 {
		return short(cut)
	}
	typ, code := b[0], b[1]
	unreachable := typ == 3 && code != 4
	if !unreachable && !(typ == 11 && code == 0) {
		return notTCP
	}
	return d.quoted(b[8:], cut, typ, code, from)
}

// icmpv6 does the same for RFC 4443, section 3: destination unreachable and
// hop limit exceeded.
func (d *decoder) icmpv6(b []byte, cut int, from netip.Addr, depth int) verdict {
	if len(b) < 8 {
		return short(cut)
	}
	typ, code := b[0], b[1]
	if typ != 1 && !(typ == 3 && code == 0) {
		return notTCP
	}
	return d.quoted(b[8:], cut, typ, code, from)
}

// quoted finds ports and sequence number in the beginning of the packet that
// an error is about: 8 bytes of the TCP header are all that is promised.
func (d *decoder) quoted(b []byte, cut int, typ, code uint8, from netip.Addr) verdict {
	if len(b) < 1 {
		return short(cut)
	}
	var src, dst netip.Addr
	var proto uint8
	switch b[0] >> 4 {
	case 4:
		header := int(b[0]&15) * 4
		if header < ipv4Header || len(b) < header {
			return short(cut)
		}
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return notTCP // a later fragment holds no ports
		}
		proto = b[9]
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[header:]
	case 6:
		if len(b) < ipv6Header {
			return short(cut)
		}
		proto = b[6]
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[ipv6Header:]
		for range maxExtensions {
			n := 0
			switch proto {
			case protoHopByHop, protoRouting, protoDestOpts:
				if len(b) < 2 {
					return short(cut)
				}
				n = (int(b[1]) + 1) * 8
			case protoFragment:
				if len(b) < fragmentHeader || binary.BigEndian.Uint16(b[2:])&^7 != 0 {
					return notTCP
				}
				n = fragmentHeader
			}
			if n == 0 {
				break
			}
			if len(b) < n {
				return short(cut)
			}
			proto, b = b[0], b[n:]
		}
	default:
		return undecodable
	}
	if proto != protoTCP {
		return notTCP
	}
	if len(b) < 8 {
		return short(cut)
	}
	*d.seg = Segment{
		Src:         netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)),
		Dst:         netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:])),
		Seq:         binary.BigEndian.Uint32(b[4:]),
		Unreachable: true,
		ICMPType:    typ,
		ICMPCode:    code,
		ICMPFrom:    from,
	}
	return segment
}
