package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// serveSOCKS speaks SOCKS5 (RFC 1928) without authentication, or SOCKS4 and
// 4a, learns the target and relays. Only CONNECT is offered.
func (s *Server) serveSOCKS(c net.Conn, l *Listener) {
	_ = c.SetDeadline(time.Now().Add(s.cfg.Limits.Handshake))
	in := bufio.NewReaderSize(c, 1024)
	version, err := in.ReadByte()
	if err != nil {
		return
	}
	var t target
	switch version {
	case 4:
		t, err = socks4(c, in)
	case 5:
		t, err = socks5(c, in)
	case 'C', 'D', 'G', 'H', 'O', 'P', 'T':
		err = errors.New("proxy: the client speaks HTTP; --mode http is the way in for that")
	default:
		err = fmt.Errorf("proxy: first byte %#02x is no SOCKS version", version)
	}
	if err != nil {
		s.cfg.Log.Warn("SOCKS dialogue failed", "client", c.RemoteAddr(), "listener", l.name(), "err", err)
		return
	}
	t.early, _ = in.Peek(in.Buffered())
	s.relayTo(c, l, t)
}

func socks4(c net.Conn, in *bufio.Reader) (target, error) {
	var head [7]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return target{}, err
	}
	if _, err := readZ(in); err != nil { // user id
		return target{}, err
	}
	if head[0] != 1 {
		_, _ = c.Write([]byte{0, 91, 0, 0, 0, 0, 0, 0})
		return target{}, fmt.Errorf("proxy: SOCKS4 command %d is not offered, only CONNECT", head[0])
	}
	ip := netip.AddrFrom4([4]byte(head[3:7]))
	host := ip.String()
	// SOCKS4a: an address 0.0.0.x says that a name follows.
	if b := ip.As4(); b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] != 0 {
		name, err := readZ(in)
		if err != nil {
			return target{}, err
		}
		host = name
	}
	return target{
		address: net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(head[1:3])))),
		connected: func(_ net.Conn, err error) error {
			code := byte(90)
			if err != nil {
				code = 91
			}
			_, e := c.Write([]byte{0, code, 0, 0, 0, 0, 0, 0})
			_ = c.SetDeadline(time.Time{})
			return e
		},
	}, nil
}

// readZ reads a string that ends with a zero byte, 255 bytes at most.
func readZ(in *bufio.Reader) (string, error) {
	var b []byte
	for len(b) < 256 {
		x, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		if x == 0 {
			return string(b), nil
		}
		b = append(b, x)
	}
	return "", errors.New("proxy: SOCKS4 string is too long")
}

func socks5(c net.Conn, in *bufio.Reader) (target, error) {
	n, err := in.ReadByte()
	if err != nil {
		return target{}, err
	}
	methods := make([]byte, n)
	if _, err := io.ReadFull(in, methods); err != nil {
		return target{}, err
	}
	offered := false
	for _, m := range methods {
		offered = offered || m == 0
	}
	if !offered {
		_, _ = c.Write([]byte{5, 0xff})
		return target{}, errors.New("proxy: the client offers no SOCKS5 method without authentication")
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return target{}, err
	}
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return target{}, err
	}
	var host string
	switch head[3] {
	case 1:
		var a [4]byte
		_, err = io.ReadFull(in, a[:])
		host = netip.AddrFrom4(a).String()
	case 4:
		var a [16]byte
		_, err = io.ReadFull(in, a[:])
		host = netip.AddrFrom16(a).Unmap().String()
	case 3:
		var size byte
		if size, err = in.ReadByte(); err == nil {
			name := make([]byte, size)
			_, err = io.ReadFull(in, name)
			host = string(name)
		}
	default:
		_ = socks5Reply(c, 8, nil)
		return target{}, fmt.Errorf("proxy: SOCKS5 address type %d is not known", head[3])
	}
	if err != nil {
		return target{}, err
	}
	var port [2]byte
	if _, err := io.ReadFull(in, port[:]); err != nil {
		return target{}, err
	}
	if head[0] != 5 || head[1] != 1 {
		_ = socks5Reply(c, 7, nil)
		return target{}, fmt.Errorf("proxy: SOCKS5 command %d is not offered, only CONNECT", head[1])
	}
	return target{
		address: net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:])))),
		connected: func(up net.Conn, err error) error {
			e := socks5Reply(c, socks5Code(err), up)
			_ = c.SetDeadline(time.Time{})
			return e
		},
	}, nil
}

// socks5Code translates a dial error: RFC 1928, section 6.
func socks5Code(err error) byte {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSelf):
		return 2
	case errors.Is(err, syscall.ENETUNREACH):
		return 3
	case errors.Is(err, syscall.EHOSTUNREACH):
		return 4
	case errors.Is(err, syscall.ECONNREFUSED):
		return 5
	}
	return 1
}

func socks5Reply(c net.Conn, code byte, up net.Conn) error {
	b := []byte{5, code, 0}
	bound := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if up != nil {
		bound = addrPort(up.LocalAddr())
	}
	if bound.Addr().Is4() {
		b = append(b, 1)
	} else {
		b = append(b, 4)
	}
	b = append(b, bound.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, bound.Port())
	_, err := c.Write(b)
	return err
}
