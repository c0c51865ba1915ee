package wsdl

import (
	"regexp"
	"strconv"
	"strings"
)

// typeDef is a type definition, simple or complex: XML Schema part 1, sections
// 3.4 and 3.14.
type typeDef struct {
	name   QName
	simple bool

	// Of a complex type.
	content  *particle
	extends  QName // base whose content and attributes come first
	value    QName // simple content: the type of the text
	mixed    bool
	attrs    attrSet
	anything bool // what it restricts is not modelled: it accepts everything
	abstract bool

	// Of a simple type.
	base    QName // restriction
	inline  *typeDef
	facets  facets
	list    bool // base or inline is the type of the items
	members []QName
	inlines []*typeDef // members of a union without a name
}

// facets constrain a simple type: XML Schema part 2, section 4.3.
type facets struct {
	enum                       []string
	patterns                   []*regexp.Regexp
	length, minLength, maxLen  int // -1: none
	minIn, maxIn, minEx, maxEx string
	total, fraction            int // digits; -1: none
}

func (r *schemaReader) complexType(n *Node) *typeDef {
	t := &typeDef{name: QName{r.target, n.attr("name")}, mixed: isTrue(n.attr("mixed")), abstract: isTrue(n.attr("abstract"))}
	r.attrs(n, &t.attrs)
	t.content = r.model(n)
	for _, c := range n.Children {
		if c.Space != spaceXSD || c.Local != "complexContent" && c.Local != "simpleContent" {
			continue
		}
		if isTrue(c.attr("mixed")) {
			t.mixed = true
		}
		for _, d := range c.Children {
			if d.Space != spaceXSD || d.Local != "extension" && d.Local != "restriction" {
				continue
			}
			base := r.typeRef(d, "base")
			r.attrs(d, &t.attrs)
			switch {
			case c.Local == "simpleContent":
				t.value = base
			case d.Local == "extension":
				t.extends, t.content = base, r.model(d)
			case base.Space == spaceXSD:
				t.content = r.model(d) // of anyType
			default:
				// Arrays of SOAP section 5, and restrictions, whose
				// attributes would have to be merged.
				t.content, t.anything = r.model(d), base.Local == "Array"
				t.attrs.any = true
			}
		}
	}
	return t
}

// simpleType reads XML Schema part 1, section 3.14.2.
func (r *schemaReader) simpleType(n *Node) *typeDef {
	t := &typeDef{simple: true, name: QName{r.target, n.attr("name")}, facets: facets{length: -1, minLength: -1, maxLen: -1, total: -1, fraction: -1}}
	if r.depth++; r.depth > maxSchemaDepth {
		r.depth--
		return t
	}
	defer func() { r.depth-- }()
	for _, c := range n.Children {
		if c.Space != spaceXSD {
			continue
		}
		inner := c.child(spaceXSD, "simpleType")
		switch c.Local {
		case "restriction":
			t.base = r.typeRef(c, "base")
			if inner != nil {
				t.inline = r.simpleType(inner)
			}
			t.facets.read(c)
		case "list":
			t.list, t.base = true, r.typeRef(c, "itemType")
			if inner != nil {
				t.inline = r.simpleType(inner)
			}
		case "union":
			for _, m := range splitNames(c.attr("memberTypes")) {
				t.members = append(t.members, c.qnameOf(m))
			}
			for _, m := range c.Children {
				if m.Space == spaceXSD && m.Local == "simpleType" {
					t.inlines = append(t.inlines, r.simpleType(m))
				}
			}
		}
	}
	return t
}

func (f *facets) read(n *Node) {
	number := func(v string) int {
		i, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || i < 0 {
			return -1
		}
		return i
	}
	for _, c := range n.Children {
		v := c.attr("value")
		switch c.Local {
		case "enumeration":
			f.enum = append(f.enum, v)
		case "pattern":
			if re := compilePattern(v); re != nil {
				f.patterns = append(f.patterns, re)
			}
		case "length":
			f.length = number(v)
		case "minLength":
			f.minLength = number(v)
		case "maxLength":
			f.maxLen = number(v)
		case "minInclusive":
			f.minIn = v
		case "maxInclusive":
			f.maxIn = v
		case "minExclusive":
			f.minEx = v
		case "maxExclusive":
			f.maxEx = v
		case "totalDigits":
			f.total = number(v)
		case "fractionDigits":
			f.fraction = number(v)
		}
	}
}

// compilePattern makes a Go expression of a schema's: XML Schema part 2,
// appendix F. What Go has not (subtraction of classes, \i and \c) is not
// checked: nil.
func compilePattern(v string) *regexp.Regexp {
	if len(v) > 1024 || strings.Contains(v, "-[") || strings.Contains(v, `\i`) || strings.Contains(v, `\c`) || strings.Contains(v, `\I`) || strings.Contains(v, `\C`) {
		return nil
	}
	// ^ and $ are ordinary characters there.
	var b strings.Builder
	class := 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\' && i+1 < len(v):
			b.WriteByte(c)
			i++
			b.WriteByte(v[i])
			continue
		case c == '[':
			class++
		case c == ']':
			class--
		case (c == '^' || c == '$') && class == 0:
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	re, err := regexp.Compile(`^(?:` + b.String() + `)$`)
	if err != nil {
		return nil
	}
	return re
}
