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
	c := w.conn(client, server, comment)
	c.packet(record.ClientToServer, flagSYN, nil, at)
	c.seq[0]++
	c.packet(record.ServerToClient, flagSYN|flagACK, nil, at)
	c.seq[1]++
	c.packet(record.ClientToServer, flagACK, nil, at)
	return c
}

// Attempt writes the request for a connection, and its refusal if it had one.
func (w *PcapNG) Attempt(client, server netip.AddrPort, end string, at time.Time, comments ...string) {
	if end == record.EndReset { // it came about, and that was all
		w.Open(client, server, at, comments[0]).Close(end, "server", at)
		return
	}
	c := w.conn(client, server, comments...)
	c.packet(record.ClientToServer, flagSYN, nil, at)
	if end == record.EndRefused {
		c.seq[0]++
		c.seq[1] = 0 // RFC 9293, section 3.10.7.1
		c.packet(record.ServerToClient, flagRST|flagACK, nil, at)
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

// packet writes one IP packet with its TCP segment.
func (c *pcapConn) packet(dir record.Dir, flags int, payload []byte, at time.Time) {
	const tcp = 20
	src, dst := c.ends[dir], c.ends[dir.Other()]
	c.id++
	var buf [40 + tcp]byte
	b := buf[:]
	var sum uint64 // of the pseudo header (RFC 9293, section 3.1)
	if src.Addr().Is4() {
		b = b[:20+tcp]
		b[0] = 0x45
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(payload)))
		binary.BigEndian.PutUint16(b[4:], c.id)
		b[6] = 0x40 // don't fragment
		b[8] = 64
		b[9] = 6
		s, d := src.Addr().As4(), dst.Addr().As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		binary.BigEndian.PutUint16(b[10:], fold(checksum(b[:20])))
		sum = checksum(b[12:20])
	} else {
		b[0] = 0x60
		binary.BigEndian.PutUint16(b[4:], uint16(tcp+len(payload)))
		b[6] = 6
		b[7] = 64
		s, d := src.Addr().As16(), dst.Addr().As16()
		copy(b[8:], s[:])
		copy(b[24:], d[:])
		sum = checksum(b[8:40])
	}
	t := b[len(b)-tcp:]
	binary.BigEndian.PutUint16(t, src.Port())
	binary.BigEndian.PutUint16(t[2:], dst.Port())
	binary.BigEndian.PutUint32(t[4:], c.seq[dir])
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(t[8:], c.seq[dir.Other()])
	}
	t[12] = tcp / 4 << 4
	t[13] = byte(flags)
	binary.BigEndian.PutUint16(t[14:], 65535)
	sum += 6 + uint64(tcp+len(payload))
	binary.BigEndian.PutUint16(t[16:], fold(sum+checksum(t)+checksum(payload)))

	c.w.write(c, b, payload, at, c.hole[dir].words(dir))
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
