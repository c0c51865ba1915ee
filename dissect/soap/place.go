package soap

import (
	"bytes"
	"slices"

	"sniff/record"
)

// How many bytes in front of and behind a problem are quoted.
const (
	nearBefore = 16
	nearBehind = 24
)

// place is where in a document something is wrong.
type place struct {
	line, column int
	offset       int64
	near         []byte // the bytes around
	missing      int    // how many of them may still come
	secret       bool   // they lie in an element that holds a secret
}

// places are those of one document. The bytes around them are the same however
// the document was cut.
type places struct {
	before []byte   // the last bytes in front of the tokenizer's position
	open   []*place // those that miss bytes
	told   []string // codes of the problems that were told of
}

func (l *places) reset() {
	l.before, l.open, l.told = l.before[:0], l.open[:0], l.told[:0]
}

// see gives the next bytes of the document to the places that miss some.
func (l *places) see(p []byte) {
	if len(l.open) == 0 {
		return
	}
	for _, at := range l.open {
		n := min(len(p), at.missing)
		at.near = append(at.near, p[:n]...)
		at.missing -= n
	}
	l.open = slices.DeleteFunc(l.open, func(at *place) bool { return at.missing == 0 })
}

// keep notes bytes that have been consumed.
func (l *places) keep(p []byte) {
	if len(p) < nearBefore {
		p = append(l.before, p...)
	}
	l.before = append(l.before[:0], p[max(0, len(p)-nearBefore):]...)
}

// place returns the place of p[at], where p begins at the tokenizer's position.
func (t *tokenizer) place(p []byte, at int) *place {
	at = min(at, len(p))
	x := &place{offset: t.offset + int64(at)}
	x.line, x.column = t.position(p[:at])
	if n := len(t.stack); n > 0 {
		x.secret = t.stack[n-1].secret
	}
	from := at - nearBefore
	if from < 0 {
		x.near = append(x.near, t.before[max(0, len(t.before)+from):]...)
		from = 0
	}
	behind := p[at:min(len(p), at+nearBehind)]
	x.near = append(append(x.near, p[from:at]...), behind...)
	if x.missing = nearBehind - len(behind); x.missing > 0 {
		t.places.open = append(t.places.open, x)
	}
	return x
}

// text returns the bytes around, masked when they may hold a secret.
func (p *place) text() []byte {
	if p.secret {
		return []byte(record.Mask)
	}
	lower := bytes.ToLower(p.near)
	for _, word := range [...]string{"passw", "pwd", "secret", "token"} {
		if bytes.Contains(lower, []byte(word)) {
			return []byte(record.Mask)
		}
	}
	return p.near
}
