package soap

import (
	"bytes"
	"slices"
	"strconv"
)

// tokenizer splits UTF-8 XML into events as it comes. It keeps no tree, only
// the names of the open elements, and no more text than an unfinished tag. It
// never expands an entity of the document's own.
type tokenizer struct {
	doc    handler
	config *Config

	mode    mode
	pending []byte // unfinished markup
	dead    bool   // nothing can be read behind an error

	offset int64 // of the first byte not yet consumed
	line   int
	column int

	stack  []*name // open elements
	spaces []binding
	scope  uint64 // counts changes of spaces
	attrs  []attr

	elements int
	rooted   bool // the root element has been seen
	brackets int  // depth inside of a DOCTYPE
	dtd      []byte
	declared *place // where the DOCTYPE under way begins
	names
	places
}

// handler takes what a tokenizer finds.
type handler interface {
	// start begins an element; its attributes are in tokenizer.attrs.
	start(depth int, n *name, space string)
	// text is character data; escaped when it may hold references.
	text(p []byte, escaped bool)
	end(depth int)
	// problem notes what is wrong at a place, nil for the document at large.
	problem(code, detail string, at *place)
}

type mode uint8

const (
	inText mode = iota
	inComment
	inCDATA
	inPI
	inDoctype
)

type attr struct{ name, value []byte }

func (t *tokenizer) reset() {
	t.mode, t.dead, t.rooted = inText, false, false
	t.pending, t.stack, t.spaces, t.dtd = t.pending[:0], t.stack[:0], t.spaces[:0], t.dtd[:0]
	t.offset, t.line, t.column, t.elements, t.brackets = 0, 1, 1, 0, 0
	t.scope++
	t.declared = nil
	t.names.reset()
	t.places.reset()
}

// write takes the next bytes of the document.
func (t *tokenizer) write(p []byte) {
	t.places.see(p)
	if t.dead {
		return
	}
	if len(t.pending) > 0 {
		growing := len(t.pending) > 16 && t.pending[0] == '<' && len(t.pending) <= t.config.Markup
		t.pending = append(t.pending, p...)
		if growing && bytes.IndexByte(p, '>') < 0 {
			return // a tag that cannot end here
		}
		p = t.pending
	}
	n := t.run(p)
	t.advance(p[:n])
	if t.dead {
		t.pending = t.pending[:0]
		return
	}
	rest := p[n:]
	if len(rest) > t.config.Markup {
		t.tooLong(p, n)
		return
	}
	t.pending = append(t.pending[:0], rest...)
}

func (t *tokenizer) tooLong(p []byte, at int) {
	t.fail(p, at, "xml_too_long", "markup longer than "+strconv.Itoa(t.config.Markup)+" bytes")
}

// advance moves the position behind consumed bytes.
func (t *tokenizer) advance(p []byte) {
	t.offset += int64(len(p))
	t.keep(p)
	t.line, t.column = t.position(p)
}

// position returns the place behind p, which begins at the tokenizer's own.
func (t *tokenizer) position(p []byte) (line, column int) {
	lines := bytes.Count(p, newline)
	if lines == 0 {
		return t.line, t.column + len(p)
	}
	return t.line + lines, len(p) - bytes.LastIndexByte(p, '\n')
}

var newline = []byte{'\n'}

// run reads all complete tokens of p and returns how many bytes they took.
func (t *tokenizer) run(p []byte) int {
	i := 0
	for i < len(p) && !t.dead {
		n := 0
		switch t.mode {
		case inText:
			if p[i] == '<' {
				n = t.markup(p, i)
			} else {
				n = t.text(p, i)
			}
		case inComment:
			n = t.until(p[i:], "-->")
		case inPI:
			n = t.until(p[i:], "?>")
		case inCDATA:
			n = t.cdata(p[i:])
		case inDoctype:
			n = t.doctype(p[i:])
		}
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

// text takes character data at all[at] up to the next markup. A reference that is cut off
// by the end of p waits for its rest.
func (t *tokenizer) text(all []byte, at int) int {
	p := all[at:]
	n := bytes.IndexByte(p, '<')
	if n < 0 {
		n = len(p)
		tail := p[max(0, n-maxReference):]
		if amp := bytes.LastIndexByte(tail, '&'); amp >= 0 && bytes.IndexByte(tail[amp:], ';') < 0 {
			n -= len(tail) - amp
		}
		if n == 0 {
			return 0
		}
	}
	if len(t.stack) == 0 {
		if j := indexNonSpace(p[:n]); j >= 0 {
			t.problem(all, at+j, "xml_malformed", "text outside of the root element")
		}
		return n
	}
	t.doc.text(p[:n], true)
	return n
}

func indexNonSpace(p []byte) int {
	for i, c := range p {
		if !isSpace[c] {
			return i
		}
	}
	return -1
}

// until skips to behind a mark; the end of p may hold the front of it.
func (t *tokenizer) until(p []byte, mark string) int {
	if i := bytes.Index(p, []byte(mark)); i >= 0 {
		t.mode = inText
		return i + len(mark)
	}
	return max(len(p)-len(mark)+1, 0)
}

func (t *tokenizer) cdata(p []byte) int {
	i := bytes.Index(p, []byte("]]>"))
	if i >= 0 {
		t.doc.text(p[:i], false)
		t.mode = inText
		return i + 3
	}
	n := max(len(p)-2, 0)
	if n > 0 {
		t.doc.text(p[:n], false)
	}
	return n
}

// markup reads what begins with '<' at p[at]; 0 when it is not all there.
func (t *tokenizer) markup(p []byte, at int) int {
	b := p[at:]
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '/':
		// Nearly always the innermost element's name and > stand here.
		if n := len(t.stack); n > 0 {
			open := t.stack[n-1].full
			if end := 2 + len(open); end < len(b) && b[end] == '>' && string(b[2:end]) == open {
				t.shut()
				return end + 1
			}
		}
		end := bytes.IndexByte(b, '>')
		if end < 0 {
			return 0
		}
		if end >= t.config.Markup {
			t.tooLong(p, at)
			return 0
		}
		name := b[2:end]
		for len(name) > 0 && isSpace[name[len(name)-1]] {
			name = name[:len(name)-1]
		}
		t.endTag(p, at, name)
		return end + 1
	case '?':
		t.mode = inPI
		return 2
	case '!':
		for _, m := range [...]struct {
			mark string
			mode mode
		}{{"<!--", inComment}, {"<![CDATA[", inCDATA}, {"<!DOCTYPE", inDoctype}} {
			n := min(len(b), len(m.mark))
			if string(b[:n]) != m.mark[:n] {
				continue
			}
			if n < len(m.mark) {
				return 0
			}
			t.mode = m.mode
			if m.mode == inDoctype {
				t.declared = t.place(p, at+n)
			}
			if m.mode == inCDATA && len(t.stack) == 0 {
				t.problem(p, at, "xml_malformed", "CDATA outside of the root element")
			}
			return n
		}
		t.fail(p, at, "xml_malformed", "markup that is neither comment, CDATA nor DOCTYPE")
		return 0
	}
	return t.startTag(p, at)
}

// startTag reads a start tag or an empty element's tag.
func (t *tokenizer) startTag(p []byte, at int) int {
	b := p[at:]
	t.attrs = t.attrs[:0]
	n, i := t.guess(b)
	if n == nil {
		colon := 0
		for i = 1; i < len(b) && !endsName[b[i]]; i++ {
			if b[i] == ':' && colon == 0 {
				colon = i
			}
		}
		if i == len(b) {
			return 0
		}
		if i == 1 || isDigit(b[1]) || b[1] == '-' || b[1] == '.' {
			t.fail(p, at, "xml_malformed", "no element name behind <")
			return 0
		}
		n = t.name(b[1:i], max(0, colon-1))
	}
	if b[i] == '>' && i < t.config.Markup {
		t.open(p, at, n, false)
		return i + 1
	}
	for {
		for i < len(b) && isSpace[b[i]] {
			i++
		}
		if i == len(b) {
			return 0
		}
		if i >= t.config.Markup {
			t.tooLong(p, at) // as if it had come in pieces
			return 0
		}
		switch b[i] {
		case '>':
			t.open(p, at, n, false)
			return i + 1
		case '/':
			if i+1 == len(b) {
				return 0
			}
			if b[i+1] != '>' {
				t.fail(p, at+i, "xml_malformed", "/ inside of the tag of "+clip(n.full))
				return 0
			}
			t.open(p, at, n, true)
			return i + 2
		}
		k := t.attribute(p, at+i)
		if k == 0 {
			return 0
		}
		i += k
	}
}

// attribute reads name="value" at p[at].
func (t *tokenizer) attribute(p []byte, at int) int {
	b := p[at:]
	i := 0
	for i < len(b) && !endsName[b[i]] && b[i] != '=' {
		i++
	}
	name := b[:i]
	for i < len(b) && isSpace[b[i]] {
		i++
	}
	if i == len(b) {
		return 0
	}
	if b[i] != '=' || len(name) == 0 {
		t.fail(p, at, "xml_malformed", "attribute without a value: "+clip(name))
		return 0
	}
	i++
	for i < len(b) && isSpace[b[i]] {
		i++
	}
	if i == len(b) {
		return 0
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		t.fail(p, at, "xml_malformed", "value of attribute "+clip(name)+" is not quoted")
		return 0
	}
	i++
	end := bytes.IndexByte(b[i:], quote)
	if end < 0 {
		return 0
	}
	if len(t.attrs) >= t.config.Attributes {
		t.fail(p, at, "xml_too_many_attributes", "an element has more than "+strconv.Itoa(t.config.Attributes)+" attributes")
		return 0
	}
	t.attrs = append(t.attrs, attr{name, b[i : i+end]})
	return i + end + 1
}

// open begins an element whose tag has been read.
func (t *tokenizer) open(p []byte, at int, n *name, empty bool) {
	if len(t.stack) == 0 {
		if t.rooted {
			t.fail(p, at, "xml_malformed", "a second root element: "+clip(n.full))
			return
		}
		t.rooted = true
	}
	if len(t.stack) >= t.config.Depth {
		t.fail(p, at, "xml_too_deep", "elements nest deeper than "+strconv.Itoa(t.config.Depth))
		return
	}
	if t.elements++; t.elements > t.config.Elements {
		t.fail(p, at, "xml_too_many_elements", "more than "+strconv.Itoa(t.config.Elements)+" elements")
		return
	}
	depth := len(t.stack)
	for i := range t.attrs {
		a := &t.attrs[i]
		if len(a.name) < 5 || string(a.name[:5]) != "xmlns" {
			continue
		}
		switch {
		case len(a.name) == 5:
			t.bind("", t.intern(a.value), depth)
		case a.name[5] == ':':
			t.bind(t.intern(a.name[6:]), t.intern(a.value), depth)
		}
	}
	t.follow(n)
	if n.scope != t.scope {
		t.resolve(n)
	}
	if !n.bound {
		t.problem(p, at, "xml_undefined_prefix", "prefix "+clip(n.prefix)+" is not bound to a namespace")
	}
	t.doc.start(depth, n, n.space)
	t.stack = append(t.stack, n)
	if empty {
		t.shut()
	}
}

func (t *tokenizer) endTag(p []byte, at int, name []byte) {
	if len(t.stack) == 0 {
		t.fail(p, at, "xml_malformed", "end tag "+clip(name)+" without a start")
		return
	}
	if open := t.stack[len(t.stack)-1].full; open != string(name) {
		t.fail(p, at, "xml_malformed", "end tag "+clip(name)+" where "+clip(open)+" is open")
		return
	}
	t.shut()
}

// shut ends the innermost element.
func (t *tokenizer) shut() {
	last := len(t.stack) - 1
	t.doc.end(last)
	t.stack = t.stack[:last]
	n := len(t.spaces)
	if n == 0 || t.spaces[n-1].depth < last {
		return
	}
	for n > 0 && t.spaces[n-1].depth >= last {
		n--
	}
	t.spaces = t.spaces[:n]
	t.scope++
}

// finish says what is still open when a whole document has ended.
func (t *tokenizer) finish() {
	if len(t.pending) > 0 && !t.dead {
		// A tag that was only gathered may hold an error.
		n := t.run(t.pending)
		t.advance(t.pending[:n])
		t.pending = t.pending[n:]
	}
	if t.dead {
		return
	}
	switch {
	case len(t.stack) > 0:
		t.problem(t.pending, 0, "xml_truncated", "the document ends inside of element "+clip(t.stack[len(t.stack)-1].full))
	case !t.rooted && t.offset+int64(len(t.pending)) == 0:
		t.problem(nil, 0, "xml_empty", "the document is empty")
	case !t.rooted:
		t.problem(t.pending, 0, "xml_malformed", "the document has no root element")
	case t.mode != inText || len(t.pending) > 0:
		t.problem(t.pending, 0, "xml_truncated", "the document ends inside of markup")
	}
}

// fail notes an error behind which nothing is read.
func (t *tokenizer) fail(p []byte, at int, code, detail string) {
	t.problem(p, at, code, detail)
	t.dead = true
}

// problem notes an error at p[at], where p begins at the tokenizer's position.
func (t *tokenizer) problem(p []byte, at int, code, detail string) {
	if !slices.Contains(t.told, code) {
		t.told = append(t.told, code)
		t.doc.problem(code, detail, t.place(p, at))
	}
}

// longClip is how many bytes of a name or the like are quoted.
const longClip = 64

// clip bounds a name or the like that is quoted.
func clip[T string | []byte](b T) string {
	if len(b) > longClip {
		return string(b[:longClip]) + "..."
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isSpace marks white space: XML 1.0, section 2.3.
var isSpace = [256]bool{' ': true, '\t': true, '\n': true, '\r': true}

// endsName marks the bytes that end an element's or attribute's name.
var endsName = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, '>': true, '/': true, '=': true, '<': true, '"': true, '\'': true}
