package flow

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// What record.Session.TLS says.
const (
	tlsRead   = "read"
	tlsOpaque = "opaque"
	tlsClear  = "clear"
)

// maxGate is how far a stream that was upgraded to TLS is searched for its
// first record.
const maxGate = 4 << 10

// upgrade notes that TLS begins at the next unread byte of both directions,
// as was just said in direction dir. Who does it is decided by what comes
// next: Session.Intercepted, or bytes.
func (st *stage) upgrade(dir dissect.Dir) {
	st.upgrading, st.answered = true, dir == dissect.ServerToClient
	for d := range st.dirs {
		st.dirs[d].held = false
		st.dirs[d].gated = true
	}
	// Client bytes that wait here were sent before the server's answer. They
	// are looked at now, so that a proxy knows where the TLS begins.
	c := &st.dirs[dissect.ClientToServer]
	if dir == dissect.ServerToClient && len(c.unread) > 0 && !startsTLS(c.unread) {
		n := findTLS(c.unread)
		if n < 0 {
			n = len(c.unread)
		}
		st.reportInjection(dissect.ClientToServer, c.unread[:n])
		c.advance(n)
	}
	st.s.changed()
}

// settle puts the TLS layer in when bytes came for a stage that waits for
// somebody to do the TLS: nobody did, so they are TLS as it stands on the
// wire. It returns the stage that reads them.
func (st *stage) settle() *stage {
	if !st.upgrading {
		return st
	}
	st.upgrading = false
	layer := st.wrap()
	for d := range st.dirs {
		from, to := &st.dirs[d], &layer.dirs[d]
		from.move(to)
		to.gated, from.gated = true, false
	}
	layer.beginTLS()
	st.s.changed()
	for d := range layer.dirs {
		layer.run(dissect.Dir(d))
		layer.dirs[d].keep()
		if st.dirs[d].ended {
			layer.eof(dissect.Dir(d), layer.dirs[d].last)
		}
	}
	return layer
}

// wrap puts a stage for the TLS layer between st and where its bytes come
// from.
func (st *stage) wrap() *stage {
	layer := &stage{s: st.s, protocol: st.protocol, inTLS: st.inTLS, now: st.now, dir: st.dir}
	layer.outer, layer.inner = st.outer, st
	for d := range st.dirs {
		layer.dirs[d].read = st.dirs[d].read
		layer.dirs[d].opaque, layer.dirs[d].unreadable = st.dirs[d].opaque, st.dirs[d].unreadable
	}
	switch {
	case st.outer != nil:
		st.outer.inner = layer
	case st.s.root == st:
		st.s.root = layer
	}
	st.outer = layer
	return layer
}

// beginTLS gives a stage its TLS layer. Without one it is opaque.
func (st *stage) beginTLS() {
	st.s.rec.layers = append(st.s.rec.layers, "tls")
	st.mode = reading
	if make := st.s.e.cfg.TLS; make != nil {
		st.call(st.dir, func() { st.dissector = make(st) })
	}
	if st.dissector == nil {
		st.giveUpTLS()
	}
}

// giveUpTLS makes the stage count its bytes, which nobody can read.
func (st *stage) giveUpTLS() {
	st.mode = opaque
	st.s.rec.tls = tlsOpaque
	for d := range st.dirs {
		h := &st.dirs[d]
		st.inner.cannotRead(dissect.Dir(d), 0, st.now)
		h.drop()
	}
}

// cannotRead makes a direction of the plaintext opaque: it is there, and no
// keys are. The dissector hears its end when the session ends.
func (st *stage) cannotRead(dir dissect.Dir, n int64, at record.Stamp) {
	h := &st.dirs[dir]
	if !h.opaque {
		st.s.opaqueFrom(dir, h.read)
		st.left(dir)
		h.turnOpaque()
		h.last = at
		st.letGo(dir.Other())
		st.conclude()
	}
	if b, ok := st.dissector.(dissect.Blinded); ok && n > 0 && !st.s.broken {
		st.now = record.Stamp{Time: at.Time, Packet: at.Packet, Offset: h.read, Carrier: at.Carrier}
		st.call(dir, func() { b.Opaque(dir, n) })
	}
	if n > 0 {
		st.missed(dir, n, at.Time)
		h.read += n
	}
}

// downgrade ends TLS behind the close_notify of each side. Without a layer
// here the TLS is the caller's, who asks Session.Downgrading.
func (st *stage) downgrade() {
	if st.outer == nil {
		st.s.downgrading = true
		st.s.changed()
		return
	}
	if l, ok := st.outer.dissector.(dissect.Layer); ok {
		l.Downgrade()
	}
}

// openGate lets a direction that was upgraded pass to the TLS layer once its
// first record is there. What stands before it was pipelined in the clear: it
// is reported, and not kept.
func (st *stage) openGate(dir dissect.Dir, last bool) bool {
	h := &st.dirs[dir]
	if startsTLS(h.unread) {
		h.gated = false
		return true
	}
	if dir == dissect.ServerToClient && !last && len(h.unread) > 0 && st.goesOnInTheClear() {
		return false
	}
	n := findTLS(h.unread)
	if n < 0 && len(h.unread) < maxGate && !last {
		return false
	}
	h.gated = false
	if n >= 0 {
		st.reportInjection(dir, h.unread[:n])
		h.advance(n)
		return true
	}
	if len(h.unread) > 0 {
		b := h.unread[:min(len(h.unread), maxGate)]
		st.reportInjection(dir, b)
		h.advance(len(b))
		st.s.opaqueFrom(dir, h.read)
		h.turnOpaque()
	}
	return false
}

// startsTLS reports whether b can be the beginning of a TLS record that opens
// a connection: a handshake, or the alert that refuses it.
func startsTLS(b []byte) bool {
	return len(b) == 0 ||
		(b[0] == 0x16 || b[0] == 0x15) && (len(b) < 2 || b[1] == 3) && (len(b) < 3 || b[2] <= 4)
}

// findTLS returns where in b a handshake record begins whose first message is
// a hello, or -1.
func findTLS(b []byte) int {
	for i := 0; i+5 < len(b); i++ {
		j := bytes.IndexByte(b[i:], 0x16)
		if j < 0 {
			return -1
		}
		i += j
		if i+5 < len(b) && b[i+1] == 3 && b[i+2] <= 4 && (b[i+5] == 1 || b[i+5] == 2) {
			return i
		}
	}
	return -1
}

// reportInjection reports plaintext between the agreement to start TLS and
// the first TLS record (CVE-2011-0411 and its kin).
func (st *stage) reportInjection(dir dissect.Dir, b []byte) {
	st.s.violation(st, dissect.Violation{
		Code: codeInjection, Dir: dir, Stamp: st.dirs[dir].stamp(0),
		Detail: fmt.Sprintf("%s sent %d bytes in the clear behind the agreement to start TLS: %s", dir, len(b), excerpt(b)),
	})
}

// maxExcerpt is how many bytes of a stream an anomaly quotes.
const maxExcerpt = 200

// excerpt quotes bytes of a dialogue, escaped. Of each line only the first
// word and what cannot be a secret is shown: the rest may be a password.
func excerpt(b []byte) string {
	more := len(b) > maxExcerpt
	var out []string
	for line := range strings.SplitSeq(string(b[:min(len(b), maxExcerpt)]), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "HELP",
			"STLS", "STARTTLS", "PBSZ", "PROT", "SYST", "FEAT", "PWD", "CWD", "LIST", "PORT", "PASV", "EPSV", "EPRT", "TYPE":
		default:
			if rest != "" {
				line = verb + " " + record.Mask
			}
			if len(verb) > 12 || rest == "" && strings.ContainsAny(verb, "=+/") {
				line = record.Mask
			}
		}
		out = append(out, line)
	}
	s := strconv.Quote(strings.Join(out, "\r\n"))
	if more {
		s += "..."
	}
	return s
}
