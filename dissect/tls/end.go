package tls

import (
	"sniff/dissect"
	"sniff/record"
)

// How a direction ended, as record.TLSSide.End says.
const (
	endCloseNotify = "close_notify"
	endFatal       = "alert"
	endAlert       = "encrypted_alert"
	endCut         = "cut"
	endForeign     = "not_tls"
	endUnread      = "unread"
)

// EOF ends a direction.
func (l *layer) EOF(dir dissect.Dir) {
	s := &l.sides[dir]
	s.stats = l.stats(dir)
	if s.foreign {
		l.reportForeign(dir)
	}
	s.ended = true
	if h := l.hs; h != nil && !h.emitted && l.sides[dir.Other()].ended {
		l.complete(true)
	}
	l.env.PlainEOF(dir)
	if l.sides[dir.Other()].ended {
		l.finish()
	}
}

// finish writes how the connection ended.
func (l *layer) finish() {
	if l.ended {
		return
	}
	l.ended = true
	if l.rounds == 0 {
		return // no handshake: nothing to tell
	}
	for d := range l.sides {
		s, st := &l.sides[d], l.stats(dissect.Dir(d))
		switch {
		case s.shut != "":
			st.End = s.shut
		case s.unreadable():
			st.End = endUnread
		default:
			st.End = endCut
		}
	}
	e := &l.end
	read, opaque := e.Client.Plaintext+e.Server.Plaintext > 0, e.Client.Opaque+e.Server.Opaque > 0
	switch {
	case read && opaque:
		e.Decryption = "partly"
	case read, l.hs.rec.Decryption == "read" && !opaque:
		e.Decryption = "read"
	default:
		e.Decryption = "opaque"
	}
	if e.Decryption != "read" {
		for d := range l.sides {
			if why := l.sides[d].why; why != "" && e.Opaque == "" {
				e.Opaque = why
			}
		}
	}
	e.Stamp(l.env.At(0), dissect.ClientToServer)
	l.env.Emit(e)
}

// alertMessage reads an alert.
func (l *layer) alertMessage(dir dissect.Dir, b []byte, encrypted bool) {
	s := &l.sides[dir]
	if len(b) != 2 {
		l.malformed(dir, "alert")
		return
	}
	a := readAlert(b[0], b[1], dir, l.env.At(0), encrypted)
	fatal := b[0] == 2
	if l.version() == versionTLS13 { // the level has no meaning (RFC 8446, section 6)
		fatal = b[1] != alertCloseNotify && b[1] != 90
		if fatal {
			a.Level = "fatal"
		}
	}
	// OpenSSL says decode_error to a peer that hung up. That is what happened,
	// and no fault in what the peer said.
	other := &l.sides[dir.Other()]
	hungUp := b[1] == alertDecodeError && other.ended && other.shut == ""
	if hungUp {
		a.Meaning = "the " + dir.Other().String() + " had hung up"
	}
	switch {
	case b[1] == alertCloseNotify:
		s.shut = endCloseNotify
	case fatal:
		s.shut = endFatal
	}
	if h := l.hs; h != nil && !h.emitted {
		h.alert(a)
		h.failed = h.failed && !hungUp
		if fatal {
			l.complete(true)
		}
	} else {
		l.lateAlert(a)
	}
	if b[1] != alertCloseNotify {
		return
	}
	if l.downgrading {
		s.clear = true
		return
	}
	l.env.PlainEOF(dir)
}

// maxAlerts bounds the alerts of one record.
const maxAlerts = 16

func (l *layer) lateAlert(a record.TLSAlert) {
	if len(l.end.Alerts) < maxAlerts {
		l.end.Alerts = append(l.end.Alerts, a)
	}
}
