package proxy

import "sniff/record"

// A message that the session lets pass without having read it goes out first
// and is read while its receiver is already at work on it: reading takes about
// a fifth of the time that the proxy adds to a call.
//
// The session still gets everything in the order in which it happened. What
// goes ahead is noted before it is written, and whoever uses the session next
// gives it first: the pump of the answer, should it be faster.

// maxAhead is the longest piece that goes ahead. A longer one may have to wait
// for its receiver, and would be missing from records and capture meanwhile.
const maxAhead = 16 << 10

// ahead are bytes that are being forwarded and were not given yet. They stay
// valid until caughtUp.
type ahead struct {
	p  *pump
	b  []byte
	at record.Stamp
}

// goesAhead reports whether b may be forwarded now. Then caughtUp must follow.
func (r *relay) goesAhead(p *pump, b []byte) bool {
	if len(b) > maxAhead || r.stripped != nil {
		return false
	}
	at := p.now()
	r.lock()
	defer r.unlock()
	if r.upgrading || r.clearing || p.stopped || len(p.pending) > 0 || len(p.rewrites) > 0 || p.tapped != p.given {
		return false
	}
	if !r.sess.Passes(p.dir, b) {
		return false
	}
	r.ahead = append(r.ahead, ahead{p, b, at})
	return true
}

// caughtUp gives what went ahead of p, unless the other pump has.
func (r *relay) caughtUp(p *pump) {
	r.lock()
	p.base.Store(p.given)
	r.unlock()
}

// lock takes r.mu for the use of session and tap: what went ahead comes first.
func (r *relay) lock() {
	r.mu.Lock()
	for _, a := range r.ahead {
		r.give(a.p, a.b, a.at) // agrees on nothing: the session has said so
	}
	clear(r.ahead)
	r.ahead = r.ahead[:0]
}

// unlock releases r.mu and tells what was seen meanwhile.
func (r *relay) unlock() {
	notes := r.notes
	r.notes = nil
	r.mu.Unlock()
	for _, n := range notes {
		r.anomaly(n.Code, n.dir, n.Detail)
	}
}
