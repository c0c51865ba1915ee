package capture

import "encoding/binary"

// UDP ports of tunnels.
const (
	portTeredo    = 3544
	portVXLAN     = 4789
	portVXLANOld  = 8472 // what Linux used before the assignment
	portVXLANGPE  = 4790
	portGREinUDP  = 4754
	portGeneve    = 6081
	portMPLSinUDP = 6635
)

// udpTunnel returns the step for a destination port, or nil.
func udpTunnel(port uint16) func(*decoder, []byte, int, int) verdict {
	switch port {
	case portVXLAN, portVXLANOld:
		return (*decoder).vxlan
	case portVXLANGPE:
		return (*decoder).vxlanGPE
	case portGeneve:
		return (*decoder).geneve
	case portGREinUDP:
		return (*decoder).gre
	case portMPLSinUDP:
		return (*decoder).mpls
	case portTeredo:
		return (*decoder).teredo
	}
	return nil
}

// tunnel reads what an IP protocol carries as a packet of its own.
func (d *decoder) tunnel(proto uint8, b []byte, cut int, depth int) verdict {
	if depth > maxNesting {
		return undecodable
	}
	switch proto {
	case protoIPv4:
		return d.ipv4(b, cut, depth)
	case protoIPv6:
		return d.ipv6(b, cut, depth)
	case protoGRE:
		return d.gre(b, cut, depth)
	case protoMPLS:
		return d.mpls(b, cut, depth)
	case protoEtherIP: // RFC 3378
		if len(b) < 2 {
			return short(cut)
		}
		return d.ethernet(b[2:], cut, depth)
	}
	return notTCP
}

// gre reads RFC 2784 with the key and sequence number of RFC 2890, and
// version 1 of PPTP (RFC 2637, section 4.1).
func (d *decoder) gre(b []byte, cut int, depth int) verdict {
	const (
		hasChecksum = 0x8000
		hasRouting  = 0x4000
		hasKey      = 0x2000
		hasSequence = 0x1000
		hasAck      = 0x0080 // version 1
	)
	if len(b) < 4 {
		return short(cut)
	}
	flags, proto := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	n := 4
	switch flags & 7 {
	case 0:
		if flags&hasRouting != 0 { // RFC 1701 only, withdrawn by RFC 2784
			return notTCP
		}
		if flags&hasChecksum != 0 {
			n += 4
		}
		if flags&hasKey != 0 {
			n += 4
		}
		if flags&hasSequence != 0 {
			n += 4
		}
	case 1:
		if proto != etherPPP || flags&hasKey == 0 {
			return undecodable
		}
		n += 4
		if flags&hasSequence == 0 {
			return notTCP // an acknowledgement only
		}
		n += 4
		if flags&hasAck != 0 {
			n += 4
		}
	default:
		return undecodable
	}
	if len(b) < n {
		return short(cut)
	}
	b = b[n:]
	switch proto {
	case etherERSPAN:
		// Type I has no header of its own, and GRE no sequence number.
		if flags&hasSequence == 0 {
			return d.ethernet(b, cut, depth)
		}
		if len(b) < 8 {
			return short(cut)
		}
		return d.ethernet(b[8:], cut, depth)
	case etherERSPAN3:
		return d.erspan3(b, cut, depth)
	case 0x883e: // WCCP: version 2 puts a redirect header of 4 bytes in front
		if len(b) < 5 {
			return short(cut)
		}
		if b[0]>>4 != 4 {
			b = b[4:]
		}
		return d.ipv4(b, cut, depth)
	}
	if proto < 1536 {
		return notTCP
	}
	return d.etherType(proto, b, cut, depth)
}

// erspan3 reads the header of ERSPAN type III, with its optional subheader
// (draft-foschiano-erspan, section 4.3).
func (d *decoder) erspan3(b []byte, cut int, depth int) verdict {
	if len(b) < 12 {
		return short(cut)
	}
	frameType, optional := b[10]>>2&31, b[11]&1 != 0
	n := 12
	if optional {
		n += 8
	}
	if len(b) < n {
		return short(cut)
	}
	switch frameType {
	case 0:
		return d.ethernet(b[n:], cut, depth)
	case 2:
		return d.ip(b[n:], cut, depth)
	}
	return notTCP
}

// vxlan reads RFC 7348, section 5.
func (d *decoder) vxlan(b []byte, cut int, depth int) verdict {
	if len(b) < 8 {
		return short(cut)
	}
	if b[0]&0x08 == 0 { // no network identifier: not VXLAN
		return notTCP
	}
	return d.ethernet(b[8:], cut, depth)
}

// vxlanGPE is VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe).
func (d *decoder) vxlanGPE(b []byte, cut int, depth int) verdict {
	if len(b) < 8 {
		return short(cut)
	}
	next := b[3]
	if b[0]&0x04 == 0 {
		next = 3
	}
	switch b = b[8:]; next {
	case 1:
		return d.ipv4(b, cut, depth)
	case 2:
		return d.ipv6(b, cut, depth)
	case 3:
		return d.ethernet(b, cut, depth)
	case 5:
		return d.mpls(b, cut, depth)
	}
	return notTCP
}

// geneve reads RFC 8926, section 3.4.
func (d *decoder) geneve(b []byte, cut int, depth int) verdict {
	if len(b) < 8 {
		return short(cut)
	}
	if b[0]>>6 != 0 {
		return notTCP
	}
	n := 8 + int(b[0]&0x3f)*4
	if len(b) < n {
		return short(cut)
	}
	return d.etherType(binary.BigEndian.Uint16(b[2:]), b[n:], cut, depth)
}

// teredoPrefix begins the addresses of Teredo clients (RFC 4380, section 2.6).
const teredoPrefix = 0x20010000

// betweenTeredo reports whether a UDP packet goes between a Teredo client and
// a relay or another client. Then neither port says so, only what it carries:
// exactly one IPv6 packet, from or to the address of a Teredo client.
func betweenTeredo(b []byte) bool {
	const ipv6Header = 40
	if len(b) < udpHeader+ipv6Header || b[udpHeader]>>4 != 6 {
		return false
	}
	inner := b[udpHeader:]
	if int(binary.BigEndian.Uint16(inner[4:]))+ipv6Header+udpHeader != int(binary.BigEndian.Uint16(b[4:])) {
		return false
	}
	return binary.BigEndian.Uint32(inner[8:]) == teredoPrefix || binary.BigEndian.Uint32(inner[24:]) == teredoPrefix
}

// teredo reads IPv6 behind authentication and origin indications (RFC 4380,
// section 5.1.1).
func (d *decoder) teredo(b []byte, cut int, depth int) verdict {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		n := 4 + int(b[2]) + int(b[3]) + 9
		if len(b) < n {
			return short(cut)
		}
		b = b[n:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) < 1 {
		return short(cut)
	}
	if b[0]>>4 != 6 {
		return notTCP
	}
	return d.ipv6(b, cut, depth)
}
