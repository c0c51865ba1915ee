package wsdl

import (
	"slices"
	"strings"
)

// matching holds the children of one element against its content model. A
// content model says at each element which particle it belongs to (XML Schema
// part 1, section 3.8.6), so there is nothing to try and take back.
type matching struct {
	*validator
	parent *Node
	kids   []*Node
	used   []bool // children that were found out of place
}

// match takes children from at on for p and returns where the next particle
// begins.
func (m *matching) match(p *particle, at int) int {
	for at < len(m.kids) && m.used[at] {
		at++
	}
	if !m.step() {
		return len(m.kids)
	}
	switch p.kind {
	case single:
		return m.single(p, at)
	case wild:
		return m.wild(p, at)
	}
	for n := 0; p.max < 0 || n < p.max; n++ {
		if n >= p.min && !m.begins(p, at, 0) {
			break
		}
		if p.min > 0 && n == 0 && !m.begins(p, at, 0) && m.emptiable(p, 0) {
			break
		}
		before := at
		at = m.once(p, at)
		if at == before {
			break
		}
	}
	return at
}

// once takes children for one occurrence of a group.
func (m *matching) once(p *particle, at int) int {
	switch p.kind {
	case sequence:
		for _, part := range p.parts {
			at = m.match(part, at)
		}
	case choice:
		for _, part := range p.parts {
			if m.begins(part, at, 0) {
				return m.match(part, at)
			}
		}
		if len(p.parts) > 0 && !m.emptiable(p, 0) {
			m.missing(p, at)
		}
	case all:
		return m.all(p, at)
	case group:
		if g := m.groups[p.ref]; g != nil {
			return m.match(g, at)
		}
		return len(m.kids) // not at hand
	}
	return at
}

// single takes the occurrences of one element.
func (m *matching) single(p *particle, at int) int {
	n := 0
	for at < len(m.kids) && (p.max < 0 || n < p.max) && m.step() {
		if m.used[at] {
			at++
			continue
		}
		if !m.is(m.kids[at], p.element) {
			break
		}
		m.element(m.kids[at], p.element)
		at++
		n++
	}
	if n < p.min {
		m.lacking(p, at)
	}
	return at
}

// lacking reports a required element that is not where it should be: it
// stands elsewhere, or nowhere.
func (m *matching) lacking(p *particle, at int) {
	name := nameOf(p.element)
	for i := at; i < len(m.kids) && m.step(); i++ {
		if !m.used[i] && m.is(m.kids[i], p.element) {
			m.used[i] = true
			m.say(ElementOrder, m.kids[i], m.kids[i].Local+" stands behind "+m.kids[at].Local+", the contract wants it in front")
			m.element(m.kids[i], p.element)
			return
		}
	}
	m.missing(p, at)
	if at < len(m.kids) && !m.used[at] && m.kids[at].Local == name.Local {
		// The right name in the wrong namespace: said once.
		m.used[at] = true
	}
}

func (m *matching) missing(p *particle, at int) {
	var names []string
	m.firsts(p, &names, 0)
	what := strings.Join(names, " or ")
	switch {
	case at < len(m.kids) && len(names) == 1 && m.kids[at].Local == names[0] && p.kind == single:
		m.say(ElementUnexpected, m.kids[at], names[0]+" is in the namespace "+space(m.kids[at].Space)+", the contract wants "+space(nameOf(p.element).Space))
	case at < len(m.kids):
		m.say(ElementMissing, m.parent, what+" is missing in front of "+m.kids[at].Local)
	case len(m.kids) > 0:
		m.say(ElementMissing, m.parent, what+" is missing behind "+m.kids[len(m.kids)-1].Local)
	default:
		m.say(ElementMissing, m.parent, what+" is missing")
	}
}

// all takes the elements of an all group in any order.
func (m *matching) all(p *particle, at int) int {
	seen := make([]bool, len(p.parts))
	for at < len(m.kids) && m.step() {
		if m.used[at] {
			at++
			continue
		}
		i := slices.IndexFunc(p.parts, func(part *particle) bool { return part.kind == single && m.is(m.kids[at], part.element) })
		if i < 0 || seen[i] {
			break
		}
		seen[i] = true
		m.element(m.kids[at], p.parts[i].element)
		at++
	}
	for i, part := range p.parts {
		if !seen[i] && part.min > 0 {
			m.missing(part, at)
		}
	}
	return at
}

// wild takes elements for a wildcard: section 3.10.
func (m *matching) wild(p *particle, at int) int {
	n := 0
	for at < len(m.kids) && (p.max < 0 || n < p.max) && m.admits(p, m.kids[at].Space) && m.step() {
		if e := m.elements[m.kids[at].qname()]; e != nil && !p.skip && !m.used[at] {
			m.element(m.kids[at], e)
		}
		at++
		n++
	}
	if n < p.min {
		m.say(ElementMissing, m.parent, "an element of any name is missing in "+m.parent.Local)
	}
	return at
}

// admits reports whether a wildcard takes elements of a namespace.
func (m *matching) admits(p *particle, space string) bool {
	switch p.spaces {
	case "", "##any":
		return true
	case "##other":
		return space != p.target && space != ""
	}
	for _, s := range splitNames(p.spaces) {
		if s == space || s == "##targetNamespace" && space == p.target || s == "##local" && space == "" {
			return true
		}
	}
	return false
}

// is reports whether an element is one that a declaration means.
func (m *matching) is(n *Node, e *element) bool {
	name := nameOf(e)
	if n.qname() == name {
		return true
	}
	if e.ref == (QName{}) {
		return false
	}
	return m.substitutes(n.qname(), name, 0)
}

func (m *matching) substitutes(q, head QName, depth int) bool {
	if !m.step() {
		return false
	}
	for _, heir := range m.heirs[head] {
		if heir.name == q || depth < 16 && m.substitutes(q, heir.name, depth+1) {
			return true
		}
	}
	return false
}

func nameOf(e *element) QName {
	if e.ref != (QName{}) {
		return e.ref
	}
	return e.name
}

// begins reports whether the child at at can begin p.
func (m *matching) begins(p *particle, at, depth int) bool {
	for at < len(m.kids) && m.used[at] {
		at++
	}
	if at >= len(m.kids) || depth > 32 || !m.step() {
		return false
	}
	switch p.kind {
	case single:
		return p.max != 0 && m.is(m.kids[at], p.element)
	case wild:
		return m.admits(p, m.kids[at].Space)
	case group:
		g := m.groups[p.ref]
		return g == nil || m.begins(g, at, depth+1)
	case sequence:
		for _, part := range p.parts {
			if m.begins(part, at, depth+1) {
				return true
			}
			if !m.emptiable(part, depth+1) {
				return false
			}
		}
		return false
	}
	for _, part := range p.parts {
		if m.begins(part, at, depth+1) {
			return true
		}
	}
	return false
}

// emptiable reports whether p may match nothing.
func (m *matching) emptiable(p *particle, depth int) bool {
	if p.min == 0 || depth > 32 || !m.step() {
		return true
	}
	switch p.kind {
	case single, wild:
		return false
	case group:
		g := m.groups[p.ref]
		return g == nil || m.emptiable(g, depth+1)
	case choice:
		for _, part := range p.parts {
			if m.emptiable(part, depth+1) {
				return true
			}
		}
		return len(p.parts) == 0
	}
	for _, part := range p.parts {
		if !m.emptiable(part, depth+1) {
			return false
		}
	}
	return true
}

// firsts lists the names that p can begin with.
func (m *matching) firsts(p *particle, names *[]string, depth int) {
	if len(*names) >= 6 || depth > 32 || !m.step() {
		return
	}
	switch p.kind {
	case single:
		*names = append(*names, nameOf(p.element).Local)
	case group:
		if g := m.groups[p.ref]; g != nil {
			m.firsts(g, names, depth+1)
		}
	case sequence:
		for _, part := range p.parts {
			m.firsts(part, names, depth+1)
			if !m.emptiable(part, depth+1) {
				return
			}
		}
	default:
		for _, part := range p.parts {
			m.firsts(part, names, depth+1)
		}
	}
}

// knows reports whether an element occurs anywhere in the models.
func (m *matching) knows(model []*particle, n *Node) bool {
	return m.search(model, 0, func(e *element) bool { return m.is(n, e) })
}

// similar returns the namespace in which the models know the name of n.
func (m *matching) similar(model []*particle, n *Node) string {
	found := ""
	m.search(model, 0, func(e *element) bool {
		if nameOf(e).Local == n.Local {
			found = space(nameOf(e).Space)
		}
		return found != ""
	})
	return found
}

func (m *matching) search(model []*particle, depth int, is func(*element) bool) bool {
	if depth > 32 || !m.step() {
		return false
	}
	for _, p := range model {
		switch p.kind {
		case single:
			if is(p.element) {
				return true
			}
		case group:
			if g := m.groups[p.ref]; g != nil && m.search([]*particle{g}, depth+1, is) {
				return true
			}
		default:
			if m.search(p.parts, depth+1, is) {
				return true
			}
		}
	}
	return false
}
