package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sniff/dissect"
)

// stripped is the upstream leg of a listener that speaks TLS to servers and
// none to clients. It stands under the pumps as the server's connection.
//
// Where TLS begins with the connection it is done at once. Otherwise the
// client's first command tells which dialogue it is, and the way into TLS is
// gone before that command is passed on: EHLO and STARTTLS for mail, AUTH TLS
// for files, there followed by PBSZ and PROT P for the data connections. What the client reads is then what the server says
// inside TLS: its answer to EHLO has no STARTTLS any more; from that to FEAT the
// lines about TLS are taken out. Without TLS the client gets the reason as the
// last reply.
//
// Only the pump from the server reads, so that pump does the handshake too; the
// pump from the client waits for it in Write.
type stripped struct {
	net.Conn // the socket
	r        *relay
	host     string
	in       *bufio.Reader

	// The rest is of the pump from the server, but for what mu guards.
	tls   *tls.Conn
	line  []byte   // unfinished, of the answer to FEAT
	taken []string // lines taken out of that

	mu       sync.Mutex
	turn     sync.Cond // something below has changed
	stage    stage
	greeted  bool        // the server has answered everything
	greeting []byte      // what it said before TLS, its beginning
	held     []byte      // what the client said and the server has not got
	out      []byte      // to be read next
	readErr  error       // behind that
	why      string      // there is no TLS
	config   *tls.Config // of data connections, if they have TLS
	ftp      bool
	private  bool // PROT P was sent
	asked    bool // FEAT was sent, and is not answered yet
	own      int  // replies still to come to commands of our own
	deadline time.Time
	closed   bool
}

type stage uint8

const (
	inClear   stage = iota // nothing but greetings so far
	upgrading              // on the way into TLS
	inTLS
	refused // there is no way
)

// beginsWithTLS are the ports on which TLS begins with the connection.
var beginsWithTLS = map[uint16]bool{443: true, 465: true, 636: true, 853: true, 990: true, 993: true, 995: true, 8443: true}

// tlsScheme in front of a target says that TLS begins with the connection.
const tlsScheme = "tls://"

// strip puts TLS under the server's leg of a relay.
func (r *relay) strip(implicit bool) {
	up := r.pumps[dissect.ServerToClient].source()
	s := &stripped{Conn: up, r: r, host: r.host, in: bufio.NewReaderSize(up, firstBuffer)}
	s.turn.L = &s.mu
	if implicit {
		s.stage = upgrading
	}
	if s.host == "" {
		s.host = r.conn.Server.Addr().String()
	}
	r.stripped = s
	var clear net.Conn = s
	r.pumps[dissect.ClientToServer].dst.Store(&clear)
	r.pumps[dissect.ServerToClient].src.Store(&clear)
}

func (s *stripped) NetConn() net.Conn { return s.Conn }

func (s *stripped) CloseWrite() error {
	s.mu.Lock()
	in := s.stage == inTLS
	s.mu.Unlock()
	if in {
		closeWrite(s.tls)
	}
	closeWrite(s.Conn)
	return nil
}

func (s *stripped) Close() error {
	s.mu.Lock()
	s.closed = true
	s.turn.Broadcast()
	s.mu.Unlock()
	return s.Conn.Close()
}

// SetReadDeadline is how the pump is taken out of a read. It does not disturb
// the way into TLS.
func (s *stripped) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	s.turn.Broadcast()
	if s.stage == upgrading {
		return nil
	}
	return s.Conn.SetReadDeadline(t)
}

func (s *stripped) Read(b []byte) (int, error) {
	for {
		s.mu.Lock()
		for s.stage == refused && len(s.out) == 0 && s.readErr == nil && !s.closed && s.deadline.IsZero() {
			s.turn.Wait() // for something to answer
		}
		n := copy(b, s.out)
		s.out = s.out[n:]
		stage, closed, readErr, late := s.stage, s.closed, s.readErr, !s.deadline.IsZero() && !time.Now().Before(s.deadline)
		s.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case readErr != nil:
			return 0, readErr
		case closed:
			return 0, net.ErrClosed
		case stage == refused && late:
			return 0, os.ErrDeadlineExceeded
		case stage == inClear:
			if n, err := s.readClear(b); n > 0 || err != nil {
				return n, err
			}
		case stage == upgrading:
			s.upgrade()
		case stage == inTLS:
			if n, err := s.readTLS(b); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// readClear reads what the server says before TLS. What it says once the way
// into TLS is being gone is left to that.
func (s *stripped) readClear(b []byte) (int, error) {
	n, err := s.in.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage != inClear {
		rest, _ := s.in.Peek(s.in.Buffered())
		s.in = bufio.NewReaderSize(&prefixed{Conn: s.Conn, prefix: append(bytes.Clone(b[:n]), rest...)}, firstBuffer)
		return 0, nil
	}
	if len(s.greeting) < maxCommand {
		s.greeting = append(s.greeting, b[:n]...)
	}
	// A reply is whole when its last line has no dash behind the code.
	last := b[bytes.LastIndexByte(bytes.TrimRight(b[:n], "\r\n"), '\n')+1 : n]
	if len(last) > 3 && last[len(last)-1] == '\n' && last[3] != '-' {
		s.greeted = true
		s.turn.Broadcast()
	}
	return n, err
}

// Write is called by the pump from the client only.
func (s *stripped) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.stage {
	case inTLS:
		return s.writeTLS(b)
	case refused:
		s.answer(b)
		return len(b), nil
	}
	s.held = append(s.held, b...)
	for s.stage == inClear {
		end := bytes.IndexByte(s.held, '\n') + 1
		if end == 0 {
			if len(s.held) > maxCommand {
				s.refuse(codeUpstreamTLS, "the client's first words are in no dialogue that leads to TLS")
			}
			return len(b), nil
		}
		if err := s.begin(string(s.held[:end])); err != nil {
			return 0, err
		}
	}
	for s.stage == upgrading && !s.closed {
		s.turn.Wait()
	}
	return len(b), nil
}

// begin goes the first step into TLS for the client's first command, or passes
// it on if it is none that tells which dialogue it is.
func (s *stripped) begin(line string) error {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	verb = strings.ToUpper(verb)
	ask := ""
	switch {
	case verb == "EHLO" || verb == "HELO":
		ask = "EHLO " + rest
	case verb == "LHLO":
		ask = "LHLO " + rest
	case isFTP(verb, rest):
		ask, s.ftp = "AUTH TLS", true
	case verb == "QUIT" || verb == "NOOP" || verb == "HELP" || verb == "RSET":
	default:
		s.refuse(codeUpstreamTLS, "the client's first words are in no dialogue that leads to TLS")
		return nil
	}
	for !s.greeted && s.stage == inClear && !s.closed {
		s.turn.Wait()
	}
	if s.stage != inClear || s.closed {
		return nil
	}
	if ask == "" {
		s.greeted = false
		s.held = s.held[len(line):]
		ask = strings.TrimSpace(line)
	} else {
		s.stage = upgrading
		_ = s.Conn.SetReadDeadline(time.Time{})
	}
	_, err := io.WriteString(s.Conn, ask+"\r\n")
	return err
}

// refuse notes why there is no TLS, and answers what the client has said.
func (s *stripped) refuse(code, why string) {
	s.r.begin(false)
	s.r.anomaly(code, dissect.ServerToClient, why)
	s.stage, s.why = refused, why
	said := s.held
	s.held = nil
	if reply := refusalUnasked("", s.r.conn.Server.Port(), why); reply != "" && !s.ftp && len(said) == 0 {
		s.end(reply)
	} else {
		s.answer(said)
	}
	s.turn.Broadcast()
	_ = s.Conn.SetReadDeadline(time.Unix(1, 0)) // whoever reads looks again
}

// answer gives the client the reason when it has said enough to know how.
func (s *stripped) answer(b []byte) {
	if s.readErr != nil {
		return
	}
	s.held = append(s.held, b...)
	reply, more := refusalOf(s.r.sess.Protocol(), s.held, s.why, false)
	if !more || len(s.held) > maxHead {
		s.end(reply)
	}
}

// end says the last word in the server's place.
func (s *stripped) end(reply string) {
	s.out, s.readErr, s.held = []byte(reply), io.EOF, nil
	s.turn.Broadcast()
	time.AfterFunc(lingerTime, s.r.closeLegs)
}

// upgrade goes the rest of the way into TLS.
func (s *stripped) upgrade() {
	_ = s.Conn.SetDeadline(time.Now().Add(s.r.srv.cfg.Limits.Handshake))
	code, err := s.intoTLS()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.refuse(code, err.Error())
		return
	}
	_ = s.Conn.SetDeadline(time.Time{})
	_ = s.Conn.SetReadDeadline(s.deadline)
	s.stage = inTLS
	held := s.held
	s.held = nil
	if _, err := s.writeTLS(held); err != nil {
		s.readErr = err
	}
	s.turn.Broadcast()
}

func (s *stripped) intoTLS() (code string, err error) {
	code = codeUpstreamTLS
	s.mu.Lock()
	files, begun := s.ftp, len(s.greeting) > 0
	s.mu.Unlock()
	switch {
	case !begun: // TLS begins with the connection
	case files:
		if err := s.expect("AUTH TLS", 234, 334); err != nil {
			return code, err
		}
	default:
		text, err := s.reply(250)
		if err != nil {
			return code, fmt.Errorf("the server's answer to EHLO: %w", err)
		}
		if !offers(text, "STARTTLS") {
			return code, errors.New("the server offers no STARTTLS")
		}
		if _, err := io.WriteString(s.Conn, "STARTTLS\r\n"); err != nil {
			return code, err
		}
		if err := s.expect("STARTTLS", 220); err != nil {
			return code, err
		}
	}
	if s.in.Buffered() > 0 {
		return code, errors.New("the server said something in the clear behind its agreement to TLS")
	}
	h := &handshake{r: s.r, upstream: s.Conn}
	var protocols []string
	if s.r.conn.Server.Port() == 443 || s.r.conn.Server.Port() == 8443 {
		protocols = []string{"http/1.1"}
	}
	s.r.begin(false)
	if err := h.callUpstream(s.host, protocols); err != nil {
		code, why := h.upstreamProblem(err)
		return code, errors.New(why)
	}
	s.mu.Lock()
	s.tls, s.config = h.up, h.legs.client
	s.mu.Unlock()
	s.say(h)
	return "", nil
}

// say records the TLS that the client does not see.
func (s *stripped) say(h *handshake) {
	hs := h.recordUpstream()
	s.r.mu.Lock()
	s.r.sess.Emit(hs)
	if s.r.tap != nil {
		s.r.tap.Comment(hs.Version + ", " + hs.Cipher + " to the server, none to the client")
	}
	s.r.mu.Unlock()
	what := ""
	s.mu.Lock()
	if len(s.greeting) > 0 {
		what = "; the client is not offered STARTTLS"
		if s.ftp {
			what = "; the client is not offered AUTH TLS, and data connections are in TLS to the server only"
		}
	}
	s.mu.Unlock()
	s.r.anomaly(codeStripped, dissect.ServerToClient, hs.Version+" to the server, none to the client"+what)
}

// expect reads the server's reply to a command and wants one of the codes.
func (s *stripped) expect(command string, codes ...int) error {
	if _, err := s.reply(codes...); err != nil {
		return fmt.Errorf("the server's answer to %s: %w", command, err)
	}
	return nil
}

// reply reads one reply, and an error that has its text if the code is none
// of those.
func (s *stripped) reply(codes ...int) (string, error) {
	r := textproto.NewReader(s.in)
	code, text, err := r.ReadResponse(0)
	var other *textproto.Error
	if err != nil && !errors.As(err, &other) {
		return "", err
	}
	if !slices.Contains(codes, code) {
		return "", fmt.Errorf("%d %s", code, strings.ReplaceAll(text, "\n", " "))
	}
	return text, nil
}

// offers reports whether the answer to EHLO has a keyword.
func offers(text, keyword string) bool {
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.EqualFold(word, keyword) {
			return true
		}
	}
	return false
}

func (s *stripped) writeTLS(b []byte) (int, error) {
	n := len(b)
	for line := range bytes.Lines(b) {
		verb, rest, _ := strings.Cut(string(bytes.TrimSpace(line)), " ")
		if !s.private {
			if !isFTP(verb, rest) {
				break
			}
			// Data connections are to be in TLS too (RFC 4217, section 9).
			s.ftp, s.private, s.own = true, true, 2
			b = append([]byte("PBSZ 0\r\nPROT P\r\n"), b...)
		}
		s.asked = s.asked || strings.EqualFold(verb, "FEAT")
	}
	// Not under the lock: the pump from the server goes on meanwhile.
	s.mu.Unlock()
	defer s.mu.Lock()
	_, err := s.tls.Write(b)
	return n, err
}

// readTLS reads what the server says inside of TLS.
func (s *stripped) readTLS(b []byte) (int, error) {
	n, err := s.tls.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked && s.own == 0 || n == 0 {
		return n, err
	}
	s.readErr = err
	if isTimeout(err) {
		s.readErr = nil
	}
	for line := range bytes.Lines(append(s.line, b[:n]...)) {
		if line[len(line)-1] != '\n' && err == nil && (s.asked || s.own > 0) {
			s.line = bytes.Clone(line)
			break
		}
		s.line = nil
		last := len(line) > 3 && line[0] != ' ' && line[3] != '-' // of a reply
		switch {
		case s.own > 0:
			if last {
				s.own--
			}
			if last && line[0] != '2' {
				s.config = nil
				s.r.anomaly(codeDataTLS, dissect.ServerToClient, "the server takes no TLS on data connections: "+strings.TrimSpace(string(line)))
			}
		case s.asked && line[0] == ' ' && aboutTLS(string(line)):
			s.taken = append(s.taken, strings.TrimSpace(string(line)))
		default:
			s.out = append(s.out, line...)
			s.asked = s.asked && !last
		}
	}
	if !s.asked && len(s.taken) > 0 {
		s.r.anomaly(codeStripped, dissect.ServerToClient, "taken out of the answer to FEAT: "+strings.Join(s.taken, ", "))
		s.taken = nil
	}
	return 0, nil
}

// aboutTLS reports whether a line of the answer to FEAT offers TLS (RFC 4217,
// section 6).
func aboutTLS(line string) bool {
	word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
	return word == "AUTH" || word == "PBSZ" || word == "PROT" || word == "CCC"
}

// data puts TLS on the server's leg of a data connection, if it has any.
func (s *stripped) data(c net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config == nil {
		return c
	}
	return tls.Client(c, s.config)
}
