//go:build !unix

package proxy

import (
	"net"
	"syscall"
)

func inline(_, _ string, _ syscall.RawConn) error { return nil }

func pending(*net.TCPListener) bool { return false }
