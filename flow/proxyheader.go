package flow

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// The PROXY protocol (haproxy's proxy-protocol.txt, sections 2.1 and 2.2): a
// load balancer puts one header in front of the client's bytes that names the
// client it speaks for.

// maxProxyV1 is the longest header of version 1, its CRLF included.
const maxProxyV1 = 107

var (
	proxyV1 = []byte("PROXY ")
	proxyV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// readProxyHeader records and skips a header in front of the client's bytes.
// It returns false while the header may still come.
func (st *stage) readProxyHeader() bool {
	p := st.probe
	if len(p.in.Client) == 0 {
		// A server that spoke first did not wait for a header.
		return p.size[dissect.ServerToClient] > 0
	}
	h, n, more := parseProxyHeader(p.in.Client)
	if more && !p.frozen[dissect.ClientToServer] {
		return false
	}
	p.header = false
	if n > 0 {
		st.s.rec.proxied = h
		st.s.rec.layers = append(st.s.rec.layers, "proxy")
		st.dirs[dissect.ClientToServer].read += int64(n)
		p.skip(n)
	}
	return true
}

// parseProxyHeader reads a header of either version. n is its length, 0 if
// there is none; more says that b is too short to tell.
func parseProxyHeader(b []byte) (h *record.ProxyHeader, n int, more bool) {
	switch {
	case hasPrefix(b, proxyV1):
		return parseProxyV1(b)
	case hasPrefix(b, proxyV2):
		return parseProxyV2(b)
	}
	return nil, 0, false
}

// hasPrefix reports whether b begins with prefix, or with as much of it as b
// can hold.
func hasPrefix(b, prefix []byte) bool {
	return bytes.HasPrefix(b, prefix[:min(len(prefix), len(b))])
}

// parseProxyV1 reads "PROXY TCP4 src dst sport dport CRLF"; UNKNOWN may be
// followed by anything.
func parseProxyV1(b []byte) (*record.ProxyHeader, int, bool) {
	end := bytes.Index(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	if end < 0 {
		return nil, 0, len(b) < maxProxyV1
	}
	f := strings.Split(string(b[:end]), " ")
	h := &record.ProxyHeader{Version: 1}
	switch {
	case len(f) >= 2 && f[1] == "UNKNOWN":
		return h, end + 2, false
	case len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6":
		return nil, 0, false
	}
	var err1, err2 error
	h.Source, err1 = joinAddrPort(f[2], f[4])
	h.Destination, err2 = joinAddrPort(f[3], f[5])
	if err1 != nil || err2 != nil {
		return nil, 0, false
	}
	return h, end + 2, false
}

func joinAddrPort(addr, port string) (netip.AddrPort, error) {
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	return netip.ParseAddrPort(addr + ":" + port)
}

// parseProxyV2 reads the binary header. LOCAL (the balancer's own health
// check) and address families other than IP carry no addresses for us.
func parseProxyV2(b []byte) (*record.ProxyHeader, int, bool) {
	const fixed = 16
	if len(b) < fixed {
		return nil, 0, true
	}
	command, family := b[12], b[13]
	if command>>4 != 2 || command&0xf > 1 {
		return nil, 0, false
	}
	n := fixed + int(binary.BigEndian.Uint16(b[14:]))
	if n > probeWindow {
		return nil, 0, false
	}
	if len(b) < n {
		return nil, 0, true
	}
	h := &record.ProxyHeader{Version: 2}
	body := b[fixed:n]
	size := map[byte]int{1: 4, 2: 16}[family>>4]
	if command&0xf == 1 && size > 0 && len(body) >= 2*size+4 {
		src, _ := netip.AddrFromSlice(body[:size])
		dst, _ := netip.AddrFromSlice(body[size : 2*size])
		h.Source = netip.AddrPortFrom(src, binary.BigEndian.Uint16(body[2*size:]))
		h.Destination = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(body[2*size+2:]))
	}
	return h, n, false
}
