package flow

import (
	"net/netip"
	"slices"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// What a stream is that went by in TLS without keys, nobody can see. It can be
// concluded: from the port of a protocol that is alone there, or from a control
// session between the two hosts whose announcements could not be read either.
// The session's record says by what (record.Session.Inferred).

// hosts are the ends of connections between two hosts, the lower one first.
type hosts [2]netip.Addr

func hostsOf(a, b netip.Addr) hosts {
	a, b = a.Unmap(), b.Unmap()
	if b.Less(a) {
		a, b = b, a
	}
	return hosts{a, b}
}

// unseen is an Expectation whose address could not be read.
type unseen struct {
	dissect.Expectation
	parent *Session
	id     string // of the parent
	since  time.Time
	hosts  hosts
	ended  [2]bool
	until  time.Time // when the second side of the parent ended; zero: not yet
}

// eof is told that a side of the parent has ended: nothing is announced once
// both have, though the session may be kept for a while.
func (u *unseen) eof(dir dissect.Dir, at time.Time) {
	es := &u.parent.e.expectations
	es.mu.Lock()
	defer es.mu.Unlock()
	u.ended[dir] = true
	if u.ended[0] && u.ended[1] && u.until.IsZero() {
		u.until = at
	}
}

// Cancel withdraws it. It is called by the parent's dissector, or at its end.
func (u *unseen) Cancel() {
	es := &u.parent.e.expectations
	es.mu.Lock()
	defer es.mu.Unlock()
	if left := slices.DeleteFunc(es.unseen[u.hosts], func(x *unseen) bool { return x == u }); len(left) > 0 {
		es.unseen[u.hosts] = left
	} else {
		delete(es.unseen, u.hosts)
	}
}

// expectUnseen registers what a dissector expects without knowing where. It
// holds until the session ends.
func (s *Session) expectUnseen(st *stage, a dissect.Expectation) dissect.Expected {
	if s.unseen != nil {
		return s.unseen
	}
	u := &unseen{Expectation: a, parent: s, id: s.identity(), since: st.At(0).Time, hosts: hostsOf(a.Server.Addr(), a.Client)}
	s.unseen = u
	es := &s.e.expectations
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.unseen == nil {
		es.unseen = map[hosts][]*unseen{}
	}
	es.unseen[u.hosts] = append(es.unseen[u.hosts], u)
	return u
}

// conclude gives a stage whose stream is hidden in both directions, or in the
// only one that was captured, the protocol that it most likely is.
func (st *stage) conclude() {
	s := st.s
	if st.mode != probing || st.dissector != nil || st.nested || s.broken {
		return
	}
	client, server := st.dirs[dissect.ClientToServer].opaque, st.dirs[dissect.ServerToClient].opaque
	switch p := st.probe; {
	case !(client && server) && !(p.final && (client || server)):
		return
	case p.size[0]+p.size[1] > 0 || p.forced != "":
		return // its own bytes tell
	}
	for i := range s.e.cfg.Protocols {
		p := &s.e.cfg.Protocols[i]
		if p.AloneOnTLS && slices.Contains(p.TLSPorts, s.server.Port()) && (st.probe.in.ALPN == "" || slices.Contains(p.ALPN, st.probe.in.ALPN)) {
			s.rec.inferred = record.InferredByPort
			st.start(p.Name, p.New)
			return
		}
	}
	if u, how := s.e.suspect(s, st.tls); u != nil {
		s.adopt(st, u, how)
	}
}

// concludeClear does so for a stream in the clear that no protocol knows: bytes
// of one side only are data that a control session may have announced unseen.
func (st *stage) concludeClear() bool {
	s, p := st.s, st.probe
	if st != s.root || st.dissector != nil || s.broken || p.forced != "" || (p.size[0] > 0) == (p.size[1] > 0) {
		return false
	}
	u, how := s.e.suspect(s, nil)
	return u != nil && s.adopt(st, u, how)
}

// suspect returns the control session that the connection most likely belongs
// to: the one whose TLS session it resumes, else the youngest between the two
// hosts. Well-known ports are somebody else's.
func (e *Engine) suspect(s *Session, hs *record.TLSHandshake) (u *unseen, how string) {
	if port := s.server.Port(); port < 1024 || e.serverPorts[port] || s.conn.Midstream {
		return nil, ""
	}
	e.expectations.mu.Lock()
	defer e.expectations.mu.Unlock()
	for _, x := range e.expectations.unseen[hostsOf(s.server.Addr(), s.client.Addr())] {
		switch {
		case s.conn.Start.Before(x.since), !x.until.IsZero() && s.conn.Start.After(x.until):
		case hs != nil && hs.ResumedFrom == x.id:
			return x, record.InferredByResumption
		default:
			u, how = x, record.InferredByHosts
		}
	}
	return u, how
}

// adopt binds the session to a control session, in whose family it is then. The
// lock of its own family is held, and handed over.
func (s *Session) adopt(st *stage, u *unseen, how string) bool {
	old, to := s.family.Load(), u.parent.family.Load()
	if old != to {
		if !to.TryLock() {
			return false // busy, with a proxy's other goroutine: the session stays what it is
		}
		if to != u.parent.family.Load() || u.parent.closed {
			to.Unlock()
			return false
		}
		s.family.Store(to)
		old.Unlock()
	}
	s.parent, s.rec.inferred = u.parent, how
	st.start(u.Protocol, u.New)
	return true
}
