package flow

import (
	"fmt"
	"time"

	"sniff/capture"
	"sniff/record"
)

// attempt is a connection that has only knocked: SYN, perhaps SYN-ACK, or a
// lone packet from the middle of something. It is small and holds no pointer,
// as a flood makes millions. What came of it becomes a tcpConn; what did not
// is reported when its time is over.
type attempt struct {
	key    key
	start  int64  // capture time of the first packet, Unix nanoseconds
	last   int64  // of the latest
	packet uint64 // its first packet
	newest uint64 // its latest
	number uint64
	// answered is when the first SYN-ACK came, 0 for never.
	answered int64
	seen     int64 // engine clock at the latest packet
	queued   int64 // since when it stands in its queue

	isn     [2]uint32 // by side, valid with known
	packets [2]uint32
	known   [2]bool // the ISN is known
	seenAny [2]bool // a packet of that side was seen

	trace trace

	client    uint8
	oriented  bool
	midstream bool
	early     bool // its session is open already, see Engine.early
	end       knockEnd
	by        uint8 // side that ended it
	oddResets uint16
	icmp      [2]uint8
	icmpFrom  endpoint
}

// knockEnd is how an attempt ended, as far as is known yet.
type knockEnd uint8

const (
	knockOpen knockEnd = iota
	knockRefused
	knockReset
	knockUnreached
)

// newAttempt makes an attempt of the first segment of a connection.
func (e *Engine) newAttempt(k key, x int, s *capture.Segment) attempt {
	e.numbers++
	a := attempt{key: k, start: s.Time.UnixNano(), packet: s.Packet, number: e.numbers}
	if s.Flags&capture.SYN != 0 {
		a.client, a.oriented = uint8(handshakeClient(x, s)), true
		a.isn[x], a.known[x] = s.Seq, true
		if s.Flags&capture.ACK != 0 {
			a.isn[x^1], a.known[x^1] = s.Ack-1, true
			a.answered = a.start
		}
	} else {
		client, _ := e.guessClient(k, x)
		a.client, a.midstream = uint8(client), true
		if s.Flags&capture.RST != 0 {
			a.end, a.by = knockReset, uint8(x)
		}
	}
	a.count(x, s, e.seen)
	return a
}

func (a *attempt) count(x int, s *capture.Segment, now int64) {
	a.packets[x]++
	a.trace.note(x, s)
	a.seenAny[x] = true
	a.last, a.newest, a.seen = s.Time.UnixNano(), s.Packet, now
}

// unknown takes a segment of which no connection is known.
func (e *Engine) unknown(k key, x int, s *capture.Segment) {
	a := e.newAttempt(k, x, s)
	id := e.admit(a)
	carries := len(s.Payload)+s.Cut > 0 && s.Flags&capture.RST == 0
	if carries || s.Flags&(capture.FIN|capture.SYN) == capture.FIN {
		e.promote(id, x, s, true)
	}
}

// admit puts an attempt into the table and its queue. A flood pushes the
// oldest ones out, which are counted.
func (e *Engine) admit(a attempt) int32 {
	for e.knocking.n+e.knocked.n+len(e.graves.at) >= e.cfg.Limits.HalfOpen {
		switch {
		case len(e.graves.at) > 0:
			e.graves.forget()
		case e.knocked.n > 0:
			e.finishAttempt(e.knocked.first, "")
		default:
			e.giveUpAttempt(e.knocking.first)
		}
	}
	id := e.addAttempt(a)
	e.enqueueAttempt(id)
	if server := a.key[a.client^1].addrPort(); a.oriented && e.announced(server) {
		e.early[id] = e.openAttempt(&a)
		e.attempt(id).early = true
	}
	return id
}

// knock takes a segment of side x of an attempt.
func (e *Engine) knock(id int32, x int, s *capture.Segment) {
	a := e.attempt(id)
	client := int(a.client)
	syn, ack := s.Flags&capture.SYN != 0, s.Flags&capture.ACK != 0
	switch {
	case s.Flags&capture.RST != 0:
		a.count(x, s, e.seen)
		a.reset(x, s)
		if a.early && a.end == knockRefused {
			// Who announced the connection hears of it while that is news.
			e.finishAttempt(id, "")
			return
		}
	case syn && !ack:
		if a.midstream || a.known[x] && a.isn[x] != s.Seq {
			k := a.key
			e.finishAttempt(id, "")
			e.graves.drop(k)
			e.unknown(k, x, s)
			return
		}
		a.isn[x], a.known[x] = s.Seq, true
		if len(s.Payload)+s.Cut > 0 {
			e.promote(id, x, s, false)
			return
		}
		a.count(x, s, e.seen)
	case syn:
		a.count(x, s, e.seen)
		if a.known[x^1] && s.Ack != a.isn[x^1]+1 || a.known[x] && a.isn[x] != s.Seq || a.midstream {
			break // answers another SYN, which was not captured or came too late
		}
		a.isn[x], a.known[x] = s.Seq, true
		if a.answered == 0 && x != client {
			a.answered = a.last
		}
		a.end = knockOpen
	case a.midstream && len(s.Payload)+s.Cut == 0 && s.Flags&capture.FIN == 0 && (!a.seenAny[x^1] || a.end != knockOpen):
		a.count(x, s, e.seen)
	default:
		e.promote(id, x, s, false)
		return
	}
	e.requeueAttempt(id)
}

// reset takes an RST in answer to the handshake.
func (a *attempt) reset(x int, s *capture.Segment) {
	client, ack := int(a.client), s.Flags&capture.ACK != 0
	switch {
	case a.midstream:
		a.end, a.by = knockReset, uint8(x)
	case x != client && a.answered == 0 && ack && s.Ack-a.isn[client]-1 < maxResetAhead:
		a.end, a.by = knockRefused, uint8(x)
	case x != client && a.answered != 0 && (s.Seq-a.isn[x] <= 1 || ack && s.Ack == a.isn[client]+1):
		a.end, a.by = knockReset, uint8(x)
	case x == client && (s.Seq-a.isn[x] <= 1 || !a.known[x]):
		a.end, a.by = knockReset, uint8(x)
	default:
		a.oddResets++
	}
}

// unreachable notes an ICMP error about a segment of side x. It is the last
// word only if nothing else answers (RFC 1122, section 4.2.3.9).
func (a *attempt) unreachable(x int, s *capture.Segment) {
	if x != int(a.client) || a.answered != 0 || a.end != knockOpen {
		return
	}
	if a.known[x] && s.Seq != a.isn[x] {
		return // about another packet, or made up
	}
	a.end = knockUnreached
	a.icmp = [2]uint8{s.ICMPType, s.ICMPCode}
	if s.ICMPFrom.IsValid() {
		a.icmpFrom = endpointOf(addrPortOf(s.ICMPFrom))
	}
}

// hard reports whether an ICMP error ends an attempt at once: nobody listens, or
// a filter forbids it (RFC 1122, section 4.2.3.9, and what today's clients make
// of it). Others may pass, and clients go on trying.
func (a *attempt) hard() bool {
	switch a.icmp {
	case [2]uint8{3, 2}, [2]uint8{3, 3}, [2]uint8{3, 9}, [2]uint8{3, 10}, [2]uint8{3, 13}: // RFC 792, RFC 1812
		return true
	case [2]uint8{1, 1}, [2]uint8{1, 4}, [2]uint8{1, 5}, [2]uint8{1, 6}: // RFC 4443, section 3.1
		return true
	}
	return false
}

// promote makes a connection of attempt id, because of segment s of side x,
// which goes there. first says that s is the attempt's own first segment,
// which it has counted.
func (e *Engine) promote(id int32, x int, s *capture.Segment, first bool) {
	a := *e.attempt(id)
	out := e.early[id]
	if out == nil {
		out = e.openAttempt(&a)
	}
	e.removeAttempt(id)
	// The third packet of the handshake without the second: the other
	// direction is not captured.
	oneSided := a.oriented && !a.seenAny[x^1] && s.Flags&capture.ACK != 0
	if oneSided {
		out.oneSided(true)
	}
	for e.nConns >= e.cfg.Limits.Connections {
		e.evictOne()
	}
	c := e.newConn(a.key)
	c.client, c.number, c.out = int(a.client), a.number, out
	c.odd, c.oneSided, c.firstFin = true, oneSided, -1
	stats := out.stats()
	for y := range c.half {
		h := &c.half[y]
		h.stats = &stats[c.dir(y)]
		h.stats.Packets = uint64(a.packets[y])
		if a.known[y] {
			h.next, h.origin = a.isn[y]+1, true
			if a.seenAny[y] {
				h.start(h.next)
			}
		}
	}
	c.trace = a.trace
	if first {
		c.half[x].stats.Packets--
		c.trace = trace{}
	}
	c.unreach = a.end == knockUnreached
	c.last = e.seen
	e.enqueue(&e.active, c, e.cfg.Limits.Idle)
	e.segment(c, x, s)
}

// openAttempt opens the session of an attempt.
func (e *Engine) openAttempt(a *attempt) receiver {
	o := opening{
		client: a.key[a.client].addrPort(), server: a.key[a.client^1].addrPort(),
		start: instant(a.start), packet: a.packet, number: a.number,
		midstream: a.midstream, orientation: byHandshake,
	}
	if a.answered > a.start {
		o.handshake = time.Duration(a.answered - a.start)
	}
	if !a.oriented {
		_, o.orientation = e.guessClient(a.key, int(a.client))
	}
	return e.open(o)
}

// finishAttempt reports what came of an attempt. end is what is said when
// nothing ended it.
func (e *Engine) finishAttempt(id int32, end string) {
	a := e.attempt(id)
	out := e.early[id]
	if out == nil {
		out = e.openAttempt(a)
	}
	stats := out.stats()
	for x := range a.packets {
		stats[x^int(a.client)].Packets = uint64(a.packets[x])
	}
	at := record.Stamp{Time: instant(a.last), Packet: a.newest}
	if a.oddResets > 0 {
		out.anomaly("tcp_rst_out_of_window", record.ServerToClient, at,
			fmt.Sprintf("%d RST that fit no SYN; ignored", a.oddResets))
	}
	by := ""
	switch {
	case a.end == knockRefused:
		end, by = record.EndRefused, a.side(int(a.by))
	case a.end == knockReset:
		end, by = record.EndReset, a.side(int(a.by))
	case a.end == knockUnreached:
		end = record.EndUnreached
		out.anomaly("tcp_unreachable", record.ClientToServer, at, a.icmpText())
	case a.oriented && a.answered == 0:
		end = record.EndUnanswered
	case end == "":
		end = record.EndOpen
	}
	a.trace.report(out, int(a.client))
	out.Close(end, by, at)
	k, t, bury := a.key, a.tomb(), a.end != knockOpen && !e.closing
	e.removeAttempt(id)
	if bury {
		e.bury(k, t)
	}
}

func (a *attempt) side(x int) string { return record.Dir(x ^ int(a.client)).String() }

func (a *attempt) icmpText() string {
	text := fmt.Sprintf("ICMP type %d code %d", a.icmp[0], a.icmp[1])
	if a.icmpFrom != (endpoint{}) {
		text += " from " + a.icmpFrom.addrPort().Addr().String()
	}
	return text
}

// giveUpAttempt forgets an attempt to make room. It is counted, and told at
// the end in one anomaly, as a flood would drown everything else.
func (e *Engine) giveUpAttempt(id int32) {
	if e.early[id] != nil {
		e.finishAttempt(id, record.EndEvicted)
		return
	}
	e.counts.attempts++
	e.removeAttempt(id)
}

// bury keeps what is left of a connection, if there is room.
func (e *Engine) bury(k key, t tomb) {
	if e.knocking.n+e.knocked.n+len(e.graves.at) >= e.cfg.Limits.HalfOpen {
		if len(e.graves.at) == 0 {
			return
		}
		e.graves.forget()
	}
	e.graves.add(k, t, e.now)
	e.wake(tombTime)
}

func (e *Engine) removeAttempt(id int32) {
	delete(e.early, id)
	e.unqueueAttempt(id)
	e.freeAttempt(id)
}
