// Package wsdl reads contracts of web services and checks messages against
// them, offline: WSDL 1.1 with its SOAP 1.1 and 1.2 bindings, WSDL 2.0 with
// its SOAP binding, and the XML Schemas in them or beside them.
//
// Checked of a message: that its operation exists; the SOAP version and the
// SOAPAction of the binding; the names, namespaces, order and number of
// elements in its body (rpc and document style); required and unknown
// attributes; nil; and the values of simple types with their facets. Each
// deviation names the offending node by an XPath in the message's own
// prefixes.
//
// Not checked: header blocks, details of faults, identity constraints, fixed
// and default values, values that are encoded by SOAP section 5, and whatever
// lies in a schema that is not at hand: unknown types accept everything.
//
// How it works: a Set keeps documents by location (store.go). What they import
// is looked for in the Set alone; nothing is ever fetched. Each WSDL that no
// other one imports becomes a contract (contract.go): tables of schema
// components (schema.go, types.go) and a list of operations, one for each
// binding and port (definitions.go for 1.1, description.go for 2.0). A message
// is matched to an operation (check.go) and its body is held against the
// content model (validate.go, value.go).
//
// WSDL 1.1 (W3C note), WSDL 1.1 Binding Extension for SOAP 1.2, WSDL 2.0 part 1
// and 2, XML Schema 1.0 part 1 and 2, WS-I Basic Profile 1.1.
package wsdl

// Namespaces.
const (
	spaceWSDL1  = "http://schemas.xmlsoap.org/wsdl/"
	spaceSOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
	spaceSOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
	spaceWSDL2  = "http://www.w3.org/ns/wsdl"
	spaceWSOAP  = "http://www.w3.org/ns/wsdl/soap"
	spaceXSD    = "http://www.w3.org/2001/XMLSchema"
	spaceXSI    = "http://www.w3.org/2001/XMLSchema-instance"
)

// QName is a qualified name.
type QName struct{ Space, Local string }

func (q QName) String() string {
	if q.Space == "" {
		return q.Local
	}
	return "{" + q.Space + "}" + q.Local
}

// Deviation is one place where a message departs from its contract.
type Deviation struct {
	Code   string // one of the constants below
	Path   string // XPath of the node, in the message's prefixes; "" for the message as a whole
	Detail string
}

// Codes of deviations.
const (
	UnknownOperation  = "unknown_operation"
	WrongAction       = "action"
	WrongVersion      = "version"
	ElementMissing    = "element_missing"
	ElementUnexpected = "element_unexpected"
	ElementOrder      = "element_order"
	AttributeMissing  = "attribute_missing"
	AttributeUnknown  = "attribute_unknown"
	ValueInvalid      = "value_invalid"
	NilInvalid        = "nil_invalid"
	TypeInvalid       = "type_invalid"
)

// Operation is one operation as one binding offers it.
type Operation struct {
	Name    string
	Action  string // SOAPAction that the binding wants; "" for none
	Version string // SOAP version of the binding: 1.1 or 1.2
	Style   string // rpc or document
	Encoded bool   // SOAP section 5 encoding: values and structure are not checked

	addresses []string
	input     body
	output    body
	contract  *contract
}

// body is what stands in the Body of a message.
type body struct {
	known   bool  // the contract says what it holds
	element QName // its one element; zero for an empty body
	rpc     bool
	parts   []part // of an rpc wrapper, in order
}

type part struct {
	name         string
	typ, element QName
}
