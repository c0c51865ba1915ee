package soap

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxDTD is how much of a document type declaration is looked at.
const maxDTD = 16 << 10

// doctype skips a document type declaration and keeps its front. SOAP forbids
// it, and what is declared in it is never used here.
func (t *tokenizer) doctype(b []byte) int {
	for i, c := range b {
		switch c {
		case '[':
			t.brackets++
		case ']':
			t.brackets--
		case '>':
			if t.brackets <= 0 {
				t.keepDTD(b[:i])
				t.mode, t.brackets = inText, 0
				t.judgeDTD()
				t.dtd = t.dtd[:0]
				return i + 1
			}
		}
	}
	t.keepDTD(b)
	return len(b)
}

func (t *tokenizer) keepDTD(b []byte) {
	t.dtd = append(t.dtd, b[:min(len(b), maxDTD-min(len(t.dtd), maxDTD))]...)
}

// judgeDTD says what a document type declaration tries to do.
func (t *tokenizer) judgeDTD() {
	t.doc.problem("xml_dtd", "document type declaration, which SOAP forbids", t.declared)
	entities, nested := 0, false
	var external []string
	for decl := range bytes.SplitSeq(t.dtd, []byte("<!ENTITY")) {
		if entities++; entities == 1 {
			// What stands in front of the first entity is the DOCTYPE itself.
			if s := systemOf(decl); s != "" {
				external = append(external, s)
			}
			continue
		}
		if end := bytes.IndexByte(decl, '>'); end >= 0 {
			decl = decl[:end]
		}
		if s := systemOf(decl); s != "" {
			external = append(external, s)
		}
		if i := bytes.IndexByte(decl, '&'); i >= 0 && bytes.IndexByte(decl[i:], ';') > 0 {
			nested = true
		}
	}
	entities--
	switch {
	case len(external) > 0:
		t.doc.problem("xml_external_entity", "reference to "+strings.Join(external[:min(len(external), 3)], ", ")+"; not fetched", t.declared)
	case nested && entities > 1:
		t.doc.problem("xml_entity_bomb", "entities made of entities; not expanded", t.declared)
	case entities > 0:
		t.doc.problem("xml_entities", "entities of the document's own; not expanded", t.declared)
	}
}

// systemOf returns the system identifier in a declaration.
func systemOf(decl []byte) string {
	i := bytes.Index(decl, []byte("SYSTEM"))
	if i < 0 {
		if i = bytes.Index(decl, []byte("PUBLIC")); i < 0 {
			return ""
		}
	}
	rest := decl[i+6:]
	if bytes.HasPrefix(decl[i:], []byte("PUBLIC")) {
		if _, rest = quotedIn(rest); rest == nil {
			return ""
		}
	}
	id, _ := quotedIn(rest)
	return clip(id)
}

// quotedIn returns what stands in b's first quotes, and what stands behind them;
// nil for nothing.
func quotedIn(b []byte) (text, rest []byte) {
	i := 0
	for i < len(b) && b[i] != '"' && b[i] != '\'' {
		i++
	}
	if i == len(b) {
		return nil, nil
	}
	end := bytes.IndexByte(b[i+1:], b[i])
	if end < 0 {
		return nil, nil
	}
	return b[i+1 : i+1+end], b[i+2+end:]
}

// maxReference is the longest reference that is decoded: &#x10FFFF;
const maxReference = 12

// appendText appends character data to dst with its references decoded, up to
// a length of limit. Entities that XML does not define are left as they stand.
func appendText(dst, p []byte, limit int) []byte {
	for len(p) > 0 && len(dst) < limit {
		amp := bytes.IndexByte(p, '&')
		if amp < 0 {
			amp = len(p)
		}
		dst = append(dst, p[:min(amp, limit-len(dst))]...)
		if p = p[amp:]; len(p) == 0 {
			break
		}
		end := bytes.IndexByte(p[:min(len(p), maxReference)], ';')
		if end < 0 || bytes.IndexByte(p[1:end], '&') >= 0 {
			dst = append(dst, '&')
			p = p[1:]
			continue
		}
		if r := reference(p[1:end]); r >= 0 {
			dst = utf8.AppendRune(dst, r)
		} else {
			dst = append(dst, p[:end+1]...)
		}
		p = p[end+1:]
	}
	return dst
}

// reference returns the character that a reference stands for, -1 for none.
func reference(name []byte) rune {
	switch string(name) {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	if len(name) < 2 || name[0] != '#' {
		return -1
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	r := rune(0)
	for _, c := range digits {
		d := rune(99)
		switch {
		case isDigit(c):
			d = rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = rune(c|0x20-'a') + 10
		}
		if d >= base || r > 0x110000 {
			return -1
		}
		r = r*base + d
	}
	if len(digits) == 0 || !isChar(r) {
		return -1
	}
	return r
}

// isChar reports whether a character may stand in a document: XML 1.0,
// section 2.2.
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}
