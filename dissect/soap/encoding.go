package soap

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// decoder makes UTF-8 of a document. The encoding is settled by RFC 7303,
// section 3: byte order mark, then charset parameter, then XML declaration,
// then UTF-8.
type decoder struct {
	to       *tokenizer
	charset  string // of the Content-Type
	first    []byte // bytes kept until the encoding is settled
	settled  bool
	name     string
	dec      transform.Transformer // nil: the bytes are UTF-8
	rest     []byte                // bytes of an unfinished character
	buf      []byte
	offset   int64 // of the text, in UTF-8, as the tokenizer counts
	damaged  bool
	declared string
}

// settleAfter is how many bytes are waited for to see the XML declaration.
const settleAfter = 256

func (e *decoder) reset(charset string) {
	*e = decoder{to: e.to, first: e.first[:0], rest: e.rest[:0], buf: e.buf, charset: charset}
}

func (e *decoder) write(p []byte) {
	if e.settled {
		e.decode(p)
		return
	}
	if len(e.first) == 0 && (len(p) >= settleAfter || bytes.Contains(p, []byte("?>"))) {
		e.settle(p)
		return
	}
	e.first = append(e.first, p...)
	if len(e.first) >= settleAfter || bytes.Contains(e.first, []byte("?>")) {
		e.settle(e.first)
	}
}

// finish ends the document.
func (e *decoder) finish() {
	if !e.settled {
		e.settle(e.first)
	}
	if len(e.rest) > 0 {
		at := e.offset
		if e.dec == nil {
			at -= int64(len(e.rest)) // passed on already
		}
		e.damage(at, "the document ends inside of a character")
	}
}

// settle chooses the encoding by the first bytes b and decodes them.
func (e *decoder) settle(b []byte) {
	e.settled = true
	mark, skip := "", 0
	switch {
	case len(b) > 1 && b[0] == '<' && b[1] != 0:
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		mark, skip = "utf-8", 3
	case bytes.HasPrefix(b, []byte("\xFE\xFF")):
		mark, skip = "utf-16be", 2
	case bytes.HasPrefix(b, []byte("\xFF\xFE")):
		mark, skip = "utf-16le", 2
	case bytes.HasPrefix(b, []byte("\x00<")):
		mark = "utf-16be"
	case bytes.HasPrefix(b, []byte("<\x00")):
		mark = "utf-16le"
	}
	e.declared = e.to.intern(declaredEncoding(narrow(b[:min(len(b), settleAfter)])))
	e.name = "utf-8"
	for _, candidate := range [...]string{mark, e.charset, e.declared} {
		if candidate != "" {
			e.name = canonical(candidate)
			break
		}
	}
	e.compare(mark)
	e.choose(b[skip:])
	e.decode(b[skip:])
}

// compare says where the places that name the encoding disagree.
func (e *decoder) compare(mark string) {
	for _, other := range [...]struct{ name, from string }{{e.charset, "the charset parameter"}, {e.declared, "the XML declaration"}} {
		if other.name == "" {
			continue
		}
		// "UTF-16" names both byte orders; ASCII is part of UTF-8.
		if c := canonical(other.name); c != e.name && !(strings.HasPrefix(e.name, "utf-16") && c == "utf-16") && !(c == "windows-1252" && strings.EqualFold(other.name, "us-ascii")) {
			e.to.doc.problem("xml_encoding_conflict", other.from+" says "+clip([]byte(other.name))+", the document is read as "+e.name, nil)
		}
	}
}

func (e *decoder) choose(b []byte) {
	switch e.name {
	case "utf-8":
		return
	case "utf-16be", "utf-16":
		e.dec = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
		return
	case "utf-16le":
		e.dec = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
		return
	}
	var enc encoding.Encoding
	if enc, _ = charset.Lookup(e.name); enc == nil {
		e.to.doc.problem("xml_encoding_unknown", "encoding "+clip([]byte(e.name))+" is not known; read as UTF-8", nil)
		e.name = "utf-8"
		return
	}
	e.dec = enc.NewDecoder()
}

// canonical gives an encoding one name.
func canonical(name string) string {
	if strings.EqualFold(name, "utf-8") {
		return "utf-8"
	}
	name = strings.ToLower(strings.Trim(name, ` "'`))
	switch name {
	case "utf8":
		return "utf-8"
	case "utf16", "ucs-2", "iso-10646-ucs-2":
		return "utf-16"
	case "utf-8", "utf-16", "utf-16le", "utf-16be":
		return name
	}
	if _, c := charset.Lookup(name); c != "" {
		return c
	}
	return name
}

// declaredEncoding reads the XML declaration: XML 1.0, section 4.3.3.
func declaredEncoding(b []byte) []byte {
	b = behindMark(b)
	if !bytes.HasPrefix(b, []byte("<?xml")) {
		return nil
	}
	if end := bytes.Index(b, []byte("?>")); end >= 0 {
		b = b[:end]
	}
	i := bytes.Index(b, []byte("encoding"))
	if i < 0 {
		return nil
	}
	name, _ := quotedIn(b[i:])
	if len(name) > longClip {
		return []byte(clip(name))
	}
	return name
}

func (e *decoder) decode(p []byte) {
	if e.dec == nil {
		e.check(p)
		e.to.write(p)
		e.offset += int64(len(p))
		return
	}
	if len(e.rest) > 0 {
		e.rest = append(e.rest, p...)
		p = e.rest
	}
	if e.buf == nil {
		e.buf = make([]byte, 16<<10)
	}
	for len(p) > 0 {
		nDst, nSrc, err := e.dec.Transform(e.buf, p, false)
		if i := bytes.Index(e.buf[:nDst], []byte("\uFFFD")); i >= 0 {
			e.damage(e.offset+int64(i), "bytes that are no "+e.name)
		}
		e.to.write(e.buf[:nDst])
		e.offset += int64(nDst)
		p = p[nSrc:]
		if err == transform.ErrShortSrc || nDst == 0 && nSrc == 0 {
			break
		}
	}
	e.rest = append(e.rest[:0], p...)
}

// check looks for bytes that are no UTF-8; the document is read all the same.
func (e *decoder) check(p []byte) {
	if e.damaged {
		return
	}
	whole := p
	if len(e.rest) > 0 {
		// A character that the last piece began.
		need := min(len(p), utf8.UTFMax-len(e.rest))
		e.rest = append(e.rest, p[:need]...)
		if !utf8.FullRune(e.rest) {
			return
		}
		r, n := utf8.DecodeRune(e.rest)
		if r == utf8.RuneError && n <= 1 {
			// As if the character had not been cut in two.
			e.damage(e.offset-int64(len(e.rest)-need), "byte "+hexByte(e.rest, 0)+" is no UTF-8")
			e.rest = e.rest[:0]
			return
		}
		p = p[n-(len(e.rest)-need):]
		e.rest = e.rest[:0]
	}
	tail := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				tail = len(p) - i
			}
			break
		}
	}
	nul := bytes.IndexByte(p[:tail], 0)
	if nul < 0 && utf8.Valid(p[:tail]) {
		e.rest = append(e.rest[:0], p[tail:]...)
		return
	}
	at := 0
	for at < tail && at != nul {
		r, n := utf8.DecodeRune(p[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	offset := e.offset + int64(len(whole)-len(p)+at)
	if at == nul {
		e.damage(offset, "a NUL byte")
		return
	}
	e.damage(offset, "byte "+hexByte(p, at)+" is no UTF-8")
}

func hexByte(b []byte, at int) string {
	const digits = "0123456789ABCDEF"
	if at >= len(b) {
		return ""
	}
	return "0x" + string([]byte{digits[b[at]>>4], digits[b[at]&15]})
}

func (e *decoder) damage(offset int64, detail string) {
	if e.damaged {
		return
	}
	e.damaged = true
	lie := ""
	if e.declared != "" || e.charset != "" {
		lie = ", although " + e.name + " was declared"
	}
	e.to.doc.problem("xml_encoding", detail+lie, &place{offset: offset})
}
