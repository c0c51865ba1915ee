package ftp

import (
	"strings"

	"sniff/record"
)

// announcement is the size of a file, and what said it.
type announcement struct {
	size   int64
	source string
}

// remember keeps what was said of a file until it is moved.
func (s *session) remember(path string, a announcement, ok bool) {
	if !ok || a.size < 0 {
		return
	}
	if len(s.sizes) >= maxSizes {
		clear(s.sizes)
	}
	s.sizes[path] = a
}

// rememberFacts takes the size out of the facts that MLST gives (RFC 3659,
// section 7.2).
func (s *session) rememberFacts(path string, r *reply) {
	for _, l := range r.rec.Lines {
		e, ok := parseFacts(strings.TrimLeft(l, " "))
		if ok && e.Size >= 0 && e.Type == "file" {
			s.remember(path, announcement{e.Size, "MLST"}, true)
			return
		}
	}
}

// openingSize finds the size in the text of a 150 reply: "Opening BINARY mode
// data connection for a.iso (12345 bytes)."
func openingSize(r *record.FTPReply) (int64, bool) {
	for _, l := range r.Lines {
		for rest := l; ; {
			_, after, ok := strings.Cut(rest, "(")
			if !ok {
				break
			}
			digits := 0
			for digits < len(after) && digit(after[digits]) {
				digits++
			}
			if digits > 0 && strings.HasPrefix(after[digits:], " byte") {
				if n := leadingNumber(after); n >= 0 {
					return n, true
				}
			}
			rest = after
		}
	}
	return 0, false
}

// uniqueName finds the name that the server gave to a STOU: "150 FILE: name"
// (RFC 1123, section 4.1.2.9), or "unique file name: name" behind it.
func uniqueName(r *record.FTPReply) string {
	for _, l := range r.Lines {
		for _, mark := range []string{"FILE: ", "nique file name:"} {
			if _, name, ok := strings.Cut(l, mark); ok {
				return strings.Trim(name, " ().")
			}
		}
	}
	return ""
}

// leadingNumber reads the decimal number at the front of s, -1 without one or
// when it does not fit.
func leadingNumber(s string) int64 {
	s = strings.TrimLeft(s, " ")
	var n int64
	i := 0
	for ; i < len(s) && digit(s[i]); i++ {
		if n > (1<<63-1-9)/10 {
			return -1
		}
		n = n*10 + int64(s[i]-'0')
	}
	if i == 0 {
		return -1
	}
	return n
}

func lastLine(r *reply) string {
	if n := len(r.rec.Lines); n > 0 {
		return r.rec.Lines[n-1]
	}
	return ""
}
