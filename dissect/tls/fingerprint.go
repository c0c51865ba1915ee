package tls

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ja3 returns the JA3 string of a ClientHello: version, suites, extensions,
// groups and point formats, decimal, without GREASE.
func (h *hello) ja3() string {
	points := make([]uint16, len(h.points))
	for i, p := range h.points {
		points[i] = uint16(p)
	}
	return strings.Join([]string{
		strconv.Itoa(int(h.legacy)), decimal(h.suites), decimal(h.extensions), decimal(h.groups), decimal(points),
	}, ",")
}

// ja3s returns the JA3S string of a ServerHello.
func (h *hello) ja3s() string {
	return strconv.Itoa(int(h.legacy)) + "," + decimal(h.suites) + "," + decimal(h.extensions)
}

func digestMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func decimal(list []uint16) string {
	var b strings.Builder
	for _, v := range list {
		if isGREASE(v) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('-')
		}
		b.WriteString(strconv.Itoa(int(v)))
	}
	return b.String()
}

// ja4 returns the JA4 of a ClientHello over TCP, and the string before
// hashing (JA4_r).
func (h *hello) ja4() (hash, raw string) {
	version := h.legacy
	if len(h.versions) > 0 {
		version = 0
		for _, v := range h.versions {
			if !isGREASE(v) {
				version = max(version, v)
			}
		}
	}
	sni := "i"
	if h.has(extServerName) {
		sni = "d"
	}
	suites, extensions, sorted := hexList(h.suites), hexList(h.extensions), []string(nil)
	for _, e := range extensions {
		if e != "0000" && e != "0010" {
			sorted = append(sorted, e)
		}
	}
	front := fmt.Sprintf("t%s%s%02d%02d%s", ja4Version(version), sni, min(len(suites), 99), min(len(extensions), 99), h.ja4ALPN())
	slices.Sort(suites)
	slices.Sort(sorted)
	b := strings.Join(suites, ",")
	c := strings.Join(sorted, ",")
	if s := hexList(h.signatures); len(s) > 0 && c != "" {
		c += "_" + strings.Join(s, ",")
	}
	return front + "_" + ja4Digest(b) + "_" + ja4Digest(c), front + "_" + b + "_" + c
}

func ja4Version(v uint16) string {
	switch v {
	case versionTLS13:
		return "13"
	case versionTLS12:
		return "12"
	case versionTLS11:
		return "11"
	case versionTLS10:
		return "10"
	case versionSSL3:
		return "s3"
	case versionSSL2:
		return "s2"
	}
	return "00"
}

// ja4ALPN is the first and last character of the first protocol; those that
// are not alphanumeric go by the first and last digit of the hexadecimal form.
func (h *hello) ja4ALPN() string {
	if len(h.alpn) == 0 || h.alpn[0] == "" {
		return "00"
	}
	p := h.alpn[0]
	first, last := p[0], p[len(p)-1]
	if alphanumeric(first) && alphanumeric(last) {
		return string([]byte{first, last})
	}
	x := hex.EncodeToString([]byte(p))
	return x[:1] + x[len(x)-1:]
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func hexList(list []uint16) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if !isGREASE(v) {
			out = append(out, fmt.Sprintf("%04x", v))
		}
	}
	return out
}

func ja4Digest(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
