package ftp

import (
	"path"
	"strings"
	"unicode/utf8"
)

// text makes a string of bytes from the wire. Bytes that are no UTF-8 are
// written \xNN, so that a legacy charset loses nothing; a backslash stands
// for itself.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	const hex = "0123456789abcdef"
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			s.WriteString(`\x`)
			s.WriteByte(hex[b[0]>>4])
			s.WriteByte(hex[b[0]&15])
		} else {
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}

// join gives the absolute path of name in the folder dir. A server that
// speaks of drives or backslashes is taken at its word.
func join(dir, name string) string {
	switch {
	case name == "":
		return dir
	case strings.HasPrefix(name, "/"):
		return path.Clean(name)
	case len(name) > 1 && name[1] == ':' || strings.HasPrefix(name, `\`):
		return name
	case strings.HasPrefix(name, "~"):
		return path.Clean(name)
	case strings.HasPrefix(dir, "~"):
		// The parent of the login directory has no known name: a path that
		// climbs out of it stays as it was put together.
		if p := path.Join(dir, name); strings.HasPrefix(p, "~") {
			return p
		}
		return dir + "/" + name
	}
	return path.Join(dir, name)
}

// unquote reads a name in double quotes in which a doubled quote stands for
// one (RFC 959, appendix II: 257 "directory"). ok is false without a quote.
func unquote(s string) (name string, ok bool) {
	_, s, ok = strings.Cut(s, `"`)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return "", false
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if !strings.HasPrefix(s, `"`) {
			return b.String(), true
		}
		b.WriteByte('"')
		s = s[1:]
	}
}
