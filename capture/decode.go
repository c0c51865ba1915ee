package capture

import (
	"encoding/binary"
	"net/netip"
)

// maxNesting bounds how deep headers may lie in each other.
const maxNesting = 12

// decoder walks the headers of a packet down to TCP. It allocates nothing but
// what the reassembly of IP fragments keeps.
//
// Each step gets the bytes that were captured and "cut": how many followed on
// the wire that the capture does not hold. Lengths in headers narrow both.
type decoder struct {
	stats          *Stats
	fragments      fragments
	checkChecksums bool

	seg       *Segment
	ns        int64
	bigEndian bool
}

// verdict is what became of a packet.
type verdict uint8

const (
	segment     verdict = iota // seg is filled
	notTCP                     // something else
	undecodable                // contradicts itself
	cutHeaders                 // the snap length took the headers
	unknownLink                // link type is not decoded
	reassembling
)

// decode fills s, except for Time, Packet and Interface, and says whether
// there was a segment.
func (d *decoder) decode(p *packet, s *Segment) bool {
	d.seg, d.ns, d.bigEndian = s, p.ns, p.bigEndian
	d.fragments.donePieces = d.fragments.donePieces[:0]
	v := d.link(p.link, p.data, p.wire-len(p.data), 0)
	if v == segment {
		return true
	}
	switch v {
	case notTCP:
		d.stats.Skipped.NotTCP++
	case undecodable:
		d.stats.Skipped.Undecodable++
	case cutHeaders:
		d.stats.Skipped.CutHeaders++
	case reassembling:
		d.stats.Skipped.Reassembling++
	case unknownLink:
		d.stats.Skipped.UnknownLink++
		if d.stats.UnknownLinks == nil {
			d.stats.UnknownLinks = make(map[uint32]uint64)
		}
		d.stats.UnknownLinks[p.link]++
	}
	return false
}

// short is the verdict on headers that are not all there.
func short(cut int) verdict {
	if cut > 0 {
		return cutHeaders
	}
	return undecodable
}

// transport goes on by IP protocol number behind an IP header or its
// extensions.
func (d *decoder) transport(proto uint8, b []byte, cut int, src, dst netip.Addr, depth int) verdict {
	switch proto {
	case protoTCP:
		return d.tcp(b, cut, src, dst)
	case protoUDP:
		return d.udp(b, cut, depth)
	case protoICMP:
		return d.icmp(b, cut, src, depth)
	case protoICMPv6:
		return d.icmpv6(b, cut, src, depth)
	case protoIPv4, protoIPv6, protoGRE, protoMPLS, protoEtherIP:
		return d.tunnel(proto, b, cut, depth+1)
	}
	return notTCP
}

// IP protocol numbers.
const (
	protoHopByHop  = 0
	protoICMP      = 1
	protoIPv4      = 4
	protoTCP       = 6
	protoUDP       = 17
	protoIPv6      = 41
	protoRouting   = 43
	protoFragment  = 44
	protoGRE       = 47
	protoAH        = 51
	protoICMPv6    = 58
	protoDestOpts  = 60
	protoEtherIP   = 97
	protoMobility  = 135
	protoMPLS      = 137
	protoHIP       = 139
	protoShim6     = 140
	tcpHeader      = 20
	ipv4Header     = 20
	ipv6Header     = 40
	udpHeader      = 8
	maxExtensions  = 16
	maxIPDatagram  = 65535
	fragmentHeader = 8
)

// tcp fills the segment (RFC 9293, section 3.1).
func (d *decoder) tcp(b []byte, cut int, src, dst netip.Addr) verdict {
	if len(b) < tcpHeader {
		return short(cut)
	}
	header := int(b[12]>>4) * 4
	if header < tcpHeader || header > len(b)+cut {
		return undecodable
	}
	s := d.seg
	s.Src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	s.Dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	s.Seq = binary.BigEndian.Uint32(b[4:])
	s.Ack = binary.BigEndian.Uint32(b[8:])
	s.Flags = Flags(b[13])
	s.Window = binary.BigEndian.Uint16(b[14:])
	s.Urgent = binary.BigEndian.Uint16(b[18:])
	s.Size = len(b) + cut + ipv4Header
	if src.Is6() {
		s.Size = len(b) + cut + ipv6Header
	}
	s.BadChecksum = false
	s.Unreachable = false
	s.ICMPType, s.ICMPCode, s.ICMPFrom = 0, 0, netip.Addr{}
	if header <= len(b) {
		s.Payload = b[header:]
		s.Cut = cut
	} else { // cut within the options
		s.Payload = nil
		s.Cut = len(b) + cut - header
	}
	if d.checkChecksums && cut == 0 && !tcpChecksumOK(b, src, dst) {
		s.BadChecksum = true
		d.stats.Skipped.BadChecksum++
	}
	return segment
}

// udp looks for tunnels by the ports that are assigned to them; other UDP is
// out of scope.
func (d *decoder) udp(b []byte, cut int, depth int) verdict {
	if len(b) < udpHeader {
		return short(cut)
	}
	src, dst := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	carried := udpTunnel(dst)
	if carried == nil && (src == portTeredo || betweenTeredo(b)) {
		carried = (*decoder).teredo
	}
	if carried == nil {
		return notTCP
	}
	if length := int(binary.BigEndian.Uint16(b[4:])); length >= udpHeader {
		b, cut = narrow(b, cut, length)
	}
	if depth >= maxNesting {
		return undecodable
	}
	return carried(d, b[udpHeader:], cut, depth+1)
}

// narrow limits what follows to length bytes, by the word of a header.
func narrow(b []byte, cut, length int) ([]byte, int) {
	if length <= len(b) {
		return b[:length], 0
	}
	return b, length - len(b)
}
