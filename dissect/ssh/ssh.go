// Package ssh reads SSH (RFC 4250 to 4254): all that can be known without keys,
// and all the rest with them.
//
// Reconstructed are both identifications with the lines before them, both
// KEXINITs and what was negotiated from them, the key exchange messages of
// every method in use (RFC 4253, 4419, 5656, 8731, 4462 and 4432, and OpenSSH's
// hybrids), the host key with its certificate, NEWKEYS of each side, DISCONNECT
// in the clear, strict key exchange and its violation, and SSH-1's public key
// packet.
//
// With a key log (keylog.go) what is behind NEWKEYS is decrypted (decrypt.go,
// cipher.go, mac.go, umac.go, inflate.go): the login with its methods, results and secrets
// (login.go), channels with their requests, commands and data (connection.go,
// session.go), SFTP and scp inside of them by nested streams. Behind a hole
// the first authentic packet is searched for, where the cipher allows it
// (resume.go); else decryption of a direction ends there, as it does at a packet
// that does not fit its MAC, and at a renewed key exchange whose secret is not
// there. This is said.
//
// Without keys nothing is decrypted and nothing is kept. Packet lengths that
// are in the clear (GCM, encrypt-then-MAC) are followed exactly; with other
// ciphers a stretch of bytes that came at one time counts as a message. From
// the sizes, directions and times of the first messages the authentication is
// inferred (auth.go), from counters over the rest the kind of session
// (channel.go); such records say that they are inferred, how sure they are, and
// why. Not reconstructed: SSH-1 beyond its key exchange.
//
// How it works: each direction (side) goes from lines to clear packets to
// sealed bytes. What the messages say is collected in the handshake, which
// becomes one record as soon as both sides have taken their keys into use.
package ssh

import (
	"sniff/dissect"
	"sniff/record"
)

// Config sets up the protocol. Its zero value reads what is in the clear.
type Config struct {
	// Keys are the secrets of connections that are to be decrypted.
	Keys *KeyLog
}

// Protocol returns SSH for the list of protocols. Inside of it the protocols
// sftp and scp are opened by name, when the list has them.
func (c Config) Protocol() dissect.Protocol {
	known := &offers{}
	return dissect.Protocol{
		Name:  "ssh",
		Ports: []uint16{22},
		Probe: probe,
		New: func(env dissect.Env) dissect.Dissector {
			d := newDissector(env, known)
			if c.Keys != nil && c.Keys.Len() > 0 {
				d.dec = &decryption{log: c.Keys}
			}
			return d
		},
	}
}

// Protocol returns SSH without keys.
func Protocol() dissect.Protocol { return Config{}.Protocol() }

// stage is how far one direction has come.
type stage uint8

const (
	// stageUnknown: the beginning or a part was not captured; the next bytes
	// must show what they are.
	stageUnknown stage = iota
	stageLines
	stagePackets
	stageSSH1
	// stageSealed: encrypted, or not to be understood any more.
	stageSealed
	// stageOpened: encrypted, and decrypted by the key log.
	stageOpened
)

// side is the state of one direction.
type side struct {
	stage    stage
	searched int // bytes of the unfinished line that hold no line end
	lines    int
	id       *record.SSHIdentification
	offer    *offer
	packets  int  // clear packets seen
	before   int  // those before KEXINIT
	gap      bool // part of the clear was not captured
	ended    bool
	newKeys  record.Stamp
	hasKeys  bool
	sealed   sealed
}

// dissector is one SSH connection.
type dissector struct {
	env     dissect.Env
	sides   [2]side
	offers  *offers
	hs      handshake
	watch   watch
	dec     *decryption // nil without a key log
	emitted bool
	closed  bool
}

func newDissector(env dissect.Env, known *offers) *dissector {
	d := &dissector{env: env, offers: known}
	if !env.Conn().Midstream {
		d.sides[0].stage, d.sides[1].stage = stageLines, stageLines
	}
	return d
}

func (d *dissector) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.sides[dir]
	var n int
	var err error
	switch s.stage {
	case stageUnknown:
		d.orient(dir, b)
		if s.stage == stageUnknown {
			return 0, dissect.Continue, nil
		}
		return d.Consume(dir, b)
	case stageLines:
		n, err = d.line(dir, b)
	case stagePackets:
		n, err = d.packet(dir, b)
	case stageSSH1:
		n, err = d.packetSSH1(dir, b)
	case stageSealed:
		n = d.consumeSealed(dir, b)
	case stageOpened:
		n = d.consumeOpened(dir, b)
	}
	return n, dissect.Continue, err
}

// orient finds out what stage the bytes behind a hole belong to.
func (d *dissector) orient(dir dissect.Dir, b []byte) {
	s := &d.sides[dir]
	switch {
	case len(b) < 6 && !s.ended:
		return
	case hasIdentification(b) || s.id == nil && s.packets == 0 && printable(b[:min(len(b), 6)]):
		s.stage = stageLines
	case plausiblePacket(b):
		s.stage = stagePackets
	default:
		s.stage = stageSealed
		s.gap = true
	}
}

func (d *dissector) Gap(dir dissect.Dir, n int64) {
	s := &d.sides[dir]
	s.searched = 0
	switch s.stage {
	case stageSealed:
		d.gapSealed(dir, n)
		return
	case stageOpened:
		d.gapOpened(dir, n)
		return
	}
	s.gap = true
	s.stage = stageUnknown
}

func (d *dissector) EOF(dir dissect.Dir) {
	s := &d.sides[dir]
	s.ended = true
}

// Closed writes what is still open: it is called behind both EOFs.
func (d *dissector) Closed(end, by string) {
	if d.closed {
		return
	}
	d.closed = true
	d.finish()
	d.watch.flush(d)
	if d.dec != nil {
		d.dec.finish(d, end, by)
	}
	d.finishSession(end, by)
	d.timeline(end, by)
}
