package anonymise

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// permKey names one permutation: that of the values of an octet or group
// behind a prefix, among those of the same written length.
type permKey struct {
	prefix string
	length int
}

// permuted maps v to another value among members, which it is one of.
func (a *Anonymiser) permuted(prefix string, length, v int, members []int) int {
	k := permKey{prefix, length}
	perm := a.perms[k]
	if perm == nil {
		perm = slices.Clone(members)
		order := map[int]string{}
		for _, m := range members {
			order[m] = string(a.random(fmt.Sprintf("address %s %d", prefix, m), 8))
		}
		slices.SortFunc(perm, func(x, y int) int { return cmp.Compare(order[x], order[y]) })
		a.perms[k] = perm
	}
	i, _ := slices.BinarySearch(members, v)
	return perm[i]
}

// between lists the integers from..to.
func between(from, to int) []int {
	out := make([]int, 0, to-from+1)
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// Addr returns the stand-in of an address. Two addresses share as many octets
// (IPv6: groups of 16 bits) in front as their stand-ins do, and every octet
// keeps the number of its digits.
func (a *Anonymiser) Addr(ip netip.Addr) netip.Addr {
	if ip.Is4() || ip.Is4In6() {
		four := a.v4(ip.Unmap().As4())
		if ip.Is4In6() {
			return netip.AddrFrom16(netip.AddrFrom4(four).As16())
		}
		return netip.AddrFrom4(four)
	}
	return netip.AddrFrom16(a.v6(ip.As16()))
}

// v4 leaves alone what names no host: this network, loopback, multicast and
// what is reserved, and the prefixes of private networks (RFC 1918).
func (a *Anonymiser) v4(ip [4]byte) [4]byte {
	if ip[0] == 0 || ip[0] == 127 || ip[0] >= 224 {
		return ip
	}
	keep := 0
	switch {
	case ip[0] == 10:
		keep = 1
	case ip[0] == 172 && ip[1]&0xf0 == 16, ip[0] == 192 && ip[1] == 168, ip[0] == 169 && ip[1] == 254:
		keep = 2
	}
	out := ip
	for i := keep; i < 4; i++ {
		v := int(ip[i])
		length := len(strconv.Itoa(v))
		var members []int
		switch {
		case length == 1 && i == 0:
			members = between(1, 9)
		case length == 1:
			members = between(0, 9)
		case length == 2 && i == 0:
			members = between(11, 99)
		case length == 2:
			members = between(10, 99)
		case i == 0:
			members = slices.DeleteFunc(between(100, 223), func(v int) bool { return v == 127 })
		default:
			members = between(100, 255)
		}
		out[i] = byte(a.permuted("4 "+fmt.Sprint(ip[:i]), length, v, members))
	}
	return out
}

// v6 leaves alone loopback, multicast and the unspecified address, the first
// group of all, and groups of zeros, which the written form leaves out.
func (a *Anonymiser) v6(ip [16]byte) [16]byte {
	addr := netip.AddrFrom16(ip)
	if addr.IsLoopback() || addr.IsMulticast() || addr.IsUnspecified() {
		return ip
	}
	out := ip
	for i := 2; i < 16; i += 2 {
		v := int(ip[i])<<8 | int(ip[i+1])
		if v == 0 {
			continue
		}
		length := len(strconv.FormatInt(int64(v), 16))
		from, to := 1<<(4*(length-1)), 1<<(4*length)-1
		w := a.permuted("6 "+fmt.Sprintf("%x", ip[:i]), length, v, between(from, to))
		out[i], out[i+1] = byte(w>>8), byte(w)
	}
	return out
}

var (
	dottedQuad = regexp.MustCompile(`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`)
	// portNumbers is the argument of PORT and the address in a reply to PASV
	// (RFC 959, section 4.1.2).
	portNumbers = regexp.MustCompile(`\d{1,3},\d{1,3},\d{1,3},\d{1,3},\d{1,3},\d{1,3}`)
	colonGroups = regexp.MustCompile(`[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}`)
)

// addresses replaces the addresses that are written in b.
func (a *Anonymiser) addresses(b []byte) {
	if bytes.IndexByte(b, '.') >= 0 {
		for _, m := range dottedQuad.FindAllIndex(b, -1) {
			a.quad(b, m[0], m[1], ".")
		}
	}
	if bytes.IndexByte(b, ',') >= 0 {
		for _, m := range portNumbers.FindAllIndex(b, -1) {
			end := m[0]
			for range 4 {
				end += bytes.IndexByte(b[end:], ',') + 1
			}
			a.quad(b, m[0], end-1, ",")
		}
	}
	if bytes.IndexByte(b, ':') >= 0 {
		for _, m := range colonGroups.FindAllIndex(b, -1) {
			a.groups(b, m[0], m[1])
		}
	}
}

// bounded reports that no digit or letter stands beside b[from:to].
func bounded(b []byte, from, to int) bool {
	return (from == 0 || !wordByte(b[from-1])) && (to == len(b) || !wordByte(b[to]))
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

func (a *Anonymiser) quad(b []byte, from, to int, sep string) {
	ip, err := netip.ParseAddr(strings.ReplaceAll(string(b[from:to]), sep, "."))
	if err != nil || !bounded(b, from, to) {
		return
	}
	if now := strings.ReplaceAll(a.Addr(ip).String(), ".", sep); len(now) == to-from {
		copy(b[from:to], now)
	}
}

func (a *Anonymiser) groups(b []byte, from, to int) {
	ip, err := netip.ParseAddr(string(b[from:to]))
	if err != nil || !bounded(b, from, to) {
		return
	}
	now := a.Addr(ip).String()
	if strings.Contains(string(b[from:to]), "A") || strings.ToUpper(string(b[from:to])) == string(b[from:to]) {
		now = strings.ToUpper(now)
	}
	if len(now) == to-from {
		copy(b[from:to], now)
	}
}
