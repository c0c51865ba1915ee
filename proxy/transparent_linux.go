package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serveTransparent relays a connection that the firewall redirected here: the
// kernel knows where it was going (SO_ORIGINAL_DST for REDIRECT; for TPROXY
// the local address is the original one).
func (s *Server) serveTransparent(c net.Conn, l *Listener) {
	dst, err := originalDestination(rawConn(c).(*net.TCPConn))
	if err != nil {
		dst = addrPort(c.LocalAddr())
	}
	s.mu.Lock()
	own := s.own[dst]
	s.mu.Unlock()
	if own {
		s.cfg.Log.Warn("connection was not redirected by the firewall", "client", c.RemoteAddr(), "listener", l.name())
		abort(c)
		return
	}
	e := ends{from: addrPort(c.RemoteAddr()), to: dst}
	defer s.left(e)
	if s.brought(e) {
		s.unreached(c, l, target{address: dst.String()}, errLoop)
		return
	}
	if d := s.claim(addrPort(c.RemoteAddr()).Addr(), dst.String()); d != nil {
		d.carry(c)
		return
	}
	s.relayTo(c, l, target{address: dst.String()})
}

// transparentSocket lets a listener take connections to addresses that are not
// this host's (TPROXY). Without the right to, REDIRECT still works.
func transparentSocket(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
		if network == "tcp6" {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
		}
	})
}

// markSocket marks a connection of the proxy's own, so that the firewall leaves
// it alone. Without the right to, the proxy's user must do (Redirect.UID), and a
// loop is noticed.
func markSocket(network, address string, c syscall.RawConn) error {
	if err := inline(network, address, c); err != nil {
		return err
	}
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, Mark)
	})
}

// originalDestination asks netfilter for the address before redirection.
func originalDestination(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	v6 := addrPort(c.LocalAddr()).Addr().Is6()
	var ap netip.AddrPort
	var sysErr error
	err = raw.Control(func(fd uintptr) {
		if v6 {
			var sa unix.RawSockaddrInet6
			sysErr = getsockopt(fd, unix.SOL_IPV6, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
			ap = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), networkPort(sa.Port))
			return
		}
		var sa unix.RawSockaddrInet4
		sysErr = getsockopt(fd, unix.SOL_IP, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
		ap = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), networkPort(sa.Port))
	})
	if err == nil {
		err = sysErr
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("proxy: original destination: %w", err)
	}
	return ap, nil
}

// originalDst is SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and for IPv6
// IP6T_SO_ORIGINAL_DST.
const originalDst = 80

func getsockopt(fd uintptr, level int, p unsafe.Pointer, size uintptr) error {
	n := uint32(size)
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), originalDst, uintptr(p), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 {
		return e
	}
	return nil
}

// networkPort turns a port in network byte order, read as a native number,
// into a number.
func networkPort(p uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], p)
	return binary.BigEndian.Uint16(b[:])
}
