package content

import (
	"bytes"
	"strings"
)

// field is one header field as it stands, unfolded.
type field struct{ name, value string }

// is compares the name as RFC 5322 wants it: without regard to case.
func (f *field) is(name string) bool { return strings.EqualFold(f.name, name) }

// parseFields reads a block of header lines (RFC 5322, section 2.2): folding
// is undone by taking out the line ends. Lines that are no field are passed
// over; the caller has decided where the head ends.
func parseFields(block []byte) []field {
	var out []field
	for len(block) > 0 {
		line, rest := cutLine(block)
		folded := false
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			_, rest = cutLine(rest)
			folded = true
		}
		if folded {
			line = unfold(block[:len(block)-len(rest)])
		}
		block = rest
		n := fieldName(line)
		if n == 0 {
			continue
		}
		colon := bytes.IndexByte(line[n:], ':') + n
		out = append(out, field{string(line[:n]), string(bytes.Trim(line[colon+1:], " \t\r\n"))})
	}
	return out
}

// cutLine cuts the first line off b and takes its end away.
func cutLine(b []byte) (line, rest []byte) {
	line = b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, rest = b[:i], b[i+1:]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

func unfold(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		out = append(out, line...)
	}
	return out
}

// fieldName returns how long the field name at the front of line is, 0 if
// there is none (RFC 5322, section 3.6.8). Blanks before the colon are obsolete
// syntax (section 4.5) and read.
func fieldName(line []byte) int {
	n := 0
	for n < len(line) && line[n] > ' ' && line[n] < 0x7f && line[n] != ':' {
		n++
	}
	rest := bytes.TrimLeft(line[n:], " \t")
	if n == 0 || len(rest) == 0 || rest[0] != ':' {
		return 0
	}
	return n
}
