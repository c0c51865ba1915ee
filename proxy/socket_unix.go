//go:build unix

package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// inline has urgent data read in its place in the stream (RFC 6093): FTP
// clients send the last byte of ABOR that way, and it would be lost otherwise.
func inline(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	})
}
