package anonymise

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"sniff/capture"
)

// place is where the parts of a packet stand in its bytes.
type place struct {
	macs         [][2]int
	ip, tcp      int
	payload, end int
	v6           bool
	whole        bool // all of it was captured
}

// Link types whose headers are known here.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOBSD  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// locate finds the parts of a TCP packet that lies in no tunnel and is no
// fragment; ok is false for anything else.
func locate(p *capture.Packet) (at place, ok bool) {
	if at, ok = network(p); !ok {
		return at, false
	}
	return at, at.inner(p)
}

// network finds the IP header.
func network(p *capture.Packet) (at place, ok bool) {
	b := p.Data
	switch p.LinkType {
	case linkEthernet:
		if len(b) < 14 {
			return at, false
		}
		at.macs = [][2]int{{0, 6}, {6, 12}}
		at.ip = 14
		typ := binary.BigEndian.Uint16(b[12:])
		for typ == 0x8100 || typ == 0x88a8 {
			if len(b) < at.ip+4 {
				return at, false
			}
			typ = binary.BigEndian.Uint16(b[at.ip+2:])
			at.ip += 4
		}
		if typ != 0x0800 && typ != 0x86dd {
			return at, false
		}
	case linkSLL:
		at.ip = 16
		if len(b) < at.ip {
			return at, false
		}
		at.macs = [][2]int{{6, 14}}
	case linkSLL2:
		at.ip = 20
		if len(b) < at.ip {
			return at, false
		}
		at.macs = [][2]int{{12, 20}}
	case linkNull, linkLoop:
		at.ip = 4
	case linkRaw, linkRawBSD, linkRawOBSD, linkIPv4, linkIPv6:
	default:
		return at, false
	}
	return at, true
}

// inner finds TCP behind the IP header at at.ip (RFC 791, section 3.1; RFC
// 8200, section 3).
func (at *place) inner(p *capture.Packet) bool {
	b := p.Data
	if len(b) < at.ip+20 {
		return false
	}
	var total int
	switch b[at.ip] >> 4 {
	case 4:
		header := int(b[at.ip]&15) * 4
		total = int(binary.BigEndian.Uint16(b[at.ip+2:]))
		if header < 20 || b[at.ip+9] != 6 || binary.BigEndian.Uint16(b[at.ip+6:])&0x3fff != 0 {
			return false
		}
		at.tcp = at.ip + header
	case 6:
		if len(b) < at.ip+40 || b[at.ip+6] != 6 {
			return false
		}
		at.v6 = true
		total = 40 + int(binary.BigEndian.Uint16(b[at.ip+4:]))
		at.tcp = at.ip + 40
	default:
		return false
	}
	if len(b) < at.tcp+20 {
		return false
	}
	if total == 0 || at.v6 && total == 40 { // segmentation offload
		total = p.Wire - at.ip
	}
	at.end = min(at.ip+total, len(b))
	at.whole = at.ip+total <= len(b)
	at.payload = at.tcp + int(b[at.tcp+12]>>4)*4
	return at.payload >= at.tcp+20 && at.payload <= at.end
}

// addrs returns both addresses with their ports.
func (at *place) addrs(b []byte) (src, dst netip.AddrPort) {
	s, d := at.ipAddrs(b)
	return netip.AddrPortFrom(s, binary.BigEndian.Uint16(b[at.tcp:])), netip.AddrPortFrom(d, binary.BigEndian.Uint16(b[at.tcp+2:]))
}

func (at *place) ipAddrs(b []byte) (src, dst netip.Addr) {
	if at.v6 {
		return netip.AddrFrom16([16]byte(b[at.ip+8:])), netip.AddrFrom16([16]byte(b[at.ip+24:]))
	}
	return netip.AddrFrom4([4]byte(b[at.ip+12:])), netip.AddrFrom4([4]byte(b[at.ip+16:]))
}

// packet returns a copy of the packet with stand-ins for its addresses, the
// given payload, and right checksums.
func (a *Anonymiser) packet(p *capture.Packet, at place, payload []byte) []byte {
	b := append([]byte(nil), p.Data...)
	a.macs(b, at)
	from, length := a.swap(b, &at)
	copy(b[at.payload:at.end], payload)
	clear(b[at.end:]) // the padding of short frames can hold anything
	if !at.v6 {
		headerChecksum(b[at.ip:at.tcp])
	}
	b[at.tcp+16], b[at.tcp+17] = 0, 0
	if at.whole {
		segment := b[at.tcp:at.end]
		sum := uint32(checksum(0, b[from:from+2*length])) + 6 + uint32(len(segment))
		binary.BigEndian.PutUint16(b[at.tcp+16:], ^checksum(sum, segment))
	}
	return b
}

// macs puts stand-ins in place of hardware addresses.
func (a *Anonymiser) macs(b []byte, at place) {
	for _, m := range at.macs {
		mac := b[m[0]:m[1]]
		// A group address says what the packet is, not who sent it.
		if mac[0]&1 == 0 && mac[0]|mac[1]|mac[2]|mac[3]|mac[4]|mac[5] != 0 {
			copy(mac, a.random(fmt.Sprintf("mac %x", mac[:6]), 6))
			mac[0] = mac[0]&^1 | 2 // locally administered
		}
	}
}

// swap puts stand-ins in place of the addresses of an IP header, and returns
// where they stand and how long one is.
func (a *Anonymiser) swap(b []byte, at *place) (from, length int) {
	src, dst := at.ipAddrs(b)
	from, length = at.ip+12, 4
	if at.v6 {
		from, length = at.ip+8, 16
	}
	copy(b[from:], a.Addr(src).AsSlice())
	copy(b[from+length:], a.Addr(dst).AsSlice())
	return from, length
}

// headerChecksum makes the checksum of an IPv4 header right.
func headerChecksum(h []byte) {
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], ^checksum(0, h))
}

// checksum adds up 16-bit words (RFC 1071).
func checksum(sum uint32, b []byte) uint16 {
	s := uint64(sum)
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(b[0])<<8 | uint64(b[1])
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
