package flow

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sniff/dissect"
)

const (
	defaultTTL = time.Minute
	// maxExpected is how many connections one session may have announced
	// that have not come.
	maxExpected = 64
)

// expectations is what the engine knows of connections that were announced,
// and of those that may have been and still are in probing.
type expectations struct {
	sessions atomic.Uint64 // opened so far
	earliest atomic.Int64  // deadline of some announcement, Unix nanoseconds; 0: none

	mu       sync.Mutex
	expected map[netip.AddrPort][]*expectation
	all      []*expectation // in order of announcement
	probing  map[netip.AddrPort]*waiters
	unseen   map[hosts][]*unseen // by the hosts, the youngest last
}

// expectation is one announced connection.
type expectation struct {
	dissect.Expectation
	parent   *Session
	deadline time.Time
	done     bool // came, expired or withdrawn; guarded by expectations.mu
}

// Cancel withdraws it. It is called by the parent's dissector.
func (x *expectation) Cancel() {
	x.parent.e.expectations.remove(x)
	x.parent.forget(x)
}

// expect registers what a stage's dissector announces.
func (s *Session) expect(st *stage, a dissect.Expectation) dissect.Expected {
	if a.Server.Port() == 0 {
		return s.expectUnseen(st, a)
	}
	if a.TTL <= 0 {
		a.TTL = defaultTTL
	}
	a.Server = unmap(a.Server)
	x := &expectation{Expectation: a, parent: s, deadline: st.At(0).Time.Add(a.TTL)}
	if len(s.expects) >= maxExpected {
		s.expireOne(s.expects[0])
	}
	s.expects = append(s.expects, x)
	if s.nextExpiry.IsZero() || x.deadline.Before(s.nextExpiry) {
		s.nextExpiry = x.deadline
	}
	late := s.e.expectations.add(x, st.At(0).Time)
	if s.onExpect != nil {
		s.onExpect(&a)
	}
	if late != nil {
		// Its dissector shares state with the one that is running now.
		f := s.family.Load()
		f.after = append(f.after, func() { late.bindLate(x) })
	}
	return x
}

// bind gives the session the dissector that an announcement has for it. The
// lock of the family is held.
func (s *Session) bind(x *expectation) {
	s.parent = x.parent
	x.parent.forget(x)
	if !s.conn.Oriented && s.client == x.Server && s.server != x.Server {
		s.swap()
		s.rec.orientation = "content"
	}
	st := s.root
	st.protocol, st.inTLS = x.Protocol, st.inTLS || x.TLS
	s.recognised(st, x.Protocol)
	st.call(st.dir, func() { st.dissector = x.New(st) })
	st.probe.in.Oriented, st.probe.header = true, false
	st.probe.tls = x.TLS && !s.conn.TLS
	if !st.probe.tls || len(st.probe.queue) > 0 {
		st.decideBound()
	}
}

// decideBound starts a stage whose dissector an announcement has made, as
// soon as it is clear whether TLS comes first.
func (st *stage) decideBound() {
	if st.probe.tls {
		st.decide()
		return
	}
	st.start(st.protocol, nil)
}

// bindLate binds a session whose first packet came before its announcement.
func (s *Session) bindLate(x *expectation) {
	old, to := s.family.Load(), x.parent.family.Load()
	if old != to {
		if !old.TryLock() {
			return // busy: its bytes decide what it is
		}
		defer old.Unlock()
		if old != s.family.Load() {
			return
		}
	}
	if s.closed || !s.waiting || !s.e.expectations.remove(x) {
		return
	}
	s.family.Store(to)
	s.e.leave(s)
	s.bind(x)
}

// forget takes x off the session's list.
func (s *Session) forget(x *expectation) {
	if i := slices.Index(s.expects, x); i >= 0 {
		s.expects = slices.Delete(s.expects, i, i+1)
	}
	s.nextExpiry = time.Time{}
	for _, x := range s.expects {
		if s.nextExpiry.IsZero() || x.deadline.Before(s.nextExpiry) {
			s.nextExpiry = x.deadline
		}
	}
}

// expire gives up what did not come in time.
func (s *Session) expire(now time.Time) {
	for !s.nextExpiry.IsZero() && now.After(s.nextExpiry) {
		for _, x := range s.expects {
			if now.After(x.deadline) {
				s.expireOne(x)
				break
			}
		}
	}
}

// expireAll gives up everything, at the session's end.
func (s *Session) expireAll() {
	for len(s.expects) > 0 {
		s.expireOne(s.expects[0])
	}
}

func (s *Session) expireOne(x *expectation) {
	s.forget(x)
	if s.e.expectations.remove(x) && x.Expired != nil && !s.broken {
		st := s.top()
		st.call(st.dir, x.Expired)
	}
}

// add registers x and returns a session in probing that it may be about.
func (es *expectations) add(x *expectation, now time.Time) *Session {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.expected == nil {
		es.expected = map[netip.AddrPort][]*expectation{}
	}
	es.expected[x.Server] = append(es.expected[x.Server], x)
	es.all = append(es.all, x)
	es.setEarliest()
	return es.probing[x.Server].since(now.Add(-x.TTL))
}

// remove reports whether x was still waited for.
func (es *expectations) remove(x *expectation) bool {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.removeLocked(x)
}

func (es *expectations) removeLocked(x *expectation) bool {
	if x.done {
		return false
	}
	x.done = true
	drop := func(y *expectation) bool { return y == x }
	if left := slices.DeleteFunc(es.expected[x.Server], drop); len(left) > 0 {
		es.expected[x.Server] = left
	} else {
		delete(es.expected, x.Server)
	}
	es.all = slices.DeleteFunc(es.all, drop)
	es.setEarliest()
	return true
}

func (es *expectations) setEarliest() {
	var at int64
	for _, x := range es.all {
		if d := x.deadline.UnixNano(); at == 0 || d < at {
			at = d
		}
	}
	es.earliest.Store(at)
}

// claim takes the announcement that the new session answers, if there is one:
// its parent's before anyone's, one that names the client before others.
func (es *expectations) claim(s *Session) *expectation {
	es.mu.Lock()
	defer es.mu.Unlock()
	if len(es.all) == 0 {
		return nil
	}
	var best *expectation
	score := -1
	consider := func(server, client netip.AddrPort) {
		for _, x := range es.expected[unmap(server)] {
			if !s.conn.Start.IsZero() && s.conn.Start.After(x.deadline) {
				continue
			}
			n := 0
			if x.parent == s.conn.Parent {
				n += 2
			}
			if x.Client.IsValid() && x.Client.Unmap() == client.Addr().Unmap() {
				n++
			}
			if n > score {
				best, score = x, n
			}
		}
	}
	consider(s.server, s.client)
	if best == nil && !s.conn.Oriented {
		consider(s.client, s.server)
	}
	if best != nil {
		es.removeLocked(best)
	}
	return best
}

// tick gives up announcements that have waited too long, as the clock of the
// capture says. No session may be locked.
func (e *Engine) tick(now time.Time) {
	at := e.earliest.Load()
	if at == 0 || now.UnixNano() <= at {
		return
	}
	e.expectations.mu.Lock()
	var late []*expectation
	for _, x := range e.all {
		if now.After(x.deadline) {
			late = append(late, x)
		}
	}
	e.expectations.mu.Unlock()
	for _, x := range late {
		x.parent.lock()
		x.parent.expireOne(x)
		x.parent.unlock()
	}
}

// waitFor lists a session in probing, which an announcement may still claim.
func (es *expectations) waitFor(s *Session) {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.probing == nil {
		es.probing = map[netip.AddrPort]*waiters{}
	}
	key := unmap(s.conn.Server)
	if es.probing[key] == nil {
		es.probing[key] = &waiters{}
	}
	es.probing[key].push(s)
	s.waiting = true
}

func (es *expectations) leave(s *Session) {
	s.waiting = false
	es.mu.Lock()
	defer es.mu.Unlock()
	key := unmap(s.conn.Server)
	if w := es.probing[key]; w.remove(s) {
		delete(es.probing, key)
	}
}

// leaveProbing takes the session off the list once it is known what it is.
func (s *Session) leaveProbing(st *stage) {
	if s.waiting && st == s.root {
		s.e.leave(s)
	}
}

// unmap makes IPv4 addresses compare equal however they are written.
func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
