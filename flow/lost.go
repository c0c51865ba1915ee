package flow

import (
	"fmt"
	"time"

	"sniff/record"
)

// A hole is believed to be lost when
//
//   - the other side acknowledged the bytes and this side went on behind them,
//     and some more segments or a moment passed: packets that a mirror port
//     put out of order are near each other;
//   - the other side acknowledged the bytes and goes on doing so;
//   - nothing filled it for a long time, or what waits behind it takes too
//     much memory, or the connection ended.
const (
	// sureSegments and sureTime are the slack when both sides are beyond.
	sureSegments = 4
	sureTime     = 50 * time.Millisecond
	// claimSegments is the slack when only an acknowledgement is beyond.
	claimSegments = 16
	// holeTime is how long a hole may wait otherwise.
	holeTime = 10 * time.Second
)

// waits reports whether something is known to come before or behind next.
func (h *tcpHalf) waits() bool {
	if !h.started || h.ended {
		return false
	}
	return int32(h.top-h.next) > 0 || h.claimed && h.behind(h.claim)
}

// acknowledged reports whether the other side has bytes that were not seen.
func (h *tcpHalf) acknowledged() bool { return h.claimed && int32(h.claim-h.next) > 0 }

// sure reports whether both sides are beyond the front of the hole.
func (h *tcpHalf) sure() bool { return h.acknowledged() && int32(h.top-h.next) > 0 }

// settle delivers what can be, judges the holes that remain, and sets the
// timer for them.
func (e *Engine) settle(c *tcpConn) {
	e.drain(c)
	open, sure := false, false
	for again := true; again; {
		again, open, sure = false, false, false
		for x := range c.half {
			h := &c.half[x]
			if !h.waits() {
				continue
			}
			if h.waited == 0 || h.acknowledged() && int32(h.judged-h.next) <= 0 {
				h.waited, h.judged = 0, h.claim
			}
			if h.sure() && h.waited >= sureSegments || h.acknowledged() && h.waited >= claimSegments {
				if e.lose(c, x, false) {
					e.drain(c)
					again = true
					break
				}
			}
			open, sure = true, sure || h.sure()
		}
	}
	e.watch(c, open, sure)
	c.odd = open || c.half[0].finSeen || c.half[1].finSeen || c.rst.set || c.fresh != nil || c.over
}

// waited counts a segment of the connection against its holes.
func (c *tcpConn) waited() {
	for x := range c.half {
		if h := &c.half[x]; h.waited < 255 && h.waits() {
			h.waited++
		}
	}
}

// lose delivers the front of the hole of side x as a gap: as far as the other
// side acknowledged it when the wait began, or with force all of it. It reports whether the side
// got on.
func (e *Engine) lose(c *tcpConn, x int, force bool) bool {
	h := &c.half[x]
	if h.ended {
		return false
	}
	t, packet := c.lastTime, c.lastPacket
	to, known := h.next, true // known: something was seen there
	switch {
	case len(h.ahead.blocks) > 0:
		b := h.ahead.blocks[0]
		to, t, packet = b.seq, b.time, b.packet
	case h.finSeen:
		to, t, packet = h.fin, instant(h.finTime), h.finPacket
	default:
		known = false
	}
	if h.acknowledged() {
		claim := h.claim
		if !force && int32(h.judged-claim) < 0 {
			claim = h.judged
		}
		if !known || !force && int32(claim-to) < 0 {
			to = claim
		}
	}
	n := to - h.next
	switch {
	case int32(n) <= 0:
		if !known {
			h.top = h.next
			return false
		}
		if force {
			// What is kept lies behind the stream, half the sequence space
			// away: it can never come.
			e.dropAhead(c, x)
		}
		return force
	case known && n > maxLeap && force && !h.acknowledged() && c.half[x^1].started:
		e.dropAhead(c, x)
		return true
	case known && !force && !h.acknowledged():
		return false
	case !known && (n == 1 || n > maxLeap):
		// One byte may be a FIN that was not captured; a leap may be forged.
		h.excused = to
		h.top = h.next
		h.waited = 0
		return true
	}
	e.gap(c, x, n, t, packet)
	return true
}

// force delivers all that side x keeps, whatever is missing before it.
func (e *Engine) force(c *tcpConn, x int) {
	h := &c.half[x]
	for h.waits() {
		if len(h.ahead.blocks) > 0 && h.ahead.blocks[0].seq == h.next || h.finSeen && h.fin == h.next {
			c.half[x^1].excuse(h)
		} else {
			e.lose(c, x, true)
		}
		if !e.drainHalf(c, x) && len(h.ahead.blocks) == 0 && !h.finSeen {
			return
		}
	}
}

// excuse makes h hold up the front of the other direction no longer.
func (h *tcpHalf) excuse(other *tcpHalf) {
	ack := other.finAck
	if len(other.ahead.blocks) > 0 {
		ack = other.ahead.blocks[0].ack
	}
	if int32(ack-h.excused) > 0 {
		h.excused = ack
	}
}

// dropAhead forgets what side x keeps: it lies so far ahead, and the other
// side took so little notice of it, that it cannot belong to the stream.
func (e *Engine) dropAhead(c *tcpConn, x int) {
	h := &c.half[x]
	at := h.stamp(c.lastTime, c.lastPacket)
	n := int64(0)
	for _, b := range h.ahead.blocks {
		n += int64(b.n)
		at.Time, at.Packet = b.time, b.packet
		h.ahead.cost -= b.cost()
		e.blocks.put(b)
	}
	if len(h.ahead.blocks) == 0 {
		h.finSeen = false
	}
	h.ahead.drop(len(h.ahead.blocks))
	h.top = h.next
	if h.finSeen {
		h.top = h.fin
	}
	c.out.anomaly("tcp_out_of_window", c.dir(x), at,
		fmt.Sprintf("%d bytes lie too far ahead of the stream and were never acknowledged; ignored", n))
}

// boundAhead keeps the memory of waiting blocks within its limits.
func (e *Engine) boundAhead(c *tcpConn, x int) {
	h := &c.half[x]
	for h.ahead.cost > e.cfg.Limits.OutOfOrder {
		if e.unblock(c, x) {
			continue
		}
		break
	}
	for e.blocks.inUse > e.cfg.Limits.OutOfOrderTotal {
		victim := c
		if id := e.surely.first; id != 0 {
			victim = e.conns[id]
		} else if id := e.holes.first; id != 0 {
			victim = e.conns[id]
		}
		e.force(victim, 0)
		e.force(victim, 1)
		if victim != c {
			e.settle(victim)
			continue
		}
		break
	}
}

// unblock lets the front of side x go on, and reports whether it did.
func (e *Engine) unblock(c *tcpConn, x int) bool {
	h := &c.half[x]
	if len(h.ahead.blocks) == 0 {
		return false
	}
	if h.ahead.blocks[0].seq == h.next {
		c.half[x^1].excuse(h)
	} else {
		e.lose(c, x, true)
	}
	before := h.ahead.cost
	e.drain(c)
	return h.ahead.cost < before
}

// overdue is called when a hole of c has waited for long enough.
func (e *Engine) overdue(c *tcpConn, force bool) {
	for x := range c.half {
		h := &c.half[x]
		switch {
		case !h.waits():
		case force:
			e.force(c, x)
		case h.sure():
			e.lose(c, x, false)
		}
	}
	e.settle(c)
}

func (h *tcpHalf) endStamp(t time.Time, packet uint64) record.Stamp {
	if h.finSeen && h.next == h.fin {
		t, packet = instant(h.finTime), h.finPacket
	}
	return h.stamp(t, packet)
}
