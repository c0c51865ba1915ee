//go:build !linux

package proxy

import "net"

// serveTransparent needs netfilter.
func (s *Server) serveTransparent(c net.Conn, l *Listener) {
	s.cfg.Log.Error("transparent mode works on Linux only", "listener", l.name())
	abort(c)
}
