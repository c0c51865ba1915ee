package content

import (
	"bytes"

	"sniff/record"
)

// maxQuoted is how long a quoted-printable line is gathered. RFC 2045 allows
// 76 characters; a longer one is decoded in pieces.
const maxQuoted = 2048

// quotedDecoder undoes quoted-printable (RFC 2045, section 6.7).
type quotedDecoder struct {
	c    *record.Content
	next sink
	line []byte // the beginning of an unfinished line
	out  []byte
}

func newQuoted(c *record.Content, next sink) *quotedDecoder {
	return &quotedDecoder{c: c, next: next}
}

func (d *quotedDecoder) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 || len(d.line) > 0 || end > maxQuoted {
			// Into the line, up to its end or its limit.
			n := len(p)
			if end > 0 {
				n = end
			}
			n = min(n, maxQuoted-len(d.line))
			d.line = append(d.line, p[:n]...)
			p = p[n:]
			if d.line[len(d.line)-1] == '\n' {
				d.whole(d.line)
				d.line = d.line[:0]
			} else if len(d.line) == maxQuoted {
				d.piece()
			}
			continue
		}
		d.whole(p[:end])
		p = p[end:]
	}
	d.flush()
}

// whole decodes a line with its end.
func (d *quotedDecoder) whole(line []byte) {
	text := line[:len(line)-1]
	if n := len(text); n > 0 && text[n-1] == '\r' {
		text = text[:n-1]
	}
	eol := line[len(text):]
	// White space at the end was added on the way.
	text = bytes.TrimRight(text, " \t")
	if n := len(text); n > 0 && text[n-1] == '=' {
		text, eol = text[:n-1], nil // a soft line break
	}
	d.decode(text)
	d.out = append(d.out, eol...)
	if len(d.out) > 8<<10 {
		d.flush()
	}
}

// piece decodes the beginning of a line that is too long to be gathered, and
// leaves what may belong to the bytes that follow.
func (d *quotedDecoder) piece() {
	keep := len(d.line)
	for keep > 0 && (d.line[keep-1] == ' ' || d.line[keep-1] == '\t' || d.line[keep-1] == '\r') {
		keep--
	}
	if i := bytes.LastIndexByte(d.line[:keep], '='); i >= 0 && i >= keep-2 {
		keep = i
	}
	if keep == 0 {
		keep = len(d.line)
	}
	d.decode(d.line[:keep])
	d.line = append(d.line[:0], d.line[keep:]...)
}

// decode undoes the =XX of a stretch without line ends. An equals sign that
// begins nothing stays as it is.
func (d *quotedDecoder) decode(text []byte) {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			break
		}
		d.out = append(d.out, text[:i]...)
		text = text[i:]
		if len(text) >= 3 {
			hi, lo := hexDigit(text[1]), hexDigit(text[2])
			if hi >= 0 && lo >= 0 {
				d.out = append(d.out, byte(hi<<4|lo))
				text = text[3:]
				continue
			}
		}
		d.c.Problem("qp_damaged")
		d.out = append(d.out, '=')
		text = text[1:]
	}
	d.out = append(d.out, text...)
}

func (d *quotedDecoder) flush() {
	if len(d.out) > 0 {
		d.next.write(d.out)
		d.out = d.out[:0]
	}
}

func (d *quotedDecoder) rest() {
	if len(d.line) > 0 {
		text := bytes.TrimRight(d.line, " \t\r")
		if n := len(text); n > 0 && text[n-1] == '=' {
			text = text[:n-1]
		}
		d.decode(text)
		d.line = d.line[:0]
	}
	d.flush()
}

func (d *quotedDecoder) gap(n int64) {
	d.rest()
	d.next.gap(-1)
}

func (d *quotedDecoder) close(complete bool) {
	d.rest()
	d.next.close(complete)
}

// hexDigit returns the value of a hexadecimal digit, or -1. Lower case is
// against RFC 2045, and common.
func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	}
	return -1
}
