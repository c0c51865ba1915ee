package soap

import (
	"bytes"

	"sniff/record"
)

// name is the qualified name of an element: Namespaces in XML 1.0, section 4.
// It is made once and shared by all elements that bear it.
type name struct {
	full, prefix, local string
	secret              bool // the text of such an element is one
	known               bool // it is remembered

	// The name of the element that began next when one of this name was last
	// met: most documents repeat themselves.
	next *name

	// What the prefix meant when it was last looked up.
	scope uint64
	space string
	bound bool
}

// names are the names and other short strings that one parser has met, in this
// document and in those before it.
type names struct {
	recent [256]*name
	known  map[string]*name
	said   [256]string // texts that were met last
	texts  map[string]string
	none   name  // stands in front of the first
	last   *name // of the element that began last
}

// Bounds of what is remembered; what is longer or beyond is made each time.
const (
	maxNames = 4096
	longName = 256
)

func newNames() names {
	return names{known: make(map[string]*name, 64), texts: make(map[string]string, 64)}
}

// reset forgets everything when it is much.
func (n *names) reset() {
	if len(n.known) > maxNames/2 || len(n.texts) > maxNames/2 {
		clear(n.known)
		clear(n.texts)
		clear(n.recent[:])
		clear(n.said[:])
		n.none = name{}
	}
	n.last = &n.none
}

// guess returns the name that the tag at the front of b is likely to have, and
// where the name ends, if it has it.
func (n *names) guess(b []byte) (*name, int) {
	x := n.last.next
	if x == nil {
		return nil, 0
	}
	end := 1 + len(x.full)
	if end >= len(b) || !endsName[b[end]] || string(b[1:end]) != x.full {
		return nil, 0
	}
	return x, end
}

// follow notes that an element of name x has begun.
func (n *names) follow(x *name) {
	if !x.known {
		n.last = &n.none
		return
	}
	n.last.next = x
	n.last = x
}

// name returns the name that b spells; colon is where its first colon stands,
// 0 for none.
func (n *names) name(b []byte, colon int) *name {
	slot := &n.recent[slotOf(b)]
	if x := *slot; x != nil && x.full == string(b) {
		return x
	}
	x, ok := n.known[string(b)]
	if !ok {
		x = &name{full: string(b)}
		x.local = x.full
		if colon > 0 {
			x.prefix, x.local = x.full[:colon], x.full[colon+1:]
		}
		x.secret = record.SecretElement(x.local)
		if len(b) > longName || len(n.known) >= maxNames {
			return x
		}
		n.known[x.full], x.known = x, true
	}
	*slot = x
	return x
}

// slotOf is where a name or text is looked for first.
func slotOf(b []byte) uint8 {
	last := len(b) - 1
	return uint8(int(b[last]) + 7*int(b[last/2]) + 31*last)
}

// intern returns b as a string that is shared with earlier ones.
func (n *names) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	slot := &n.said[slotOf(b)]
	if *slot == string(b) {
		return *slot
	}
	s, ok := n.texts[string(b)]
	if !ok {
		s = string(b)
		if len(b) > longName || len(n.texts) >= maxNames {
			return s
		}
		n.texts[s] = s
	}
	*slot = s
	return s
}

// binding is a namespace declaration, valid from the element at depth on.
type binding struct {
	prefix, uri string
	depth       int
}

// bind declares what a prefix means from the element at depth on.
func (t *tokenizer) bind(prefix, uri string, depth int) {
	t.spaces = append(t.spaces, binding{prefix, uri, depth})
	t.scope++
}

// resolve looks up what a name's prefix means here.
func (t *tokenizer) resolve(n *name) {
	n.scope = t.scope
	for i := len(t.spaces) - 1; i >= 0; i-- {
		if t.spaces[i].prefix == n.prefix {
			n.space, n.bound = t.spaces[i].uri, true
			return
		}
	}
	n.space, n.bound = "", n.prefix == "" || n.prefix == "xml"
}

func cutName(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}
