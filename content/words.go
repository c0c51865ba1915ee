package content

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// decodeText turns a header value into UTF-8: encoded words (RFC 2047) are
// decoded, and raw 8-bit text is taken for UTF-8 (RFC 6532) if it is valid,
// else for the fallback charset, else for windows-1252, the charset of most
// software that sends such headers.
func decodeText(s, fallback string) string {
	if !strings.Contains(s, "=?") {
		return decodeRaw(s, fallback)
	}
	var out strings.Builder
	// Neighbouring words of one charset are joined before they are decoded:
	// mailers cut characters of several bytes in two.
	var joined []byte
	joinedCharset := ""
	flush := func() {
		if joined != nil {
			out.WriteString(decodeBytes(string(joined), joinedCharset))
			joined = nil
		}
	}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		cs, text, rest, ok := encodedWord(s[i:])
		if !ok {
			flush()
			out.WriteString(decodeRaw(s[:i+2], fallback))
			s = s[i+2:]
			continue
		}
		// White space between two encoded words is not shown.
		if joined == nil || strings.Trim(s[:i], " \t\r\n") != "" {
			flush()
			out.WriteString(decodeRaw(s[:i], fallback))
		} else if !strings.EqualFold(cs, joinedCharset) {
			flush()
		}
		if joined == nil {
			joined = []byte{}
		}
		joined, joinedCharset = append(joined, text...), cs
		s = rest
	}
	flush()
	out.WriteString(decodeRaw(s, fallback))
	return out.String()
}

// encodedWord reads =?charset?encoding?text?= at the front of s (RFC 2047,
// section 2). Blanks inside of the text are against the rules, and common.
func encodedWord(s string) (cs string, text []byte, rest string, ok bool) {
	cs, s, ok = strings.Cut(s[2:], "?")
	if !ok || cs == "" || len(cs) > 64 || strings.ContainsAny(cs, " \t=") {
		return "", nil, "", false
	}
	cs, _, _ = strings.Cut(cs, "*") // RFC 2231, section 5: a language
	if len(s) < 2 || s[1] != '?' {
		return "", nil, "", false
	}
	encoding := s[0]
	body, rest, ok := strings.Cut(s[2:], "?=")
	if !ok {
		return "", nil, "", false
	}
	// A Q text that ends in "=" and two digits never contains "?=", but one
	// that begins with an equals sign makes "?=" of its own front.
	if body == "" && (encoding == 'Q' || encoding == 'q') && len(rest) > 2 && hexDigit(rest[0]) >= 0 && hexDigit(rest[1]) >= 0 {
		if more, after, ok := strings.Cut(rest, "?="); ok {
			body, rest = "="+more, after
		}
	}
	switch encoding {
	case 'B', 'b':
		text = decodeB(body)
	case 'Q', 'q':
		text = decodeQ(body)
	default:
		return "", nil, "", false
	}
	return cs, text, rest, true
}

func decodeB(s string) []byte {
	s = strings.Map(func(r rune) rune {
		if r < 128 && base64Value[r] != noDigit {
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	out, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return []byte(s)
	}
	return out
}

func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			out = append(out, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// decodeRaw decodes text that is not in encoded words.
func decodeRaw(s, fallback string) string {
	if utf8.ValidString(s) {
		return s
	}
	return decodeBytes(s, fallback)
}

// decodeBytes turns bytes of a charset into UTF-8. What is wrong or unknown
// becomes windows-1252, which has a character for nearly every byte.
func decodeBytes(s, label string) string {
	label = strings.ToLower(strings.TrimSpace(label))
	ascii := isASCII(s)
	switch label {
	case "utf-8", "utf8", "us-ascii", "ascii", "":
		if ascii || utf8.ValidString(s) {
			return s
		}
		if strings.HasPrefix(label, "utf") {
			return strings.ToValidUTF8(s, "\ufffd")
		}
	}
	enc, _ := charset.Lookup(label)
	if enc == nil {
		if utf8.ValidString(s) {
			return s
		}
		enc, _ = charset.Lookup("windows-1252")
	}
	out, err := enc.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return out
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
