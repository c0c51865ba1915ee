package proxy

import (
	"sync"
	"time"

	"sniff/record"
)

// A message that the session lets pass without having read it goes out first
// and is read a moment later: reading on the way costs the call a third of the
// time that the proxy adds to it, and reading many messages at a time costs less
// than one by one.
//
// The session still gets everything in the order in which it happened. What
// goes ahead is noted before it is written, and whoever uses the session next
// gives it first, if it is not the server's reader.

const (
	// aheadFor is how long what went ahead waits to be read: nothing to anybody
	// who watches, and some dozens of messages where the proxy is busy.
	aheadFor = 8 * time.Millisecond
	// maxAheadPiece is the longest piece that goes ahead, maxAhead how much one
	// relay may have ahead: then its pumps read it themselves.
	maxAheadPiece, maxAhead = 16 << 10, 64 << 10
)

// ahead are bytes that were forwarded, or are about to be, and were not given
// to the session yet.
type ahead struct {
	p  *pump
	n  int
	at record.Stamp
}

// aheadBuffers holds the bytes of relays that have something ahead.
var aheadBuffers = sync.Pool{New: func() any { return new([]byte) }}

// goesAhead reports whether b may be forwarded now. It keeps its own copy.
func (r *relay) goesAhead(p *pump, b []byte) bool {
	if len(b) > maxAheadPiece || r.stripped != nil {
		return false
	}
	at := p.now()
	r.mu.Lock()
	defer r.unlock()
	if r.aheadBytes != nil && len(*r.aheadBytes)+len(b) > maxAhead {
		r.catchUp()
	}
	if r.upgrading || r.clearing || p.stopped || len(p.pending) > 0 || len(p.rewrites) > 0 || p.tapped != p.given {
		return false
	}
	if len(r.ahead) > 0 && !r.sess.Passes(p.dir, b, false) {
		r.catchUp()
	}
	if len(r.ahead) == 0 {
		if !r.sess.Passes(p.dir, b, true) {
			return false
		}
		r.aheadBytes = aheadBuffers.Get().(*[]byte)
		r.srv.later.add(r)
	}
	r.ahead = append(r.ahead, ahead{p, len(b), at})
	*r.aheadBytes = append(*r.aheadBytes, b...)
	p.given += int64(len(b))
	p.tapped = p.given
	p.base.Store(p.given)
	return true
}

// catchUp gives what went ahead. r.mu is held.
func (r *relay) catchUp() {
	if len(r.ahead) == 0 {
		return
	}
	b := *r.aheadBytes
	for _, a := range r.ahead {
		// It agrees on nothing: the session has said so.
		r.sess.Data(a.p.dir, b[:a.n], a.at)
		if r.tap != nil {
			r.tap.Data(a.p.dir, b[:a.n], a.at.Time)
		}
		b = b[a.n:]
	}
	r.ahead = r.ahead[:0]
	*r.aheadBytes = (*r.aheadBytes)[:0]
	aheadBuffers.Put(r.aheadBytes)
	r.aheadBytes = nil
}

// lock takes r.mu for the use of session and tap: what went ahead comes first.
func (r *relay) lock() {
	r.mu.Lock()
	r.catchUp()
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

// later lists the relays that have something ahead.
type later struct {
	mu     sync.Mutex
	relays []*relay
	some   chan struct{} // of length 1
	done   chan struct{} // nobody reads them any more
}

func (l *later) add(r *relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.relays = append(l.relays, r); len(l.relays) == 1 {
		select {
		case l.some <- struct{}{}:
		default:
		}
	}
}

// readAhead reads what went ahead, until the server stops; from then on relays
// read it when they end.
func (s *Server) readAhead() {
	defer close(s.later.done)
	var relays []*relay
	for {
		select {
		case <-s.later.some:
		case <-s.ctx.Done():
			return
		}
		time.Sleep(aheadFor)
		s.later.mu.Lock()
		relays, s.later.relays = s.later.relays, relays[:0]
		s.later.mu.Unlock()
		for i, r := range relays {
			r.lock()
			r.unlock()
			relays[i] = nil
		}
	}
}
