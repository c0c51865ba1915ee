package content

import (
	"strconv"
	"strings"

	"sniff/record"
)

// mediaType is a Content-Type or Content-Disposition value taken apart.
type mediaType struct {
	name   string // lower case: text/plain, attachment
	params []param
}

type param struct{ name, value string }

// maxParams bounds how many parameters one value may have.
const maxParams = 64

// get returns a parameter's value as it stands, "" if there is none.
func (t *mediaType) get(name string) string {
	for i := range t.params {
		if t.params[i].name == name {
			return t.params[i].value
		}
	}
	return ""
}

// parseType reads a Content-Type (RFC 2045, section 5.1) or
// Content-Disposition (RFC 2183) with its parameters, also those of RFC 2231.
// It takes what mailers write: unquoted values with blanks, missing
// semicolons' quotes, comments.
func parseType(s string) (t mediaType) {
	t.parse(s)
	return t
}

// parse is parseType into a t that was used before.
func (t *mediaType) parse(s string) {
	t.params = t.params[:0]
	name, rest, more := strings.Cut(s, ";")
	if i := strings.IndexByte(name, '('); i >= 0 {
		name = name[:i]
	}
	name = strings.TrimSpace(name)
	if i := endsType.index(name); i >= 0 {
		if name = name[:i]; !more { // "text/html charset=utf-8", "text/xml, text/xml"
			rest = s[strings.Index(s, name)+len(name):]
		}
	}
	t.name = clip(strings.ToLower(strings.Trim(name, "\"")), 255)
	extended := false
	for len(t.params) < maxParams {
		var p param
		var ok bool
		if p, rest, ok = nextParam(rest); !ok {
			break
		}
		extended = extended || strings.IndexByte(p.name, '*') >= 0
		t.params = append(t.params, p)
	}
	if extended {
		t.params = joinParams(t.params)
	}
}

// nextParam cuts one name=value off s.
func nextParam(s string) (p param, rest string, ok bool) {
	eq := -1
	for {
		s = beforeParam.trimLeft(s)
		if eq = strings.IndexByte(s, '='); eq < 0 {
			return p, "", false
		}
		semi := strings.IndexByte(s[:eq], ';')
		if semi < 0 {
			break
		}
		s = s[semi+1:] // something without a value
	}
	p.name = strings.ToLower(strings.TrimSpace(s[:eq]))
	s = whiteSpace.trimLeft(s[eq+1:])
	if s != "" && s[0] == '"' {
		p.value, rest = quotedString(s)
		return p, rest, true
	}
	value, rest, _ := strings.Cut(s, ";")
	if i := strings.Index(value, " ("); i >= 0 {
		value = value[:i] // a comment
	}
	p.value = aroundValue.trim(value)
	return p, rest, true
}

// byteSet is a set of bytes that is made once: strings.Trim and the like make
// theirs at each call.
type byteSet [256]bool

func bytesOf(s string) *byteSet {
	var set byteSet
	for i := range len(s) {
		set[s[i]] = true
	}
	return &set
}

var (
	endsType    = bytesOf(" \t,")
	whiteSpace  = bytesOf(" \t\r\n")
	beforeParam = bytesOf(" \t\r\n;,")
	aroundValue = bytesOf(" \t\r\n\"")
)

// index returns where in s the first byte of the set stands, -1 if there is none.
func (set *byteSet) index(s string) int {
	for i := range len(s) {
		if set[s[i]] {
			return i
		}
	}
	return -1
}

func (set *byteSet) trimLeft(s string) string {
	for s != "" && set[s[0]] {
		s = s[1:]
	}
	return s
}

func (set *byteSet) trim(s string) string {
	s = set.trimLeft(s)
	for s != "" && set[s[len(s)-1]] {
		s = s[:len(s)-1]
	}
	return s
}

// quotedString reads a quoted-string at the front of s (RFC 5322, section
// 3.2.4). Only quotes and backslashes are taken for quoted pairs: file names
// with single backslashes (C:\a.doc) are more common than other pairs.
func quotedString(s string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:]
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "" // never closed
}

// joinParams puts continued and extended parameters together (RFC 2231,
// sections 3 and 4): name*0*=utf-8'en'a%20; name*1=b. An extended value wins
// over a plain one of the same name.
func joinParams(in []param) (out []param) {
	for _, p := range in {
		base, _, starred := strings.Cut(p.name, "*")
		if !starred {
			out = append(out, p)
			continue
		}
		if base == "" || hasParam(out, base+"*") {
			continue
		}
		out = append(out, param{base + "*", joinParam(in, base)})
	}
	for i := range out {
		if base, ok := strings.CutSuffix(out[i].name, "*"); ok {
			for j := range out {
				if out[j].name == base {
					out[j].name = "" // the plain twin
				}
			}
			out[i].name = base
		}
	}
	return out
}

func hasParam(in []param, name string) bool {
	for _, p := range in {
		if p.name == name {
			return true
		}
	}
	return false
}

// joinParam collects the sections of one parameter in their order.
func joinParam(in []param, base string) string {
	var sections [maxParams]*param
	for i := range in {
		rest, ok := strings.CutPrefix(in[i].name, base+"*")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(rest, "*"))
		if rest == "" {
			n, err = 0, nil
		}
		if err == nil && n >= 0 && n < maxParams && sections[n] == nil {
			sections[n] = &in[i]
		}
	}
	var b strings.Builder
	charset := ""
	for n, p := range sections {
		if p == nil {
			if n > 0 {
				break
			}
			continue // some count from 1
		}
		v := p.value
		if !strings.HasSuffix(p.name, "*") {
			b.WriteString(v)
			continue
		}
		if b.Len() == 0 && charset == "" {
			if cs, rest, ok := strings.Cut(v, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					charset, v = cs, text
				}
			}
		}
		unpercent(&b, v)
	}
	return decodeBytes(b.String(), charset)
}

func unpercent(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
}

// declare notes what a Content-Type says about c.
func declare(c *record.Content, t *mediaType) {
	c.MediaType = t.name
	c.Charset = clip(strings.ToLower(t.get("charset")), 64)
	if c.Name == "" {
		c.Name = clip(decodeText(t.get("name"), ""), 1024)
	}
	c.Protection = protection(t, c.Name)
}

// protection names S/MIME (RFC 8551, section 3.2.2) and PGP/MIME (RFC 3156).
func protection(t *mediaType, name string) string {
	protocol := strings.ToLower(t.get("protocol"))
	switch t.name {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		switch kind := strings.ToLower(t.get("smime-type")); kind {
		case "signed-data":
			return "smime-signed"
		case "enveloped-data", "authenveloped-data":
			return "smime-encrypted"
		case "":
			return "smime"
		default:
			return clip("smime-"+kind, 64)
		}
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
		return "smime-signature"
	case "application/pgp-signature":
		return "pgp-signature"
	case "application/pgp-encrypted":
		return "pgp-encrypted"
	case "application/pgp-keys":
		return "pgp-keys"
	case "multipart/signed":
		switch {
		case strings.Contains(protocol, "pgp"):
			return "pgp-signed"
		case strings.Contains(protocol, "pkcs7"):
			return "smime-signed"
		}
	case "multipart/encrypted":
		if strings.Contains(protocol, "pgp") {
			return "pgp-encrypted"
		}
	case "application/octet-stream":
		switch low := strings.ToLower(name); {
		case strings.HasSuffix(low, ".p7m"):
			return "smime"
		case strings.HasSuffix(low, ".p7s"):
			return "smime-signature"
		}
	}
	return ""
}
