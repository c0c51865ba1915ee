package flow

import (
	"fmt"
	"time"

	"sniff/capture"
)

// reset is an RST that may end the connection.
type reset struct {
	set    bool
	sure   bool // it hit the very byte that was expected (RFC 5961, section 3.2)
	side   int
	seq    uint32
	time   time.Time
	packet uint64
}

// maxResetAhead and maxResetBehind are how far from the expected byte an RST
// may lie. One inside is believed if nothing contradicts it (a receiver would
// challenge it, but the bytes before it may only be missing from the capture).
const (
	maxResetAhead  = 1 << 20
	maxResetBehind = 64 << 10
)

// reset takes an RST of side x.
func (e *Engine) reset(c *tcpConn, x int, s *capture.Segment) {
	h := &c.half[x]
	if c.over || c.rst.set && c.rst.sure {
		return
	}
	ahead := int32(s.Seq - h.next)
	exact := !h.started || s.Seq == h.expect() || ahead == 0 ||
		h.claimed && s.Seq == h.claim && ahead <= 0
	if !exact && (ahead > maxResetAhead || ahead < -maxResetBehind) {
		e.anomaly(c, x, "tcp_rst_out_of_window", s.Seq, s,
			fmt.Sprintf("an RST of the %s lies %d bytes from where it must; ignored", c.side(x), ahead))
		return
	}
	c.rst = reset{set: true, sure: exact, side: x, seq: s.Seq, time: s.Time, packet: s.Packet}
	if exact {
		c.out.reset(c.side(x))
		e.endBoth(c)
	}
}

// disprove looks whether the sender of an RST goes on as if there had been
// none: then somebody else made it.
func (e *Engine) disprove(c *tcpConn, x int, s *capture.Segment, length uint32) {
	if !c.rst.set || c.rst.side != x || int32(s.Seq+length-c.rst.seq) <= 0 || int32(s.Seq+length-c.half[x].next) <= 0 {
		return
	}
	e.anomaly(c, x, "tcp_rst_ignored", c.rst.seq, s,
		fmt.Sprintf("the %s goes on in packet %d behind the RST of packet %d: somebody else sent it, or it was not obeyed",
			c.side(x), s.Packet, c.rst.packet))
	c.rst = reset{}
}
