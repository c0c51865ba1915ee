package record

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Secrets in forms and JSON documents, by the names that they usually have.
var (
	formSecret = regexp.MustCompile(`(?i)(?:^|[?&;])[^=&;]*(?:passw|pwd|secret|token|api_?key)[^=&;]*=([^&;#\s]*)`)
	jsonSecret = regexp.MustCompile(`(?i)("[^"]*(?:passw|pwd|secret|token|api_?key)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*("|$)`)
)

// FormText returns a form or a URL as a text in which the values of fields
// with a telling name, and the password of the URL's user part, are secret.
func FormText(s string) Text {
	t := Plain(s)
	if i := strings.Index(s, "://"); i >= 0 {
		i += 3
		end := strings.IndexAny(s[i:], "/?#")
		if end < 0 {
			end = len(s) - i
		}
		if at := strings.LastIndexByte(s[i:i+end], '@'); at >= 0 {
			if colon := strings.IndexByte(s[i:i+at], ':'); colon >= 0 {
				t = t.Mask(i+colon+1, i+at)
			}
		}
	}
	if strings.IndexByte(s, '=') < 0 {
		return t
	}
	for _, m := range formSecret.FindAllStringSubmatchIndex(s, -1) {
		t = t.Mask(m[2], m[3])
	}
	return t
}

// foldContent returns what a dialogue shows of a body: the header fields of a
// mail message, the text of anything else.
func foldContent(c *Content) []string {
	if c.Message == nil {
		return foldBody(c)
	}
	var lines []string
	for _, f := range c.Message.Fields {
		lines = append(lines, wrapText(f.Name+": ", f.Value, "").String())
	}
	if n := c.Message.MoreFields; n > 0 {
		lines = append(lines, "… "+strconv.Itoa(n)+" more fields")
	}
	return lines
}

// foldBody returns the kept bytes of a body as lines, secrets masked: XML
// indented, other text as it stands, nothing for anything that is no text.
func foldBody(c *Content) []string {
	text := keptText(c.Kept)
	if text == "" {
		return nil
	}
	var lines []string
	if LooksXML(text) {
		lines = indentXML(text, bool(c.Shown))
	} else {
		if !c.Shown {
			text = BodyText(text, c.MediaType).String()
		}
		lines = strings.Split(strings.TrimRight(text, "\r\n"), "\n")
		for i := range lines {
			lines[i] = strings.TrimSuffix(lines[i], "\r")
		}
	}
	if int64(len(c.Kept)) < c.Size {
		lines = append(lines, "… "+Bytes(c.Size-int64(len(c.Kept)))+" more")
	}
	return lines
}

// BodyText returns the text of a body as it stands, in which what an element,
// a field of a form or a member of a JSON object with a telling name holds is
// secret.
func BodyText(text, mediaType string) Text {
	switch {
	case LooksXML(text):
		return xmlText(text)
	case strings.Contains(mediaType, "form-urlencoded"):
		return FormText(text)
	}
	t := Plain(text)
	for _, m := range jsonSecret.FindAllStringSubmatchIndex(text, -1) {
		t = t.Mask(m[3]+1, m[4])
	}
	return t
}

// xmlText marks the text of elements that hold passwords or keys.
func xmlText(s string) Text {
	t := Plain(s)
	secret := false
	for at := 0; at < len(s); {
		n := tagEnd(s[at:])
		if s[at] != '<' {
			if n = strings.IndexByte(s[at:], '<'); n < 0 {
				n = len(s) - at
			}
			if secret && strings.TrimSpace(s[at:at+n]) != "" {
				t = t.Mask(at, at+n)
			}
			at += n
			continue
		}
		switch tag := s[at : at+n]; {
		case strings.HasPrefix(tag, "<![CDATA["):
			if secret {
				t = t.Mask(at, at+n)
			}
		case strings.HasPrefix(tag, "<?"), strings.HasPrefix(tag, "<!"):
		default:
			secret = tag[1:] != "" && tag[1] != '/' && !strings.HasSuffix(tag, "/>") && SecretElement(tag[1:])
		}
		at += n
	}
	return t
}

// keptText decodes bytes to text by their byte order mark; "" when they are
// no text.
func keptText(b []byte) string {
	switch {
	case len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF, len(b) >= 2 && b[0] == 0 && b[1] == '<':
		return utf16Text(b, 1, 0)
	case len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE, len(b) >= 2 && b[0] == '<' && b[1] == 0:
		return utf16Text(b, 0, 1)
	}
	b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
	if bytes.IndexByte(b, 0) >= 0 {
		return ""
	}
	s := string(b)
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func utf16Text(b []byte, low, high int) string {
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, uint16(b[low])|uint16(b[high])<<8)
	}
	return strings.TrimPrefix(string(utf16.Decode(u)), "\uFEFF")
}

// LooksXML reports whether a text begins like an XML document or element.
func LooksXML(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	if len(s) < 2 || s[0] != '<' {
		return false
	}
	c := s[1] | 0x20
	return s[1] == '?' || s[1] == '!' && !strings.HasPrefix(strings.ToLower(s), "<!doctype html") || c >= 'a' && c <= 'z' && !strings.HasPrefix(strings.ToLower(s), "<html")
}

// maxIndent bounds how deep IndentXML indents.
const maxIndent = 32

// IndentXML lays XML text out with one element to a line, its names and
// prefixes as they stand. It is made for display: it takes broken and cut
// documents as they are. The text of elements that hold passwords or keys is
// masked.
func IndentXML(s string) []string { return indentXML(s, false) }

func indentXML(s string, reveal bool) []string {
	var out []string
	depth := 0
	indent := func() string { return strings.Repeat("  ", min(max(depth, 0), maxIndent)) }
	open := false   // the last line is an opening tag that may take its text
	secret := false // that tag's text is a secret
	for len(s) > 0 {
		if s[0] != '<' {
			end := strings.IndexByte(s, '<')
			if end < 0 {
				end = len(s)
			}
			text := strings.TrimSpace(s[:end])
			s = s[end:]
			if text == "" {
				continue
			}
			if secret {
				text = Mask
			}
			switch {
			case open && !strings.Contains(text, "\n"):
				out[len(out)-1] += text
			default:
				open = false
				for _, line := range strings.Split(text, "\n") {
					out = append(out, indent()+strings.TrimSpace(line))
				}
			}
			continue
		}
		tag := s[:tagEnd(s)]
		s = s[len(tag):]
		switch {
		case strings.HasPrefix(tag, "</"):
			depth--
			if open {
				out[len(out)-1] += tag
			} else {
				out = append(out, indent()+tag)
			}
			open, secret = false, false
		case strings.HasPrefix(tag, "<![CDATA["):
			if secret {
				tag = Mask
			}
			if open && !strings.Contains(tag, "\n") {
				out[len(out)-1] += tag
			} else {
				open = false
				out = append(out, strings.Split(tag, "\n")...)
			}
		case strings.HasPrefix(tag, "<?"), strings.HasPrefix(tag, "<!"):
			open = false
			for _, line := range strings.Split(tag, "\n") {
				out = append(out, indent()+strings.TrimSpace(line))
			}
		default:
			out = append(out, indent()+strings.Join(strings.Fields(tag), " "))
			open = !strings.HasSuffix(tag, "/>")
			secret = open && !reveal && SecretElement(tag[1:])
			if open {
				depth++
			}
		}
	}
	return out
}

// tagEnd returns the length of the markup at the front of s.
func tagEnd(s string) int {
	for _, m := range [...]struct{ open, close string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}} {
		if strings.HasPrefix(s, m.open) {
			if i := strings.Index(s, m.close); i >= 0 {
				return i + len(m.close)
			}
			return len(s)
		}
	}
	var quote byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(s)
}

// SecretElement reports whether an element of this name (a prefix and what
// follows the name are ignored) holds a secret as its text.
func SecretElement(name string) bool {
	if i := strings.IndexAny(name, " \t\r\n/>"); i >= 0 {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	if len(name) < 3 || len(name) > 64 {
		return false
	}
	name = strings.ToLower(name)
	for _, word := range [...]string{"passw", "pwd", "secret", "apikey", "api_key", "token"} {
		if strings.Contains(name, word) {
			return !strings.HasSuffix(name, "token") && !strings.HasSuffix(name, "tokenreference") || name == "token" || name == "accesstoken" || name == "authtoken"
		}
	}
	return false
}
