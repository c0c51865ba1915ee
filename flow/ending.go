package flow

import (
	"fmt"

	"sniff/capture"
	"sniff/record"
)

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
	h.finTime, h.finPacket = s.Time.UnixNano(), s.Packet
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

// endBoth delivers what can be and ends both directions.
func (e *Engine) endBoth(c *tcpConn) {
	// The client first: the order must not depend on the addresses.
	order := [2]int{c.client, c.client ^ 1}
	for _, x := range order {
		e.force(c, x)
	}
	e.drain(c)
	for _, x := range order {
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
	c.trace.report(c.out, c.client)
	c.out.Close(end, by, at)

	e.active.remove(c.id)
	e.lingering.remove(c.id)
	e.surely.remove(c.id)
	e.holes.remove(c.id)
	k, tomb, fresh := c.key, c.tomb(), c.fresh
	e.freeConn(c)
	switch {
	case fresh != nil:
		e.admit(*fresh)
	case end != record.EndOpen && end != record.EndEvicted && end != record.EndTimeout && !e.closing:
		e.bury(k, tomb)
	}
}
