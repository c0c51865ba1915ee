package wsdl

import (
	"fmt"
	"slices"
	"strings"
)

// Message is a call or an answer to be checked.
type Message struct {
	Endpoint string // URL without its query
	Version  string // SOAP version: 1.1 or 1.2
	Action   string // SOAPAction or action parameter
	Envelope *Node
	// Secret reports whether the value of an element of this name must not
	// be told; nil for never.
	Secret func(local string) bool
}

// Verdict is what a contract says about a message.
type Verdict struct {
	Location   string // of the contract
	Operation  *Operation
	Deviations []Deviation
}

// Call holds a request against the contracts; nil when none of them covers
// it.
func (s *Set) Call(m *Message) *Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.build()
	first, soapBody := firstOf(m.Envelope)
	if soapBody == nil {
		return nil
	}
	op := s.match(m, first)
	if op == nil {
		return s.unknown(m, first, soapBody)
	}
	v := &validator{schemas: &op.contract.schemas, secret: m.Secret}
	if op.Version != m.Version && m.Version != "" {
		v.out = append(v.out, Deviation{WrongVersion, m.Envelope.path(), fmt.Sprintf("SOAP %s, the contract binds %s to SOAP %s", m.Version, op.Name, op.Version)})
	}
	switch {
	case op.Action == "" || m.Action == op.Action:
	case m.Action != "":
		v.out = append(v.out, Deviation{WrongAction, "", fmt.Sprintf("the action is %q, the contract wants %q", shorten(m.Action), op.Action)})
	case op.Version == "1.1" && m.Version == "1.1":
		v.out = append(v.out, Deviation{WrongAction, "", fmt.Sprintf("SOAPAction is missing or empty, the contract wants %q", op.Action)})
	}
	v.body(op, &op.input, soapBody)
	return &Verdict{op.contract.location, op, v.out}
}

// Answer holds a response against the operation of its call.
func (s *Set) Answer(m *Message, op *Operation) []Deviation {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, soapBody := firstOf(m.Envelope)
	if soapBody == nil || op == nil {
		return nil
	}
	v := &validator{schemas: &op.contract.schemas, secret: m.Secret}
	v.body(op, &op.output, soapBody)
	return v.out
}

// firstOf returns the body of an envelope and its first element.
func firstOf(envelope *Node) (first, soapBody *Node) {
	if envelope == nil {
		return nil, nil
	}
	for _, n := range envelope.Children {
		if n.Local == "Body" {
			soapBody = n
		}
	}
	if soapBody != nil && len(soapBody.Children) > 0 {
		first = soapBody.Children[0]
	}
	return first, soapBody
}

// match finds the operation that a call means: the one with its element, and
// among several of those the one that agrees most in address, version and
// action.
func (s *Set) match(m *Message, first *Node) *Operation {
	var best *Operation
	most := -1
	want := QName{}
	if first != nil {
		want = first.qname()
	}
	for _, c := range s.contracts {
		for _, op := range c.operations {
			if !op.input.known || op.input.element != want {
				continue
			}
			score := op.serves(m.Endpoint)
			if first == nil && score == 0 {
				continue // an empty body alone says nothing
			}
			if op.Version == m.Version {
				score += 4
			}
			if op.Action == m.Action {
				score += 2
			}
			if score > most {
				best, most = op, score
			}
		}
	}
	return best
}

// serves says how well an operation's address fits an endpoint: 16 wholly, 8
// by its path alone (behind a proxy or a changed name), 0 not at all.
func (op *Operation) serves(endpoint string) int {
	score := 0
	for _, a := range op.addresses {
		if i := strings.IndexByte(a, '?'); i >= 0 {
			a = a[:i]
		}
		switch {
		case a == "":
		case strings.EqualFold(strings.TrimSuffix(a, "/"), strings.TrimSuffix(endpoint, "/")):
			return 16
		case len(pathOf(a)) > 1 && pathOf(a) == pathOf(endpoint):
			score = 8
		}
	}
	return score
}

func pathOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return ""
	}
	return address
}

// unknown judges a call that is no operation of any contract.
func (s *Set) unknown(m *Message, first, soapBody *Node) *Verdict {
	for _, c := range s.contracts {
		var names []string
		serves, loose := false, false
		wrong := ""
		for _, op := range c.operations {
			if op.serves(m.Endpoint) == 0 {
				continue
			}
			serves = true
			loose = loose || !op.input.known
			names = append(names, op.Name)
			if first != nil && op.input.element.Local == first.Local {
				wrong = op.input.element.Space
			}
		}
		if !serves || loose {
			continue
		}
		slices.Sort(names)
		detail := "the body is empty; "
		at := soapBody
		if first != nil {
			at = first
			detail = first.Local + " is no operation of the contract; "
			if wrong != "" || first.Space != "" && slices.Contains(names, first.Local) {
				detail = fmt.Sprintf("%s is in the namespace %s, the contract wants %s; ", first.Local, space(first.Space), space(wrong))
			}
		}
		detail += "it has " + oneOf(slices.Compact(names))
		return &Verdict{Location: c.location, Deviations: []Deviation{{UnknownOperation, at.path(), detail}}}
	}
	return nil
}

// body checks what stands in a Body.
func (v *validator) body(op *Operation, b *body, soapBody *Node) {
	if !b.known || op.Encoded {
		return
	}
	if len(soapBody.Children) == 0 {
		if b.element != (QName{}) {
			v.say(ElementMissing, soapBody, b.element.Local+" is missing")
		}
		return
	}
	first := soapBody.Children[0]
	switch {
	case b.element == (QName{}):
		v.say(ElementUnexpected, first, "the contract wants an empty body")
		return
	case first.qname() != b.element:
		v.say(ElementUnexpected, first, fmt.Sprintf("the contract wants %s here", b.element))
		return
	}
	if b.rpc {
		v.rpc(first, b)
	} else if e := v.elements[b.element]; e != nil {
		v.element(first, e)
	}
	if len(soapBody.Children) > 1 {
		v.say(ElementUnexpected, soapBody.Children[1], "a second element stands in the body")
	}
}

// rpc checks the wrapper of an rpc call: its parts have no namespace and stand
// in order (WS-I Basic Profile 1.1, R2735 and R2712).
func (v *validator) rpc(wrapper *Node, b *body) {
	p := &particle{kind: sequence, min: 1, max: 1}
	for _, part := range b.parts {
		e := &element{name: QName{Local: part.name}, typ: part.typ, ref: part.element}
		p.parts = append(p.parts, &particle{kind: single, min: 1, max: 1, element: e})
	}
	v.content(wrapper, &typeDef{content: p})
}
