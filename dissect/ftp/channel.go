package ftp

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// channelTTL is how long an announced data connection is waited for.
const channelTTL = 5 * time.Minute

// maxUnused is how many data connections are remembered that nothing was asked
// for.
const maxUnused = 64

// channel is one data connection, from its announcement on.
type channel struct {
	s        *session
	form     string // PORT, EPRT, LPRT, PASV, EPSV, LPSV, SPSV, CPSV, default
	active   bool   // the server connects
	at       address
	dir      dissect.Dir // of the control stream in which the address stands
	handles  []dissect.Expected
	conn     *dataConn
	transfer *transfer
	asked    record.Stamp // of the announcement
	failed   bool         // the command was refused, or not understood
	reported bool         // it failed, and that was said
}

// prepare looks, when a command comes, what it sets up. Transfers take their
// channel here and not when they are answered, so that PASV and RETR sent in
// one go find each other.
func (s *session) prepare(x *exchange) {
	switch {
	case x.verb&passive != 0 && !strings.EqualFold(strings.TrimSpace(x.arg), "ALL"):
		x.channel = &channel{s: s, form: x.rec.Command, dir: dissect.ServerToClient}
		s.next = x.channel
	case x.verb&active != 0:
		ch := &channel{s: s, form: x.rec.Command, active: true, dir: dissect.ClientToServer}
		x.channel, s.next = ch, ch
		ch.asked = x.at
		ch.at = parseAddress(x.rec.Command, []byte(x.arg))
		if !ch.at.ok {
			ch.failed = true
			s.violation("ftp_address_malformed", dissect.ClientToServer, x.at, x.rec.Command+" without an address")
			return
		}
		ch.at.from += x.argOffset
		ch.at.to += x.argOffset
		x.rec.Endpoint = ch.at.at
		ch.announce()
	case x.verb&transfers != 0:
		s.startTransfer(x)
	case x.rec.Command == "ABOR":
		for _, t := range s.running {
			t.aborted = t.aborted || !t.replied
		}
	}
}

// answeredChannel follows the answer to a command that sets up a data
// connection.
func (s *session) answeredChannel(x *exchange, r *reply) {
	ch := x.channel
	if ch == nil {
		return
	}
	if r.rec.Code/100 != 2 {
		ch.failed = true
		ch.withdraw()
		return
	}
	if ch.active {
		return
	}
	ch.at, ch.asked = r.addr, r.at
	if !ch.at.ok && ch.form == "SPSV" {
		ch.at = simplePort([]byte(lastLine(r)))
		ch.at.from += r.at.Offset + 4
		ch.at.to += r.at.Offset + 4
	}
	if !ch.at.ok {
		ch.failed = true
		s.violation("ftp_address_malformed", dissect.ServerToClient, r.at, "reply to "+ch.form+" without an address")
		return
	}
	if !ch.at.at.Addr().IsValid() {
		ch.at.at = netip.AddrPortFrom(s.serverAddr(), ch.at.at.Port())
	}
	x.rec.Endpoint = ch.at.at
	ch.announce()
}

// announce tells the engine where the connection will be. Behind NAT the
// packets bear another address than the announcement: then the other end of
// the control connection is just as likely, and both are waited for.
func (ch *channel) announce() {
	s := ch.s
	here, caller := s.serverAddr(), s.clientAddr()
	if ch.active {
		here, caller = caller, here
	}
	x := dissect.Expectation{
		Server:   ch.at.at,
		Client:   caller,
		TTL:      channelTTL,
		Protocol: dataProtocol,
		TLS:      s.state.private,
		New:      ch.connected,
		Dir:      ch.dir,
		From:     ch.at.from,
		To:       ch.at.to,
		Form:     ch.form,
	}
	ch.handles = append(ch.handles, s.env.Expect(x))
	if ch.at.at.Addr().Unmap() != here {
		x.Server = netip.AddrPortFrom(here, ch.at.at.Port())
		x.From, x.To, x.Form = 0, 0, ""
		ch.handles = append(ch.handles, s.env.Expect(x))
	}
}

// withdraw stops waiting.
func (ch *channel) withdraw() {
	for _, h := range ch.handles {
		if h != nil {
			h.Cancel()
		}
	}
	ch.handles = nil
}

// connected takes the connection that came.
func (ch *channel) connected(env dissect.Env) dissect.Dissector {
	d := &dataConn{env: env, ch: ch}
	if ch.conn == nil {
		ch.conn = d
		ch.withdraw()
		if ch.transfer != nil {
			ch.transfer.attach(d)
		} else if len(ch.s.unused) < maxUnused {
			ch.s.unused = append(ch.s.unused, ch)
		}
	}
	return d
}

// take gives the channel for the next transfer.
func (s *session) take() *channel {
	ch := s.next
	switch {
	case ch == nil:
		// Nothing was announced: the server connects to the port that the
		// control connection comes from (RFC 959, section 3.2).
		ch = &channel{s: s, form: "default", active: true}
		ch.at, ch.asked = address{ok: true, at: s.env.Conn().Client}, s.env.At(0)
		ch.announce()
		return ch
	case ch.transfer == nil || ch.conn != nil && ch.conn.open() && s.blockMode():
		return ch
	case ch.active && ch.at.ok:
		// PORT stays in force until the next one.
		again := &channel{s: s, form: ch.form, active: true, at: ch.at, dir: ch.dir}
		again.announce()
		s.next = again
		return again
	}
	return nil
}

// blockMode reports whether a data connection outlives its transfer (RFC 959,
// section 3.4.2).
func (s *session) blockMode() bool { return s.state.mode == "B" || s.state.mode == "C" }

// emitUnopened reports a data connection that failed before the client asked
// for anything to be moved over it: many clients connect first and send RETR
// only when that has worked.
func (ch *channel) emitUnopened(reason string) {
	if ch.reported {
		return
	}
	ch.reported = true
	s, env := ch.s, ch.s.env
	r := &record.FTPTransfer{
		Outcome: record.TransferUnopened, Reason: reason,
		User: record.Lossless(s.state.user), Protected: s.state.private,
		Setup: ch.form, Active: ch.active, Endpoint: ch.at.at,
	}
	if d := ch.conn; d != nil {
		conn := d.env.Conn()
		r.DataSession, r.DataFrom, r.DataTo = conn.Session, conn.Client, conn.Server
		r.DataEnd, r.EndedBy = d.end, d.endedBy
		if s.closed {
			r.Control, env = env.Conn().Session, d.env
		}
	}
	r.Stamp(ch.asked, ch.dir)
	env.Emit(r)
}

// leftUnopened looks, when the session is over, at the data connections that
// came and were never used, and at what was announced last.
func (s *session) leftUnopened() {
	found := false
	for _, ch := range s.unused {
		if ch.transfer == nil && ch.conn.silent() {
			ch.emitUnopened(unheard)
		}
		found = found || ch.reported
	}
	ch := s.next
	if ch != nil && ch.transfer == nil && ch.conn == nil && !ch.active && ch.at.ok && !ch.failed && !found {
		ch.emitUnopened("no data connection to the announced address was seen")
	}
}

// unheard is the reason of a transfer whose data connection was silent to the
// end of the session.
const unheard = "nothing was heard on the data connection while the session lasted"

// settleData ends the transfers whose data connection has ended on both sides.
func (s *session) settleData() {
	for _, t := range slices.Clone(s.running) {
		if t.conn != nil && t.conn.drained() {
			if by := t.conn.resetBy; by != "" {
				t.conn.Closed(record.EndReset, by)
			} else {
				t.conn.Closed(record.EndClosed, t.conn.finBy)
			}
		}
	}
}

// forget takes a transfer off the list of those not reported.
func (s *session) forget(t *transfer) {
	if i := slices.Index(s.running, t); i >= 0 {
		s.running = slices.Delete(s.running, i, i+1)
	}
}
