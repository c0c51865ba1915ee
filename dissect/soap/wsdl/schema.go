package wsdl

import (
	"strconv"
	"strings"
)

// schemas are the components of all schemas of a contract.
type schemas struct {
	elements   map[QName]*element
	types      map[QName]*typeDef
	groups     map[QName]*particle
	attributes map[QName]*attribute
	attrGroups map[QName]*attrSet
	heirs      map[QName][]*element // members of substitution groups
}

func newSchemas() schemas {
	return schemas{
		elements: map[QName]*element{}, types: map[QName]*typeDef{}, groups: map[QName]*particle{},
		attributes: map[QName]*attribute{}, attrGroups: map[QName]*attrSet{}, heirs: map[QName][]*element{},
	}
}

// element is an element declaration: XML Schema part 1, section 3.3.
type element struct {
	name     QName
	ref      QName // the declaration meant instead
	typ      QName
	inline   *typeDef
	nillable bool
}

// attribute is an attribute declaration or use: sections 3.2 and 3.5.
type attribute struct {
	name     QName
	ref      QName
	typ      QName
	inline   *typeDef
	required bool
	barred   bool
}

// attrSet is the attributes of a type or group.
type attrSet struct {
	list   []*attribute
	groups []QName
	any    bool
}

type particleKind uint8

const (
	sequence particleKind = iota
	choice
	all
	single // one element
	wild   // any element
	group  // a named group
)

// particle is a part of a content model: section 3.9.
type particle struct {
	kind     particleKind
	min, max int // max < 0: unbounded
	element  *element
	parts    []*particle
	ref      QName
	spaces   string // namespace attribute of a wildcard
	target   string
	skip     bool // what a wildcard matches is not looked at
}

// reading is one schema document as it is read.
type schemaReader struct {
	*schemas
	target             string
	qualified, attrsIn bool
	depth              int
}

// maxSchemaDepth bounds the nesting of a schema's declarations.
const maxSchemaDepth = 64

// read puts the declarations of one schema into the tables.
func (s *schemas) read(schema *Node, target string) {
	r := &schemaReader{schemas: s, target: target, qualified: schema.attr("elementFormDefault") == "qualified", attrsIn: schema.attr("attributeFormDefault") == "qualified"}
	r.declarations(schema)
}

func (r *schemaReader) declarations(parent *Node) {
	for _, n := range parent.Children {
		if n.Space != spaceXSD {
			continue
		}
		name := QName{r.target, n.attr("name")}
		switch n.Local {
		case "element":
			e := r.element(n, true)
			r.elements[name] = e
			if head := n.ref("substitutionGroup"); head != (QName{}) {
				r.heirs[head] = append(r.heirs[head], e)
			}
		case "complexType":
			r.types[name] = r.complexType(n)
		case "simpleType":
			r.types[name] = r.simpleType(n)
		case "group":
			r.groups[name] = r.model(n)
		case "attribute":
			r.attributes[name] = r.attribute(n, true)
		case "attributeGroup":
			set := &attrSet{}
			r.attrs(n, set)
			r.attrGroups[name] = set
		case "redefine":
			r.declarations(n)
		}
	}
}

func (r *schemaReader) element(n *Node, global bool) *element {
	e := &element{ref: n.ref("ref"), typ: r.typeRef(n, "type"), nillable: isTrue(n.attr("nillable"))}
	e.name.Local = n.attr("name")
	if form := n.attr("form"); global || form == "qualified" || form == "" && r.qualified {
		e.name.Space = r.target
	}
	if t := n.child(spaceXSD, "complexType"); t != nil {
		e.inline = r.complexType(t)
	} else if t := n.child(spaceXSD, "simpleType"); t != nil {
		e.inline = r.simpleType(t)
	}
	return e
}

// typeRef resolves the name of a type. In a schema that took its namespace
// from another one, names without a prefix are in that namespace.
func (r *schemaReader) typeRef(n *Node, attr string) QName {
	q := n.ref(attr)
	if q != (QName{}) && q.Space == "" {
		q.Space = r.target
	}
	return q
}

func (r *schemaReader) attribute(n *Node, global bool) *attribute {
	a := &attribute{ref: n.ref("ref"), typ: r.typeRef(n, "type"), required: n.attr("use") == "required", barred: n.attr("use") == "prohibited"}
	a.name.Local = n.attr("name")
	if form := n.attr("form"); global || form == "qualified" || form == "" && r.attrsIn {
		a.name.Space = r.target
	}
	if t := n.child(spaceXSD, "simpleType"); t != nil {
		a.inline = r.simpleType(t)
	}
	return a
}

// attrs reads the attribute uses among the children of n.
func (r *schemaReader) attrs(n *Node, set *attrSet) {
	for _, c := range n.Children {
		if c.Space != spaceXSD {
			continue
		}
		switch c.Local {
		case "attribute":
			set.list = append(set.list, r.attribute(c, false))
		case "attributeGroup":
			set.groups = append(set.groups, c.ref("ref"))
		case "anyAttribute":
			set.any = true
		}
	}
}

// model returns the content model among the children of n; nil for none.
func (r *schemaReader) model(n *Node) *particle {
	for _, c := range n.Children {
		if c.Space != spaceXSD {
			continue
		}
		switch c.Local {
		case "sequence", "choice", "all", "group":
			return r.particle(c)
		}
	}
	return nil
}

// particle reads one particle: section 3.9.2.
func (r *schemaReader) particle(n *Node) *particle {
	p := &particle{min: occurs(n, "minOccurs"), max: occurs(n, "maxOccurs"), target: r.target}
	if r.depth++; r.depth > maxSchemaDepth {
		r.depth--
		p.kind, p.skip, p.min, p.max = wild, true, 0, -1
		return p
	}
	defer func() { r.depth-- }()
	switch n.Local {
	case "element":
		p.kind, p.element = single, r.element(n, false)
		return p
	case "any":
		p.kind, p.spaces, p.skip = wild, n.attr("namespace"), n.attr("processContents") == "skip"
		return p
	case "group":
		p.kind, p.ref = group, n.ref("ref")
		return p
	case "choice":
		p.kind = choice
	case "all":
		p.kind = all
	}
	for _, c := range n.Children {
		if c.Space == spaceXSD {
			switch c.Local {
			case "element", "any", "group", "sequence", "choice", "all":
				p.parts = append(p.parts, r.particle(c))
			}
		}
	}
	return p
}

func occurs(n *Node, attr string) int {
	switch v := n.attr(attr); v {
	case "":
		return 1
	case "unbounded":
		return -1
	default:
		i, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || i < 0 {
			return 1
		}
		return i
	}
}

func isTrue(v string) bool { return v == "true" || v == "1" }

func splitNames(v string) []string { return strings.Fields(v) }
