package flow

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// backlog is what arrives for a stage while its dissector waits for something
// from outside of the traffic (dissect.Wait), in order of arrival.
type backlog struct {
	queue []event
	size  int
	since time.Time
}

const (
	// eventCost is what an event costs beside its bytes, waitCost a session
	// that waits.
	eventCost = 128
	waitCost  = 4 << 10
	// pollEvery is how often sessions that wait are asked while nothing
	// arrives for them.
	pollEvery = 50 * time.Millisecond
)

// wait begins to keep what arrives. An outer layer may wait while an inner
// one does; each has its own backlog.
func (st *stage) wait() {
	st.waits = &backlog{since: st.now.Time, size: waitCost}
	st.s.e.awaiting.add(st.s, waitCost)
}

// keepBack keeps an event of a stage that waits.
func (st *stage) keepBack(ev event) {
	b := st.waits
	ev.b = slices.Clone(ev.b)
	n := eventCost + len(ev.b)
	b.queue = append(b.queue, ev)
	b.size += n
	over := st.s.e.awaiting.grow(n) > st.s.e.cfg.Limits.WaitTotal
	st.goOn(ev.at.Time, over || b.size > st.s.e.cfg.Limits.Wait+waitCost)
}

// goOn asks whether the wait is over, and plays what was kept if it is. last
// says that no more is kept.
func (st *stage) goOn(now time.Time, last bool) {
	b := st.waits
	last = last || st.s.ending || st.s.broken || now.Sub(b.since) > st.s.e.cfg.Limits.WaitTime
	ready := st.s.broken
	if w, ok := st.dissector.(dissect.Waiter); ok && !ready {
		st.call(st.dir, func() { ready = w.Ready(last) })
	}
	if !ready && !last {
		return
	}
	st.waits = nil
	st.s.e.awaiting.grow(-b.size)
	for d := range st.dirs {
		st.run(dissect.Dir(d))
		st.dirs[d].keep()
	}
	st.play(b.queue)
}

// awaits reports whether any stage of the session waits.
func (s *Session) awaits() bool {
	for st := s.root; st != nil; st = st.inner {
		if st.waits != nil {
			return true
		}
	}
	return false
}

// closing is how a session ended that still waits.
type closing struct {
	end, by string
	at      record.Stamp
}

// poll asks a session that waits whether it can go on. It reports false when
// it waits no longer.
func (s *Session) poll(now time.Time, last bool) bool {
	s.lock()
	defer s.unlock()
	s.ending = s.ending || last
	for st := s.root; st != nil; st = st.inner {
		if st.waits != nil {
			st.goOn(now, last)
		}
	}
	if s.awaits() {
		return true
	}
	if c := s.closing; c != nil {
		s.closing = nil
		s.close(c.end, c.by, c.at)
	}
	return false
}

// awaiting are the sessions that wait.
type awaiting struct {
	mu       sync.Mutex
	sessions []*Session
	size     int // what they keep, bytes
	n        atomic.Int64
	due      int64 // when they are asked next; of the engine's goroutine
}

func (a *awaiting) add(s *Session, cost int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.size += cost
	if !slices.Contains(a.sessions, s) {
		a.sessions = append(a.sessions, s)
		a.n.Store(int64(len(a.sessions)))
	}
}

func (a *awaiting) grow(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.size += n
	return a.size
}

// ask polls the sessions that wait, when it is time to, or for the last time.
// No session may be locked.
func (e *Engine) ask(now time.Time, last bool) {
	a := &e.awaiting
	if a.n.Load() == 0 || !last && now.UnixNano() < a.due {
		return
	}
	a.due = now.Add(pollEvery).UnixNano()
	a.mu.Lock()
	all := slices.Clone(a.sessions)
	a.mu.Unlock()
	over := slices.DeleteFunc(all, func(s *Session) bool { return s.poll(now, last) })
	a.mu.Lock()
	a.sessions = slices.DeleteFunc(a.sessions, func(s *Session) bool { return slices.Contains(over, s) })
	a.n.Store(int64(len(a.sessions)))
	a.mu.Unlock()
}
