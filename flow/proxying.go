package flow

import (
	"sniff/dissect"
	"sniff/record"
)

// What a proxy asks of a session beside giving it bytes.

// Limit returns the offset from which on bytes of dir must not be forwarded
// while held is true: what they mean depends on the other side's answer, or
// TLS begins there. Offsets count the bytes given to Data and Gap.
func (s *Session) Limit(dir dissect.Dir) (offset int64, held bool) {
	s.lock()
	defer s.unlock()
	h := &s.root.dirs[dir^s.swapped]
	return h.read, (h.held || s.root.upgrading) && !s.broken && !s.closed
}

// Passes reports that b, which comes next in dir, may be forwarded before it is
// given to Data: nothing in it is held or leads to TLS. Where it cannot be told
// at a glance it is false. All that came before b was given (read), or passes
// and will be given before it.
func (s *Session) Passes(dir dissect.Dir, b []byte, read bool) bool {
	s.lock()
	defer s.unlock()
	st := s.root
	p, ok := st.dissector.(dissect.Passer)
	if !ok || st.mode != reading || st.upgrading || st.waits != nil || st.inner != nil || s.broken || s.closed {
		return false
	}
	for i := range st.dirs {
		if h := &st.dirs[i]; h.held || h.opaque || h.ended {
			return false
		}
	}
	dir ^= s.swapped
	return len(st.dirs[dir].unread) == 0 && st.passes(p, dir, b, read)
}

func (st *stage) passes(p dissect.Passer, dir dissect.Dir, b []byte, read bool) bool {
	st.dir = dir
	defer st.returned()
	return p.Passes(dir, b, read)
}

// Consumed returns the offset up to which the dissector has read dir; 0 while
// the protocol is not known.
func (s *Session) Consumed(dir dissect.Dir) int64 {
	s.lock()
	defer s.unlock()
	if s.broken || s.closed {
		return s.offset[dir]
	}
	return s.root.dirs[dir^s.swapped].read
}

// Changed returns a channel that is closed the next time when a hold is set
// or freed, TLS is asked for, or the session ends. Get it before looking at
// the state that is waited for.
func (s *Session) Changed() <-chan struct{} {
	s.lock()
	defer s.unlock()
	if s.signal == nil {
		s.signal = make(chan struct{})
	}
	return s.signal
}

func (s *Session) changed() {
	if s.signal != nil {
		close(s.signal)
		s.signal = nil
	}
}

// Upgrading reports whether TLS begins at Consumed of both directions and
// nobody has said yet who does it. Either Intercepted is called next, or
// bytes are given to Data, which are then TLS as it stands on the wire.
func (s *Session) Upgrading() bool {
	s.lock()
	defer s.unlock()
	return s.root.upgrading
}

// Downgrading reports whether the dissector asked for the end of the TLS that
// the caller does (FTP's CCC), once: behind the close_notify of each side the
// dialogue goes on in the clear.
func (s *Session) Downgrading() bool {
	s.lock()
	defer s.unlock()
	asked := s.downgrading
	s.downgrading = false
	return asked
}

// Intercepted says that the caller does the TLS itself: what it gives to Data
// from now on is the plaintext of the same dialogue, beginning at Consumed.
// Bytes behind that, which the session was given already, were TLS and are
// forgotten. hs is what the dissector gets as its handshake; the caller emits
// it. For TLS that began with the connection (Conn.TLS) it is called before
// the first Data.
func (s *Session) Intercepted(hs *record.TLSHandshake) {
	s.lock()
	defer s.unlock()
	st := s.root
	st.tls = hs
	if st.probe != nil && hs != nil && st.probe.in.ALPN == "" {
		st.probe.in.ALPN = hs.ALPN
		st.probe.rank()
	}
	if !st.upgrading {
		return
	}
	st.upgrading = false
	for d := range st.dirs {
		h := &st.dirs[d]
		n := int64(len(h.unread))
		h.free()
		h.gated = false
		s.offset[dissect.Dir(d)^s.swapped] -= n
		s.side[dissect.Dir(d)^s.swapped].Bytes -= n
	}
	s.rec.tls = tlsRead
	s.rec.layers = append(s.rec.layers, "tls")
	s.changed()
}

// Sealed says that the caller terminates what is encrypted in dir from here on
// (SSH behind NEWKEYS) and emits its records: what is given to Data is counted
// and not read.
func (s *Session) Sealed(dir dissect.Dir) {
	s.lock()
	defer s.unlock()
	st := s.top()
	if st.mode != reading {
		return
	}
	st.dirs[dir^s.swapped].turnOpaque()
	st.letGo(dir.Other() ^ s.swapped)
	s.changed()
}

// Secret makes a masked secret with the engine's keyed token, for records of
// the caller's.
func (s *Session) Secret(text string) record.Secret { return s.e.cfg.Secrets.Secret(text) }

// OnExpect sets what is called, from inside Data, when the dissector announces
// a connection. f must not call the session; the expectation is its own copy.
func (s *Session) OnExpect(f func(*dissect.Expectation)) {
	s.lock()
	defer s.unlock()
	s.onExpect = f
}

// Named gives what the dissector says of the dialogue itself a substream: the
// caller carries it in two legs, and has a Channel for the other one.
func (s *Session) Named(label string) {
	s.lock()
	defer s.unlock()
	s.top().label = label
}

// Channel begins a stream inside the session that the caller feeds with what
// it took out of the dialogue itself (an SSH channel's bytes). nil if there is
// no such protocol.
func (s *Session) Channel(protocol, label string) dissect.Stream {
	s.lock()
	defer s.unlock()
	n := s.nest(protocol, label)
	if n == nil {
		return nil
	}
	return &channel{s: s, to: n}
}

// channel feeds a nested stage from outside, at the time of the clock.
type channel struct {
	s  *Session
	to *stage
}

func (c *channel) Data(dir dissect.Dir, b []byte) {
	c.s.lock()
	defer c.s.unlock()
	if !c.s.closed {
		c.to.entry().data(dir, b, c.now())
	}
}

func (c *channel) Gap(dir dissect.Dir, n int64) {
	c.s.lock()
	defer c.s.unlock()
	if !c.s.closed {
		c.to.entry().gap(dir, n, c.now())
	}
}

func (c *channel) EOF(dir dissect.Dir) {
	c.s.lock()
	defer c.s.unlock()
	if !c.s.closed {
		c.s.endNested(c.to, dir, c.now())
	}
}

func (c *channel) now() record.Stamp { return record.Stamp{Time: c.s.e.cfg.Clock().UTC()} }

// maxNested bounds the streams that are open inside one session.
const maxNested = 1024

// nest begins a nested stream of the named protocol.
func (s *Session) nest(protocol, label string) *stage {
	if len(s.nested) >= maxNested || s.closed {
		return nil
	}
	for i := range s.e.cfg.Protocols {
		p := &s.e.cfg.Protocols[i]
		if p.Name != protocol {
			continue
		}
		st := &stage{s: s, nested: true, label: label, mode: reading, protocol: protocol, inTLS: s.top().inTLS, tls: s.top().tls, now: s.top().At(0)}
		st.call(st.dir, func() { st.dissector = p.New(st) })
		if st.dissector == nil {
			return nil
		}
		s.nested = append(s.nested, st)
		return st
	}
	return nil
}

// endNested ends a direction of a nested stream, which is forgotten when both
// have ended.
func (s *Session) endNested(st *stage, dir dissect.Dir, at record.Stamp) {
	entry := st.entry()
	entry.eof(dir, at)
	if !entry.dirs[0].ended || !entry.dirs[1].ended {
		return
	}
	for i, n := range s.nested {
		if n == st {
			s.nested = append(s.nested[:i], s.nested[i+1:]...)
			entry.close(record.EndClosed, dir.String(), at)
			return
		}
	}
}
