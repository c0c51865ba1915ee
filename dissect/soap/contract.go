package soap

import (
	"bytes"
	"errors"
	"strings"

	"sniff/content"
	"sniff/dissect/soap/wsdl"
	"sniff/record"
)

// Contracts are the WSDLs that calls are held against: those that were given,
// and those that went by in the traffic.
type Contracts struct{ set wsdl.Set }

// maxContract bounds a WSDL or schema.
const maxContract = 8 << 20

// Add takes a WSDL or schema that was found at a location.
func (c *Contracts) Add(location string, doc []byte) error {
	if len(doc) > maxContract {
		return errors.New("soap: longer than " + record.Bytes(maxContract))
	}
	root, err := readTree(defaults(Config{}), "", doc)
	if err != nil {
		return err
	}
	if !wsdl.IsContract(root.Space, root.Local) && !wsdl.IsSchema(root.Space, root.Local) {
		return errors.New("soap: the root element is " + root.Name + ", neither a WSDL's nor a schema's")
	}
	if !c.set.Add(location, root) {
		return errors.New("soap: too many contracts and schemas")
	}
	return nil
}

// Missing returns the locations that the contracts import and that were not
// added.
func (c *Contracts) Missing() []string { return c.set.Missing() }

// NewContractLoad returns the load that takes WSDLs and schemas out of the
// traffic into c.
func NewContractLoad(c *Contracts) content.Load { return &contractLoad{contracts: c} }

type contractLoad struct {
	contracts *Contracts
}

func (l *contractLoad) Name() string { return "wsdl" }

func (l *contractLoad) Recognise(info *content.Info, mediaType string, first []byte) bool {
	if info.Role != content.Response && info.Role != content.File {
		return false
	}
	text := behindMark(narrow(first))
	if len(text) == 0 || text[0] != '<' {
		return false
	}
	root := rootName(text)
	return root == "definitions" && namesContract(text) ||
		root == "description" && bytes.Contains(text, []byte("www.w3.org/ns/wsdl")) ||
		root == "schema" && bytes.Contains(text, []byte("www.w3.org/2001/XMLSchema"))
}

// rootName returns the local name of the first element; "" when it is not
// among the first bytes.
func rootName(b []byte) string {
	for len(b) > 1 && b[0] == '<' && (b[1] == '?' || b[1] == '!') {
		end := "?>"
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			end = "-->"
		case b[1] == '!':
			end = ">"
		}
		i := bytes.Index(b, []byte(end))
		if i < 0 {
			return ""
		}
		b = bytes.TrimLeft(b[i+len(end):], " \t\r\n")
	}
	if len(b) < 2 || b[0] != '<' {
		return ""
	}
	end := bytes.IndexAny(b, " \t\r\n/>")
	if end < 0 {
		return ""
	}
	_, local := cutName(b[1:end])
	return string(local)
}

func (l *contractLoad) Parse(info *content.Info, mediaType string) content.Parser {
	return &contractParser{charset: charsetOf(info.ContentType)}
}

// contractParser keeps a document until it is whole.
type contractParser struct {
	charset string
	doc     []byte
	broken  bool
}

func (p *contractParser) Write(b []byte) {
	if len(p.doc)+len(b) > maxContract {
		p.broken, p.doc = true, nil
	}
	if !p.broken {
		p.doc = append(p.doc, b...)
	}
}

func (p *contractParser) Gap(int64) { p.broken, p.doc = true, nil }

// foundContract is the value that the load makes of a document; its root is
// nil when it could not be read.
type foundContract struct{ root *wsdl.Node }

func (p *contractParser) Close(complete bool) any {
	f := &foundContract{}
	if complete && !p.broken {
		// A contract that cannot be read checks nothing; the exchange shows
		// what came.
		f.root, _ = readTree(defaults(Config{}), p.charset, p.doc)
	}
	p.doc = nil
	return f
}

// Pair keeps a contract under the URL that it came from. It is called in the
// order of the records: a call is held against what was seen before it.
func (l *contractLoad) Pair(x *content.Exchange, _ func(record.Record)) {
	h, ok := x.Carrier.(*record.HTTPExchange)
	if !ok || x.Response == nil || h.Status != 200 || h.URL == "" || strings.EqualFold(h.Method, "POST") {
		return
	}
	for _, v := range x.Response.Loaded() {
		if f, ok := v.Value.(*foundContract); ok && f.root != nil {
			l.contracts.set.Add(h.URL, f.root)
		}
	}
}

// maxChecked bounds what is kept of a message until it is checked.
const maxChecked = 256 << 10

// hold checks a call against the contracts.
func (l *load) hold(c *record.SOAPCall, req, resp *envelope, endpoint string) {
	contracts := l.config.Contracts
	if contracts == nil || req == nil || len(req.doc) == 0 || req.form != "soap" || req.fault != nil || contracts.set.Empty() {
		return
	}
	m := &wsdl.Message{Endpoint: endpoint, Version: req.version, Action: req.action, Secret: record.SecretElement}
	var err error
	if m.Envelope, err = readTree(&l.config, req.charset, req.doc); err != nil {
		return // the damage is among the message's problems
	}
	verdict := contracts.set.Call(m)
	if verdict == nil {
		return
	}
	k := &record.SOAPContract{Location: verdict.Location, Deviations: deviations("request", verdict.Deviations)}
	c.Contract = k
	op := verdict.Operation
	if op == nil {
		return
	}
	k.Operation, k.Binding = op.Name, "SOAP "+op.Version+", "+op.Style
	if op.Encoded {
		k.Binding += ", encoded"
	}
	c.Operation = op.Name
	if c.Style = op.Style; op.Style == "document" && req.element == op.Name {
		c.Style = "wrapped"
	}
	if resp == nil || len(resp.doc) == 0 || resp.fault != nil || resp.form != "soap" {
		return
	}
	answer := &wsdl.Message{Secret: record.SecretElement}
	if answer.Envelope, err = readTree(&l.config, resp.charset, resp.doc); err == nil {
		k.Deviations = append(k.Deviations, deviations("response", contracts.set.Answer(answer, op))...)
	}
}

func deviations(side string, list []wsdl.Deviation) []record.SOAPDeviation {
	var out []record.SOAPDeviation
	for _, d := range list {
		out = append(out, record.SOAPDeviation{Code: d.Code, Message: side, Path: d.Path, Detail: strings.ToValidUTF8(d.Detail, "\uFFFD")})
	}
	return out
}

// keep keeps the document itself, as far as it is short enough to be checked.
func (p *parser) keep(b []byte) {
	e := p.e
	switch {
	case p.load.config.Contracts == nil || p.tooLong:
	case len(e.doc)+len(b) > maxChecked:
		e.doc, p.tooLong = e.doc[:0], true
	default:
		e.doc = append(e.doc, b...)
	}
}
