package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// The PROXY protocol (haproxy's proxy-protocol.txt, versions 1 and 2) tells a
// server who called, when a relay stands in between.

// signature2 opens a header of version 2.
const signature2 = "\r\n\r\n\x00\r\nQUIT\n"

// maxHeader1 is the longest header of version 1, with its line end.
const maxHeader1 = 107

// headed is a connection behind a PROXY header: the caller's address is the
// one that the header names.
type headed struct {
	net.Conn
	in     *bufio.Reader
	client net.Addr
}

func (c *headed) RemoteAddr() net.Addr { return c.client }
func (c *headed) NetConn() net.Conn    { return c.Conn }
func (c *headed) CloseWrite() error    { closeWrite(c.Conn); return nil }

func (c *headed) Read(b []byte) (int, error) {
	if c.in == nil {
		return c.Conn.Read(b)
	}
	if c.in.Buffered() == 0 {
		c.in = nil
		return c.Conn.Read(b)
	}
	return c.in.Read(b)
}

// acceptHeader reads the header in front of a connection. The spoken address
// is believed, because the listener was told to.
func acceptHeader(c net.Conn, limit time.Duration) (net.Conn, error) {
	_ = c.SetDeadline(time.Now().Add(limit))
	in := bufio.NewReaderSize(c, 1024)
	first, err := in.Peek(1)
	if err != nil {
		return nil, fmt.Errorf("proxy: no PROXY protocol header came: %w", err)
	}
	var client netip.AddrPort
	if first[0] == 'P' {
		client, err = header1(in)
	} else {
		client, err = header2(in)
	}
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	h := &headed{Conn: c, in: in, client: c.RemoteAddr()}
	if client.IsValid() {
		h.client = net.TCPAddrFromAddrPort(client)
	}
	return h, nil
}

var errHeader = errors.New("proxy: what came first is no PROXY protocol header, or a damaged one")

func header1(in *bufio.Reader) (netip.AddrPort, error) {
	var line []byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		b, err := in.ReadByte()
		if err != nil || len(line) == maxHeader1 {
			return netip.AddrPort{}, errHeader
		}
		line = append(line, b)
	}
	f := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	if len(f) >= 2 && f[0] == "PROXY" && f[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(f) != 6 || f[0] != "PROXY" || f[1] != "TCP4" && f[1] != "TCP6" {
		return netip.AddrPort{}, errHeader
	}
	ap, err := netip.ParseAddrPort(net.JoinHostPort(f[2], f[4]))
	_, toErr := netip.ParseAddrPort(net.JoinHostPort(f[3], f[5]))
	if err != nil || toErr != nil || ap.Addr().Is4() != (f[1] == "TCP4") {
		return netip.AddrPort{}, errHeader
	}
	return ap, nil
}

func header2(in *bufio.Reader) (netip.AddrPort, error) {
	var head [16]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:12]) != signature2 || head[12]>>4 != 2 {
		return netip.AddrPort{}, errHeader
	}
	body := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if _, err := io.ReadFull(in, body); err != nil {
		return netip.AddrPort{}, errHeader
	}
	if head[12]&0xf == 0 { // LOCAL: the caller speaks for itself
		return netip.AddrPort{}, nil
	}
	switch {
	case head[13] == 0x11 && len(body) >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:])), nil
	case head[13] == 0x21 && len(body) >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)), binary.BigEndian.Uint16(body[32:])), nil
	case head[13]>>4 == 0 || head[13]>>4 == 3: // unspecified, or a Unix socket
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, errHeader
}

// header writes a header of version 1 or 2 that names client and server.
func header(version int, client, server netip.AddrPort) []byte {
	four := client.Addr().Is4() && server.Addr().Is4()
	if version == 1 {
		family := "TCP6"
		if four {
			family = "TCP4"
		}
		return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, inFamily(client.Addr(), four), inFamily(server.Addr(), four), client.Port(), server.Port())
	}
	b := append([]byte(signature2), 0x21, 0x11, 0, 12)
	if !four {
		b[13], b[15] = 0x21, 36
	}
	b = append(b, inFamily(client.Addr(), four).AsSlice()...)
	b = append(b, inFamily(server.Addr(), four).AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, client.Port())
	return binary.BigEndian.AppendUint16(b, server.Port())
}

// inFamily writes an IPv4 address as an IPv6 one when the other is IPv6.
func inFamily(a netip.Addr, four bool) netip.Addr {
	if four {
		return a
	}
	return netip.AddrFrom16(a.As16())
}
