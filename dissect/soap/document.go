package soap

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sniff/record"
)

// Namespaces of the envelope.
const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// Bounds of what is kept of one document beside its parameters.
const (
	maxHeaderNodes = 512
	maxHeaderValue = 4096
	maxFaultValue  = 1024
	maxReferences  = 256
	maxProblems    = 8
)

// section is the part of an envelope that the tokenizer is in.
type section uint8

const (
	outside section = iota
	inHeader
	inBody
)

// node is one element that is kept: the lists of them are in document order.
type node struct {
	*name
	space    string
	said     *said // what its attributes say; nil for nothing
	depth    int
	from, to int // value, in document.values
	limit    int
}

// said are the attributes of an element that mean something here.
type said struct {
	typ, ref     string // xsi:type; href, URI, Algorithm, Type, ValueType or name attribute
	role, lang   string
	must, nilled bool
}

// attributes returns what an element's attributes say.
func (n *node) attributes() said {
	if n.said == nil {
		return said{}
	}
	return *n.said
}

// document gathers what is worth keeping of one document while the tokenizer
// runs over it.
type document struct {
	config *Config
	tok    *tokenizer

	form      string // soap, xml-rpc, wddx
	root      string
	rootLocal string
	rootSpace string
	style     string // encodingStyle
	section   section
	bodies    int // Body elements
	first     int // depth of the first nodes that are kept of the body

	header, body []node
	values       []byte
	at           *node             // whose text is being read; nil: nobody's
	room         int               // how many elements of the body are kept
	more         int               // elements of the body that are not
	faulty       bool              // the body is a fault
	said         []said            // of the nodes that have any
	slab         []record.SOAPNode // room for the trees of records, of this document and of later ones
	refs         []string          // Content-IDs that are referred to
	problems     []problem
}

// problem is something wrong at a place, nil for the document at large.
type problem struct {
	code, detail string
	at           *place
}

func (d *document) reset() {
	*d = document{
		config: d.config, tok: d.tok, room: d.config.Nodes,
		header: d.header[:0], body: d.body[:0], values: d.values[:0], said: d.said[:0], slab: d.slab, problems: d.problems[:0],
	}
}

func (d *document) problem(code, detail string, at *place) {
	if !slices.ContainsFunc(d.problems, func(p problem) bool { return p.code == code }) {
		d.problems = append(d.problems, problem{code, detail, at})
	}
}

// odd notes a problem that has no place of its own.
func (d *document) odd(code, detail string) { d.problem(code, detail, nil) }

// told are the problems in the order of their places: decoder and tokenizer
// find theirs in an order that depends on how the document was cut.
func (d *document) told() []record.SOAPXMLProblem {
	if len(d.problems) == 0 {
		return nil
	}
	out := make([]record.SOAPXMLProblem, len(d.problems))
	for i, p := range d.problems {
		out[i] = record.SOAPXMLProblem{Code: p.code, Detail: p.detail}
		if at := p.at; at != nil {
			out[i].Line, out[i].Column, out[i].Offset = at.line, at.column, at.offset
			out[i].Near = strings.ToValidUTF8(string(at.text()), "\uFFFD")
		}
	}
	slices.SortFunc(out, func(a, b record.SOAPXMLProblem) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Code, b.Code))
	})
	return out[:min(len(out), maxProblems)]
}

// start is called for each element, in document order.
func (d *document) start(depth int, n *name, space string) {
	d.at = nil
	switch depth {
	case 0:
		d.begin(n, space)
		return
	case 1:
		if d.form == "soap" {
			d.part(n, space)
			return
		}
	}
	if len(d.tok.attrs) > 0 {
		d.references()
	}
	switch d.section {
	case inHeader:
		if len(d.header) < maxHeaderNodes {
			d.header = append(d.header, node{name: n, space: space, depth: depth, limit: maxHeaderValue})
			d.keep(&d.header[len(d.header)-1])
		}
	case inBody:
		if len(d.body) >= d.room {
			d.more++
			return
		}
		limit := d.config.Value
		if d.faulty {
			limit = maxFaultValue
		}
		if len(d.body) == 0 {
			d.faulty = n.local == "Fault"
		}
		d.body = append(d.body, node{name: n, space: space, depth: depth, limit: limit})
		d.keep(&d.body[len(d.body)-1])
	}
}

// keep reads the attributes of a node that is kept, and waits for its text.
func (d *document) keep(n *node) {
	n.from, n.to = len(d.values), len(d.values)
	if d.at = n; len(d.tok.attrs) > 0 {
		d.attributes(n)
	}
}

// begin looks at the root element.
func (d *document) begin(n *name, space string) {
	d.root, d.rootLocal, d.rootSpace = n.full, n.local, space
	d.references()
	switch d.rootLocal {
	case "Envelope":
		d.form, d.first = "soap", 2
	case "methodCall", "methodResponse":
		// Every value is wrapped three times.
		d.form, d.section, d.first, d.room = "xml-rpc", inBody, 1, 4*d.room
	case "wddxPacket":
		d.form, d.section, d.first, d.room = "wddx", inBody, 1, 2*d.room
	default:
		d.form, d.section, d.first = "soap", inBody, 0
		d.body = append(d.body, node{name: n, space: space, limit: d.config.Value})
	}
}

// part looks at a child of the envelope.
func (d *document) part(n *name, space string) {
	d.section = outside
	d.references()
	if d.first == 0 {
		d.section = inBody
		if len(d.body) < d.room {
			d.body = append(d.body, node{name: n, space: space, depth: 1, limit: d.config.Value})
			d.keep(&d.body[len(d.body)-1])
		}
		return
	}
	switch n.local {
	case "Header":
		if d.bodies > 0 {
			d.odd("soap_header_order", "Header stands behind Body")
		}
		d.section = inHeader
	case "Body":
		if d.bodies++; d.bodies > 1 {
			d.odd("soap_two_bodies", "more than one Body")
		}
		d.section = inBody
	default:
		if d.rootSpace == soap12 {
			d.odd("soap_stray_element", "element "+clip(n.local)+" beside Header and Body")
		}
	}
	if space != d.rootSpace && d.section != outside {
		d.odd("soap_namespace_mixed", clip(n.local)+" is not in the envelope's namespace but in "+quoteSpace(space))
	}
}

// references notes the parts that an element refers to, and its encodingStyle.
func (d *document) references() {
	for i := range d.tok.attrs {
		a := &d.tok.attrs[i]
		switch {
		case len(a.value) > 4 && string(a.value[:4]) == "cid:":
			if _, local := cutName(a.name); string(local) == "href" && len(d.refs) < maxReferences {
				d.refs = append(d.refs, unescapeCID(string(a.value[4:])))
			}
		case len(a.name) >= 13 && bytes.HasSuffix(a.name, []byte("encodingStyle")) && d.style == "":
			d.style = d.tok.intern(a.value)
		}
	}
}

// unescapeCID undoes the URL escapes of a cid: RFC 2392.
func unescapeCID(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// attributes keeps the attributes that mean something here.
func (d *document) attributes(n *node) {
	for i := range d.tok.attrs {
		a := &d.tok.attrs[i]
		_, local := cutName(a.name)
		switch string(local) {
		case "type":
			_, t := cutName(a.value)
			d.says(n).typ = d.tok.intern(t)
		case "nil":
			d.says(n).nilled = isTrue(a.value)
		case "mustUnderstand":
			d.says(n).must = isTrue(a.value)
		case "actor", "role":
			d.says(n).role = d.tok.intern(a.value)
		case "lang":
			d.says(n).lang = d.tok.intern(a.value)
		case "href", "URI", "Algorithm", "Type", "ValueType", "name", "RelationshipType":
			d.says(n).ref = d.tok.intern(a.value)
		}
	}
}

// says returns where to note what a node's attributes say.
func (d *document) says(n *node) *said {
	if n.said == nil {
		if len(d.said) == cap(d.said) {
			d.said = make([]said, 0, max(16, 2*cap(d.said))) // nodes point into the old ones
		}
		d.said = append(d.said, said{})
		n.said = &d.said[len(d.said)-1]
	}
	return n.said
}

func isTrue(v []byte) bool { return string(v) == "1" || string(v) == "true" }

// end is called when the element at depth ends.
func (d *document) end(depth int) {
	d.at = nil
	if depth == 1 && d.first == 2 {
		d.section = outside
	}
}

// text takes a piece of character data; escaped when it may hold references.
func (d *document) text(p []byte, escaped bool) {
	n := d.at
	if n == nil || n.to != len(d.values) {
		return
	}
	if n.from == n.to {
		i := indexNonSpace(p)
		if i < 0 {
			return
		}
		p = p[i:]
	}
	room := n.limit + 1 - (n.to - n.from)
	if room <= 0 {
		return
	}
	limit := len(d.values) + room
	if escaped {
		d.values = appendText(d.values, p, limit)
	} else {
		d.values = append(d.values, p[:min(len(p), room)]...)
	}
	n.to = len(d.values)
}

// value returns a node's text out of all values, trimmed, and cut to its
// limit at a rune's border.
func (n *node) value(all string) string {
	v := all[n.from:n.to]
	if len(v) > n.limit {
		cut := n.limit
		for cut > 0 && !utf8.RuneStart(v[cut]) {
			cut--
		}
		return v[:cut] + "…"
	}
	for len(v) > 0 && isSpace[v[len(v)-1]] {
		v = v[:len(v)-1]
	}
	return v
}

// slabNodes is for how many nodes of records room is made at once.
const slabNodes = 192

// tree makes nested nodes of the nodes that lie deeper than depth, from the
// front of list; it returns how many of the list it took.
func (d *document) tree(list []node, depth int, all string) ([]record.SOAPNode, int) {
	count, base := 0, 0
	for i := range list {
		if list[i].depth <= depth {
			break
		}
		if i == 0 {
			base = list[i].depth
		}
		if list[i].depth == base {
			count++
		}
	}
	if count == 0 {
		return nil, 0
	}
	// The lists of some documents share their memory.
	if len(d.slab) < count {
		d.slab = make([]record.SOAPNode, max(count, slabNodes))
	}
	out := d.slab[:0:count]
	d.slab = d.slab[count:]
	i := 0
	for i < len(list) && list[i].depth > depth {
		n := &list[i]
		out = out[:len(out)+1]
		r := &out[len(out)-1]
		r.Name = n.local
		secret := n.secret
		if s := n.said; s != nil {
			r.Type, r.Nil = s.typ, s.nilled
			if n.local == "var" && s.ref != "" { // WDDX names its members so
				r.Name, secret = s.ref, record.SecretElement(s.ref)
			}
		}
		if n.from < n.to {
			if r.Value = n.value(all); secret && r.Value != "" {
				r.Value = record.Mask
			}
		}
		i++
		if i < len(list) && list[i].depth > n.depth {
			var used int
			r.Children, used = d.tree(list[i:], n.depth, all)
			i += used
		}
	}
	return out, i
}

func quoteSpace(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(clip([]byte(s)))
}
