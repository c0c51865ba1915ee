package flow

import (
	"net/netip"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/record"
)

// Engine holds all sessions of one input. Segment, Advance and Close are
// called from one goroutine; sessions that Open began may be used from any.
type Engine struct {
	cfg Config

	output
	expectations
	awaiting awaiting

	clock
	table
	timers
	graves      graves
	blocks      blockPool
	history     history
	counts      tally
	numbers     uint64 // connections seen so far
	serverPorts map[uint16]bool
	// early holds the sessions of attempts that a control channel announced:
	// they are open from the first SYN on.
	early   map[int32]receiver
	open    func(opening) receiver
	closing bool
	stopped bool
	last    record.Stamp // of the latest segment
}

// New returns an engine. Close must be called when the input has ended.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	e.cfg.setDefaults()
	e.output.start(e.cfg.Sink, e.cfg.Inline)
	e.table.init()
	e.graves.init()
	e.due = 1<<63 - 1
	e.early = make(map[int32]receiver)
	e.serverPorts = make(map[uint16]bool)
	for _, p := range e.cfg.Protocols {
		for _, port := range p.Ports {
			e.serverPorts[port] = true
		}
		for _, port := range p.TLSPorts {
			e.serverPorts[port] = true
		}
	}
	e.open = e.openSession
	return e
}

// Segment takes the next segment of the input. Nothing of s is kept.
func (e *Engine) Segment(s *capture.Segment) {
	e.last.Time, e.last.Packet = s.Time, s.Packet
	e.Advance(s.Time)
	if s.BadChecksum {
		e.counts.badChecksums++
		return
	}
	if c, x := e.again(s.Src, s.Dst); c != nil && !s.Unreachable && s.Time.Sub(c.lastTime) <= e.cfg.Limits.Idle {
		e.segment(c, x, s)
		return
	}
	k, x := keyOf(s.Src, s.Dst)
	id, known := e.ids[k]
	if known && e.outlived(id, s.Time) {
		id, known = e.ids[k]
	}
	switch {
	case s.Unreachable:
		e.unreachable(id, x, s)
	case !known:
		if t := e.graves.find(k); t != nil {
			if t.stray(x, s) {
				return
			}
			e.graves.drop(k)
		}
		e.unknown(k, x, s)
	case id < 0:
		e.knock(-id, x, s)
	default:
		e.remember(e.conns[id], x, s.Src, s.Dst)
		e.segment(e.conns[id], x, s)
	}
}

// outlived ends what was silent for too long before a segment came again. Its
// timer may not have struck yet, as the clock is careful.
func (e *Engine) outlived(id int32, t time.Time) bool {
	if id > 0 {
		c := e.conns[id]
		if t.Sub(c.lastTime) <= e.cfg.Limits.Idle {
			return false
		}
		k := c.key
		e.closeConn(c, record.EndTimeout)
		e.graves.drop(k)
		return true
	}
	a := e.attempt(-id)
	if t.UnixNano()-a.last <= int64(e.cfg.Limits.HalfOpenIdle) {
		return false
	}
	k := a.key
	e.finishAttempt(-id, record.EndTimeout)
	e.graves.drop(k)
	return true
}

// unreachable takes an ICMP error about a segment that side x sent.
func (e *Engine) unreachable(id int32, x int, s *capture.Segment) {
	switch {
	case id < 0:
		a := e.attempt(-id)
		a.unreachable(x, s)
		if a.early && a.end == knockUnreached && a.hard() {
			e.finishAttempt(-id, "")
			return
		}
		e.requeueAttempt(-id)
	case id > 0:
		c := e.conns[id]
		if !c.over {
			a := attempt{icmp: [2]uint8{s.ICMPType, s.ICMPCode}}
			if s.ICMPFrom.IsValid() {
				a.icmpFrom = endpointOf(addrPortOf(s.ICMPFrom))
			}
			c.unreach = true
			e.anomaly(c, x, "tcp_unreachable", s.Seq, s, a.icmpText())
		}
	}
}

// Advance tells the engine the time of the capture while no segments come: a
// live source calls it now and then.
func (e *Engine) Advance(t time.Time) {
	e.clock.at(t.UnixNano())
	if e.now >= e.due {
		e.expire()
	}
	e.tick(time.Unix(0, e.now))
	e.ask(t, false)
}

// Close ends what is still open, writes what is still queued and returns the
// first error of the sink, which stays open: who made it closes it.
func (e *Engine) Close() error {
	if !e.stopped {
		e.stopped = true
		e.ask(time.Unix(0, e.now), true)
		e.closeAll()
		e.counts.anomalies(e.last, func(r record.Record) { e.put(item{record: r}) })
	}
	return e.output.stop()
}

// receiver is what TCP needs of a session.
type receiver interface {
	Data(dir dissect.Dir, b []byte, at record.Stamp)
	Gap(dir dissect.Dir, n int64, at record.Stamp)
	EOF(dir dissect.Dir, at record.Stamp)
	// reset says that the EOFs that follow come of a reset.
	reset(by string)
	Close(end, by string, at record.Stamp)
	// anomaly reports what is odd about the connection.
	anomaly(code string, dir dissect.Dir, at record.Stamp, detail string)
	// oneSided says whether only one direction seems to be captured.
	oneSided(yes bool)
	// stats are the counters of both directions, as the caller names them,
	// beside those of bytes, which the session counts itself.
	stats() *[2]record.SideStats
}

// opening is what TCP knows of a connection when its session begins.
type opening struct {
	client, server netip.AddrPort
	start          time.Time
	packet, number uint64
	handshake      time.Duration // from SYN to SYN-ACK, 0 if unknown
	midstream      bool
	orientation    string
}

func (e *Engine) openSession(o opening) receiver {
	s := e.Open(Conn{
		Client: o.client, Server: o.server, Start: o.start,
		Oriented: o.orientation == byHandshake, Midstream: o.midstream,
	})
	s.lock()
	defer s.unlock()
	s.number = o.number
	s.rec.packet = o.packet
	s.rec.handshake = record.Seconds(o.handshake)
	if s.rec.orientation != "content" {
		s.rec.orientation = o.orientation
	}
	return s
}

func (s *Session) anomaly(code string, dir dissect.Dir, at record.Stamp, detail string) {
	s.lock()
	defer s.unlock()
	if !s.closed {
		s.violation(s.top(), dissect.Violation{Code: code, Dir: dir ^ s.swapped, Stamp: at, Detail: detail})
	}
}

func (s *Session) oneSided(yes bool) {
	s.lock()
	defer s.unlock()
	s.rec.oneSided = yes
}

func (s *Session) stats() *[2]record.SideStats { return &s.side }

func addrPortOf(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }
