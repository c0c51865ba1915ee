package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// stateClosed is TCP_CLOSE, the state of a socket behind a reset, or when both
// directions were closed (enum tcp_state of linux/tcp_states.h).
const stateClosed = 7

// gone reports whether nothing is left of a TCP connection.
func gone(c net.Conn) (yes bool) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		yes = err == nil && info.State == stateClosed
	})
	return yes
}
