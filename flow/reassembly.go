package flow

import (
	"fmt"
	"time"

	"sniff/capture"
	"sniff/record"
)

// Reassembly puts what one side sends in order. Sequence numbers are 32 bits
// wide and compare by int32(a-b) (RFC 9293, section 3.4); offsets in the
// stream are 64 bits wide.
//
// Bytes are delivered when all before them were, and when the bytes of the
// other side that they acknowledge were: a mirror port may show an answer
// before its question, and dissectors want cause before effect. The first
// version of a byte wins.
//
// A hole is filled, or it turns out that the capture does not have it. That
// the other side acknowledged the bytes is not enough, as its segment may have
// overtaken them. See lost.go.

// tcpHalf is one direction of a connection: what one side sends.
type tcpHalf struct {
	next  uint32 // sequence number of the next byte to deliver
	claim uint32 // what the other side acknowledged last, valid with claimed
	// excused: claims up to here hold up the other direction no longer, but
	// no gap was delivered for them: they may stand for a FIN that was not
	// captured.
	excused uint32
	top     uint32 // highest sequence number seen, even of a segment without payload
	fin     uint32 // where the stream ends, valid with finSeen
	finAck  uint32

	started bool // next is valid
	origin  bool // the SYN or its acknowledgement told where the stream begins
	claimed bool
	finSeen bool
	ended   bool   // EOF was delivered
	waited  uint8  // segments of the connection since the hole is there
	judged  uint32 // claim when that count began: what came later may be under way

	off   int64 // offset of next
	trail int64 // newest entry in the history
	ahead ahead
	stats *record.SideStats

	finTime   int64 // Unix nanoseconds
	finPacket uint64
}

// instant is the time at so many Unix nanoseconds.
func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// start makes seq the next byte to deliver.
func (h *tcpHalf) start(seq uint32) {
	h.next, h.excused, h.top = seq, seq, seq
	h.started = true
}

// expect is what the other side acknowledges when it has all that was
// delivered.
func (h *tcpHalf) expect() uint32 {
	if h.ended && h.finSeen {
		return h.next + 1
	}
	return h.next
}

// behind reports whether bytes up to ack are still to come. A direction that
// was never seen holds up nothing.
func (h *tcpHalf) behind(ack uint32) bool {
	return h.started && int32(ack-h.expect()) > 0 && int32(ack-h.excused) > 0
}

// stamp is the stamp of the next byte, brought by packet.
func (h *tcpHalf) stamp(t time.Time, packet uint64) record.Stamp {
	return record.Stamp{Time: t, Packet: packet, Offset: h.off}
}

// maxLeap is the longest hole that is believed without a word of the other
// side, which could be seen to acknowledge the bytes and does not.
const maxLeap = 16 << 20

// payload takes the payload of a segment of side x.
func (e *Engine) payload(c *tcpConn, x int, seq uint32, s *capture.Segment) {
	h := &c.half[x]
	p, length := s.Payload, uint32(len(s.Payload)+s.Cut)
	if !h.started || h.off == 0 && !h.origin && !h.ended && len(h.ahead.blocks) == 0 && int32(h.next-seq) > 0 {
		// Nothing was delivered yet and nobody knows where the stream began:
		// what came before the capture's first acknowledgement counts.
		h.start(seq)
	}
	if h.finSeen && int32(seq+length-h.fin) > 0 {
		beyond := min(seq+length-h.fin, length)
		e.anomaly(c, x, "tcp_data_after_fin", seq+length-beyond, s,
			fmt.Sprintf("%d bytes behind the FIN ignored", beyond))
		p, length = clip(p, length-beyond), length-beyond
	}
	if old := int32(h.next - seq); old > 0 {
		n := min(uint32(old), length)
		h.stats.Retransmitted += int64(n)
		c.trace.mark(x, kindRepeated)
		e.compare(c, x, seq, clip(p, n), s)
		p, length, seq = p[min(int(n), len(p)):], length-n, seq+n
	}
	if length == 0 {
		return
	}
	if seq == h.next && !e.waitsFor(c, x, s) {
		n := length
		if len(h.ahead.blocks) > 0 {
			n = min(n, h.ahead.blocks[0].seq-seq)
		}
		e.deliver(c, x, clip(p, n), n, s.Time, s.Packet)
		p, length, seq = p[min(int(n), len(p)):], length-n, seq+n
	} else if h.early(seq) {
		h.stats.OutOfOrder++
	}
	if length > 0 {
		e.store(c, x, seq, p, uint32(len(p)), s)
		if missing := length - uint32(len(p)); missing > 0 {
			e.store(c, x, seq+uint32(len(p)), nil, missing, s)
		}
		e.boundAhead(c, x)
	}
}

// early reports whether bytes before seq are missing. What only waits for the
// other side is not.
func (h *tcpHalf) early(seq uint32) bool {
	at := h.next
	for _, b := range h.ahead.blocks {
		if b.seq != at {
			break
		}
		at = b.end()
	}
	return int32(seq-at) > 0
}

// waitsFor reports whether the payload of s answers bytes that did not come.
func (e *Engine) waitsFor(c *tcpConn, x int, s *capture.Segment) bool {
	return s.Flags&capture.ACK != 0 && c.half[x^1].behind(s.Ack)
}

// clip returns the first n bytes of p, or all when it is shorter.
func clip(p []byte, n uint32) []byte {
	if uint32(len(p)) > n {
		return p[:n]
	}
	return p
}

// deliver hands over the next n bytes of side x; those behind p are missing
// from the capture.
func (e *Engine) deliver(c *tcpConn, x int, p []byte, n uint32, t time.Time, packet uint64) {
	h := &c.half[x]
	h.waited = 0
	if len(p) > 0 {
		h.trail = e.history.add(h.trail, h.next, packet, p)
		off := h.off
		h.advance(uint32(len(p)))
		c.out.Data(c.dir(x), p, record.Stamp{Time: t, Packet: packet, Offset: off})
	}
	if missing := n - uint32(len(p)); missing > 0 {
		e.gap(c, x, missing, t, packet)
	}
}

func (h *tcpHalf) advance(n uint32) {
	h.next += n
	h.off += int64(n)
	if int32(h.excused-h.next) < 0 {
		h.excused = h.next
	}
	if int32(h.top-h.next) < 0 {
		h.top = h.next
	}
}

// gap hands over that the next n bytes of side x are missing. t and packet
// are of the segment by which it shows.
func (e *Engine) gap(c *tcpConn, x int, n uint32, t time.Time, packet uint64) {
	h := &c.half[x]
	h.waited = 0
	at := h.stamp(t, packet)
	h.advance(n)
	c.trace.mark(x, kindGap)
	c.out.Gap(c.dir(x), int64(n), at)
}

// store keeps n bytes for later, p or, when p is nil, bytes that were cut off.
// What is kept already stays.
func (e *Engine) store(c *tcpConn, x int, seq uint32, p []byte, n uint32, s *capture.Segment) {
	h := &c.half[x]
	told := false
	for i := h.ahead.find(seq); n > 0; i++ {
		if i < len(h.ahead.blocks) {
			b := h.ahead.blocks[i]
			if over := int32(seq - b.seq); over >= 0 {
				k := min(n, b.end()-seq)
				h.stats.Retransmitted += int64(k)
				if at := firstDifference(b.seq, b.buf, seq, clip(p, k)); at >= 0 && !told {
					told = true
					e.conflict(c, x, seq+uint32(at), b.packet, s)
				}
				p, n, seq = p[min(int(k), len(p)):], n-k, seq+k
				continue
			}
		}
		k := n
		if i < len(h.ahead.blocks) {
			k = min(k, h.ahead.blocks[i].seq-seq)
		}
		b := e.blocks.get(clip(p, k))
		b.seq, b.n, b.cut = seq, k, p == nil
		b.ack, b.acked = s.Ack, s.Flags&capture.ACK != 0
		b.time, b.packet = s.Time, s.Packet
		h.ahead.insert(i, b)
		if p != nil {
			p = p[k:]
		}
		n, seq = n-k, seq+k
	}
}

// drain delivers what became deliverable on both sides.
func (e *Engine) drain(c *tcpConn) {
	for e.drainHalf(c, c.client) || e.drainHalf(c, c.client^1) {
	}
}

// drainHalf reports whether side x got on.
func (e *Engine) drainHalf(c *tcpConn, x int) bool {
	h := &c.half[x]
	done := 0
	for _, b := range h.ahead.blocks {
		if b.seq != h.next || b.acked && c.half[x^1].behind(b.ack) {
			break
		}
		done++
		h.ahead.cost -= b.cost()
		e.deliver(c, x, b.buf, b.n, b.time, b.packet)
		e.blocks.put(b)
	}
	h.ahead.drop(done)
	if h.finSeen && !h.ended && h.next == h.fin && !c.half[x^1].behind(h.finAck) {
		h.ended = true
		c.out.EOF(c.dir(x), h.stamp(instant(h.finTime), h.finPacket))
		return true
	}
	return done > 0
}

// compare reports when a retransmission says something else than what was
// delivered.
func (e *Engine) compare(c *tcpConn, x int, seq uint32, p []byte, s *capture.Segment) {
	if len(p) == 0 {
		return
	}
	if at, packet, differs := e.history.conflict(c.half[x].trail, seq, p); differs {
		e.conflict(c, x, at, packet, s)
	}
}

func (e *Engine) conflict(c *tcpConn, x int, seq uint32, packet uint64, s *capture.Segment) {
	e.anomaly(c, x, "tcp_overlap_conflict", seq, s,
		fmt.Sprintf("packet %d sends other bytes than packet %d, which came first and is believed", s.Packet, packet))
}

// anomaly reports something odd at sequence number seq of side x.
func (e *Engine) anomaly(c *tcpConn, x int, code string, seq uint32, s *capture.Segment, detail string) {
	h := &c.half[x]
	at := h.stamp(s.Time, s.Packet)
	if h.started {
		at.Offset = max(0, h.off+int64(int32(seq-h.next)))
	}
	c.out.anomaly(code, c.dir(x), at, detail)
}
