// Package tls reads TLS as a layer under another protocol: what the handshake
// tells, and the plaintext when the session's keys are at hand.
//
// It reads SSL 3.0 and TLS 1.0 to 1.3 (RFC 2246, 4346, 5246, 8446) over any
// segmentation and any split into records: hellos (also in the format of
// SSL 2.0), certificates, alerts, renegotiation, resumption, and how the
// connection ended. With secrets from a key log, or a server's RSA key where
// the key exchange is static RSA, it decrypts AES in GCM, CCM and CBC mode,
// ChaCha20-Poly1305, 3DES and RC4, with 0-RTT data, key updates,
// encrypt-then-MAC and extended master secrets. Not decrypted are compressed
// connections, and suites of ciphers that the standard library does not have
// (Camellia, ARIA, SEED, IDEA, single DES, export suites).
//
// How it works: the layer (this file) cuts the stream into records; those it
// cannot read are counted where they lie, without a copy. Records are opened
// (opener.go) with keys that schedule.go derives, into one buffer for each
// direction. Handshake messages are put together and read (message.go); what
// they say gathers in a handshake (handshake.go) until both sides have
// finished. A record that does not authenticate is an anomaly, and nothing of
// it is shown. After a hole in the capture the next record boundary is
// searched (gap.go), and the record's sequence number found by trying.
package tls

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// Config sets up the layer.
type Config struct {
	// Keys holds the secrets; nil: there are none.
	Keys *Keys
	// Wait makes a session wait for keys that are not there yet, as a key log
	// is still being written while it begins.
	Wait bool
	// Verify verifies a server's chain of certificates, its own first, as of
	// a time, against whatever roots are trusted. nil: chains are not
	// verified. A name is not checked by it.
	Verify func(chain []*x509.Certificate, at time.Time) error
	// Shown, unless nil, is told of every chain that a peer of a session
	// shows, its own certificate first. The bytes are not to be kept.
	Shown func(session string, by dissect.Dir, at record.Stamp, chain [][]byte)
}

// New returns what makes the layer of one connection. Layers of one New know
// of each other's sessions, so that resumption can be followed.
func New(cfg Config) func(dissect.LayerEnv) dissect.Layer {
	m := newMemory()
	return func(env dissect.LayerEnv) dissect.Layer {
		return &layer{env: env, cfg: &cfg, memory: m}
	}
}

// Types of records (RFC 8446, section 5.1; RFC 6520).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23
	typeHeartbeat        = 24
)

const (
	recordHeader = 5
	// maxRecord is the longest payload: 2^14 bytes of content and what TLS
	// 1.2 allows for its protection.
	maxRecord = 1<<14 + 2048
)

// layer is one TLS connection.
type layer struct {
	env    dissect.LayerEnv
	cfg    *Config
	memory *memory
	sides  [2]side
	hs     *handshake // the one under way, or the last
	end    record.TLSEnd
	rounds int // handshakes so far

	pending *pending // keys that are waited for
	late    bool     // they did not come in time

	downgrading bool // the protocol goes on in the clear behind close_notify
	ended       bool
}

// side is one direction.
type side struct {
	started bool // a record was seen
	ended   bool
	skip    int  // bytes to come of a record that is counted only
	clear   bool // in the clear, behind the end of TLS
	shut    string

	foreign bool   // what came first is no TLS
	said    []byte // its front

	msg   []byte // handshake message that is not complete
	msgAt record.Stamp

	version uint16 // of the record that s.msg began in

	sealed bool // records are protected from here on
	protector
	stats *record.TLSSide
}

func (l *layer) Consume(dir dissect.Dir, b []byte) (n int, act dissect.Action, err error) {
	if n, act, err = l.consume(dir, b); l.pending != nil && n > 0 {
		act = dissect.Wait
	}
	return n, act, err
}

func (l *layer) consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &l.sides[dir]
	s.stats = l.stats(dir)
	switch {
	case s.clear:
		l.plainly(dir, b)
		return len(b), dissect.Continue, nil
	case s.foreign:
		return l.foreign(dir, b), dissect.Continue, nil
	case s.skip > 0:
		n := min(s.skip, len(b))
		s.skip -= n
		return n, dissect.Continue, nil
	case s.lost:
		return l.search(dir, b), dissect.Continue, nil
	}
	if !s.started && dir == dissect.ClientToServer {
		yes, more := isSSLv2Hello(b)
		switch {
		case more:
			return 0, dissect.Continue, nil
		case yes:
			return l.sslv2(dir, b), dissect.Continue, nil
		}
	}
	if !isRecord(b) {
		switch {
		case l.downgrading: // the peer did without a close_notify
			s.clear = true
			l.plainly(dir, b)
			return len(b), dissect.Continue, nil
		case !s.started:
			s.started, s.foreign = true, true
			return l.foreign(dir, b), dissect.Continue, nil
		}
		return 0, dissect.Continue, errors.New("tls: no record where one should begin")
	}
	if len(b) < recordHeader {
		return 0, dissect.Continue, nil
	}
	typ, version, n := b[0], binary.BigEndian.Uint16(b[1:]), int(binary.BigEndian.Uint16(b[3:]))
	// An alert of TLS 1.3 that shows its type is in the clear: its sender had
	// no keys yet.
	clear := l.version() == versionTLS13 && typ == typeAlert && n == 2
	if s.unreadable() && !clear {
		s.started = true
		l.pass(dir, typ, n)
		s.skip = n
		used := min(n, len(b)-recordHeader)
		s.skip -= used
		return recordHeader + used, dissect.Continue, nil
	}
	if len(b) < recordHeader+n {
		return 0, dissect.Continue, nil
	}
	s.started = true
	l.record(dir, typ, version, b[recordHeader:recordHeader+n])
	return recordHeader + n, dissect.Continue, nil
}

// plainly passes on bytes that stand in no record, behind the end of TLS.
func (l *layer) plainly(dir dissect.Dir, b []byte) {
	at := l.env.At(0)
	at.Offset = 0
	l.env.Plain(dir, b, at)
}

// isRecord reports whether b can be the front of a record.
func isRecord(b []byte) bool {
	if b[0] < typeChangeCipherSpec || b[0] > typeHeartbeat || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return false
	}
	return len(b) < recordHeader || int(binary.BigEndian.Uint16(b[3:])) <= maxRecord
}

// unreadable reports whether records are only to be counted.
func (s *side) unreadable() bool { return s.sealed && s.blind }

// maxSaid is how much is quoted of what came in place of TLS.
const maxSaid = 80

// foreign takes bytes of a side whose first ones were no TLS: its first line
// is reported, the rest counted.
func (l *layer) foreign(dir dissect.Dir, b []byte) int {
	s := &l.sides[dir]
	for i, c := range b {
		if s.shut == endForeign {
			break
		}
		if s.said == nil {
			s.msgAt = l.env.At(i)
			if c == '\r' || c == '\n' {
				continue
			}
		}
		if c == '\n' || len(s.said) == maxSaid {
			l.reportForeign(dir)
			break
		}
		s.said = append(s.said, c)
	}
	s.stats.Opaque += int64(len(b))
	l.env.Opaque(dir, int64(len(b)))
	return len(b)
}

func (l *layer) reportForeign(dir dissect.Dir) {
	s := &l.sides[dir]
	if len(s.said) == 0 || s.shut == endForeign {
		return
	}
	s.shut = endForeign
	l.env.Violation(dissect.Violation{
		Code: "tls_plain_answer", Dir: dir, Stamp: s.msgAt,
		Detail: fmt.Sprintf("the %s answers TLS with something else: %q", dir, s.said),
	})
}

// sslv2 reads a ClientHello in the format of SSL 2.0.
func (l *layer) sslv2(dir dissect.Dir, b []byte) int {
	n := 2 + (int(b[0]&0x7f)<<8 | int(b[1]))
	if len(b) < n {
		return 0
	}
	l.sides[dir].started = true
	h, err := parseSSLv2Hello(b[2:n])
	l.begin(l.env.At(0))
	if err != nil {
		l.malformed(dir, "ClientHello in the format of SSL 2.0")
	}
	l.hs.rec.SSLv2Hello = true
	l.hs.transcript = append(l.hs.transcript, b[2:n]...)
	l.clientHello(h, 0)
	return n
}

// pass counts a record that cannot be read. Its header is under the cursor.
func (l *layer) pass(dir dissect.Dir, typ uint8, n int) {
	s := &l.sides[dir]
	if typ == typeChangeCipherSpec && l.version() == versionTLS13 {
		l.env.Opaque(dir, 0) // for the sake of middleboxes: it says nothing
		return
	}
	s.stats.Records++
	over := s.tagLen
	content := max(n-over, 0)
	isAlert := typ == typeAlert || l.version() == versionTLS13 && content == 2
	if isAlert {
		s.shut = endAlert
	} else if s.shut == endAlert {
		s.shut = ""
	}
	switch h := l.hs; {
	case h == nil || h.emitted:
		if isAlert {
			l.lateAlert(unreadAlert(dir, l.env.At(0)))
		}
	case isAlert: // in place of what would have completed the handshake
		h.alert(unreadAlert(dir, l.env.At(0)))
		h.failed = true
		l.complete(true)
	case h.version == versionTLS13:
		// The server's messages are on their way until the client answers.
		if dir == dissect.ClientToServer {
			h.finished = [2]bool{true, true}
			l.complete(false)
		}
	default:
		h.finished[dir] = h.finished[dir] || typ == typeHandshake
		l.complete(typ == typeApplicationData)
	}
	if typ == typeApplicationData {
		s.stats.Opaque += int64(content)
		l.env.Opaque(dir, int64(content))
	} else {
		l.env.Opaque(dir, 0)
	}
}

func (l *layer) version() uint16 {
	if l.hs == nil {
		return 0
	}
	return l.hs.version
}

func (l *layer) stats(dir dissect.Dir) *record.TLSSide {
	if dir == dissect.ClientToServer {
		return &l.end.Client
	}
	return &l.end.Server
}

// Downgrade says that the inner protocol goes on in the clear (FTP's CCC).
func (l *layer) Downgrade() { l.downgrading = true }

// malformed reports a message that cannot be decoded.
func (l *layer) malformed(dir dissect.Dir, what string) {
	l.env.Violation(dissect.Violation{Code: "tls_malformed", Dir: dir, Stamp: l.env.At(0), Detail: what + " cannot be decoded"})
}
