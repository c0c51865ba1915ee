package flow

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// mode is what a stage does with its bytes.
type mode uint8

const (
	probing mode = iota // keeps them until the protocol is known
	reading             // offers them to its dissector
	opaque              // counts them
)

// stage reads one stream: the connection's own, the plaintext inside TLS, or
// one nested in a dialogue. It drives the dissector of that stream and is its
// Env (env.go). A stage whose dissector is a layer feeds its inner stage.
//
// Offsets of an inner stage go on from where TLS began, as if the plaintext
// stood there in the clear: so the proxy, which sees the plaintext at that
// place, counts alike.
type stage struct {
	s         *Session
	mode      mode
	protocol  string // of the records; "" until it is known
	dissector dissect.Dissector
	probe     *prober // while probing
	dirs      [2]half

	outer, inner *stage // the layer this comes out of; the stage it feeds

	tls       *record.TLSHandshake // of the layer around the stage
	waits     *backlog             // the dissector waits; nil: it does not
	inTLS     bool                 // the stream began inside TLS
	upgrading bool                 // Upgrade was asked, who does the TLS is open
	answered  bool                 // it was the server's answer that agreed on it
	nested    bool                 // its stream is not the connection's
	label     string               // names a nested stream, or the dialogue beside one

	head *record.Header // what Emit fills in; nil: make it anew

	// The cursor behind At: in Consume the unread bytes of dir, else now.
	consuming bool
	dir       dissect.Dir
	now       record.Stamp
}

// entry returns the outermost stage around st, which takes its bytes.
func (st *stage) entry() *stage { return st.below(nil) }

// data takes the next bytes of dir.
func (st *stage) data(dir dissect.Dir, b []byte, at record.Stamp) {
	st = st.settle()
	h := &st.dirs[dir]
	switch {
	case len(b) == 0 || h.ended:
	case st.waits != nil:
		st.keepBack(event{kind: evData, dir: dir, b: b, at: at})
	case st.mode == opaque || h.opaque || st.s.broken:
		h.last = at
		st.left(dir)
		h.drop()
		st.passed(dir, b, at.Time)
		h.read += int64(len(b))
	case st.mode == probing:
		st.probe.data(dir, b, at)
		st.decide()
	default:
		outer := st.outer
		st.expireHolds(at.Time)
		if to, moved := st.moved(outer); moved || h.opaque || st.s.broken {
			to.data(dir, b, at)
			return
		}
		h.take(b, at)
		st.run(dir)
		for h.held && len(h.unread) > st.s.e.cfg.Limits.Held {
			st.letGo(dir)
		}
		h.keep()
	}
}

// moved reports whether bytes that were read just now gave the stream to
// someone else, and to whom: a layer below, or a prober.
func (st *stage) moved(outer *stage) (*stage, bool) {
	to := st.below(outer)
	return to, to != st || st.mode != reading || st.upgrading
}

// below returns the stage that takes the bytes which once came to st from
// outer: st itself, or a layer that was put in between.
func (st *stage) below(outer *stage) *stage {
	for st.outer != outer {
		st = st.outer
	}
	return st
}

// gap says that n bytes of dir are missing here; n < 0: unknown how many.
// What is held on dir came before the hole and is read first; what is held on
// the other side may have waited for what is missing and is read behind it.
func (st *stage) gap(dir dissect.Dir, n int64, at record.Stamp) {
	st = st.settle()
	h := &st.dirs[dir]
	switch {
	case n == 0 || h.ended:
		return
	case st.waits != nil:
		st.keepBack(event{kind: evGap, dir: dir, n: n, at: at})
		return
	case st.mode == probing && !st.s.broken:
		st.probe.gap(dir, n, at)
		st.decide()
		return
	case st.mode == reading && !h.opaque && !st.s.broken:
		outer := st.outer
		st.letGo(dir)
		if to, moved := st.moved(outer); moved {
			to.gap(dir, n, at)
			return
		}
	}
	h.last = at
	from := h.read
	st.left(dir)
	st.missed(dir, n, at.Time)
	if lost := h.drop(); n > 0 {
		n += lost
		h.read = from + n
	}
	if st.mode != reading || st.s.broken {
		return
	}
	if !h.opaque {
		st.now = record.Stamp{Time: at.Time, Packet: at.Packet, Offset: from, Carrier: at.Carrier}
		st.call(dir, func() { st.dissector.Gap(dir, n) })
	}
	st.letGo(dir.Other())
}

// eof says that dir ended. Unread bytes are offered once more before the
// dissector hears of it.
func (st *stage) eof(dir dissect.Dir, at record.Stamp) {
	st = st.settle()
	h := &st.dirs[dir]
	if h.ended {
		return
	}
	if st.waits != nil {
		st.keepBack(event{kind: evEOF, dir: dir, at: at})
		return
	}
	if st.mode == probing && !st.s.broken {
		st.probe.eof(dir, at)
		st.decide()
		return
	}
	if st.mode == reading && !h.opaque {
		if h.gated {
			st.openGate(dir, true)
		}
		outer := st.outer
		h.held, h.ending = false, true
		st.run(dir)
		if to, moved := st.moved(outer); moved {
			to.eof(dir, at)
			return
		}
	}
	st.left(dir)
	h.drop()
	h.last, h.ended = at, true
	if t := st.tapOf(); t != nil {
		t.letGo()
		t.conn.EOF(dir, t.at(at.Time))
	}
	if st.mode != reading || st.s.broken {
		return
	}
	st.now = record.Stamp{Time: at.Time, Packet: at.Packet, Offset: h.end(), Carrier: at.Carrier}
	st.call(dir, func() { st.dissector.EOF(dir) })
	st.letGo(dir.Other())
}

// close ends both directions of the stage and what it feeds.
func (st *stage) close(end, by string, at record.Stamp) {
	outer := st.outer
	for _, dir := range []dissect.Dir{dissect.ClientToServer, dissect.ServerToClient} {
		st.below(outer).eof(dir, at)
	}
	if st.mode == probing && !st.s.broken {
		st.probe.final = true
		if st.conclude(); st.mode == probing {
			st.decide()
		}
	}
	st = st.below(outer)
	if st.inner != nil {
		st.inner.close(end, by, at)
	}
	if c, ok := st.dissector.(dissect.Closer); ok && !st.s.broken {
		st.call(st.dir, func() { c.Closed(end, by) })
	}
	st.mode = opaque
	for i := range st.dirs {
		st.dirs[i].free()
	}
}

// run offers the unread bytes of dir to the dissector until it wants more,
// is held, or hands the stream on.
func (st *stage) run(dir dissect.Dir) {
	h := &st.dirs[dir]
	if h.running {
		return // further up on the stack; that loop goes on
	}
	h.running = true
	defer func() { h.running = false }()
	limit := st.s.e.cfg.Limits.Pending
	for len(h.unread) > 0 && st.follows(h) {
		if h.gated && !st.openGate(dir, false) {
			return
		}
		// An unfinished token is looked at up to the limit only, so that the
		// limit strikes at the same byte however the stream was cut.
		b := h.unread[:min(len(h.unread), limit)]
		n, act, err := st.consume(dir, b)
		switch {
		case st.s.broken:
			return
		case err != nil:
			st.turnOpaque(dir, codeLost, err.Error())
			return
		case n == 0 && len(b) < limit:
			return
		case n == 0:
			st.turnOpaque(dir, codeTooLong, fmt.Sprintf("no end of what begins here within %d bytes", limit))
			return
		case n < 0 || n > len(b):
			st.s.fail(st, fmt.Sprintf("%T consumed %d of %d bytes", st.dissector, n, len(b)), "")
			return
		}
		st.said(dir, n, act)
		h.advance(n)
		if act != dissect.Continue {
			st.act(dir, act)
		}
	}
}

// follows reports whether the dissector may be offered bytes of h.
func (st *stage) follows(h *half) bool {
	return st.mode == reading && st.waits == nil && !st.upgrading && !h.held && !h.opaque && !st.s.broken
}

// act does what the dissector asked for behind the bytes it just used.
func (st *stage) act(dir dissect.Dir, a dissect.Action) {
	switch a {
	case dissect.HoldClient:
		st.hold(dissect.ClientToServer)
	case dissect.HoldServer:
		st.hold(dissect.ServerToClient)
	case dissect.ReleaseClient:
		st.letGo(dissect.ClientToServer)
	case dissect.ReleaseServer:
		st.letGo(dissect.ServerToClient)
	case dissect.Upgrade:
		st.upgrade(dir)
	case dissect.Downgrade:
		st.downgrade()
	case dissect.Handoff:
		st.handoff()
	case dissect.Wait:
		st.wait()
	}
}

// hold stops d, unless nothing could ever free it: nobody will answer in a
// capture of one direction, behind the other side's end, or where the other
// side cannot be read. What d still has when it ends is read at once.
func (st *stage) hold(d dissect.Dir) {
	h, other := &st.dirs[d], &st.dirs[d.Other()]
	if h.held || h.ending || h.ended || st.s.rec.oneSided || other.ended || other.opaque {
		st.tapAnswered()
		return
	}
	h.held, h.heldSince = true, st.now.Time
	st.s.changed()
}

// letGo frees the hold on d, if there is one, and reads what it kept before
// anything that comes later on the other side: cause before effect.
func (st *stage) letGo(d dissect.Dir) {
	h := &st.dirs[d]
	if !h.held {
		return
	}
	h.held = false
	st.tapAnswered()
	st.s.changed()
	st.run(d)
	if !h.running {
		h.keep()
	}
}

// expireHolds frees holds that have lasted too long, or that a capture which
// turned out to be one-sided can never free.
func (st *stage) expireHolds(now time.Time) {
	for d := range st.dirs {
		h := &st.dirs[d]
		for h.held && (st.s.rec.oneSided || now.Sub(h.heldSince) > st.s.e.cfg.Limits.HoldTime) {
			st.letGo(dissect.Dir(d))
		}
	}
}

// turnOpaque gives up dir from its next unread byte, and says why.
func (st *stage) turnOpaque(dir dissect.Dir, code, detail string) {
	h := &st.dirs[dir]
	st.dir = dir
	st.s.violation(st, dissect.Violation{Code: code, Dir: dir, Stamp: h.stamp(0), Detail: detail})
	st.s.opaqueFrom(dir, h.read)
	st.left(dir)
	h.turnOpaque()
	st.s.changed()
	if st.inner != nil {
		if st.s.rec.tls == "" {
			st.s.rec.tls = tlsOpaque
		}
		st.inner.cannotRead(dir, 0, st.At(0))
	}
	st.letGo(dir.Other())
}

// handoff ends the dialogue and probes what follows it.
func (st *stage) handoff() {
	st.tapAnswered()
	at := st.now
	for _, dir := range []dissect.Dir{dissect.ClientToServer, dissect.ServerToClient} {
		h := &st.dirs[dir]
		h.held = false
		st.now = record.Stamp{Time: at.Time, Packet: at.Packet, Offset: h.end(), Carrier: at.Carrier}
		if !h.ended {
			st.call(dir, func() { st.dissector.EOF(dir) })
		}
	}
	st.s.rec.layers = append(st.s.rec.layers, st.protocol)
	st.dissector, st.mode, st.head = nil, probing, nil
	st.probe = newProber(st)
	st.probe.in.Oriented, st.probe.in.ALPN, st.probe.header = true, "", false
	var ended [2]bool
	for d := range st.dirs {
		h := &st.dirs[d]
		ended[d], h.ended = h.ended, false
		if h.opaque { // nobody knows where the new stream begins in it
			st.probe.freeze(dissect.Dir(d))
		}
		if len(h.unread) > 0 {
			st.probe.data(dissect.Dir(d), h.unread, h.stamp(0))
			h.unread = nil
			h.free()
		}
	}
	for d := range st.dirs {
		if ended[d] {
			st.probe.eof(dissect.Dir(d), st.dirs[d].last)
		}
	}
	st.s.changed()
	st.decide()
}

// consume calls the dissector with the cursor on the first byte of b.
func (st *stage) consume(dir dissect.Dir, b []byte) (n int, act dissect.Action, err error) {
	st.consuming, st.dir = true, dir
	defer st.returned()
	return st.dissector.Consume(dir, b)
}

// call calls the dissector with the cursor on st.now.
func (st *stage) call(dir dissect.Dir, f func()) {
	st.dir = dir
	defer st.returned()
	f()
}

// returned leaves the cursor where the dissector was, and turns its panic
// into the end of the session's reading: the others go on.
func (st *stage) returned() {
	if v := recover(); v != nil {
		st.s.fail(st, fmt.Sprint(v), panicPlace())
	}
	if st.consuming {
		st.dirs[st.dir].stampTo(&st.now, 0)
		st.consuming = false
	}
}

// panicPlace names the function and line that panicked. It must be called by
// a deferred function's recovery.
func panicPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s (%s:%d)", f.Function, path.Base(f.File), f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}
