// Package smtp reads the dialogue of SMTP and LMTP.
//
// What is reconstructed: every command with its reply, through pipelining;
// the capabilities that the server offered; each attempted message with its
// envelope, the fate of each recipient, its data (by DATA with dot-stuffing
// undone, or by BDAT), the time that each phase took and what became of it;
// logins with every SASL mechanism that is in use; the change to TLS.
//
// What is not: the text behind BURL (it lies on an IMAP server), and the
// security layers that GSSAPI or DIGEST-MD5 may put around the dialogue.
//
// How it works: the client's side is a state machine (client.go) that turns
// lines into commands and data into bodies (data.go, chunk.go). Each command
// is put into a queue; each reply (reply.go) is paired with the front of that
// queue (pair.go). What the reply means for the message, the login or the
// session is decided there. A message (transaction.go) is reported when the
// client went on to something else and all replies to its commands are in.
//
// The client is held where the meaning of its next bytes depends on an answer:
// behind DATA, STARTTLS and each line of AUTH. Where the answer never comes
// (capture of one side, gap), the next bytes themselves decide.
//
// RFC 5321 (SMTP), 2033 (LMTP), 2920 (PIPELINING), 3030 (CHUNKING,
// BINARYMIME), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN), 4954
// (AUTH), 3207 (STARTTLS), 2034 and 3463 (enhanced codes), 1985 (ETRN), 2645
// (ATRN), 4468 (BURL), 6710 (MT-PRIORITY), 8689 (REQUIRETLS), 4865
// (FUTURERELEASE), 2852 (DELIVERBY); XCLIENT and XFORWARD as Postfix has them,
// PRDR as Exim has it.
package smtp

import (
	"errors"
	"time"

	"sniff/dissect"
	"sniff/dissect/internal/line"
	"sniff/record"
)

// Protocol returns SMTP's entry in the list of protocols.
func Protocol() dissect.Protocol {
	return dissect.Protocol{
		Name:     "smtp",
		Ports:    []uint16{25, 587, 2525, 24, 10024, 10025},
		TLSPorts: []uint16{465},
		ALPN:     []string{"smtp"},
		Probe:    Probe,
		New:      New,
	}
}

const (
	maxLine       = 64 << 10 // longest command or reply line that is read as one
	maxTail       = 1 << 10  // how much of an unfinished line is shown at its end
	maxQueue      = 4096     // commands without reply that are remembered
	maxRecipients = 10000    // recipients listed for one message
	maxReplyText  = 64 << 10 // bytes kept of one reply
)

// errTLS ends a direction in which TLS began although no answer to STARTTLS
// was seen.
var errTLS = errors.New("smtp: TLS begins, but the server's answer to STARTTLS was not seen")

// mode is what the client's next bytes are.
type mode uint8

const (
	inCommands mode = iota
	inAnswer        // held behind d.held: its answer decides what comes next
	inAuth          // a line that answers a challenge
	inData          // a message, up to the dot
	inChunk         // chunkLeft bytes of a message
)

type dissector struct {
	env dissect.Env

	split [2]line.Splitter
	tail  [2][]byte
	ended [2]bool
	// turned is 1 after TURN or ATRN, when the sides have changed roles.
	turned dissect.Dir

	mode mode
	held *exchange // what the client is held behind, in inAnswer and inAuth
	// lost: the place in the client's dialogue is not known. Lines are
	// skipped up to one that is surely a command.
	lost      bool
	skip      [2]bool // inside an over-long line
	chunkLeft int64
	in        *dataState // of the latest message; nil before the first

	queue []*exchange
	part  *replyPart
	early []*record.SMTPReply
	// unsure: replies or commands may be missing from the queue.
	unsure    bool
	cutReply  bool // the beginning of the next reply may be missing
	lastReply time.Time
	greeted   bool
	heard     bool // something of the client was seen

	hello       string
	lmtp        bool
	tls         bool
	user        string
	offers      offers
	hadTLSOffer bool

	cur *transaction
	// sent is the message whose data ended last, for replies to commands
	// that a server saw inside it.
	sent     *transaction
	sequence int
	closing  string // how and by whom the connection was ended, in words
}

// New makes the dissector of one session.
func New(env dissect.Env) dissect.Dissector {
	conn := env.Conn()
	d := &dissector{env: env, tls: conn.TLS}
	for i := range d.split {
		d.split[i].Max = maxLine
	}
	if conn.Midstream {
		d.lost, d.unsure = true, true
		return d
	}
	d.queue = append(d.queue, &exchange{rec: &record.SMTPExchange{Greeting: true, TLS: d.tls}, rcpt: -1, end: conn.Start})
	return d
}

// client is the direction of the side that sends commands.
func (d *dissector) client() dissect.Dir { return dissect.ClientToServer ^ d.turned }

func (d *dissector) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if len(b) == 0 {
		return 0, dissect.Continue, nil
	}
	var n int
	var act dissect.Action
	var err error
	if dir == d.client() {
		n, act, err = d.consumeClient(b)
		d.heard = d.heard || n > 0
	} else {
		n, act, err = d.consumeServer(b)
	}
	if n == 0 && err == nil {
		d.remember(dir, b)
	} else {
		d.tail[dir] = d.tail[dir][:0]
	}
	return n, act, err
}

// remember keeps a copy of the front of an unfinished line, for the case that
// the direction ends there.
func (d *dissector) remember(dir dissect.Dir, b []byte) {
	b = b[:min(len(b), maxTail)]
	if k := len(d.tail[dir]); k <= len(b) {
		d.tail[dir] = append(d.tail[dir], b[k:]...)
	}
}

func (d *dissector) Gap(dir dissect.Dir, n int64) {
	d.split[dir].Reset()
	d.tail[dir] = d.tail[dir][:0]
	d.skip[dir] = false
	if dir == d.client() {
		d.clientGap(n)
	} else {
		d.serverGap()
	}
}

// EOF reads an unfinished last line: servers that are in a hurry to close
// leave the line end out, and it is that line that says why.
func (d *dissector) EOF(dir dissect.Dir) {
	if d.ended[dir] {
		return
	}
	d.ended[dir] = true
	tail := d.tail[dir]
	d.tail[dir] = nil
	if len(tail) > 0 {
		if dir == d.client() {
			d.clientTail(tail)
		} else {
			d.serverTail(tail)
		}
	}
}

// Closed reports what was never answered and messages that were never
// finished.
func (d *dissector) Closed(end, by string) {
	d.closing = closing(end, by)
	d.finish()
}

// closing says how the connection ended.
func closing(end, by string) string {
	if by != "" {
		by = " by the " + by
	}
	switch end {
	case record.EndReset:
		return "the connection was reset" + by
	case record.EndClosed, record.EndHalfClosed:
		return "the connection was closed" + by
	case record.EndTimeout:
		return "nothing more was seen of the connection"
	case record.EndEvicted:
		return "the connection was given up to stay within the memory limit"
	}
	return "the capture ends"
}

func (d *dissector) violation(dir dissect.Dir, at record.Stamp, code, detail string) {
	d.env.Violation(dissect.Violation{Code: code, Dir: dir, Stamp: at, Detail: detail})
}
