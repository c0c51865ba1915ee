package wsdl

// service2 reads a service of WSDL 2.0 part 1, section 2.12.
func (c *contract) service2(service *Node) {
	for _, e := range service.Children {
		if e.Local == "endpoint" {
			if b := c.bindings[e.ref("binding")]; b != nil {
				c.binding2(b, e.attr("address"))
			}
		}
	}
}

// binding2 reads a SOAP binding: WSDL 2.0 part 2, section 5.
func (c *contract) binding2(b *Node, address string) {
	if b.attr("type") != spaceWSOAP {
		return
	}
	version := "1.2"
	if v, ok := b.attrIn(spaceWSOAP, "version"); ok {
		version = v
	}
	face := b.ref("interface")
	actions := map[string]string{}
	for _, n := range b.Children {
		if n.Local == "operation" && n.Space == spaceWSDL2 {
			if a, ok := n.attrIn(spaceWSOAP, "action"); ok {
				actions[n.ref("ref").Local] = a
			}
		}
	}
	c.interface2(face, version, address, actions, map[QName]bool{})
}

// interface2 reads an interface and those that it extends: section 2.2.
func (c *contract) interface2(name QName, version, address string, actions map[string]string, seen map[QName]bool) {
	n := c.ports[name]
	if n == nil || seen[name] || len(c.operations) >= maxOperations {
		return
	}
	seen[name] = true
	for _, o := range n.Children {
		if o.Local != "operation" || o.Space != spaceWSDL2 {
			continue
		}
		op := &Operation{Name: o.attr("name"), Version: version, Style: "document", contract: c, addresses: []string{address}}
		op.Action = actions[op.Name]
		op.input = body2(o.child(spaceWSDL2, "input"))
		op.output = body2(o.child(spaceWSDL2, "output"))
		c.operations = append(c.operations, op)
	}
	for _, base := range splitNames(n.attr("extends")) {
		c.interface2(n.qnameOf(base), version, address, actions, seen)
	}
}

// body2 says what a message holds: WSDL 2.0 part 1, section 2.5.
func body2(n *Node) body {
	if n == nil {
		return body{}
	}
	switch element := n.attr("element"); element {
	case "", "#any", "#other":
		return body{}
	case "#none":
		return body{known: true}
	default:
		return body{known: true, element: n.qnameOf(element)}
	}
}
