package content

import (
	"strings"

	"sniff/record"
)

// transferDecoder returns a sink that undoes a Content-Transfer-Encoding (RFC
// 2045, section 6) in front of next, or next itself.
func transferDecoder(rd *reading, c *record.Content, encoding string, next sink) sink {
	name := transferName(encoding)
	switch name {
	case "base64":
		undone(c, name)
		return newBase64(rd, c, next)
	case "quoted-printable":
		undone(c, name)
		return newQuoted(c, next)
	case "uuencode":
		undone(c, name)
		return newUUDecoder(c, next)
	case "":
		return next
	}
	// RFC 2045, section 6.4: what is coded in an unknown way is opaque.
	c.Problem("encoding_unknown")
	return next
}

// transferName normalises the name of a transfer encoding; "" for those that
// leave the bytes alone.
func transferName(encoding string) string {
	s := encoding
	if i := strings.IndexAny(s, ";("); i >= 0 {
		s = s[:i] // parameters and comments, seen in the wild
	}
	s = strings.ToLower(strings.Trim(s, " \t\"'"))
	switch s {
	case "base64", "b64", "base-64":
		return "base64"
	case "quoted-printable", "quotedprintable", "quoted_printable", "qp":
		return "quoted-printable"
	case "x-uuencode", "x-uu", "uuencode", "x-uue", "uue":
		return "uuencode"
	case "", "7bit", "8bit", "binary", "7-bit", "8-bit", "none", "identity", "8bits", "7bits":
		return ""
	}
	return s
}
