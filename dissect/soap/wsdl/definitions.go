package wsdl

import "strings"

// service1 reads a service of WSDL 1.1, section 2.7, with its ports.
func (c *contract) service1(service *Node) {
	for _, port := range service.Children {
		if port.Local != "port" {
			continue
		}
		address := ""
		for _, a := range port.Children {
			if a.Local == "address" && (a.Space == spaceSOAP11 || a.Space == spaceSOAP12) {
				address = a.attr("location")
			}
		}
		if b := c.bindings[port.ref("binding")]; b != nil {
			c.binding1(b, address)
		}
	}
}

// binding1 reads a binding of WSDL 1.1, sections 2.5 and 3.
func (c *contract) binding1(b *Node, address string) {
	version, space, style := "", "", "document"
	for _, n := range b.Children {
		if n.Local == "binding" && (n.Space == spaceSOAP11 || n.Space == spaceSOAP12) {
			version, space = "1.1", n.Space
			if n.Space == spaceSOAP12 {
				version = "1.2"
			}
			if s := n.attr("style"); s != "" {
				style = s
			}
		}
	}
	portType := c.ports[b.ref("type")]
	if version == "" || portType == nil {
		return // an HTTP GET or MIME binding
	}
	for _, n := range b.Children {
		if n.Local != "operation" || n.Space != spaceWSDL1 || len(c.operations) >= maxOperations {
			continue
		}
		op := &Operation{Name: n.attr("name"), Version: version, Style: style, contract: c, addresses: []string{address}}
		if so := n.child(space, "operation"); so != nil {
			op.Action = so.attr("soapAction")
			if s := so.attr("style"); s != "" {
				op.Style = s
			}
		}
		abstract := abstractOperation(portType, n)
		if abstract == nil {
			continue
		}
		op.input = c.body1(op, n, abstract, "input", space)
		op.output = c.body1(op, n, abstract, "output", space)
		c.operations = append(c.operations, op)
	}
}

// abstractOperation finds the operation of a port type that a binding means;
// overloaded ones are told apart by the names of their inputs.
func abstractOperation(portType, bound *Node) *Node {
	var found *Node
	for _, n := range portType.Children {
		if n.Local != "operation" || n.attr("name") != bound.attr("name") {
			continue
		}
		in, want := n.child(spaceWSDL1, "input"), bound.child(spaceWSDL1, "input")
		if found == nil || in != nil && want != nil && in.attr("name") == want.attr("name") && want.attr("name") != "" {
			found = n
		}
	}
	return found
}

// body1 says what the Body of an input or output holds: WSDL 1.1, section 3.5.
func (c *contract) body1(op *Operation, bound, abstract *Node, side, space string) body {
	in, def := bound.child(spaceWSDL1, side), abstract.child(spaceWSDL1, side)
	if in == nil || def == nil {
		return body{}
	}
	message := c.messages[def.ref("message")]
	sb := soapBody(in, space)
	if message == nil || sb == nil {
		return body{}
	}
	if sb.attr("use") == "encoded" {
		op.Encoded = true
	}
	parts := c.bodyParts(message, in, sb, space)
	if op.Style == "rpc" {
		name := op.Name
		if side == "output" {
			name += "Response"
		}
		return body{known: true, rpc: true, element: QName{sb.attr("namespace"), name}, parts: parts}
	}
	switch {
	case len(parts) == 0:
		return body{known: true}
	case len(parts) == 1 && parts[0].element != (QName{}):
		return body{known: true, element: parts[0].element}
	}
	return body{} // several parts or a type: not interoperable, WS-I BP 1.1, R2201
}

// soapBody finds soap:body, also inside of a MIME multipart binding.
func soapBody(n *Node, space string) *Node {
	if sb := n.child(space, "body"); sb != nil {
		return sb
	}
	for _, c := range n.Children {
		if c.Local == "multipartRelated" || c.Local == "part" {
			if sb := soapBody(c, space); sb != nil {
				return sb
			}
		}
	}
	return nil
}

// bodyParts lists the parts of a message that go into the body.
func (c *contract) bodyParts(message, in, sb *Node, space string) []part {
	listed, chosen := sb.has("parts")
	wanted := strings.Fields(listed)
	var out []part
	for _, p := range message.Children {
		if p.Local != "part" {
			continue
		}
		name := p.attr("name")
		use := true
		if chosen {
			use = false
			for _, w := range wanted {
				use = use || w == name
			}
		} else {
			for _, h := range in.Children {
				if h.Space == space && h.Local == "header" && h.attr("part") == name && c.messages[h.ref("message")] == message {
					use = false
				}
			}
		}
		if use {
			out = append(out, part{name: name, typ: p.ref("type"), element: p.ref("element")})
		}
	}
	return out
}
