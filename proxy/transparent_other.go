//go:build !linux

package proxy

import (
	"net"
	"syscall"
)

// serveTransparent needs netfilter.
func (s *Server) serveTransparent(c net.Conn, l *Listener) {
	s.cfg.Log.Error("transparent mode works on Linux only", "listener", l.name())
	abort(c)
}

func transparentSocket(_, _ string, _ syscall.RawConn) error { return nil }

func markSocket(network, address string, c syscall.RawConn) error { return inline(network, address, c) }
