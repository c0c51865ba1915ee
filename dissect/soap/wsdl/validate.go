package wsdl

import (
	"slices"
	"strings"
)

// Bounds of one check.
const (
	maxDeviations = 8
	maxWork       = 200_000 // steps
	maxDepth      = 128
)

// validator holds one message against the schemas of its contract.
type validator struct {
	*schemas
	secret func(local string) bool
	out    []Deviation
	work   int
	depth  int
}

func (v *validator) say(code string, n *Node, detail string) {
	if len(v.out) < maxDeviations {
		v.out = append(v.out, Deviation{code, n.path(), detail})
	}
}

// step counts a step of work; false when there were too many.
func (v *validator) step() bool {
	v.work++
	return v.work < maxWork && len(v.out) < maxDeviations
}

// element checks an element against its declaration.
func (v *validator) element(n *Node, e *element) {
	if e.ref != (QName{}) {
		if e = v.elements[e.ref]; e == nil {
			return
		}
	}
	if n.qname() != e.name {
		// A member of the substitution group.
		if own := v.elements[n.qname()]; own != nil {
			e = own
		}
	}
	if nilled, ok := n.attrIn(spaceXSI, "nil"); ok && isTrue(nilled) {
		switch {
		case !e.nillable:
			v.say(NilInvalid, n, n.Local+" is nil, which the contract does not allow")
		case len(n.Children) > 0 || strings.TrimSpace(n.Text) != "":
			v.say(NilInvalid, n, n.Local+" is nil and not empty")
		}
		return
	}
	name, inline := e.typ, e.inline
	if chosen, ok := n.attrIn(spaceXSI, "type"); ok {
		if q := n.qnameOf(chosen); q.Space == spaceXSD || v.types[q] != nil {
			name, inline = q, nil
		}
	}
	v.typed(n, name, inline)
}

// typed checks an element against a type.
func (v *validator) typed(n *Node, name QName, inline *typeDef) {
	if v.depth++; v.depth > maxDepth || !v.step() {
		v.depth--
		return
	}
	defer func() { v.depth-- }()
	t := inline
	if t == nil && name.Space != spaceXSD {
		if t = v.types[name]; t == nil {
			return // not at hand
		}
	}
	if t == nil && (name.Local == "anyType" || name == QName{}) {
		return
	}
	if t == nil || t.simple {
		if len(n.Children) > 0 {
			if xop(n) {
				return // MTOM: the value is a part beside the envelope
			}
			v.say(ElementUnexpected, n.Children[0], n.Local+" holds a value, not elements")
			return
		}
		v.text(n, name, inline)
		return
	}
	if t.abstract {
		v.say(TypeInvalid, n, "the type "+t.name.Local+" is abstract: xsi:type must name another one")
		return
	}
	v.attributesOf(n, t)
	if t.value != (QName{}) {
		v.text(n, t.value, nil)
		return
	}
	if t.anything {
		return
	}
	v.content(n, t)
}

// xop reports whether an element holds nothing but an xop:Include.
func xop(n *Node) bool {
	return len(n.Children) == 1 && n.Children[0].Local == "Include" && strings.HasSuffix(n.Children[0].Space, "/xop/include")
}

func (v *validator) text(n *Node, name QName, inline *typeDef) {
	left := maxTypes
	if why := v.value(name, inline, n.Text, &left); why != "" {
		if v.secret != nil && v.secret(n.Local) {
			why = "the value (masked) is not of the type that is wanted"
		}
		v.say(ValueInvalid, n, n.Local+": "+why)
	}
}

// content checks the children of an element with a complex type.
func (v *validator) content(n *Node, t *typeDef) {
	var model []*particle
	if !v.inherit(t, &model, 0) {
		return
	}
	m := &matching{validator: v, kids: n.Children, used: make([]bool, len(n.Children)), parent: n}
	at := 0
	for _, p := range model {
		at = m.match(p, at)
	}
	for ; at < len(m.kids) && v.step(); at++ {
		if m.used[at] {
			continue
		}
		k := m.kids[at]
		switch {
		case m.knows(model, k):
			v.say(ElementUnexpected, k, k.Local+" stands here once too often or in the wrong place")
		case m.similar(model, k) != "":
			v.say(ElementUnexpected, k, k.Local+" is in the namespace "+space(k.Space)+", the contract wants "+m.similar(model, k))
		default:
			v.say(ElementUnexpected, k, k.Local+" is no element of "+n.Local)
		}
		// What follows is most often of the same kind.
		for at+1 < len(m.kids) && m.kids[at+1].qname() == k.qname() {
			at++
		}
	}
	if !t.mixed && strings.TrimSpace(n.Text) != "" {
		v.say(ValueInvalid, n, "text stands between the elements of "+n.Local)
	}
}

// inherit lists the content models of a type and its bases, the oldest first;
// false when one of them is not at hand.
func (v *validator) inherit(t *typeDef, model *[]*particle, depth int) bool {
	if depth > 32 {
		return false
	}
	if t.extends != (QName{}) && t.extends != (QName{spaceXSD, "anyType"}) {
		base := v.types[t.extends]
		if base == nil || !v.inherit(base, model, depth+1) {
			return false
		}
	}
	if t.anything {
		return false
	}
	if t.content != nil {
		*model = append(*model, t.content)
	}
	return true
}

// attributesOf checks the attributes of an element.
func (v *validator) attributesOf(n *Node, t *typeDef) {
	uses := map[QName]*attribute{}
	open := v.gatherAttributes(t, uses, 0)
	for _, a := range n.Attrs {
		prefix, local, prefixed := strings.Cut(a.Name, ":")
		if !prefixed {
			prefix, local = "", a.Name
		}
		if a.Name == "xmlns" || prefix == "xmlns" || prefix == "xml" {
			continue
		}
		q := QName{Local: local}
		if prefixed {
			q.Space, _ = n.resolve(prefix)
		}
		use := uses[q]
		switch {
		case use != nil && !use.barred:
			left := maxTypes
			if why := v.value(use.typ, use.inline, a.Value, &left); why != "" {
				if v.secret != nil && v.secret(local) {
					why = "the value (masked) is not of the type that is wanted"
				}
				v.say(ValueInvalid, n, "attribute "+local+": "+why)
			}
		case open || q.Space != "":
			// xsi:, soap: and the like, or the type takes any.
		default:
			v.say(AttributeUnknown, n, "attribute "+local+" is none of "+n.Local+"'s")
		}
	}
	names := make([]string, 0, len(uses))
	for q, use := range uses {
		if use.required && !slices.ContainsFunc(n.Attrs, func(a Attr) bool {
			return a.Name == q.Local || strings.HasSuffix(a.Name, ":"+q.Local)
		}) {
			names = append(names, q.Local)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		v.say(AttributeMissing, n, "attribute "+name+" of "+n.Local+" is missing")
	}
}

// gatherAttributes collects the attribute uses of a type and its bases; true
// when others are allowed too.
func (v *validator) gatherAttributes(t *typeDef, uses map[QName]*attribute, depth int) bool {
	if depth > 32 || !v.step() {
		return true
	}
	open := t.anything || v.gatherSet(&t.attrs, uses, depth)
	for _, base := range [...]QName{t.extends, t.value} {
		if base == (QName{}) || base.Space == spaceXSD {
			continue
		}
		b := v.types[base]
		if b == nil || v.gatherAttributes(b, uses, depth+1) {
			open = true
		}
	}
	return open
}

func (v *validator) gatherSet(set *attrSet, uses map[QName]*attribute, depth int) bool {
	if !v.step() {
		return true
	}
	open := set.any
	for _, a := range set.list {
		if a.ref != (QName{}) {
			if to := v.attributes[a.ref]; to != nil {
				uses[a.ref] = &attribute{name: a.ref, typ: to.typ, inline: to.inline, required: a.required, barred: a.barred}
			} else {
				uses[a.ref] = &attribute{name: a.ref, required: a.required, barred: a.barred}
			}
			continue
		}
		uses[a.name] = a
	}
	for _, g := range set.groups {
		group := v.attrGroups[g]
		if group == nil || depth > 32 || v.gatherSet(group, uses, depth+1) {
			open = true
		}
	}
	return open
}

func space(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
