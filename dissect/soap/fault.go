package soap

import (
	"strings"

	"sniff/record"
)

// faultOf reads a Fault out of the body's nodes: SOAP 1.1, section 4.4; SOAP
// 1.2 part 1, section 5.4. The elements' names tell the versions apart, so
// that a fault of one in an envelope of the other is read too.
func (d *document) faultOf(nodes []node, all string) *record.SOAPFault {
	f := &record.SOAPFault{}
	base := nodes[0].depth
	parent := ""
	var codes []string
	for i := 1; i < len(nodes); i++ {
		n := &nodes[i]
		if n.depth <= base {
			break
		}
		if n.depth == base+1 {
			parent = n.local
		}
		v := n.value(all)
		switch {
		case n.depth == base+1:
			switch n.local {
			case "faultcode":
				f.Code = localName(v)
			case "faultstring":
				addReason(f, n.attributes().lang, v)
			case "faultactor", "Role":
				f.Role = v
			case "Node":
				f.Node = v
			case "detail", "Detail":
				f.Detail, _ = d.tree(nodes[i+1:], n.depth, all)
				if f.Detail == nil && v != "" {
					f.Detail = []record.SOAPNode{{Name: n.local, Value: v}}
				}
			}
		case parent == "Code" && n.local == "Value":
			codes = append(codes, localName(v))
		case parent == "Reason" && n.local == "Text":
			addReason(f, n.attributes().lang, v)
		}
	}
	if len(codes) > 0 {
		f.Code, f.Subcodes = codes[0], codes[1:]
	} else if main, sub, ok := strings.Cut(f.Code, "."); ok {
		// SOAP 1.1 refines codes behind a dot: Client.Authentication.
		f.Code, f.Subcodes = main, strings.Split(sub, ".")
	}
	return f
}

// localName takes the prefix off a qualified name.
func localName(v string) string {
	v = strings.TrimSpace(v)
	return v[strings.LastIndexByte(v, ':')+1:]
}

// addReason adds the reason in one language; the English one is shown.
func addReason(f *record.SOAPFault, lang, text string) {
	if f.Reason == "" || strings.HasPrefix(lang, "en") && len(f.Reasons) > 0 && !strings.HasPrefix(f.Reasons[0].Language, "en") {
		f.Reason = text
	}
	if lang != "" && len(f.Reasons) < 16 {
		f.Reasons = append(f.Reasons, record.SOAPReason{Language: lang, Text: text})
	}
}
