package wsdl

// maxOperations bounds the operations of one contract.
const maxOperations = 4096

// contract is one WSDL with all that it imports.
type contract struct {
	location   string
	operations []*Operation
	schemas
	messages map[QName]*Node
	ports    map[QName]*Node // portTypes and interfaces
	bindings map[QName]*Node
	services []*Node
}

func newContract(s *Set, d *document) *contract {
	c := &contract{location: d.location, messages: map[QName]*Node{}, ports: map[QName]*Node{}, bindings: map[QName]*Node{}}
	c.schemas = newSchemas()
	c.gather(s, d, map[*document]bool{})
	for _, service := range c.services {
		if service.Space == spaceWSDL1 {
			c.service1(service)
		} else {
			c.service2(service)
		}
	}
	if len(c.services) == 0 {
		// A contract without a service still says what can be said.
		for _, b := range c.bindings {
			if b.Space == spaceWSDL1 {
				c.binding1(b, "")
			} else {
				c.binding2(b, "")
			}
		}
	}
	return c
}

// gather puts the components of a document and its imports into the tables.
func (c *contract) gather(s *Set, d *document, seen map[*document]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	if IsSchema(d.root.Space, d.root.Local) {
		c.gatherSchema(s, d, d.root, d.root.attr("targetNamespace"), seen)
		return
	}
	target := d.root.attr("targetNamespace")
	for _, n := range d.root.Children {
		if n.Space != d.root.Space {
			continue
		}
		name := QName{target, n.attr("name")}
		switch n.Local {
		case "import", "include":
			if to := s.find(d, n.attr("location")); to != nil {
				c.gather(s, to, seen)
			}
		case "types":
			c.gatherImports(s, d, n, "", seen) // WSDL 2.0 part 1, section 3.1.1
			for _, schema := range n.Children {
				if IsSchema(schema.Space, schema.Local) {
					c.gatherSchema(s, d, schema, schema.attr("targetNamespace"), seen)
				}
			}
		case "message":
			c.messages[name] = n
		case "portType", "interface":
			c.ports[name] = n
		case "binding":
			c.bindings[name] = n
		case "service":
			c.services = append(c.services, n)
		}
	}
}

// gatherSchema reads a schema and what it imports. A schema without a
// namespace takes that of the one that includes it: XML Schema part 1,
// section 4.2.1.
func (c *contract) gatherSchema(s *Set, d *document, schema *Node, target string, seen map[*document]bool) {
	c.gatherImports(s, d, schema, target, seen)
	c.schemas.read(schema, target)
}

// gatherImports reads what is imported in parent, a schema or the types of a
// contract.
func (c *contract) gatherImports(s *Set, d *document, parent *Node, target string, seen map[*document]bool) {
	for _, n := range parent.Children {
		if n.Space != spaceXSD {
			continue
		}
		switch n.Local {
		case "import", "include", "redefine":
			to := s.find(d, n.attr("schemaLocation"))
			if to == nil || seen[to] || !IsSchema(to.root.Space, to.root.Local) {
				continue
			}
			seen[to] = true
			space := to.root.attr("targetNamespace")
			if space == "" && n.Local != "import" {
				space = target
			}
			c.gatherSchema(s, to, to.root, space, seen)
		}
	}
}
