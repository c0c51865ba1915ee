package flow

import "time"

// waiters lists the sessions of one server that are in probing, in the order
// in which they began. There may be very many: joining and leaving take
// constant time.
type waiters struct{ oldest, newest *Session }

func (w *waiters) push(s *Session) {
	s.older, s.newer = w.newest, nil
	if w.newest != nil {
		w.newest.newer = s
	} else {
		w.oldest = s
	}
	w.newest = s
}

// remove takes s out and reports whether the list is empty now.
func (w *waiters) remove(s *Session) bool {
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		w.oldest = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		w.newest = s.older
	}
	s.older, s.newer = nil, nil
	return w.oldest == nil
}

// since returns the oldest session that began at t or later, as far as the
// newest few tell.
func (w *waiters) since(t time.Time) *Session {
	const few = 256
	if w == nil {
		return nil
	}
	var found *Session
	s := w.newest
	for range few {
		if s == nil || s.conn.Start.Before(t) {
			break
		}
		found, s = s, s.older
	}
	return found
}
