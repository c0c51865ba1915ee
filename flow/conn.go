package flow

import (
	"fmt"
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

// reset is an RST that may end the connection.
type reset struct {
	set    bool
	sure   bool // it hit the very byte that was expected (RFC 5961, section 3.2)
	side   int
	seq    uint32
	time   time.Time
	packet uint64
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
		// Stray packets behind the end are counted, no more.
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

// finish notes that the stream of side x ends at seq. The first FIN counts.
func (e *Engine) finish(c *tcpConn, x int, seq uint32, s *capture.Segment) {
	h := &c.half[x]
	if h.finSeen {
		return
	}
	switch behind := int32(h.next - seq); {
	case behind == 1:
		seq = h.next // the gap before it took the FIN for a byte
	case behind > 1:
		return
	}
	h.finSeen, h.fin, h.finAck = true, seq, h.next
	h.finTime, h.finPacket = s.Time, s.Packet
	if s.Flags&capture.ACK != 0 {
		h.finAck = s.Ack
	} else {
		h.finAck = c.half[x^1].expect()
	}
	if c.firstFin < 0 {
		c.firstFin = x
	}
	e.cutBehindFin(c, x, s)
}

// cutBehindFin forgets waiting blocks that lie behind the FIN.
func (e *Engine) cutBehindFin(c *tcpConn, x int, s *capture.Segment) {
	h := &c.half[x]
	var lost uint32
	for k := len(h.ahead.blocks) - 1; k >= 0; k-- {
		b := h.ahead.blocks[k]
		over := int32(b.end() - h.fin)
		if over <= 0 {
			break
		}
		cut := min(uint32(over), b.n)
		lost += cut
		b.n -= cut
		b.buf = clip(b.buf, b.n)
		if b.n == 0 {
			h.ahead.cost -= b.cost()
			e.blocks.put(b)
			h.ahead.blocks[k] = nil
			h.ahead.blocks = h.ahead.blocks[:k]
		}
	}
	if lost > 0 {
		h.top = h.fin
		e.anomaly(c, x, "tcp_data_after_fin", h.fin, s, fmt.Sprintf("%d bytes behind the FIN ignored", lost))
	}
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

// endBoth delivers what can be and ends both directions.
func (e *Engine) endBoth(c *tcpConn) {
	for x := range c.half {
		e.force(c, x)
	}
	e.drain(c)
	for x := range c.half {
		h := &c.half[x]
		e.discard(h)
		if !h.ended {
			h.ended = true
			c.out.EOF(c.dir(x), h.endStamp(c.lastTime, c.lastPacket))
		}
	}
	c.over = true
}

// discard gives back blocks that nothing can deliver any more.
func (e *Engine) discard(h *tcpHalf) {
	for _, b := range h.ahead.blocks {
		h.ahead.cost -= b.cost()
		e.blocks.put(b)
	}
	h.ahead.drop(len(h.ahead.blocks))
}

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
	e.closeConn(c, "") // puts f in c's place
	e.Segment(s)
	return true
}

// conclude ends c, or lets it linger, when both directions have ended.
func (e *Engine) conclude(c *tcpConn) {
	a, b := &c.half[0], &c.half[1]
	done := a.ended && b.ended
	switch {
	case done && !c.rst.set && c.fresh == nil &&
		a.claimed && b.claimed && int32(a.claim-a.fin) > 0 && int32(b.claim-b.fin) > 0:
		e.closeConn(c, "")
	case done || c.rst.set || a.ended && !b.started || b.ended && !a.started:
		// With one direction captured the other's FIN is not waited for.
		c.over = done
		if !e.lingering.has(c.id) {
			e.active.remove(c.id)
			e.enqueue(&e.lingering, c, lingerTime)
		}
	case e.lingering.has(c.id):
		e.lingering.remove(c.id)
		e.enqueue(&e.active, c, e.cfg.Limits.Idle)
	}
}

// closeConn ends c and its session. end is what is said when the connection
// did not end by itself; "" means that the input has more.
func (e *Engine) closeConn(c *tcpConn, end string) {
	byFin := c.half[0].finSeen && c.half[1].finSeen
	someFin := c.half[0].finSeen || c.half[1].finSeen
	if !c.over {
		e.endBoth(c)
	}
	by := ""
	switch {
	case c.rst.set && !byFin:
		end, by = record.EndReset, c.side(c.rst.side)
		if h := &c.half[c.rst.side]; !h.started && h.off == 0 && c.dir(c.rst.side) == record.ServerToClient && c.half[c.client].origin {
			end = record.EndRefused
		}
	case byFin:
		end, by = record.EndClosed, c.side(c.firstFin)
	case end == record.EndEvicted:
	case someFin:
		end, by = record.EndHalfClosed, c.side(c.firstFin)
	case c.unreach && c.half[c.client^1].stats.Packets == 0:
		end = record.EndUnreached
	case end == "":
		end = record.EndOpen
	}
	if one := c.half[0].stats.Packets == 0 || c.half[1].stats.Packets == 0; one != c.oneSided && end != record.EndRefused && end != record.EndUnreached {
		c.out.oneSided(one)
	}
	at := c.half[c.client].stamp(c.lastTime, c.lastPacket)
	c.out.Close(end, by, at)

	e.active.remove(c.id)
	e.lingering.remove(c.id)
	e.surely.remove(c.id)
	e.holes.remove(c.id)
	tomb, fresh := c.tomb(e.seen), c.fresh
	e.freeConn(c)
	switch {
	case fresh != nil:
		e.admit(*fresh)
	case end != record.EndOpen && end != record.EndEvicted && end != record.EndTimeout && !e.closing:
		e.bury(tomb)
	}
}
