// Package ssh reads SSH (RFC 4250 to 4254) as far as it can be read without
// keys.
//
// Reconstructed are both identifications with the lines before them, both
// KEXINITs and what was negotiated from them, the key exchange messages of
// every method in use (RFC 4253, 4419, 5656, 8731, 4462 and 4432, and OpenSSH's
// hybrids), the host key with its certificate, NEWKEYS of each side, DISCONNECT
// in the clear, strict key exchange and its violation, and SSH-1's public key
// packet.
//
// Behind NEWKEYS nothing is decrypted and nothing is kept. Packet lengths that
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

// Protocol returns SSH for the list of protocols.
func Protocol() dissect.Protocol {
	return dissect.Protocol{
		Name:  "ssh",
		Ports: []uint16{22},
		Probe: probe,
		New:   func(env dissect.Env) dissect.Dissector { return newDissector(env) },
	}
}

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
	hs      handshake
	watch   watch
	emitted bool
	closed  bool
}

func newDissector(env dissect.Env) *dissector {
	d := &dissector{env: env}
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
	if s.stage == stageSealed {
		d.gapSealed(dir, n)
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
	d.finishSession(end, by)
}
