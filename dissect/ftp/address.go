package ftp

import (
	"bytes"
	"net/netip"
	"strconv"
)

// address is where a data connection is announced, and where that stands.
type address struct {
	ok       bool
	at       netip.AddrPort // the zero Addr when only a port is given
	from, to int64          // offsets of the text; on its own: inside of it
}

// parseAddress reads the argument of PORT, EPRT or LPRT.
func parseAddress(command string, arg []byte) address {
	switch command {
	case "PORT":
		return hostPort(arg)
	case "EPRT":
		return extended(arg)
	case "LPRT":
		return longHostPort(arg)
	}
	return address{}
}

// findAddress looks for the announced address in a line of a reply. Servers
// write anything around it, some leave the parentheses out (RFC 1123, section
// 4.1.2.6).
func findAddress(code int, line []byte) address {
	var parse func([]byte) address
	switch code {
	case 227:
		parse = hostPort
	case 228:
		parse = longHostPort
	case 229:
		parse = extended
	default:
		return address{}
	}
	for i := range line {
		// A number is tried at its first digit only; "=10,0,0,1,4,5" is known
		// as well as "(10,0,0,1,4,5)".
		if code != 229 && (!digit(line[i]) || i > 0 && digit(line[i-1])) {
			continue
		}
		if code == 229 && line[i] != '(' {
			continue
		}
		at := i
		if code == 229 {
			at++
		}
		if a := parse(line[at:]); a.ok {
			a.from += int64(at)
			a.to += int64(at)
			return a
		}
	}
	return address{}
}

// numbers reads up to max bytes written in decimal with commas between, and
// how much text they take.
func numbers(b []byte, max int) (n []byte, used int) {
	for len(n) < max {
		at := used
		if len(n) > 0 {
			if at >= len(b) || b[at] != ',' {
				break
			}
			at++
			// Some clients put a space behind the comma.
			for at < len(b) && b[at] == ' ' {
				at++
			}
		}
		end, v := at, 0
		for end < len(b) && digit(b[end]) && end-at < 4 {
			v = v*10 + int(b[end]-'0')
			end++
		}
		if end == at || v > 255 {
			break
		}
		n, used = append(n, byte(v)), end
	}
	return n, used
}

// hostPort reads h1,h2,h3,h4,p1,p2 (RFC 959, section 4.1.2).
func hostPort(b []byte) address {
	n, used := numbers(b, 6)
	if len(n) != 6 {
		return address{}
	}
	addr := netip.AddrFrom4([4]byte(n[:4]))
	return address{ok: true, at: netip.AddrPortFrom(addr, uint16(n[4])<<8|uint16(n[5])), to: int64(used)}
}

// longHostPort reads af,hal,h1,...,pal,p1,p2 (RFC 1639, section 2).
func longHostPort(b []byte) address {
	n, used := numbers(b, 21)
	var size int
	switch {
	case len(n) >= 9 && n[0] == 4 && n[1] == 4:
		size = 4
	case len(n) >= 21 && n[0] == 6 && n[1] == 16:
		size = 16
	default:
		return address{}
	}
	host, port := n[2:2+size], n[2+size:]
	if port[0] != 2 {
		return address{}
	}
	if len(n) > size+5 {
		_, used = numbers(b, size+5)
	}
	addr, _ := netip.AddrFromSlice(host)
	return address{ok: true, at: netip.AddrPortFrom(addr, uint16(port[1])<<8|uint16(port[2])), to: int64(used)}
}

// extended reads |af|address|port| with any printable delimiter; the reply to
// EPSV leaves the first two empty (RFC 2428, sections 2 and 3).
func extended(b []byte) address {
	if len(b) == 0 || b[0] < 33 || b[0] > 126 {
		return address{}
	}
	parts := bytes.SplitN(b, b[:1], 5)
	if len(parts) < 5 {
		return address{}
	}
	port, err := strconv.ParseUint(string(parts[3]), 10, 16)
	if err != nil {
		return address{}
	}
	var addr netip.Addr
	if len(parts[2]) > 0 {
		if addr, err = netip.ParseAddr(string(parts[2])); err != nil {
			return address{}
		}
	}
	used := 4 + len(parts[1]) + len(parts[2]) + len(parts[3])
	return address{ok: true, at: netip.AddrPortFrom(addr.WithZone(""), uint16(port)), to: int64(used)}
}

// simplePort reads the reply to SPSV, which is nothing but a port.
func simplePort(b []byte) address {
	i := 0
	for i < len(b) && !digit(b[i]) {
		i++
	}
	end := i
	for end < len(b) && digit(b[end]) {
		end++
	}
	port, err := strconv.ParseUint(string(b[i:end]), 10, 16)
	if err != nil {
		return address{}
	}
	return address{ok: true, at: netip.AddrPortFrom(netip.Addr{}, uint16(port)), from: int64(i), to: int64(end)}
}
