// Package ftp reads the File Transfer Protocol: the dialogue on the control
// connection, and the data connections that it announces.
//
// What is reconstructed: every command with its replies, paired in a queue
// through pipelining (pair.go, reply.go); the state that gives them a meaning:
// who is logged in, in which folder, with what type, mode, restart point and
// protection (state.go); each attempt to log in; and each transfer with its
// data connection, path, size, digest, timing and outcome (transfer.go,
// channel.go, data.go). Block, compressed and deflate mode are undone
// (mode.go), listings are taken apart (listing.go), digests that the server
// computes are read (digest.go). Data connections whose control connection is
// nowhere are taken for what they surely are (alone.go). AUTH TLS, PROT P and CCC
// are followed, so that what is readable behind TLS is read.
//
// What is not: the contents of GSSAPI-protected commands (MIC, CONF, ENC and
// 63x replies stay as they are), and the record structure of STRU R files.
// ASCII transfers keep the line ends that were on the wire.
//
// RFC 959 and 1123 (the protocol), 1639 (LPRT, LPSV), 2228 and 4217
// (security, TLS), 2389 (FEAT, OPTS), 2428 (EPRT, EPSV), 2640 (UTF-8, LANG),
// 3659 (SIZE, MDTM, MLSD, REST in streams), 7151 (HOST).
//
// How it works: commands enter a queue, replies leave it. A command that sets
// up a data connection makes a channel, the transfer behind it takes the
// channel, and the connection that the engine finds at the announced address
// fills it. A transfer is reported when its last reply and the end of its
// data are both known, whichever comes last.
package ftp

import (
	"errors"
	"net/netip"
	"slices"

	"sniff/dissect"
	"sniff/dissect/internal/line"
	"sniff/record"
)

// Limits on what one session may keep.
const (
	maxLine       = 8 << 10 // longest line; what is behind is skipped
	maxReplyLines = 512     // lines kept of one reply
	maxReplyText  = 64 << 10
	maxPending    = 512 // commands without an answer
	maxSizes      = 256 // sizes remembered by path
	maxListing    = 256 // entries kept of one listing
)

// tlsHandshake is the first byte of a TLS handshake record.
const tlsHandshake = 0x16

var errUnseenTLS = errors.New("ftp: the client went on in TLS, the answer to AUTH was not captured")

// dataProtocol is the protocol that data connections get.
const dataProtocol = "ftp-data"

// Protocol returns FTP's entry for the engine's list.
func Protocol() dissect.Protocol {
	return dissect.Protocol{
		Name:     "ftp",
		Ports:    []uint16{21, 2121},
		TLSPorts: []uint16{990},
		ALPN:     []string{"ftp"},
		Probe:    probe,
		New:      newSession,

		AloneOnTLS: true,
	}
}

// session is the dissector of one control connection.
type session struct {
	env    dissect.Env
	input  [2]input
	queue  []*exchange
	open   *reply // multi-line reply that has not ended
	state  state
	closed bool

	greeted    bool               // the server has said something
	serverGone bool               // no more replies can come
	awaitTLS   bool               // AUTH TLS was sent and not answered yet
	userOnly   *record.Credential // a user name that needed no password, unless one follows
	next       *channel           // what the next transfer takes
	unused     []*channel         // whose connection came before a command asked for it
	running    []*transfer        // not reported yet
	sizes      map[string]announcement
	hidden     bool // commands went by in TLS that could not be read
}

// input is the unread side of one direction.
type input struct {
	lines line.Splitter
	skip  bool // in the tail of an over-long line
	lost  bool // behind a gap: the next line may be the tail of one
}

func newSession(env dissect.Env) dissect.Dissector {
	s := &session{env: env, sizes: make(map[string]announcement)}
	for d := range s.input {
		s.input[d].lines.Max = maxLine
	}
	conn := env.Conn()
	for d := range s.input {
		s.input[d].lost = conn.Midstream
	}
	s.greeted = conn.Midstream
	s.state.reset(conn.Midstream)
	return s
}

// Consume reads one line.
func (s *session) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if dir == dissect.ClientToServer && s.awaitTLS && b[0] == tlsHandshake {
		// The hold behind AUTH TLS was freed without an answer, and the client
		// goes on as if it had been a yes: the other side is not captured.
		return 0, dissect.Continue, errUnseenTLS
	}
	in := &s.input[dir]
	text, end, n := in.lines.Next(b)
	if n == 0 {
		return 0, dissect.Continue, nil
	}
	tail := in.skip
	in.skip = end == line.Long
	if tail {
		return n, dissect.Continue, nil
	}
	at := s.env.At(0)
	if in.skip {
		s.violation("ftp_line_too_long", dir, at, "line longer than 8 KiB, its tail is skipped")
	}
	if dir == dissect.ClientToServer {
		return n, s.command(text, at), nil
	}
	return n, s.line(text, at), nil
}

// Gap forgets the line that was cut, and distrusts the next one.
func (s *session) Gap(dir dissect.Dir, n int64) {
	in := &s.input[dir]
	in.lines.Reset()
	in.skip, in.lost = false, true
	if dir == dissect.ClientToServer {
		return
	}
	if s.open != nil {
		s.open.rec.Incomplete = true
	}
	for _, x := range s.queue {
		x.lost = true
	}
}

// EOF of the server's side means that nothing will be answered any more.
func (s *session) EOF(dir dissect.Dir) {
	s.input[dir].lines.Reset()
	if dir == dissect.ServerToClient {
		s.endReply(true)
		s.serverGone = true
	}
}

// Closed reports what never came to an end.
func (s *session) Closed(end, by string) {
	s.endReply(true)
	for len(s.queue) > 0 {
		s.giveUp(0)
	}
	s.emitUserOnly()
	s.settleData()
	s.leftUnopened()
	for _, t := range slices.Clone(s.running) {
		if t.conn != nil && t.conn.silent() {
			t.rec.Outcome, t.rec.Reason = record.TransferUnopened, unheard
			t.emit(s.env)
		}
	}
	s.closed = true
	for _, t := range slices.Clone(s.running) {
		t.orphaned()
	}
}

func (s *session) violation(code string, dir dissect.Dir, at record.Stamp, detail string) {
	s.env.Violation(dissect.Violation{Code: code, Dir: dir, Stamp: at, Detail: detail})
}

// protection says what the control connection is wrapped in at the moment.
func (s *session) protection() string {
	if s.state.clearAgain || s.env.TLS() == nil && !s.env.Conn().TLS {
		return ""
	}
	return "tls"
}

// clientAddr and serverAddr are the ends of the control connection.
func (s *session) clientAddr() netip.Addr { return s.env.Conn().Client.Addr().Unmap() }
func (s *session) serverAddr() netip.Addr { return s.env.Conn().Server.Addr().Unmap() }
