package render

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"sniff/record"
)

// Open begins a connection with its handshake.
func (w *PcapNG) Open(client, server netip.AddrPort, at time.Time, comment string) record.TapConn {
	return w.Call(client, server, at, comment).Answered(at)
}

// Call writes the request for a connection.
func (w *PcapNG) Call(client, server netip.AddrPort, at time.Time, comments ...string) record.TapCall {
	c := w.conn(client, server, comments...)
	c.packet(record.ClientToServer, flagSYN, nil, at)
	c.seq[0]++
	return c
}

// Answered writes the rest of the handshake.
func (c *pcapConn) Answered(at time.Time) record.TapConn {
	c.packet(record.ServerToClient, flagSYN|flagACK, nil, at)
	c.seq[1]++
	c.packet(record.ClientToServer, flagACK, nil, at)
	return c
}

// Failed writes the refusal, or the word of the server's being out of reach, if
// there was one. Where nothing came back, nothing is left to carry comments.
func (c *pcapConn) Failed(end string, at time.Time, comments ...string) {
	for _, comment := range comments {
		c.Comment(comment)
	}
	switch end {
	case record.EndReset: // it came about, and that was all
		c.Answered(at).Close(end, "server", at)
	case record.EndRefused:
		c.seq[1] = 0 // RFC 9293, section 3.10.7.1
		c.packet(record.ServerToClient, flagRST|flagACK, nil, at)
	case record.EndUnreached:
		c.seq[0]-- // that of the SYN
		c.unreachable(at)
	}
}

func (w *PcapNG) conn(client, server netip.AddrPort, comments ...string) *pcapConn {
	if client.Addr().Is4() != server.Addr().Is4() {
		client, server = as6(client), as6(server)
	}
	c := &pcapConn{w: w, ends: [2]netip.AddrPort{client, server}}
	// Any two initial sequence numbers will do; these are easy to recognise.
	c.seq = [2]uint32{1000, 2000}
	for _, comment := range comments {
		if comment != "" {
			c.about = append(c.about, cutComment(comment))
		}
	}
	return c
}

func as6(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(ap.Addr().As16()), ap.Port())
}

const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// maxSegment is the payload of a synthesised packet over IPv4, which makes it
// 1,500 bytes long; over IPv6 it is 20 bytes less.
const maxSegment = 1460

type pcapConn struct {
	w     *PcapNG
	ends  [2]netip.AddrPort
	seq   [2]uint32
	ended [2]bool
	about []string // what is to be known of the connection
	said  int      // how much of that stands in the file
	file  int      // number of the file that has it
	id    uint16
	hole  [2]hole
}

func (c *pcapConn) Data(dir record.Dir, b []byte, at time.Time) {
	most := maxSegment
	if c.ends[0].Addr().Is6() {
		most -= 20
	}
	for i := 1; len(b) > 0; i++ {
		n := min(len(b), most)
		flags := flagACK
		if n == len(b) {
			flags |= flagPSH
		}
		c.packet(dir, flags, b[:n], at)
		c.seq[dir] += uint32(n)
		b = b[n:]
		// Receivers acknowledge at least every second segment (RFC 9293,
		// section 3.8.6.3).
		if i%2 == 0 || len(b) == 0 {
			c.packet(dir.Other(), flagACK, nil, at)
		}
	}
}

// Gap leaves a hole in the sequence numbers, for readers to find; the packet
// behind it says how much is missing.
func (c *pcapConn) Gap(dir record.Dir, n int64, _ time.Time) {
	h := &c.hole[dir]
	if n < 0 {
		h.unknown, n = true, 1
	}
	h.missing += n
	wide := min(n, maxHole-h.wide)
	h.wide += wide
	c.seq[dir] += uint32(wide)
}

// hole is what is missing before the next packet of a direction.
type hole struct {
	missing int64
	wide    int64 // as the sequence numbers show it
	unknown bool  // more may be missing
}

// maxHole is the widest hole in the sequence numbers that cannot be taken for
// a step back.
const maxHole = 1 << 30

// words says the hole in front of a packet of dir, and forgets it.
func (h *hole) words(dir record.Dir) string {
	defer func() { *h = hole{} }()
	switch {
	case h.unknown:
		return fmt.Sprintf("bytes of the %s are missing before this packet, unknown how many", dir)
	case h.missing > 0:
		return fmt.Sprintf("%d bytes of the %s are missing before this packet", h.missing, dir)
	}
	return ""
}

// Comment annotates the next packet, and again the first one in a file that
// begins later. Those of a connection that changes for ever are not kept.
func (c *pcapConn) Comment(text string) {
	c.about = append(c.about, cutComment(text))
	if len(c.about) > maxAbout {
		c.about = append(c.about[:1], c.about[len(c.about)-maxAbout+1:]...)
		c.said = min(c.said, len(c.about)-1)
	}
}

// maxComment is the longest comment of a packet, and maxAbout how many a
// connection has.
const (
	maxComment = 4 << 10
	maxAbout   = 8
	maxNote    = 128 // of a hole
)

func cutComment(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxComment/maxAbout-8)], "")
}

func (c *pcapConn) EOF(dir record.Dir, at time.Time) {
	if c.ended[dir] {
		return
	}
	c.ended[dir] = true
	c.packet(dir, flagFIN|flagACK, nil, at)
	c.seq[dir]++
	c.packet(dir.Other(), flagACK, nil, at)
}

func (c *pcapConn) Close(end, by string, at time.Time) {
	switch {
	case end == record.EndReset:
		dir := record.ClientToServer
		if by == "server" {
			dir = record.ServerToClient
		}
		c.packet(dir, flagRST|flagACK, nil, at)
	case end == record.EndClosed:
		c.EOF(record.ClientToServer, at)
		c.EOF(record.ServerToClient, at)
	}
}

const (
	tcpHeader = 20
	// mostHeaders is the length of the headers of a segment over IPv6.
	mostHeaders = 40 + tcpHeader

	protoICMP, protoTCP, protoICMPv6 = 1, 6, 58
)

// packet writes one IP packet with its TCP segment.
func (c *pcapConn) packet(dir record.Dir, flags int, payload []byte, at time.Time) {
	var buf [mostHeaders]byte
	c.w.write(c, c.segment(buf[:], dir, flags, payload), payload, at, c.hole[dir].words(dir))
}

// segment puts the headers of a packet into b, and returns them.
func (c *pcapConn) segment(b []byte, dir record.Dir, flags int, payload []byte) []byte {
	src, dst := c.ends[dir], c.ends[dir.Other()]
	n, sum := c.ip(b, src.Addr(), dst.Addr(), protoTCP, tcpHeader+len(payload))
	b = b[:n+tcpHeader]
	t := b[n:]
	binary.BigEndian.PutUint16(t, src.Port())
	binary.BigEndian.PutUint16(t[2:], dst.Port())
	binary.BigEndian.PutUint32(t[4:], c.seq[dir])
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(t[8:], c.seq[dir.Other()])
	}
	t[12] = tcpHeader / 4 << 4
	t[13] = byte(flags)
	binary.BigEndian.PutUint16(t[14:], 65535)
	binary.BigEndian.PutUint16(t[16:], fold(sum+checksum(t)+checksum(payload)))
	return b
}

// ip puts the header of a packet that carries size bytes of proto into b. It
// returns its length, and the sum of the pseudo header (RFC 9293, section 3.1).
func (c *pcapConn) ip(b []byte, src, dst netip.Addr, proto uint8, size int) (n int, sum uint64) {
	c.id++
	sum = uint64(proto) + uint64(size)
	if src.Is4() {
		b = b[:20]
		b[0] = 0x45
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)+size))
		binary.BigEndian.PutUint16(b[4:], c.id)
		b[6] = 0x40 // don't fragment
		b[8] = 64
		b[9] = proto
		s, d := src.As4(), dst.As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		binary.BigEndian.PutUint16(b[10:], fold(checksum(b)))
		return len(b), sum + checksum(b[12:])
	}
	b = b[:40]
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(size))
	b[6] = proto
	b[7] = 64
	s, d := src.As16(), dst.As16()
	copy(b[8:], s[:])
	copy(b[24:], d[:])
	return len(b), sum + checksum(b[8:])
}

// unreachable writes that the server of an attempt is out of reach, as the
// client's own host says it where no router did: "host unreachable" of RFC 792,
// or "address unreachable" of RFC 4443, section 3.1, about the attempt's SYN.
func (c *pcapConn) unreachable(at time.Time) {
	var quoted, buf [mostHeaders]byte
	c.id-- // the SYN is the one before
	syn := c.segment(quoted[:], record.ClientToServer, flagSYN, nil)
	proto, typ, code := uint8(protoICMP), byte(3), byte(1)
	if c.ends[0].Addr().Is6() {
		proto, typ, code = protoICMPv6, 1, 3
	}
	const icmpHeader = 8
	client := c.ends[record.ClientToServer].Addr()
	n, sum := c.ip(buf[:], client, client, proto, icmpHeader+len(syn))
	if proto == protoICMP {
		sum = 0 // it knows no pseudo header
	}
	head := buf[:n+icmpHeader]
	icmp := head[n:]
	icmp[0], icmp[1] = typ, code
	binary.BigEndian.PutUint16(icmp[2:], fold(sum+checksum(icmp)+checksum(syn)))
	c.w.write(c, head, syn, at, "")
}

// checksum adds 16-bit words (RFC 1071). The sum does not depend on the order of
// bytes but for the order of its own, so it takes eight at a time as they lie.
func checksum(b []byte) uint64 {
	var sum, carry uint64
	for ; len(b) >= 32; b = b[32:] {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[8:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[16:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[24:]), carry)
	}
	for ; len(b) >= 8; b = b[8:] {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
	}
	var rest uint64
	for i, x := range b {
		rest |= uint64(x) << (8 * i)
	}
	sum, carry = bits.Add64(sum, rest, carry)
	sum = sum>>32 + sum&0xffffffff + carry
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint64(bits.ReverseBytes16(uint16(sum)))
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
