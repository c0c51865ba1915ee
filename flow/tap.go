package flow

import (
	"bytes"
	"fmt"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// tapped is what a session says to the engine's tap: the bytes of its
// outermost dialogue as they were read, plaintext where TLS was decrypted.
//
// The words that agree on TLS are left out: without TLS they would not have
// been said, and whoever reads the plaintext would wait for a hello behind
// them.
type tapped struct {
	conn record.TapConn // nil: nobody wants this session
	tls  bool           // the tap was told that TLS begins
	now  time.Time      // never goes back
	// held begins with the command that holds its side; what the other side
	// says until it is answered follows.
	held []tappedPiece
}

type tappedPiece struct {
	dir dissect.Dir
	b   []byte
	at  time.Time
}

// tapOf returns what taps the bytes of st, nil for none: a layer's are not
// tapped, its inner stage's are.
func (st *stage) tapOf() *tapped {
	s := st.s
	if s.e.cfg.Tap == nil || st.inner != nil || st.nested {
		return nil
	}
	if s.tap == nil {
		s.tap = &tapped{conn: s.e.cfg.Tap(s.header(st.protocol), s.conn.Start)}
	}
	if s.tap.conn == nil {
		return nil
	}
	if t := s.tap; st.tls != nil && !t.tls {
		t.tls = true
		t.conn.Comment(fmt.Sprintf("%s, %s: decrypted from here on", st.tls.Version, st.tls.Cipher))
	}
	return s.tap
}

// said gives the tap the unread bytes up to n of dir, which were consumed with
// the action act.
func (st *stage) said(dir dissect.Dir, n int, act dissect.Action) {
	t := st.tapOf()
	if t == nil {
		return
	}
	h := &st.dirs[dir]
	p := tappedPiece{dir, h.unread[:n], h.stamp(0).Time}
	switch {
	case act == dissect.Upgrade:
		if len(t.held) > 0 {
			t.held = t.held[1:]
		}
		t.letGo()
	case len(t.held) > 0 || act == dissect.HoldClient || act == dissect.HoldServer:
		p.b = bytes.Clone(p.b)
		t.held = append(t.held, p)
	default:
		t.write(p)
	}
}

// left gives the tap all unread bytes of dir, which nobody will read.
func (st *stage) left(dir dissect.Dir) {
	if h := &st.dirs[dir]; len(h.unread) > 0 && !h.gated {
		st.said(dir, len(h.unread), dissect.Continue)
	}
}

// passed gives the tap bytes that go by unread.
func (st *stage) passed(dir dissect.Dir, b []byte, at time.Time) {
	if t := st.tapOf(); t != nil {
		t.letGo()
		t.write(tappedPiece{dir, b, at})
	}
}

// missed tells the tap of bytes that nobody has.
func (st *stage) missed(dir dissect.Dir, n int64, at time.Time) {
	if t := st.tapOf(); t != nil {
		t.letGo()
		t.conn.Gap(dir, n, t.at(at))
	}
}

// tapAnswered gives the tap what was held back for the answer.
func (st *stage) tapAnswered() {
	if t := st.s.tap; t != nil && t.conn != nil {
		t.letGo()
	}
}

func (t *tapped) letGo() {
	for _, p := range t.held {
		t.write(p)
	}
	t.held = nil
}

func (t *tapped) write(p tappedPiece) { t.conn.Data(p.dir, p.b, t.at(p.at)) }

// at is the time of something, but never before that of what came before it.
func (t *tapped) at(now time.Time) time.Time {
	if now.After(t.now) {
		t.now = now
	}
	return t.now
}

func (t *tapped) close(end, by string, at time.Time) {
	if t != nil && t.conn != nil {
		t.letGo()
		t.conn.Close(end, by, t.at(at))
	}
}
