package flow

import (
	"time"

	"sniff/capture"
	"sniff/record"
)

// tcpConn is a connection that carried, or may carry, data. One that only
// knocked is an attempt, see attempt.go.
type tcpConn struct {
	key    key
	id     int32
	client int // the side of the key that is taken for the client
	number uint64
	half   [2]tcpHalf // by side
	out    receiver

	// odd: some segment must be looked at with care; see Engine.inOrder.
	odd  bool
	over bool // both directions have ended, what comes now is leftover
	// oneSided: the session was told that only one direction is captured.
	oneSided bool

	trace    trace
	firstFin int // side that sent the first FIN, -1 for none
	rst      reset
	unreach  bool
	fresh    *attempt // a new SYN that may begin another connection

	last       int64 // engine clock at the latest segment
	queued     int64 // since when it stands in its queue
	holeSince  int64
	lastTime   time.Time
	lastPacket uint64
}

// oneSidedPackets is how many packets of one side without any of the other
// make a capture of one direction.
const oneSidedPackets = 8

// dir is the direction in which side x sends.
func (c *tcpConn) dir(x int) record.Dir { return record.Dir(x ^ c.client) }

// side names side x.
func (c *tcpConn) side(x int) string { return c.dir(x).String() }

// segment takes a segment that side x of a known connection sent.
func (e *Engine) segment(c *tcpConn, x int, s *capture.Segment) {
	h := &c.half[x]
	h.stats.Packets++
	c.trace.note(x, s)
	c.last, c.lastTime, c.lastPacket = e.seen, s.Time, s.Packet
	if other := &c.half[x^1]; !other.started && h.stats.Packets == oneSidedPackets || c.oneSided && other.started {
		c.oneSided = !c.oneSided
		c.out.oneSided(c.oneSided)
	}
	if !c.odd && s.Seq == h.next && s.Flags&(capture.SYN|capture.FIN|capture.RST) == 0 && e.inOrder(c, x, s) {
		return
	}
	switch {
	case c.fresh != nil && e.takeOver(c, x, s):
		return
	case s.Flags&capture.RST != 0:
		e.reset(c, x, s)
	case s.Flags&capture.SYN != 0:
		if e.synAgain(c, x, s) {
			return
		}
	case c.over:
		// Stray packets behind the end are counted, no more; but the last
		// acknowledgement shows that nothing more is under way.
		if s.Flags&capture.ACK != 0 {
			c.half[x^1].claim, c.half[x^1].claimed = s.Ack, true
		}
	default:
		c.waited()
		e.outOfOrder(c, x, s)
	}
	e.settle(c)
	e.conclude(c)
}

// inOrder is the short way of most segments: nothing is missing, ended or
// waited for on either side. It reports false when s needs the long way; then
// it has done nothing.
func (e *Engine) inOrder(c *tcpConn, x int, s *capture.Segment) bool {
	h, o := &c.half[x], &c.half[x^1]
	n := uint32(len(s.Payload) + s.Cut)
	if !h.started || n > 0 && h.off == 0 && !h.origin {
		return false
	}
	if s.Flags&capture.ACK != 0 {
		if o.behind(s.Ack) || !o.started && !o.origin && h.origin {
			return false
		}
		o.claim, o.claimed = s.Ack, true
	}
	if s.Window == 0 {
		h.stats.ZeroWindows++
	}
	if n > 0 {
		e.deliver(c, x, s.Payload, n, s.Time, s.Packet)
	}
	return true
}

// outOfOrder is the long way of a segment without SYN and RST.
func (e *Engine) outOfOrder(c *tcpConn, x int, s *capture.Segment) {
	h, o := &c.half[x], &c.half[x^1]
	length := uint32(len(s.Payload) + s.Cut)
	if s.Window == 0 {
		h.stats.ZeroWindows++
	}
	if !h.started {
		switch {
		case h.origin:
			h.start(h.next)
		case length == 1 && s.Cut == 0 && s.Payload[0] == 0 && s.Flags&capture.FIN == 0:
			// The capture begins with a keep-alive, whose one byte was sent
			// before.
			h.start(s.Seq + 1)
		default:
			h.start(s.Seq)
		}
	}
	if s.Flags&capture.ACK != 0 {
		o.claim, o.claimed = s.Ack, true
		if !o.started && !o.origin && h.origin {
			o.next, o.origin = s.Ack, true
		}
	}
	if h.isKeepAlive(s, length) {
		h.stats.KeepAlives++
		return
	}
	if int32(s.Seq-h.next) == 1 && h.off == 0 && !h.origin && length > 0 {
		h.start(s.Seq) // what was seen of this side before was a keep-alive
	}
	e.disprove(c, x, s, length)
	fin := s.Seq + length
	if int32(fin-h.top) > 0 && !h.ended {
		h.top = fin
	}
	if s.Flags&capture.FIN != 0 {
		e.finish(c, x, fin, s)
	}
	if length > 0 {
		e.payload(c, x, s.Seq, s)
	}
}

// isKeepAlive reports whether s repeats at most the last byte although it was
// acknowledged (RFC 9293, section 3.8.4).
func (h *tcpHalf) isKeepAlive(s *capture.Segment, length uint32) bool {
	return length <= 1 && s.Flags&capture.FIN == 0 && s.Seq == h.next-1 && !h.ended &&
		(length == 0 || h.claimed && int32(h.claim-h.next) >= 0)
}
