package soap

import (
	"bytes"
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
	depth        int
	from, to     int // value, in document.values
	local, space string
	typ, ref     string // xsi:type; href, URI, Algorithm, Type, ValueType or name attribute
	role, lang   string
	must, nilled bool
	limit        int
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
	slab         []record.SOAPNode // room for the trees of the record
	refs         []string          // Content-IDs that are referred to
	problems     []record.SOAPXMLProblem
}

func (d *document) reset() {
	*d = document{config: d.config, tok: d.tok, room: d.config.Nodes, header: d.header[:0], body: d.body[:0], values: d.values[:0]}
}

func (d *document) problem(code, detail string, line, column int, offset int64, near []byte) {
	for _, p := range d.problems {
		if p.Code == code {
			return
		}
	}
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, record.SOAPXMLProblem{
			Code: code, Detail: detail, Line: line, Column: column, Offset: offset, Near: strings.ToValidUTF8(string(near), "\uFFFD"),
		})
	}
}

// odd notes a problem that has no place of its own.
func (d *document) odd(code, detail string) { d.problem(code, detail, 0, 0, 0, nil) }

// start is called for each element, in document order.
func (d *document) start(depth int, name, local []byte, space string) {
	d.at = nil
	switch depth {
	case 0:
		d.begin(name, local, space)
		return
	case 1:
		if d.form == "soap" {
			d.part(local, space)
			return
		}
	}
	if len(d.tok.attrs) > 0 {
		d.references()
	}
	switch {
	case d.section == inHeader && len(d.header) < maxHeaderNodes:
		d.header = append(d.header, node{depth: depth, limit: maxHeaderValue})
		d.at = &d.header[len(d.header)-1]
	case d.section == inBody && len(d.body) < d.room:
		limit := d.config.Value
		if d.faulty {
			limit = maxFaultValue
		}
		d.body = append(d.body, node{depth: depth, limit: limit})
		d.at = &d.body[len(d.body)-1]
		if len(d.body) == 1 {
			d.faulty = string(local) == "Fault"
		}
	case d.section == inBody:
		d.more++
		return
	default:
		return
	}
	n := d.at
	n.local, n.space = d.tok.intern(local), space
	n.from, n.to = len(d.values), len(d.values)
	if len(d.tok.attrs) > 0 {
		d.attributes(n)
	}
}

// begin looks at the root element.
func (d *document) begin(name, local []byte, space string) {
	d.root, d.rootLocal, d.rootSpace = d.tok.intern(name), d.tok.intern(local), space
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
		d.body = append(d.body, node{local: d.rootLocal, space: space, from: len(d.values), to: len(d.values), limit: d.config.Value})
	}
}

// part looks at a child of the envelope.
func (d *document) part(local []byte, space string) {
	d.section = outside
	d.references()
	if d.first == 0 {
		d.section = inBody
		if len(d.body) < d.room {
			d.body = append(d.body, node{depth: 1, local: d.tok.intern(local), space: space, from: len(d.values), to: len(d.values), limit: d.config.Value})
			d.at = &d.body[len(d.body)-1]
			d.attributes(d.at)
		}
		return
	}
	switch string(local) {
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
			d.odd("soap_stray_element", "element "+clip(local)+" beside Header and Body")
		}
	}
	if space != d.rootSpace && d.section != outside {
		d.odd("soap_namespace_mixed", clip(local)+" is not in the envelope's namespace but in "+quoteSpace(space))
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
			n.typ = d.tok.intern(t)
		case "nil":
			n.nilled = isTrue(a.value)
		case "mustUnderstand":
			n.must = isTrue(a.value)
		case "actor", "role":
			n.role = d.tok.intern(a.value)
		case "lang":
			n.lang = d.tok.intern(a.value)
		case "href", "URI", "Algorithm", "Type", "ValueType", "name", "RelationshipType":
			n.ref = d.tok.intern(a.value)
		}
	}
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
	return strings.TrimRight(v, " \t\r\n")
}

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
	// All lists of one document share their memory.
	if len(d.slab) < count {
		d.slab = make([]record.SOAPNode, max(count, len(list)))
	}
	out := d.slab[:0:count]
	d.slab = d.slab[count:]
	i := 0
	for i < len(list) && list[i].depth > depth {
		n := &list[i]
		r := record.SOAPNode{Name: n.local, Type: n.typ, Nil: n.nilled, Value: n.value(all)}
		if n.local == "var" && n.ref != "" { // WDDX names its members so
			r.Name = n.ref
		}
		if r.Value != "" && d.tok.isSecret(r.Name) {
			r.Value = record.Mask
		}
		var used int
		r.Children, used = d.tree(list[i+1:], n.depth, all)
		out = append(out, r)
		i += used + 1
	}
	return out, i
}

func quoteSpace(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(clip([]byte(s)))
}
