package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// listen opens one listener and starts its accept loop.
func (s *Server) listen(l *Listener) error {
	if l.Mode == "" {
		l.Mode = Reverse
	}
	if l.TLS == "" {
		l.TLS = Intercept
	}
	if l.Mode == Reverse {
		to, implicit := strings.CutPrefix(l.To, tlsScheme)
		if implicit && l.TLS != Strip {
			return fmt.Errorf("proxy: listener %s: %s means that the proxy begins with TLS, which goes with --tls strip only", l.Listen, l.To)
		}
		if _, _, err := net.SplitHostPort(to); err != nil {
			return fmt.Errorf("proxy: listener %s: where to relay to: %w", l.Listen, err)
		}
	}
	var how net.ListenConfig
	if l.Mode == Transparent {
		how.Control = transparentSocket
	}
	ln, err := how.Listen(s.ctx, "tcp", l.Listen)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	s.listeners = append(s.listeners, ln)
	s.mu.Lock()
	s.own[addrPort(ln.Addr())] = true
	s.mu.Unlock()
	s.wg.Add(1)
	go s.acceptLoop(ln, l)
	return nil
}

func (s *Server) acceptLoop(ln net.Listener, l *Listener) {
	defer s.wg.Done()
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: it passes when others end.
			s.cfg.Log.Error("accept", "listener", l.name(), "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-s.ctx.Done():
				return
			}
			continue
		}
		if raw, err := c.(*net.TCPConn).SyscallConn(); err == nil {
			_ = inline("", "", raw)
		}
		if why := s.admit(c, l); why != "" {
			s.cfg.Log.Warn("connection refused", "client", c.RemoteAddr(), "listener", l.name(), "why", why)
			abort(c)
			continue
		}
		s.wg.Add(1)
		go s.serve(newLeg(c), l)
	}
}

// admit checks who may connect and how often; "" lets the connection in.
func (s *Server) admit(c net.Conn, l *Listener) string {
	client := addrPort(c.RemoteAddr()).Addr()
	allowed := client.IsLoopback()
	for _, p := range l.Allow {
		allowed = allowed || p.Contains(client)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !allowed:
		s.stats.Refused++
		return "the address is in no --allow range"
	// What FTP announces is connections too, and they count.
	case s.open >= s.cfg.Limits.Connections, len(s.conns) >= 2*s.cfg.Limits.Connections:
		s.stats.Refused++
		return fmt.Sprintf("%d connections are open, and no more may be (--max-connections)", s.cfg.Limits.Connections)
	case s.byClient[client] >= s.cfg.Limits.PerClient:
		s.stats.Refused++
		return fmt.Sprintf("this client has %d connections open, and no more may be (--max-per-client)", s.cfg.Limits.PerClient)
	}
	s.stats.Accepted++
	s.open++
	s.byClient[client]++
	return ""
}

func (s *Server) leave(client netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.byClient[client]--; s.byClient[client] <= 0 {
		delete(s.byClient, client)
	}
}

// serve carries one accepted connection from the way in to its end. A panic
// ends this connection only, and is reported as the bug that it is.
func (s *Server) serve(c net.Conn, l *Listener) {
	client := addrPort(c.RemoteAddr())
	defer s.wg.Done()
	defer s.leave(client.Addr())
	defer s.track(c)()
	defer c.Close()
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("bug: panic in a connection; please report it", "client", client, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if l.ProxyProtocolIn {
		h, err := acceptHeader(c, s.cfg.Limits.Handshake)
		if err != nil {
			s.mu.Lock()
			s.stats.Refused++
			s.mu.Unlock()
			s.cfg.Log.Warn("connection refused", "client", client, "listener", l.name(), "why", strings.TrimPrefix(err.Error(), "proxy: "),
				"hint", "with --proxy-protocol-in every caller begins with a PROXY protocol header; others need a listener without")
			abort(c)
			return
		}
		c = h
	}
	switch l.Mode {
	case SOCKS:
		s.serveSOCKS(c, l)
	case HTTPForward:
		s.serveHTTPForward(c, l)
	case Transparent:
		s.serveTransparent(c, l)
	default:
		s.relayTo(c, l, target{address: l.To})
	}
}

// target is where a connection wants to go.
type target struct {
	address string // host:port
	// early is what the client sent behind the dialogue of the way in.
	early []byte
	// connected tells the way in that the upstream answered, or why not.
	connected func(upstream net.Conn, err error) error
}

// dial connects to the target, by way of the listener's upstream proxy if it
// has one, and never to one of our own listeners.
func (s *Server) dial(l *Listener, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Limits.Dial)
	defer cancel()
	next := address
	if l.Via != nil {
		next = l.Via.url.Host
	}
	how := net.Dialer{Control: inline}
	if s.transparent {
		how.Control = markSocket
	}
	up, err := how.DialContext(ctx, "tcp", next)
	switch {
	case err != nil && l.Via != nil: // not the upstream itself, whatever kept it
		return nil, fmt.Errorf("upstream proxy %s was not reached: %s", l.Via, whyUnreached(err))
	case err != nil:
		return nil, err
	}
	up = newLeg(up)
	peer := addrPort(up.RemoteAddr())
	s.mu.Lock()
	here := peer.Addr().IsLoopback() || peer.Addr() == addrPort(up.LocalAddr()).Addr()
	own := s.own[peer] || here && (s.own[netip.AddrPortFrom(netip.IPv6Unspecified(), peer.Port())] || s.own[netip.AddrPortFrom(netip.IPv4Unspecified(), peer.Port())])
	s.mu.Unlock()
	switch {
	case s.calls(endsOf(up)):
		err = errLoop
	case own:
		err = errSelf
	case l.Via != nil:
		var through net.Conn
		if through, err = l.Via.connect(ctx, up, address); err == nil {
			return through, nil
		}
	}
	if err != nil {
		s.track(up)()
		up.Close()
		return nil, err
	}
	return up, nil
}

var errSelf = errors.New("proxy: the target is the proxy itself")

// abort closes a connection with a reset, as a peer sees a port that nobody
// listens on or a process that died.
func abort(c net.Conn) {
	if t, ok := rawConn(c).(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
