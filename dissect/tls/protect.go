package tls

import (
	"fmt"

	"sniff/dissect"
)

// epoch says under which of TLS 1.3's secrets a record stands.
type epoch uint8

const (
	epochNone epoch = iota // also: TLS 1.2 and below
	epochEarly
	epochHandshake
	epochTraffic
)

// protector opens the records of one direction, or knows why it cannot.
type protector struct {
	opener opener
	epoch  epoch
	seq    uint64
	opened bool // a record was opened with these keys
	suite  suite
	secret []byte   // TLS 1.3: of the epoch
	ahead  []secret // TLS 1.3: of the epochs to come

	blind  bool // nothing can be opened any more
	why    string
	tagLen int // bytes of a record that are no content

	fails   int
	lost    bool // behind a hole: the next record's beginning is not known
	unsure  bool // its sequence number is not known
	missing int64

	buf []byte // plaintext of the last record
}

// secret is a traffic secret that is waiting for its epoch.
type secret struct {
	epoch  epoch
	secret []byte
	opener opener
}

// maxFails is how many records in a row may fail before a direction is given
// up.
const maxFails = 3

// adopt takes a secret into use.
func (p *protector) adopt(s secret) {
	if s.opener == nil {
		s.opener = protection13(p.suite, s.secret)
	}
	p.opener, p.secret, p.epoch, p.seq, p.opened = s.opener, s.secret, s.epoch, 0, false
}

// advance goes on to an epoch. It reports whether its secret is there.
func (p *protector) advance(to epoch) bool {
	for len(p.ahead) > 0 && p.ahead[0].epoch <= to {
		s := p.ahead[0]
		p.ahead = p.ahead[1:]
		if s.epoch == to {
			p.adopt(s)
			return true
		}
	}
	return p.epoch == to
}

// open opens a record into the side's buffer.
func (p *protector) open(typ uint8, version uint16, payload []byte) (plain []byte, inner uint8, ok bool) {
	if cap(p.buf) < len(payload) {
		p.buf = make([]byte, 0, min(max(2*len(payload), 2048), maxRecord))
	}
	if p.opener != nil {
		if p.unsure {
			plain, inner, ok = p.search(typ, version, payload)
		} else {
			plain, inner, ok = p.opener.open(p.buf, p.seq, typ, version, payload)
		}
		if ok {
			p.seq++
			p.opened, p.unsure, p.fails = true, false, 0
			return plain, inner, true
		}
	}
	// What ended the epoch may not have been captured, or not be readable.
	for i := range p.ahead {
		s := &p.ahead[i]
		if s.opener == nil {
			s.opener = protection13(p.suite, s.secret)
		}
		if s.opener == nil {
			continue
		}
		if plain, inner, ok = s.opener.open(p.buf, 0, typ, version, payload); ok {
			p.adopt(*s)
			p.ahead = p.ahead[i+1:]
			p.seq, p.opened, p.unsure, p.fails = 1, true, false, 0
			return plain, inner, true
		}
	}
	return nil, 0, false
}

// maxTries bounds how many sequence numbers are tried behind a hole.
const maxTries = 1024

// search tries the sequence numbers that a record behind a hole can have.
func (p *protector) search(typ uint8, version uint16, payload []byte) (plain []byte, inner uint8, ok bool) {
	tries := uint64(maxTries)
	if p.missing >= 0 {
		tries = min(tries, uint64(p.missing)/uint64(recordHeader+p.tagLen+1)+2)
	}
	cbc, _ := p.opener.(*openerCBC)
	var last []byte
	if cbc != nil {
		last = append(last, cbc.last...)
	}
	for seq := p.seq; seq < p.seq+tries; seq++ {
		if cbc != nil {
			copy(cbc.last, last)
		}
		if plain, inner, ok = p.opener.open(p.buf, seq, typ, version, payload); ok {
			p.seq = seq
			return plain, inner, true
		}
	}
	return nil, 0, false
}

// giveUp says that nothing more of dir can be read.
func (l *layer) giveUp(dir dissect.Dir, why string) {
	s := &l.sides[dir]
	s.blind, s.opener, s.ahead, s.buf = true, nil, nil, nil
	if s.why == "" {
		s.why = why
	}
	if h := l.hs; h != nil && !h.emitted && h.rec.Opaque == "" {
		h.rec.Opaque = why
	}
	l.env.Opaque(dir, 0)
}

// sealed takes a record that is protected.
func (l *layer) sealedRecord(dir dissect.Dir, typ uint8, version uint16, payload []byte) {
	s := &l.sides[dir]
	h := l.hs
	plain, inner, ok := s.open(typ, version, payload)
	if !ok {
		l.notOpened(dir, len(payload))
		return
	}
	if h.emitted {
		s.stats.Records++
	} else {
		h.rec.Decryption = "read"
	}
	if s.epoch == epochEarly && inner == typeApplicationData {
		s.stats.Plaintext += int64(len(plain))
		h.earlyData(plain)
		return
	}
	l.content(dir, inner, plain, true)
}

// notOpened says what becomes of a record that could not be opened. Nothing
// of it is shown.
func (l *layer) notOpened(dir dissect.Dir, n int) {
	s := &l.sides[dir]
	content := int64(max(n-s.tagLen, 0))
	if s.opener == nil || s.epoch == epochEarly {
		s.stats.Opaque += content // of an epoch whose secret is not known
		return
	}
	s.fails++
	if s.unsure {
		s.stats.Opaque += content
		if s.fails > maxFails || s.opener.sequential() {
			l.giveUp(dir, "bytes are missing from the capture, and the record behind the hole could not be opened")
		}
		return
	}
	s.stats.Failed++
	l.env.Violation(dissect.Violation{
		Code: "tls_bad_record", Dir: dir, Stamp: l.env.At(0),
		Detail: fmt.Sprintf("a record of %d bytes does not authenticate: it was altered, or the keys are not those of this session", n),
	})
	switch {
	case !s.opened:
		l.giveUp(dir, "the keys do not fit")
	case s.fails >= maxFails || s.opener.sequential():
		l.giveUp(dir, "records do not authenticate")
	default:
		s.seq++
		l.env.PlainGap(dir, -1)
	}
}
