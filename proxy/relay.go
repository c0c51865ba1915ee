package proxy

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

// relay is one connection through the proxy: a client leg, a server leg, the
// session that watches, and a pump for each direction.
type relay struct {
	srv      *Server
	listener *Listener
	conn     flow.Conn
	begun    sync.Once
	sess     *flow.Session // valid once begun; a data connection's from the first
	tap      record.TapConn
	host     string // what the client asked for: the name in the target
	pumps    [2]*pump

	mu         sync.Mutex // keeps tap and session in step, and guards what follows
	ahead      []ahead
	aheadBytes *[]byte // theirs, one behind the other; nil without any
	notes      []note
	upgrading  bool // TLS was agreed on: bytes are the handshake's, not the dialogue's
	clearing   bool // the end of TLS was agreed on (FTP's CCC)
	over       bool // both directions have ended
	idle       *time.Timer

	// data relays a connection that a control channel announced; its control
	// relay, TLS by announcement.
	control *relay
	// ftpClient is the direction in which the FTP client sends on it.
	ftpClient dissect.Dir
	ftp       *ftpControl // set once the session is FTP
	tls       *legs       // set once TLS is intercepted
	stripped  *stripped   // the server's leg, where TLS is stripped
	offer     *offer      // what the server offers, where TLS is required

	lastByte atomic.Int64 // clock of the idle limit, Unix nanoseconds

	endMu                sync.Mutex
	end, by, closedFirst string
	closed               bool // both directions have ended
}

// relayTo dials the target and relays until both sides are done.
func (s *Server) relayTo(c net.Conn, l *Listener, t target) {
	var implicit bool
	t.address, implicit = strings.CutPrefix(t.address, tlsScheme)
	if l.Mode == SOCKS || l.Mode == HTTPForward {
		if d := s.claim(addrPort(c.RemoteAddr()).Addr(), t.address); d != nil {
			d.asked(c, t)
			return
		}
	}
	up, err := s.dial(l, t.address)
	if t.connected != nil {
		if e := t.connected(up, err); e != nil && err == nil {
			s.track(up)()
			up.Close()
			return
		}
	}
	if err != nil {
		s.unreached(c, l, t, err)
		return
	}
	defer s.track(up)()
	if l.ProxyProtocolOut > 0 {
		if _, err := up.Write(header(l.ProxyProtocolOut, addrPort(c.RemoteAddr()), addrPort(c.LocalAddr()))); err != nil {
			up.Close()
			s.unreached(c, l, t, err)
			return
		}
	}
	host, _, _ := net.SplitHostPort(t.address)
	r := s.newRelay(c, up, l, host)
	r.pumps[dissect.ClientToServer].early = t.early
	r.conn = flow.Conn{Client: addrPort(c.RemoteAddr()), Server: addrPort(up.RemoteAddr()), Start: s.cfg.Now(), Via: l.name(), Oriented: true}
	if l.Via != nil {
		r.conn.Server = named(t.address) // not the proxy in between
	}
	if l.TLS == Strip {
		r.strip(implicit || beginsWithTLS[r.conn.Server.Port()])
	}
	r.run()
}

// unreached tells client and engine that the upstream did not answer: the
// client sees a reset, as if it had called the upstream itself.
func (s *Server) unreached(c net.Conn, l *Listener, t target, err error) {
	s.cfg.Log.Warn("upstream not reached", "client", c.RemoteAddr(), "target", t.address, "why", whyUnreached(err))
	server := resolved(t.address)
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil && addrPort(op.Addr).IsValid() && l.Via == nil {
		server = addrPort(op.Addr) // what the name came to
	}
	if !server.IsValid() {
		server = named(t.address)
	}
	conn := flow.Conn{Client: addrPort(c.RemoteAddr()), Server: server, Start: s.cfg.Now(), Via: l.name(), Oriented: true}
	s.closeUnreached(s.cfg.Engine.Open(conn), conn, nil, t.address, err)
	if t.connected == nil {
		abort(c) // otherwise it was told in the words of the way in
	}
}

// closeUnreached ends a session whose server was not reached because of err. call
// is what the tap has of it, nil if nothing yet.
func (s *Server) closeUnreached(sess *flow.Session, conn flow.Conn, call record.TapCall, address string, err error) {
	end, by := record.EndUnanswered, ""
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		end, by = record.EndRefused, "server"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		end = record.EndUnreached
	case errors.Is(err, syscall.ECONNRESET):
		// It answered and went back on it at once, as a server does that closes
		// the data port of a command that it refuses.
		end, by = record.EndReset, "server"
	}
	why := address + " was not reached: " + whyUnreached(err)
	switch {
	case call != nil:
		call.Failed(end, s.cfg.Now(), why)
	case s.cfg.Tap != nil:
		s.cfg.Tap.Call(conn.Client, conn.Server, conn.Start, conn.Via, why).Failed(end, conn.Start)
	}
	at := record.Stamp{Time: s.cfg.Now()}
	switch end {
	case record.EndUnanswered:
		a := &record.Anomaly{Code: codeUnreached, Detail: why}
		a.Stamp(at, dissect.ServerToClient)
		sess.Emit(a)
	case record.EndUnreached: // as of the ICMP error in a capture
		a := &record.Anomaly{Code: "tcp_unreachable", Detail: whyUnreached(err)}
		a.Stamp(at, dissect.ClientToServer)
		sess.Emit(a)
	}
	sess.EOF(dissect.ClientToServer, at)
	sess.EOF(dissect.ServerToClient, at)
	sess.Close(end, by, at)
}

// resolved returns the address of a target that is one already.
func resolved(address string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(address)
	return ap
}

// named is resolved; of a name it has the port only.
func named(address string) netip.AddrPort {
	at := resolved(address)
	if _, port, err := net.SplitHostPort(address); !at.IsValid() && err == nil {
		n, _ := net.LookupPort("tcp", port)
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(n))
	}
	return at
}

func (s *Server) newRelay(client, upstream net.Conn, l *Listener, host string) *relay {
	r := &relay{srv: s, listener: l, host: host}
	if l.TLS == Require {
		r.offer = newOffer()
	}
	r.pumps[dissect.ClientToServer] = newPump(r, dissect.ClientToServer, client, upstream)
	r.pumps[dissect.ServerToClient] = newPump(r, dissect.ServerToClient, upstream, client)
	return r
}

// begin opens the session and the tap. It waits for the first byte, which
// tells whether the connection begins with TLS.
func (r *relay) begin(tls bool) {
	r.begun.Do(func() {
		r.conn.TLS = tls
		r.upgrading = tls
		if r.sess == nil {
			r.sess = r.srv.cfg.Engine.Open(r.conn)
		}
		r.sess.OnExpect(r.expect)
		if r.srv.cfg.Tap != nil && r.control == nil {
			r.tap = r.srv.cfg.Tap.Open(r.conn.Client, r.conn.Server, r.conn.Start, r.listener.name())
		}
	})
}

// data gives bytes to tap and session, in one order for both. It does not take
// them when TLS was agreed on meanwhile: then they belong to the handshake.
// upgrade says that these very bytes agreed on it, so the caller sees to it.
func (r *relay) data(p *pump, b []byte) (taken, upgrade bool) {
	at := p.now()
	if r.control == nil && p.dir == dissect.ServerToClient {
		r.meetCallers()
	}
	r.lock()
	defer r.unlock()
	if r.upgrading {
		return false, false
	}
	from := p.given
	r.sess.Data(p.dir, b, at)
	p.given += int64(len(b))
	clear := b
	if r.control == nil {
		if off, held := r.sess.Limit(p.dir); held && off >= from && off < p.given && b[off-from] == tlsHandshake {
			// A hello on the heels of STARTTLS; the tap writes plaintext only.
			clear = b[:off-from]
		}
		if r.intercepts() && r.sess.Upgrading() {
			r.upgrading, upgrade = true, true
			p.other().stopped = true
		}
		if r.tls != nil && r.sess.Downgrading() {
			r.clearing = true
		}
	}
	if p.tapped == from {
		r.record(p, clear, at)
	}
	return true, upgrade
}

// tlsHandshake is the type of the record that opens a TLS connection.
const tlsHandshake = 0x16

// record gives the tap the next bytes of a direction.
func (r *relay) record(p *pump, b []byte, at record.Stamp) {
	p.tapped += int64(len(b))
	if r.tap != nil && len(b) > 0 {
		r.tap.Data(p.dir, b, at.Time)
	}
}

// recordTo gives the tap what it has not yet of b, which ends at the offset
// end.
func (r *relay) recordTo(p *pump, b []byte, end int64) {
	if lag := end - p.tapped; lag > 0 {
		r.record(p, b[max(0, int64(len(b))-lag):], p.now())
	}
}

// rewritten returns what is forwarded in place of the source bytes b, which
// end at the offset end.
func (r *relay) rewritten(p *pump, b []byte, end int64) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recordTo(p, b, end)
	if len(p.rewrites) == 0 {
		return b
	}
	return p.apply(b, end)
}

// eof ends a direction for tap and session, and notes whose end came first in the
// same order.
func (r *relay) eof(p *pump) {
	at := p.now()
	r.lock()
	defer r.unlock()
	r.ended("", p.dir.String())
	if len(p.pending) > 0 {
		r.recordTo(p, p.pending, p.given)
	}
	if r.tap != nil {
		r.tap.EOF(p.dir, at.Time)
	}
	r.sess.EOF(p.dir, at)
}

// alive puts off the idle limit, for a data connection also its control
// connection's, over which nothing need be said meanwhile.
func (r *relay) alive() {
	now := r.srv.cfg.Now().UnixNano()
	r.lastByte.Store(now)
	if r.control != nil {
		r.control.lastByte.Store(now)
	}
}

// note is an anomaly that was seen inside the session's Data and is emitted
// behind it.
type note struct {
	record.Anomaly
	dir dissect.Dir
}

func (r *relay) later(code string, dir dissect.Dir, detail string) {
	r.notes = append(r.notes, note{record.Anomaly{Code: code, Detail: detail}, dir})
}

// run relays until both directions have ended.
func (r *relay) run() {
	r.alive()
	r.mu.Lock()
	r.idle = time.AfterFunc(r.srv.cfg.Limits.Idle, r.checkIdle)
	r.mu.Unlock()
	var wg sync.WaitGroup
	wg.Add(1)
	go r.pumpServer(&wg)
	r.pumps[dissect.ClientToServer].run()
	wg.Wait()
	r.mu.Lock()
	r.over = true
	r.idle.Stop()
	r.mu.Unlock()
	r.closeLegs()
	r.begin(false)
	end, by := r.verdict()
	r.checkPinned(end, by)
	r.checkOffer()
	r.finish(end, by)
	if r.ftp != nil {
		r.ftp.close()
	}
	r.srv.count(r)
}

// finish tells session and tap how the connection ended.
func (r *relay) finish(end, by string) {
	at := record.Stamp{Time: r.srv.cfg.Now()}
	r.lock()
	defer r.mu.Unlock()
	r.sess.Close(end, by, at)
	if r.tap != nil {
		r.tap.Close(end, by, at.Time)
	}
}

func (r *relay) pumpServer(wg *sync.WaitGroup) {
	defer wg.Done()
	r.pumps[dissect.ServerToClient].run()
}

// checkIdle ends a relay over which nothing came for the idle limit.
func (r *relay) checkIdle() {
	limit := r.srv.cfg.Limits.Idle
	silent := time.Duration(r.srv.cfg.Now().UnixNano() - r.lastByte.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over:
	case silent < limit:
		r.idle.Reset(limit - silent)
	default:
		r.ended(record.EndTimeout, "")
		r.abortLegs()
	}
}

// ended notes how the connection ended, or with "" that the direction of by
// did. The first word counts.
func (r *relay) ended(end, by string) {
	r.endMu.Lock()
	defer r.endMu.Unlock()
	switch {
	case end == "" && r.closedFirst == "":
		r.closedFirst = by
	case end == "" && r.closedFirst != by:
		r.closed = true
	case end == record.EndReset && r.closed:
		// Nothing was to come any more: a peer that takes no last bytes has closed.
	case end != "" && r.end == "":
		r.end, r.by = end, by
	}
}

// verdict returns how the connection ended, and who ended it.
func (r *relay) verdict() (end, by string) {
	r.endMu.Lock()
	defer r.endMu.Unlock()
	if r.end == "" {
		return record.EndClosed, r.closedFirst
	}
	return r.end, r.by
}

func (r *relay) closeLegs() {
	for _, p := range r.pumps {
		p.source().Close()
	}
}

// abortLegs cuts both legs with a reset: one peer did, so the other sees it.
func (r *relay) abortLegs() {
	for _, p := range r.pumps {
		abort(p.raw)
	}
}

func (s *Server) count(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.ClientBytes += r.pumps[dissect.ClientToServer].given
	s.stats.ServerBytes += r.pumps[dissect.ServerToClient].given
}
