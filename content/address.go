package content

import "strings"

// maxAddresses bounds an address list.
const maxAddresses = 1000

// addresses reads an address list (RFC 5322, section 3.4): one string for each
// mailbox, decoded, as "Name <address>" or "address". The members of a group
// stand for themselves; an empty group is one entry ("undisclosed
// recipients:;"). Encoded words are decoded last, so that a comma inside of
// one separates nothing.
func addresses(list []string, s, charset string) []string {
	broken := false
	for s != "" && len(list) < maxAddresses {
		end, kind := len(s), byte(0)
		if !broken {
			end, kind, broken = nextSeparator(s)
		}
		if broken {
			// What never closes must not swallow the rest of the list: commas
			// alone separate from here on.
			if end = strings.IndexByte(s, ','); end < 0 {
				end = len(s)
			}
			kind = ','
		}
		one := s[:end]
		rest := s[min(end+1, len(s)):]
		switch kind {
		case ':':
			// A group begins: its name is dropped unless it is empty.
			if close, k, _ := nextSeparator(rest); k == ';' && strings.TrimSpace(rest[:close]) == "" {
				list = append(list, clip(decodeText(strings.TrimSpace(one), charset)+":;", 1024))
				rest = rest[min(close+1, len(rest)):]
			}
		default:
			if m := mailbox(one, charset); m != "" {
				list = append(list, m)
			}
		}
		s = rest
	}
	return list
}

// nextSeparator finds the first comma, semicolon or group colon of s that is
// outside of quotes, comments and angle brackets. broken says that one of these
// never closes.
func nextSeparator(s string) (at int, separator byte, broken bool) {
	comment, quoted, angle := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && (quoted || comment > 0):
			i++
		case quoted:
			quoted = c != '"'
		case c == '(':
			comment++
		case comment > 0:
			if c == ')' {
				comment--
			}
		case c == '"':
			quoted = true
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case angle:
		case c == ',' || c == ';' || c == ':':
			return i, c, false
		}
	}
	return len(s), 0, quoted || comment > 0 || angle
}

// mailbox reads one mailbox: name and angle-addr, or a bare addr-spec whose
// comment serves as the name.
func mailbox(s, charset string) string {
	var words, comment, addr strings.Builder
	inAngle := false
	hasAngle := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case inAngle:
			if c == '>' {
				inAngle = false
			} else {
				addr.WriteByte(c)
			}
		case c == '<':
			inAngle, hasAngle = true, true
			addr.Reset()
		case c == '"':
			value, rest := quotedString(s[i:])
			if at := strings.HasPrefix(rest, "@"); at {
				words.WriteString(s[i : len(s)-len(rest)]) // a quoted local part
			} else {
				words.WriteString(value)
			}
			i = len(s) - len(rest) - 1
		case c == '(':
			text, n := commentText(s[i:])
			if comment.Len() > 0 {
				comment.WriteByte(' ')
			}
			comment.WriteString(text)
			i += n - 1
		default:
			words.WriteByte(c)
		}
	}
	name := strings.Join(strings.Fields(decodeText(words.String(), charset)), " ")
	address := strings.TrimSpace(addr.String())
	if !hasAngle {
		address, name = name, decodeText(comment.String(), charset)
	} else if strings.HasPrefix(address, "@") {
		// obs-route (RFC 5322, section 4.4): @a,@b:user@host
		if _, rest, ok := strings.Cut(address, ":"); ok {
			address = rest
		}
	}
	address = decodeText(address, charset)
	switch {
	case name == "":
		return clip(address, 1024)
	case hasAngle || address != "":
		return clip(name+" <"+address+">", 1024)
	}
	return clip(name, 1024)
}

// commentText returns what stands in the comment at the front of s, and the
// comment's length.
func commentText(s string) (string, int) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i], i + 1
			}
		}
	}
	return s[1:], len(s)
}

// withoutComments removes the comments of a structured value.
func withoutComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			_, n := commentText(s[i:])
			i += n - 1
			b.WriteByte(' ')
		case '"':
			_, rest := quotedString(s[i:])
			b.WriteString(s[i : len(s)-len(rest)])
			i = len(s) - len(rest) - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
