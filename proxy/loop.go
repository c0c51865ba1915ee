package proxy

import (
	"errors"
	"net"
	"net/netip"
)

// The firewall brings to a transparent listener what it is told to, and so,
// where it cannot tell them from others, the proxy's own connections to
// upstreams too. Such a connection arrives from the very address that the proxy
// calls from, on its way to the very address that the proxy calls: both
// together, since programs of this host may have the same port towards others.

// ends are the two addresses of a connection, as its caller knows them.
type ends struct{ from, to netip.AddrPort }

var errLoop = errors.New("proxy: the firewall brings the proxy's own connections back to it; they are to be left alone by their mark, which needs root or CAP_NET_ADMIN, or by the proxy's user (sniff proxy setup --uid)")

// brought notes a connection that the firewall brought, and reports whether it
// is one of the proxy's own.
func (s *Server) brought(e ends) (loop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers[e] = true
	return s.calling[e]
}

func (s *Server) left(e ends) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.callers, e)
}

// calls notes a connection to an upstream, and reports whether it has come back
// already.
func (s *Server) calls(e ends) (loop bool) {
	if !s.transparent {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calling[e] = true
	return s.callers[e]
}

// endsOf are the addresses of a connection that this host has made.
func endsOf(c net.Conn) ends {
	return ends{from: addrPort(c.LocalAddr()), to: addrPort(c.RemoteAddr())}
}
