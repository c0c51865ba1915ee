package http

import (
	"bytes"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// head is a parsed message head. Its strings are parts of one copy of it.
type head struct {
	size   int64
	line   string
	fields []record.Field

	length       int64 // Content-Length; -1: none
	chunked      bool
	te           string // Transfer-Encoding as it stands, "" for none
	codings      []string
	host         string
	contentType  string
	id           string // Content-ID
	action       string // SOAPAction without quotes
	hasAction    bool
	disposition  string
	contentRange string
	upgrade      string // Upgrade, when Connection names it
	connection   string
	agent        string // User-Agent or Server
	location     string
	h2settings   bool
	auth         string   // Authorization
	proxyAuth    string   // Proxy-Authorization
	challenges   []string // WWW-Authenticate and Proxy-Authenticate
	cookies      []string // names
	trouble      []trouble
}

// trouble is a violation found while parsing, at an offset of the head.
type trouble struct {
	at           int
	code, detail string
}

// headEnd returns the length of the head at the front of b, up to and with its
// empty line; 0 when it is not there yet. from is where to begin to look.
func headEnd(b []byte, from int) int {
	for i := max(from-3, 0); ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j + 1
		if i < len(b) && b[i] == '\n' {
			return i + 1
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
}

// parse takes a head apart: RFC 9112, sections 2 to 5. What h held before is
// forgotten.
func (h *head) parse(b []byte) {
	*h = head{size: int64(len(b)), length: -1}
	h.line, h.fields = h.split(string(b), true)
	for i := range h.fields {
		h.note(&h.fields[i])
	}
}

// split cuts text into the start line, if it has one, and fields.
func (h *head) split(text string, hasLine bool) (line string, fields []record.Field) {
	lines := strings.Count(text, "\n") - 1 // but the empty one
	if hasLine {
		lines--
	}
	fields = make([]record.Field, 0, min(max(lines, 1), maxFields))
	bare, dropped := -1, 0
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		next := at + end + 1
		if end < 0 {
			end, next = len(text)-at, len(text)
		}
		s := text[at : at+end]
		if n := len(s); n > 0 && s[n-1] == '\r' {
			s = s[:n-1]
		} else if bare < 0 {
			bare = at
		}
		switch {
		case hasLine:
			line, hasLine = s, false
		case s == "":
		case s[0] == ' ' || s[0] == '\t':
			h.fold(fields, s, at)
		case len(fields) >= maxFields:
			dropped++
		default:
			fields = h.field(fields, s, at)
		}
		at = next
	}
	if bare >= 0 {
		h.complain(bare, "http_bare_lf", "a line of the head ends with LF alone")
	}
	if dropped > 0 {
		h.complain(0, "http_many_fields", strconv.Itoa(dropped)+" header fields beyond the first "+strconv.Itoa(maxFields)+" were not read")
	}
	return line, fields
}

// field appends the field that line s holds: RFC 9112, section 5.
func (h *head) field(fields []record.Field, s string, at int) []record.Field {
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		h.complain(at, "http_field_invalid", "header line without a colon: "+clip(s))
		return append(fields, record.Field{Name: s})
	}
	name := s[:colon]
	if colon > 0 && (name[colon-1] == ' ' || name[colon-1] == '\t') {
		trimmed := strings.TrimRight(name, " \t")
		h.complain(at, "http_space_before_colon", "white space between the name and the colon of "+clip(trimmed)+": some peers take the field, some do not")
		name = trimmed
	}
	for i := range len(name) {
		if !isTokenByte(name[i]) {
			h.complain(at, "http_field_invalid", "header field name is no token: "+clip(name))
			break
		}
	}
	value := trimBlanks(s[colon+1:])
	if strings.IndexByte(value, 0) >= 0 || strings.IndexByte(value, '\r') >= 0 {
		h.complain(at, "http_field_control", "NUL or bare CR in the value of "+clip(name))
	}
	return append(fields, record.Field{Name: name, Value: record.Plain(value)})
}

// trimBlanks takes the blanks off both ends.
func trimBlanks(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// fold joins an obsolete continuation line: RFC 9112, section 5.2.
func (h *head) fold(fields []record.Field, s string, at int) {
	h.complain(at, "http_obs_fold", "obsolete line folding in a header field")
	if len(fields) == 0 {
		return
	}
	f := &fields[len(fields)-1]
	f.Value = record.Plain(f.Value.Clear() + " " + strings.Trim(s, " \t"))
}

func (h *head) complain(at int, code, detail string) {
	if len(h.trouble) < 8 {
		h.trouble = append(h.trouble, trouble{at, code, detail})
	}
}

// note takes what it needs to know from one field, and masks its secrets.
func (h *head) note(f *record.Field) {
	name, value := f.Name, f.Value.Clear()
	switch len(name) {
	case 2:
		if strings.EqualFold(name, "TE") {
			return
		}
	case 4:
		if strings.EqualFold(name, "Host") {
			if h.host != "" {
				h.complain(0, "http_host_repeated", "two Host fields: "+clip(h.host)+" and "+clip(value))
				return
			}
			h.host = value
		}
	case 6:
		switch {
		case strings.EqualFold(name, "Cookie"):
			f.Value = h.cookie(value, "", f.Value)
		case strings.EqualFold(name, "Server"):
			h.agent = value
		}
	case 7:
		switch {
		case strings.EqualFold(name, "Upgrade"):
			h.upgrade = value
		case strings.EqualFold(name, "Referer"):
			f.Value = record.FormText(value)
		}
	case 8:
		if strings.EqualFold(name, "Location") {
			f.Value = record.FormText(value)
			h.location = f.Value.String()
		}
	case 9:
		if strings.EqualFold(name, "X-API-Key") {
			f.Value = f.Value.Mask(0, -1)
		}
	case 10:
		switch {
		case strings.EqualFold(name, "Connection"):
			h.connection = value
		case strings.EqualFold(name, "SOAPAction"):
			h.action, h.hasAction = strings.Trim(value, `"`), true
		case strings.EqualFold(name, "Set-Cookie"):
			f.Value = h.setCookie(value, f.Value)
		case strings.EqualFold(name, "Content-ID"):
			h.id = strings.Trim(value, "<>")
		case strings.EqualFold(name, "User-Agent"):
			h.agent = value
		}
	case 12:
		switch {
		case strings.EqualFold(name, "Content-Type"):
			if h.contentType == "" {
				h.contentType = value
			}
		case strings.EqualFold(name, "X-Auth-Token"), strings.EqualFold(name, "X-CSRF-Token"):
			f.Value = f.Value.Mask(0, -1)
		}
	case 13:
		switch {
		case strings.EqualFold(name, "Authorization"):
			h.auth = value
			f.Value = maskScheme(f.Value)
		case strings.EqualFold(name, "Content-Range"):
			h.contentRange = value
		}
	case 14:
		switch {
		case strings.EqualFold(name, "Content-Length"):
			h.contentLength(value)
		case strings.EqualFold(name, "HTTP2-Settings"):
			h.h2settings = true
		}
	case 16:
		switch {
		case strings.EqualFold(name, "Content-Encoding"):
			h.codings = appendList(h.codings, value)
		case strings.EqualFold(name, "WWW-Authenticate"):
			h.challenges = append(h.challenges, value)
		}
	case 17:
		if strings.EqualFold(name, "Transfer-Encoding") {
			h.transferEncoding(value)
		}
	case 18:
		if strings.EqualFold(name, "Proxy-Authenticate") {
			h.challenges = append(h.challenges, value)
		}
	case 19:
		switch {
		case strings.EqualFold(name, "Content-Disposition"):
			h.disposition = value
		case strings.EqualFold(name, "Proxy-Authorization"):
			h.proxyAuth = value
			f.Value = maskScheme(f.Value)
		}
	}
}

// contentLength reads one Content-Length: RFC 9110, section 8.6. Lengths that
// differ, or that one peer reads and another does not, are shapes of request
// smuggling.
func (h *head) contentLength(value string) {
	for v := range strings.SplitSeq(value, ",") {
		v = strings.Trim(v, " \t")
		n, err := strconv.ParseInt(v, 10, 64)
		switch {
		case err != nil || n < 0:
			h.complain(0, "http_length_invalid", "Content-Length is no number: "+clip(v))
		case !isDigit(v[0]):
			h.complain(0, "http_length_invalid", "Content-Length with a sign: "+clip(v))
		case h.length >= 0 && h.length != n:
			h.complain(0, "http_length_conflict", "Content-Length is "+strconv.FormatInt(h.length, 10)+" and "+strconv.FormatInt(n, 10)+": request smuggling is possible")
		default:
			h.length = n
		}
	}
}

// transferEncoding reads Transfer-Encoding: RFC 9112, section 6.1.
func (h *head) transferEncoding(value string) {
	if h.te != "" {
		h.complain(0, "http_te_repeated", "Transfer-Encoding stands twice: "+clip(h.te)+" and "+clip(value))
		h.te += ", "
	}
	h.te += value
	for coding := range strings.SplitSeq(value, ",") {
		coding = strings.ToLower(strings.Trim(coding, " \t"))
		switch coding {
		case "chunked":
			if h.chunked {
				h.complain(0, "http_te_repeated", "chunked stands twice in Transfer-Encoding")
			}
			h.chunked = true
		case "identity", "":
		case "gzip", "x-gzip", "deflate", "compress", "x-compress":
			h.codings = append(h.codings, coding)
			if h.chunked {
				h.complain(0, "http_te_unknown", "chunked is not the last transfer coding: "+clip(value))
				h.chunked = false
			}
		default:
			h.complain(0, "http_te_unknown", "transfer coding that peers may read in different ways: "+clip(value))
			h.chunked = h.chunked || strings.Contains(coding, "chunked") && !isTokenByte(coding[0])
		}
	}
}

func appendList(to []string, value string) []string {
	for v := range strings.SplitSeq(value, ",") {
		if v = strings.ToLower(strings.Trim(v, " \t")); v != "" && v != "identity" && len(to) < 8 {
			to = append(to, v)
		}
	}
	return to
}

// hasToken reports whether a comma-separated list holds a token.
func hasToken(list, token string) bool {
	for v := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(v, " \t"), token) {
			return true
		}
	}
	return false
}

// maskScheme masks the credentials behind an authentication scheme.
func maskScheme(t record.Text) record.Text {
	sp := strings.IndexByte(t.Clear(), ' ')
	return t.Mask(sp+1, -1)
}

const maxCookies = 32

// cookie masks the values of a Cookie field and notes the names.
func (h *head) cookie(value, mark string, t record.Text) record.Text {
	for at := 0; at < len(value); {
		end := strings.IndexByte(value[at:], ';')
		if end < 0 {
			end = len(value) - at
		}
		if eq := strings.IndexByte(value[at:at+end], '='); eq >= 0 {
			if len(h.cookies) < maxCookies {
				h.cookies = append(h.cookies, mark+strings.TrimSpace(value[at:at+eq]))
			}
			t = t.Mask(at+eq+1, at+end)
		} else {
			t = t.Mask(at, at+end)
		}
		at += end + 1
	}
	return t
}

// setCookie masks the value of a Set-Cookie field, not its attributes.
func (h *head) setCookie(value string, t record.Text) record.Text {
	end := strings.IndexByte(value, ';')
	if end < 0 {
		end = len(value)
	}
	return h.cookie(value[:end], "+", t)
}

// report turns the troubles into violations. at gives the stamp of a byte of
// the head.
func (h *head) report(env dissect.Env, dir dissect.Dir) {
	for _, t := range h.trouble {
		env.Violation(dissect.Violation{Code: t.code, Dir: dir, Stamp: env.At(t.at), Detail: t.detail})
	}
	h.trouble = nil
}

// mediaType returns the type of a Content-Type value, lower case.
func mediaType(contentType string) string {
	if i := strings.IndexByte(contentType, ';'); i >= 0 {
		contentType = contentType[:i]
	}
	return strings.ToLower(strings.TrimSpace(contentType))
}

// parameter returns a parameter of a header field's value.
func parameter(value, name string) string {
	for {
		i := strings.IndexByte(value, ';')
		if i < 0 {
			return ""
		}
		value = value[i+1:]
		key, rest, ok := strings.Cut(value, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(key), name) {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, `"`) {
			if end := strings.IndexByte(rest[1:], '"'); end >= 0 {
				return rest[1 : 1+end]
			}
		}
		if end := strings.IndexAny(rest, "; \t"); end >= 0 {
			rest = rest[:end]
		}
		return rest
	}
}
