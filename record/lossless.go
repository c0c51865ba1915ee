package record

import (
	"strings"
	"unicode/utf8"
)

// Lossless makes bytes from the wire fit for a record. Bytes that are no UTF-8
// are written \xNN, so that a legacy charset loses nothing; a backslash stands
// for itself.
func Lossless(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteString(`\x`)
			b.WriteByte(hex[s[0]>>4])
			b.WriteByte(hex[s[0]&15])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
