package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // keyword or name
	tokNumber           // 25, 0x19, 031
	tokIPv4             // also short: 10.1
	tokIPv6
	tokMAC
	tokOp
)

type token struct {
	kind    tokenKind
	text    string
	pos     int
	escaped bool // \name: never a keyword
	number  uint32
	addr    netip.Addr
	bits    int // of tokIPv4: how many bits were written
	mac     [6]byte
}

func (t token) String() string {
	if t.kind == tokEnd {
		return "end of expression"
	}
	return strconv.Quote(t.text)
}

// operators, longest first.
var operators = [...]string{"&&", "||", "<<", ">>", "<=", ">=", "==", "!=",
	"(", ")", "[", "]", ":", "+", "-", "*", "/", "%", "&", "|", "^", "<", ">", "=", "!"}

// lex splits an expression. Colons, dots and hyphens belong to words, as in
// addresses and in tcp-syn; but between brackets a colon stands before a size.
func lex(text string) ([]token, error) {
	var tokens []token
	brackets := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		start, escaped := i, false
		if c == '\\' {
			escaped = true
			i++
		}
		if i < len(text) && (isWordByte(text[i]) || brackets == 0 && strings.HasPrefix(text[i:], "::")) {
			from := i
			letter := !isDigit(text[i])
			for i < len(text) {
				switch b := text[i]; {
				case isWordByte(b):
				case brackets == 0 && (b == '.' || b == ':' || b == '-'):
				case brackets > 0 && letter && b == '-':
				default:
					goto word
				}
				i++
			}
		word:
			// A hyphen or dot at the end does not belong to the word.
			for i > from+1 && (text[i-1] == '-' || text[i-1] == '.') {
				i--
			}
			t, err := classify(text[from:i], escaped)
			if err != nil {
				return nil, &Error{text, start, err.Error()}
			}
			t.pos = start
			tokens = append(tokens, t)
			continue
		}
		if escaped {
			return nil, &Error{text, start, "a name must follow the backslash"}
		}
		op := ""
		for _, o := range operators {
			if strings.HasPrefix(text[i:], o) {
				op = o
				break
			}
		}
		switch op {
		case "":
			return nil, &Error{text, start, fmt.Sprintf("unexpected character %q", text[i])}
		case "[":
			brackets++
		case "]":
			brackets--
		}
		tokens = append(tokens, token{kind: tokOp, text: op, pos: start})
		i += len(op)
	}
	return append(tokens, token{kind: tokEnd, pos: len(text)}), nil
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isWordByte(b byte) bool {
	return isDigit(b) || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || b == '_'
}

// classify finds out what a word is.
func classify(w string, escaped bool) (token, error) {
	t := token{kind: tokWord, text: w, escaped: escaped}
	if escaped {
		return t, nil
	}
	if mac, ok := parseMAC(w); ok {
		t.kind, t.mac = tokMAC, mac
		return t, nil
	}
	if strings.Count(w, ":") >= 2 {
		addr, err := netip.ParseAddr(w)
		if err != nil {
			return t, fmt.Errorf("%q is no IPv6 address", w)
		}
		t.kind, t.addr = tokIPv6, addr
		return t, nil
	}
	if !isDigit(w[0]) {
		return t, nil
	}
	if strings.Trim(w, "0123456789.") == "" && strings.Contains(w, ".") {
		return shortIPv4(t)
	}
	if strings.Trim(w, "0123456789abcdefABCDEFxX") == "" {
		if n, err := strconv.ParseUint(w, 0, 64); err == nil {
			if n > 0xffffffff {
				return t, fmt.Errorf("number %s does not fit into 32 bits", w)
			}
			t.kind, t.number = tokNumber, uint32(n)
			return t, nil
		}
	}
	return t, nil // a name, or a range of ports
}

// shortIPv4 reads addresses of two to four parts; missing parts are zero.
func shortIPv4(t token) (token, error) {
	parts := strings.Split(t.text, ".")
	if len(parts) > 4 {
		return t, fmt.Errorf("%q is no IPv4 address", t.text)
	}
	var a [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return t, fmt.Errorf("%q is no IPv4 address", t.text)
		}
		a[i] = byte(n)
	}
	t.kind, t.addr, t.bits = tokIPv4, netip.AddrFrom4(a), 8*len(parts)
	return t, nil
}

// parseMAC reads six groups of one or two hexadecimal digits between colons,
// hyphens or dots, or three groups of four.
func parseMAC(w string) (mac [6]byte, ok bool) {
	for _, sep := range []string{":", "-", "."} {
		groups := strings.Split(w, sep)
		switch len(groups) {
		case 6:
			for i, g := range groups {
				n, err := strconv.ParseUint(g, 16, 8)
				if err != nil || len(g) > 2 {
					return mac, false
				}
				mac[i] = byte(n)
			}
			return mac, true
		case 3:
			for i, g := range groups {
				n, err := strconv.ParseUint(g, 16, 16)
				if err != nil || len(g) != 4 {
					return mac, false
				}
				mac[2*i], mac[2*i+1] = byte(n>>8), byte(n)
			}
			return mac, true
		}
	}
	return mac, false
}
