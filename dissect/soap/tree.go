package soap

import (
	"errors"
	"fmt"

	"sniff/dissect/soap/wsdl"
)

// tree builds a tree of nodes of a document: of contracts, and of the messages
// that are held against them.
type tree struct {
	tok   tokenizer
	dec   decoder
	root  *wsdl.Node
	at    *wsdl.Node
	texts [][]byte // of the open elements
	nodes int
	fault string
}

// maxTreeNodes bounds the elements of one tree.
const maxTreeNodes = 200_000

// readTree reads a whole document.
func readTree(config *Config, charset string, doc []byte) (*wsdl.Node, error) {
	t := &tree{}
	t.tok = tokenizer{doc: t, config: config, names: newNames()}
	t.tok.reset()
	t.dec = decoder{to: &t.tok}
	t.dec.reset(charset)
	t.dec.write(doc)
	t.dec.finish()
	t.tok.finish()
	switch {
	case t.tok.dead, len(t.tok.stack) > 0, t.root == nil:
		return nil, errors.New("soap: " + t.fault)
	case t.nodes > maxTreeNodes:
		return nil, fmt.Errorf("soap: more than %d elements", maxTreeNodes)
	}
	return t.root, nil
}

func (t *tree) start(depth int, name *name, space string) {
	if t.nodes++; t.nodes > maxTreeNodes {
		return
	}
	n := &wsdl.Node{Name: name.full, Space: space, Local: name.local, Parent: t.at}
	if len(t.tok.attrs) > 0 {
		n.Attrs = make([]wsdl.Attr, len(t.tok.attrs))
		for i, a := range t.tok.attrs {
			value := appendText(nil, a.value, len(a.value))
			n.Attrs[i] = wsdl.Attr{Name: t.tok.intern(a.name), Value: string(value)}
		}
	}
	if t.at != nil {
		t.at.Children = append(t.at.Children, n)
	} else if t.root == nil {
		t.root = n
	}
	t.at = n
	if depth == len(t.texts) {
		t.texts = append(t.texts, nil)
	}
	t.texts[depth] = t.texts[depth][:0]
}

func (t *tree) text(p []byte, escaped bool) {
	if t.at == nil || t.nodes > maxTreeNodes {
		return
	}
	to := &t.texts[len(t.tok.stack)-1]
	if escaped {
		*to = appendText(*to, p, len(*to)+len(p))
	} else {
		*to = append(*to, p...)
	}
}

func (t *tree) end(depth int) {
	if t.at != nil && t.nodes <= maxTreeNodes {
		if text := t.texts[depth]; indexNonSpace(text) >= 0 || len(t.at.Children) == 0 {
			t.at.Text = string(text)
		}
		t.at = t.at.Parent
	}
}

func (t *tree) problem(_, detail string, at *place) {
	if t.fault != "" {
		return
	}
	if t.fault = detail; at != nil {
		t.fault = fmt.Sprintf("%s, line %d column %d", detail, at.line, at.column)
	}
}
