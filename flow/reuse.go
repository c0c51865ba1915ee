package flow

import (
	"fmt"

	"sniff/capture"
)

// synAgain takes a segment with SYN on a known connection. It reports true
// when c is no more.
func (e *Engine) synAgain(c *tcpConn, x int, s *capture.Segment) bool {
	h, o := &c.half[x], &c.half[x^1]
	begin := h.next - uint32(h.off)
	switch {
	case (h.started || h.origin) && s.Seq+1 == begin:
		// Again, or late: its acknowledgement or data was seen first.
		if !h.started {
			h.start(begin)
		}
		h.origin = true
		if len(s.Payload)+s.Cut > 0 && !c.over {
			e.payload(c, x, s.Seq+1, s)
		}
	case s.Flags&capture.ACK != 0 && !h.started && (o.origin || o.started) && s.Ack-(o.next-uint32(o.off)) <= uint32(min(o.off, 1<<20)),
		!h.origin && !h.ended && h.off == 0 && x != c.client && o.origin:
		// The answer, late or in two parts (split handshake).
		h.start(s.Seq + 1)
		h.origin = true
	case s.Flags&capture.ACK != 0:
		e.anomaly(c, x, "tcp_handshake_out_of_window", s.Seq, s, "a SYN-ACK that fits no SYN; ignored")
	case c.over || h.ended && o.ended || c.rst.set:
		k := c.key
		e.closeConn(c, "")
		e.graves.drop(k)
		e.unknown(k, x, s)
		return true
	default:
		if c.fresh == nil || c.fresh.isn[x] != s.Seq {
			a := e.newAttempt(c.key, x, s)
			c.fresh = &a
		} else {
			c.fresh.count(x, s, e.seen)
		}
	}
	return false
}

// takeOver looks whether s belongs to the connection that the new SYN on c
// opened. If so, c ends, the new one takes its place and s goes there.
func (e *Engine) takeOver(c *tcpConn, x int, s *capture.Segment) bool {
	f := c.fresh
	client := int(f.client)
	answers := x != client && s.Flags&capture.ACK != 0 && s.Ack == f.isn[client]+1
	goesOn := x == client && s.Flags&capture.SYN == 0 && s.Seq == f.isn[client]+1
	if !answers && !goesOn {
		return false
	}
	if !c.over && !(c.half[0].ended && c.half[1].ended) {
		e.anomaly(c, client, "tcp_port_reused", c.half[client].next, s,
			fmt.Sprintf("a new connection took the ports over (SYN in packet %d); the end of this one was not seen", f.packet))
	}
	c.half[x].stats.Packets--
	c.trace.bytes[x] -= uint64(s.Size)
	e.closeConn(c, "") // puts f in c's place
	e.Segment(s)
	return true
}
