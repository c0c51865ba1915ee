package capture

import "encoding/binary"

// Link types (LINKTYPE_ values; some systems write their own numbers for raw
// IP).
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRawBSD   = 12
	linkRawOBSD  = 14
	linkPPPHDLC  = 50
	linkPPPEther = 51
	linkRaw      = 101
	linkCHDLC    = 104
	linkLoop     = 108
	linkSLL      = 113
	linkPPPPPPD  = 166
	linkPPPDir   = 204
	linkIPv4     = 228
	linkIPv6     = 229
	linkNFLOG    = 239
	linkSLL2     = 276
)

// EtherTypes.
const (
	etherIPv4     = 0x0800
	etherVLAN     = 0x8100
	etherIPv6     = 0x86dd
	etherMPLS     = 0x8847
	etherMPLSMult = 0x8848
	etherPPPoE    = 0x8864
	etherQinQ     = 0x88a8
	etherQinQOld  = 0x9100
	etherQinQOld2 = 0x9200
	etherTEB      = 0x6558
	etherPPP      = 0x880b
	etherERSPAN   = 0x88be
	etherERSPAN3  = 0x22eb
)

func (d *decoder) link(link uint32, b []byte, cut int, depth int) verdict {
	switch link {
	case linkEthernet:
		return d.ethernet(b, cut, depth)
	case linkSLL:
		if len(b) < 16 {
			return short(cut)
		}
		return d.etherType(binary.BigEndian.Uint16(b[14:]), b[16:], cut, depth)
	case linkSLL2:
		if len(b) < 20 {
			return short(cut)
		}
		return d.etherType(binary.BigEndian.Uint16(b), b[20:], cut, depth)
	case linkRaw, linkRawBSD, linkRawOBSD, linkIPv4, linkIPv6:
		return d.ip(b, cut, depth)
	case linkNull, linkLoop:
		return d.loopback(b, cut, depth)
	case linkPPP, linkPPPHDLC, linkPPPPPPD:
		return d.ppp(b, cut, depth)
	case linkPPPDir:
		if len(b) < 1 {
			return short(cut)
		}
		return d.ppp(b[1:], cut, depth)
	case linkPPPEther:
		return d.pppoe(b, cut, depth)
	case linkCHDLC:
		if len(b) < 4 {
			return short(cut)
		}
		return d.etherType(binary.BigEndian.Uint16(b[2:]), b[4:], cut, depth)
	case linkNFLOG:
		return d.nflog(b, cut, depth)
	}
	return unknownLink
}

func (d *decoder) ethernet(b []byte, cut int, depth int) verdict {
	if len(b) < 14 {
		return short(cut)
	}
	return d.etherType(uint16(b[12])<<8|uint16(b[13]), b[14:], cut, depth)
}

// etherType goes on behind a header that names an EtherType. VLAN tags are
// followed in a loop: a stack of them is common and costs no nesting.
func (d *decoder) etherType(t uint16, b []byte, cut int, depth int) verdict {
	for range maxNesting {
		switch t {
		case etherIPv4:
			return d.ipv4(b, cut, depth)
		case etherIPv6:
			return d.ipv6(b, cut, depth)
		case etherVLAN, etherQinQ, etherQinQOld, etherQinQOld2:
			if len(b) < 4 {
				return short(cut)
			}
			t, b = uint16(b[2])<<8|uint16(b[3]), b[4:]
		case etherMPLS, etherMPLSMult:
			return d.mpls(b, cut, depth)
		case etherPPPoE:
			return d.pppoe(b, cut, depth)
		case etherPPP:
			return d.ppp(b, cut, depth)
		case etherTEB:
			if depth >= maxNesting {
				return undecodable
			}
			return d.ethernet(b, cut, depth+1)
		default:
			if t < 1536 { // IEEE 802.3: a length, then LLC
				return d.llc(b, cut, depth)
			}
			return notTCP
		}
	}
	return undecodable
}

// llc finds an EtherType behind SNAP (RFC 1042).
func (d *decoder) llc(b []byte, cut int, depth int) verdict {
	if len(b) < 8 || b[0] != 0xaa || b[1] != 0xaa || b[2] != 3 {
		return notTCP
	}
	t := binary.BigEndian.Uint16(b[6:])
	if t < 1536 {
		return notTCP
	}
	return d.etherType(t, b[8:], cut, depth)
}

// loopback reads the address family in front, which is in the byte order of
// the machine that captured (NULL) or of the network (LOOP); families are
// small, so that the order shows.
func (d *decoder) loopback(b []byte, cut int, depth int) verdict {
	if len(b) < 4 {
		return short(cut)
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2:
		return d.ipv4(b[4:], cut, depth)
	case 10, 23, 24, 28, 30: // Linux, Windows, NetBSD, FreeBSD, macOS
		return d.ipv6(b[4:], cut, depth)
	}
	return notTCP
}

// ppp reads a frame with or without its address and control bytes, and with
// a protocol of one or two bytes (RFC 1661, section 2, RFC 1662, section 3.1).
func (d *decoder) ppp(b []byte, cut int, depth int) verdict {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return short(cut)
	}
	proto := uint16(b[0])
	if proto&1 != 0 { // compressed
		b = b[1:]
	} else {
		proto, b = proto<<8|uint16(b[1]), b[2:]
	}
	switch proto {
	case 0x0021:
		return d.ipv4(b, cut, depth)
	case 0x0057:
		return d.ipv6(b, cut, depth)
	case 0x0281, 0x0283:
		return d.mpls(b, cut, depth)
	}
	return notTCP
}

// pppoe reads a session frame (RFC 2516, section 4).
func (d *decoder) pppoe(b []byte, cut int, depth int) verdict {
	if len(b) < 6 {
		return short(cut)
	}
	if b[0] != 0x11 {
		return undecodable
	}
	if b[1] != 0 { // discovery
		return notTCP
	}
	b, cut = narrow(b, cut, 6+int(binary.BigEndian.Uint16(b[4:])))
	return d.ppp(b[6:], cut, depth)
}

// mpls goes down the label stack. What lies under it is not said, but IP
// shows by its version, and Ethernet by a control word of zeros (RFC 4385).
func (d *decoder) mpls(b []byte, cut int, depth int) verdict {
	for range 32 {
		if len(b) < 5 {
			return short(cut)
		}
		bottom := b[2]&1 != 0
		b = b[4:]
		if !bottom {
			continue
		}
		switch b[0] >> 4 {
		case 4, 6:
			return d.ip(b, cut, depth)
		case 0:
			if len(b) < 4 {
				return short(cut)
			}
			if depth >= maxNesting {
				return undecodable
			}
			return d.ethernet(b[4:], cut, depth+1)
		}
		return notTCP
	}
	return undecodable
}

// nflog reads the attributes that netfilter puts in front of a packet. They
// are in the byte order of the machine that captured.
func (d *decoder) nflog(b []byte, cut int, depth int) verdict {
	const payload = 9
	if len(b) < 4 {
		return short(cut)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if d.bigEndian {
		order = binary.BigEndian
	}
	family := b[0]
	b = b[4:]
	for len(b) >= 4 {
		n, typ := int(order.Uint16(b)), order.Uint16(b[2:])
		if n < 4 {
			return undecodable
		}
		if typ&0x7fff == payload {
			b, cut = narrow(b, cut, n)
			switch family {
			case 2:
				return d.ipv4(b[4:], cut, depth)
			case 10:
				return d.ipv6(b[4:], cut, depth)
			}
			return notTCP
		}
		n = (n + 3) &^ 3
		if n > len(b) {
			return short(cut)
		}
		b = b[n:]
	}
	if cut > 0 {
		return cutHeaders
	}
	return notTCP
}
