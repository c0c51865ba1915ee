package anonymise

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
)

// Rewrite replaces what must be replaced in a piece of a stream, in place.
func (a *Anonymiser) Rewrite(b []byte) {
	a.prepare()
	a.compressed(b)
	a.base64(b)
	a.escaped(b, '=')
	a.escaped(b, '%')
	a.replace(b)
	a.addresses(b)
}

func base64Byte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// shortestBase64 is the least that is looked into; three bytes of text take four.
const shortestBase64 = 4

// base64 looks into what can be base64: runs of its characters, over line ends
// where the lines are as long as each other.
func (a *Anonymiser) base64(b []byte) {
	for i := 0; i < len(b); {
		if !base64Byte(b[i]) {
			i++
			continue
		}
		var at []int // where the characters stand
		end := i
		for end < len(b) {
			start := end
			for end < len(b) && base64Byte(b[end]) {
				at = append(at, end)
				end++
			}
			// A line end joins long lines only: MIME's have 76 characters.
			if end-start < 48 || !bytes.HasPrefix(b[end:], []byte("\r\n")) {
				break
			}
			end += 2
		}
		if len(at) >= shortestBase64 {
			a.base64Run(b, at)
		}
		i = end + 1
	}
}

// base64Run rewrites one run when what it decodes to holds a word.
func (a *Anonymiser) base64Run(b []byte, at []int) {
	text := make([]byte, len(at))
	enc := base64.RawStdEncoding
	for i, p := range at {
		if text[i] = b[p]; text[i] == '-' || text[i] == '_' {
			enc = base64.RawURLEncoding
		}
	}
	n := len(text)
	if n%4 == 1 {
		n--
	}
	plain := make([]byte, enc.DecodedLen(n))
	if _, err := enc.Decode(plain, text[:n]); err != nil {
		return
	}
	words := a.replace(plain)
	before := bytes.Clone(plain)
	a.addresses(plain)
	if !words && bytes.Equal(before, plain) {
		return
	}
	// The last character holds bits that belong to no byte; the encoder makes
	// them zero, as they must be.
	enc.Encode(text, plain)
	for i, p := range at[:n] {
		b[p] = text[i]
	}
}

// escaped looks into text in which some bytes stand as a mark and two
// hexadecimal digits: quoted-printable (=) and URLs (%).
func (a *Anonymiser) escaped(b []byte, mark byte) {
	if bytes.IndexByte(b, mark) < 0 {
		return
	}
	plain := make([]byte, 0, len(b))
	at := make([]int, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == mark && i+2 < len(b) {
			hi, lo := unhex(b[i+1]), unhex(b[i+2])
			if hi >= 0 && lo >= 0 {
				plain, at = append(plain, byte(hi<<4|lo)), append(at, i)
				i += 2
				continue
			}
			if mark == '=' && b[i+1] == '\r' && b[i+2] == '\n' { // soft line break
				i += 2
				continue
			}
		}
		plain, at = append(plain, b[i]), append(at, i)
	}
	before := bytes.Clone(plain)
	if !a.replace(plain) {
		return
	}
	for k, p := range at {
		switch {
		case plain[k] == before[k]:
		case b[p] == mark && (k+1 == len(at) && p+3 == len(b) || k+1 < len(at) && at[k+1] >= p+3):
			digits := "0123456789ABCDEF"
			if bytes.ContainsAny(b[p+1:p+3], "abcdef") {
				digits = "0123456789abcdef"
			}
			b[p+1], b[p+2] = digits[plain[k]>>4], digits[plain[k]&15]
		default:
			b[p] = plain[k]
		}
	}
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// maxInflate bounds what is read of one compressed piece.
const maxInflate = 64 << 20

// compressed blanks gzip data in which a word stands: it cannot be compressed
// anew at the same length.
func (a *Anonymiser) compressed(b []byte) {
	for i := 0; i+18 < len(b); i++ {
		if b[i] != 0x1f || b[i+1] != 0x8b || b[i+2] != 8 {
			continue
		}
		src := bytes.NewReader(b[i:])
		z, err := gzip.NewReader(src)
		if err != nil {
			continue
		}
		z.Multistream(false)
		// What cannot be inflated to its end is blanked as far as it was read,
		// when what came out of it holds a word.
		plain, _ := io.ReadAll(io.LimitReader(z, maxInflate))
		used := len(b) - i - src.Len()
		if len(plain) == 0 || used <= 10 {
			continue
		}
		if a.replace(plain) {
			clear(b[i+10 : i+used])
		}
		i += used - 1
	}
}
