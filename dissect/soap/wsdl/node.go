package wsdl

import (
	"strconv"
	"strings"
)

// Node is one element of a document that was read to a tree.
type Node struct {
	Name     string // as it stands, with its prefix
	Space    string
	Local    string
	Attrs    []Attr
	Text     string // character data of the element itself
	Children []*Node
	Parent   *Node
}

// Attr is one attribute as it stands; namespace declarations are among them.
type Attr struct{ Name, Value string }

func (n *Node) qname() QName { return QName{n.Space, n.Local} }

// attr returns an attribute without a namespace.
func (n *Node) attr(name string) string {
	v, _ := n.has(name)
	return v
}

func (n *Node) has(name string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// attrIn returns an attribute of a namespace.
func (n *Node) attrIn(space, local string) (string, bool) {
	for _, a := range n.Attrs {
		if prefix, l, ok := strings.Cut(a.Name, ":"); ok && l == local && prefix != "xmlns" {
			if s, _ := n.resolve(prefix); s == space {
				return a.Value, true
			}
		}
	}
	return "", false
}

// resolve returns the namespace that a prefix is bound to here.
func (n *Node) resolve(prefix string) (string, bool) {
	name := "xmlns"
	if prefix != "" {
		name = "xmlns:" + prefix
	}
	for at := n; at != nil; at = at.Parent {
		if v, ok := at.has(name); ok {
			return v, true
		}
	}
	return "", prefix == ""
}

// qnameOf resolves a qualified name in a value.
func (n *Node) qnameOf(value string) QName {
	value = strings.TrimSpace(value)
	prefix, local, ok := strings.Cut(value, ":")
	if !ok {
		prefix, local = "", value
	}
	space, _ := n.resolve(prefix)
	return QName{space, local}
}

// ref returns a qualified name in an attribute; zero when there is none.
func (n *Node) ref(name string) QName {
	v, ok := n.has(name)
	if !ok || v == "" {
		return QName{}
	}
	return n.qnameOf(v)
}

// child returns the first child of this name.
func (n *Node) child(space, local string) *Node {
	for _, c := range n.Children {
		if c.Local == local && c.Space == space {
			return c
		}
	}
	return nil
}

// path returns an XPath to n, in the document's own prefixes.
func (n *Node) path() string {
	var steps []string
	for at := n; at != nil; at = at.Parent {
		step := at.Name
		if at.Parent != nil {
			same, index := 0, 0
			for _, c := range at.Parent.Children {
				if c.Name == at.Name {
					same++
				}
				if c == at {
					index = same
				}
			}
			if same > 1 {
				step += "[" + strconv.Itoa(index) + "]"
			}
		}
		steps = append(steps, step)
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString("/" + steps[i])
	}
	return b.String()
}
