package soap

import "sniff/record"

// xmlrpc reads a methodCall or methodResponse: XML-RPC specification (1999).
// Its values are wrapped three times; the wrapping is taken off.
func (p *parser) xmlrpc(e *envelope, all string) {
	d, m := &p.doc, &e.msg
	e.reply = d.rootLocal == "methodResponse"
	for i := range d.body {
		if n := &d.body[i]; n.depth == 1 && n.local == "methodName" {
			e.method = n.value(all)
			break
		}
	}
	nodes, _ := d.tree(d.body, 0, all)
	for _, n := range nodes {
		switch n.Name {
		case "params":
			for _, param := range n.Children {
				for _, v := range param.Children {
					m.Parameters = append(m.Parameters, unwrap("param", v))
				}
			}
		case "fault":
			e.fault = &record.SOAPFault{Code: "fault"}
			for _, v := range n.Children {
				for _, member := range unwrap("fault", v).Children {
					switch member.Name {
					case "faultCode":
						e.fault.Code = member.Value
					case "faultString":
						e.fault.Reason = member.Value
					}
				}
			}
		}
	}
	m.Element = e.method
}

// unwrap makes one node of <value><type>text</type></value>, and of structs
// and arrays nodes with children.
func unwrap(name string, value record.SOAPNode) record.SOAPNode {
	out := record.SOAPNode{Name: name, Value: value.Value, Type: "string"}
	if len(value.Children) == 0 {
		return out
	}
	typed := value.Children[0]
	out.Type, out.Value = typed.Name, typed.Value
	switch typed.Name {
	case "struct":
		for _, member := range typed.Children {
			var key string
			for _, c := range member.Children {
				switch c.Name {
				case "name":
					key = c.Value
				case "value":
					v := unwrap(key, c)
					if v.Value != "" && record.SecretElement(key) {
						v.Value = record.Mask
					}
					out.Children = append(out.Children, v)
				}
			}
		}
	case "array":
		for _, data := range typed.Children {
			for _, v := range data.Children {
				out.Children = append(out.Children, unwrap("item", v))
			}
		}
	}
	return out
}
