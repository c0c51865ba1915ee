package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
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
	sess     *flow.Session // valid once begun
	tap      record.TapConn
	mu       sync.Mutex // keeps tap and session in step
	notes    []note
	host     string // what the client asked for: the name in the target
	pumps    [2]*pump
	// data relays a connection that a control channel announced; its control
	// relay, TLS by announcement.
	control *relay
	ftp     *ftpControl // set once the session is FTP
	tls     *legs       // set once TLS is intercepted

	lastByte atomic.Int64 // clock of the idle limit, Unix nanoseconds
	endOnce  sync.Once
	end, by  string
	stopped  chan struct{}
}

// relayTo dials the target and relays until both sides are done.
func (s *Server) relayTo(c net.Conn, l *Listener, t target) {
	up, err := s.dial(t.address)
	if t.connected != nil {
		if e := t.connected(up, err); e != nil && err == nil {
			up.Close()
			return
		}
	}
	if err != nil {
		s.unreached(c, l, t, err)
		return
	}
	defer s.track(up)()
	host, _, _ := net.SplitHostPort(t.address)
	r := s.newRelay(c, up, l, host)
	r.pumps[dissect.ClientToServer].early = t.early
	r.conn = flow.Conn{Client: addrPort(c.RemoteAddr()), Server: addrPort(up.RemoteAddr()), Start: s.cfg.Now(), Via: l.name(), Oriented: true}
	r.run()
}

// unreached tells client and engine that the upstream did not answer: the
// client sees a reset, as if it had called the upstream itself.
func (s *Server) unreached(c net.Conn, l *Listener, t target, err error) {
	s.cfg.Log.Warn("upstream not reached", "client", c.RemoteAddr(), "target", t.address, "err", err)
	server := resolved(t.address)
	now := s.cfg.Now()
	sess := s.cfg.Engine.Open(flow.Conn{Client: addrPort(c.RemoteAddr()), Server: server, Start: now, Via: l.name(), Oriented: true})
	end := record.EndUnanswered
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		end = record.EndRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		end = record.EndUnreached
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
	}
	at := record.Stamp{Time: now}
	sess.EOF(dissect.ClientToServer, at)
	sess.EOF(dissect.ServerToClient, at)
	sess.Close(end, "server", at)
	abort(c)
}

// resolved returns the address of a target that is one already.
func resolved(address string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(address)
	return ap
}

func (s *Server) newRelay(client, upstream net.Conn, l *Listener, host string) *relay {
	r := &relay{srv: s, listener: l, host: host, stopped: make(chan struct{})}
	r.pumps[dissect.ClientToServer] = newPump(r, dissect.ClientToServer, client, upstream)
	r.pumps[dissect.ServerToClient] = newPump(r, dissect.ServerToClient, upstream, client)
	return r
}

// begin opens the session and the tap. It waits for the first byte, which
// tells whether the connection begins with TLS.
func (r *relay) begin(tls bool) {
	r.begun.Do(func() {
		r.conn.TLS = tls
		r.sess = r.srv.cfg.Engine.Open(r.conn)
		r.sess.OnExpect(r.expect)
		if r.srv.cfg.Tap != nil {
			r.tap = r.srv.cfg.Tap.Open(r.conn.Client, r.conn.Server, r.conn.Start, r.listener.name())
		}
	})
}

// data gives bytes to tap and session, in one order for both.
func (r *relay) data(dir dissect.Dir, b []byte, at record.Stamp) {
	r.mu.Lock()
	if r.tap != nil {
		r.tap.Data(dir, b, at.Time)
	}
	r.sess.Data(dir, b, at)
	notes := r.notes
	r.notes = nil
	r.mu.Unlock()
	for _, n := range notes {
		r.anomaly(n.Code, n.dir, n.Detail)
	}
}

// eof ends a direction for tap and session.
func (r *relay) eof(dir dissect.Dir, at record.Stamp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tap != nil {
		r.tap.EOF(dir, at.Time)
	}
	r.sess.EOF(dir, at)
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
	r.lastByte.Store(r.srv.cfg.Now().UnixNano())
	idle := time.AfterFunc(r.srv.cfg.Limits.Idle, r.checkIdle)
	defer idle.Stop()
	var wg sync.WaitGroup
	wg.Add(1)
	go r.pumpServer(&wg)
	r.pumps[dissect.ClientToServer].run()
	wg.Wait()
	close(r.stopped)
	r.closeLegs()
	r.begin(false)
	at := record.Stamp{Time: r.srv.cfg.Now()}
	if r.end == "" {
		r.end = record.EndClosed
	}
	r.sess.Close(r.end, r.by, at)
	if r.tap != nil {
		r.tap.Close(r.end, r.by, at.Time)
	}
	if r.ftp != nil {
		r.ftp.close()
	}
	r.srv.count(r)
}

func (r *relay) pumpServer(wg *sync.WaitGroup) {
	defer wg.Done()
	r.pumps[dissect.ServerToClient].run()
}

// checkIdle ends a relay over which nothing came for the idle limit.
func (r *relay) checkIdle() {
	select {
	case <-r.stopped:
		return
	default:
	}
	limit := r.srv.cfg.Limits.Idle
	silent := time.Duration(r.srv.cfg.Now().UnixNano() - r.lastByte.Load())
	if silent >= limit {
		r.ended(record.EndTimeout, "")
		r.closeLegs()
		return
	}
	time.AfterFunc(limit-silent, r.checkIdle)
}

// ended notes how the connection ended; the first word counts.
func (r *relay) ended(end, by string) {
	r.endOnce.Do(func() { r.end, r.by = end, by })
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
		p.source().Close()
	}
}

func (s *Server) count(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.ClientBytes += r.pumps[dissect.ClientToServer].given
	s.stats.ServerBytes += r.pumps[dissect.ServerToClient].given
}
