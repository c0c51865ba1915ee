package content

import (
	"strconv"
	"strings"
	"time"

	"sniff/record"
)

// authResults reads an Authentication-Results field (RFC 8601, section 2.2).
// Servers of Microsoft leave the authserv-id out.
func authResults(list []record.AuthResult, value string) []record.AuthResult {
	server := ""
	for i, part := range splitOutside(value, ';') {
		part = strings.TrimSpace(withoutComments(part))
		if i == 0 && !strings.Contains(part, "=") {
			server, _, _ = strings.Cut(part, " ") // behind it may be a version
			continue
		}
		if part == "" || part == "none" || len(list) >= maxHops {
			continue
		}
		method, rest, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		r := record.AuthResult{Server: clip(server, 256)}
		method, _, _ = strings.Cut(method, "/") // a version
		r.Method = clip(strings.ToLower(strings.TrimSpace(method)), 64)
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		r.Result = clip(strings.ToLower(words[0]), 64)
		rest = strings.TrimSpace(rest[strings.Index(rest, words[0])+len(words[0]):])
		if after, ok := strings.CutPrefix(rest, "reason="); ok {
			if strings.HasPrefix(after, `"`) {
				r.Reason, rest = quotedString(after)
			} else {
				r.Reason, rest, _ = strings.Cut(after, " ")
			}
		}
		r.Reason = clip(r.Reason, 512)
		r.Properties = clip(strings.Join(strings.Fields(rest), " "), 512)
		list = append(list, r)
	}
	return list
}

// splitOutside splits s at sep where it is outside of quotes and comments.
func splitOutside(s string, sep byte) (out []string) {
	comment, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '(':
			comment++
		case c == ')' && comment > 0:
			comment--
		case c == sep && comment == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// tags reads a tag list (RFC 6376, section 3.2): a=b; c=d. White space inside
// of values is folding.
func tags(value string) func(name string) string {
	list := strings.Split(value, ";")
	return func(name string) string {
		for _, tag := range list {
			k, v, ok := strings.Cut(tag, "=")
			if ok && strings.TrimSpace(k) == name {
				return clip(strings.Join(strings.Fields(v), ""), 1024)
			}
		}
		return ""
	}
}

func readDKIM(value string) record.DKIM {
	tag := tags(value)
	d := record.DKIM{Domain: tag("d"), Selector: tag("s"), Algorithm: tag("a"),
		Identity: tag("i"), Headers: tag("h"), Length: tag("l")}
	if n, err := strconv.ParseInt(tag("x"), 10, 40); err == nil && n > 0 {
		d.Expires = time.Unix(n, 0).UTC()
	}
	return d
}

func readARC(value string) record.ARC {
	tag := tags(value)
	return record.ARC{Instance: tag("i"), Domain: tag("d"), Selector: tag("s"), Chain: tag("cv")}
}
