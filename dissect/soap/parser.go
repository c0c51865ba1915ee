package soap

import (
	"strings"

	"sniff/content"
	"sniff/record"
)

// parser reads one document. It goes back to its pool when it is closed.
type parser struct {
	load  *load
	info  *content.Info
	media string
	dec   decoder
	tok   tokenizer
	doc   document
	size  int64
	holed bool

	e       *envelope // what is made of it
	tooLong bool      // the document is too long to be kept
}

func newParser(l *load) *parser {
	p := &parser{load: l}
	p.tok = tokenizer{doc: &p.doc, config: &l.config, names: newNames()}
	p.doc = document{config: &l.config, tok: &p.tok}
	p.dec = decoder{to: &p.tok}
	return p
}

func (p *parser) begin(info *content.Info, mediaType string) {
	p.info, p.media, p.size, p.holed = info, mediaType, 0, false
	p.e, p.tooLong = p.load.envelopes.Get().(*envelope), false
	p.tok.reset()
	p.doc.reset()
	p.dec.reset(charsetOf(info.ContentType))
}

// charsetOf returns the charset parameter of a Content-Type.
func charsetOf(contentType string) string {
	i := strings.Index(contentType, "harset=")
	if i < 1 {
		return ""
	}
	v := contentType[i+7:]
	if end := strings.IndexAny(v, "; \t"); end >= 0 {
		v = v[:end]
	}
	return strings.Trim(v, `"'`)
}

func (p *parser) Write(b []byte) {
	p.size += int64(len(b))
	if !p.holed {
		p.keep(b)
		p.dec.write(b)
	}
}

// Gap ends the reading: what stands behind a hole cannot be told from what
// stands in front of it.
func (p *parser) Gap(n int64) {
	if !p.holed {
		p.doc.odd("xml_gap", "bytes of the document are missing; what is behind them was not read")
	}
	p.holed = true
}

func (p *parser) Close(complete bool) any {
	if !p.holed {
		p.dec.finish()
		p.tok.finish()
	}
	e := p.envelope(complete)
	if !complete || p.holed {
		e.doc = e.doc[:0]
	}
	p.info, p.e = nil, nil
	p.load.parsers.Put(p)
	return e
}

// envelope is the value that the load makes of a document. It goes back to its
// pool when a call was made of it.
type envelope struct {
	form    string
	version string
	root    string // local name
	action  string // of the carrier
	media   string
	element string
	msg     record.SOAPMessage
	fault   *record.SOAPFault
	plain   bool   // the operation's children have no namespace
	method  string // XML-RPC
	reply   bool   // it is an answer by its own form
	refs    []string
	stamp   record.Stamp
	dir     record.Dir
	secret  string // UsernameToken's password
	charset string // of the Content-Type
	doc     []byte // the document itself, when contracts may want it
}

func (p *parser) envelope(complete bool) *envelope {
	d := &p.doc
	e := p.e
	e.form, e.root, e.action, e.media, e.charset = d.form, d.rootLocal, p.info.Action, p.media, p.dec.charset
	e.refs, e.stamp, e.dir = d.refs, p.info.Stamp, p.info.Dir
	if e.form == "" {
		e.form = "soap"
	}
	if e.action == "" {
		e.action = parameterOf(p.info.ContentType, "action")
	}
	m := &e.msg
	m.Size, m.Root, m.RootNamespace, m.Encoding, m.EncodingStyle = p.size, d.root, d.rootSpace, p.dec.name, d.style
	m.Elements, m.More = p.tok.elements, d.more
	all := string(d.values)
	switch e.form {
	case "xml-rpc":
		p.xmlrpc(e, all)
	case "wddx":
		m.Parameters, _ = d.tree(d.body, 0, all)
	default:
		p.soap(e, all, complete)
	}
	m.Problems = d.told()
	m.Partial = p.holed || p.tok.dead || !complete || len(p.tok.stack) > 0
	return e
}

// soap fills in what an envelope says.
func (p *parser) soap(e *envelope, all string, complete bool) {
	d, m := &p.doc, &e.msg
	switch {
	case d.rootSpace == soap11:
		e.version = "1.1"
	case d.rootSpace == soap12:
		e.version = "1.2"
	case d.rootLocal == "Envelope":
		d.odd("soap_namespace", "the envelope's namespace is "+quoteSpace(d.rootSpace)+", which is neither SOAP 1.1's nor 1.2's")
	case d.root != "":
		d.odd("soap_no_envelope", "the root element is "+d.root+", not Envelope")
	}
	if d.rootLocal == "Envelope" && d.bodies == 0 && complete && !p.holed && !p.tok.dead && len(p.tok.stack) == 0 {
		d.odd("soap_no_body", "the envelope has no Body")
	}
	p.mediaFits(e)
	if len(d.body) > 0 {
		op := &d.body[0]
		m.Element, m.Namespace = op.local, op.space
		e.element = op.local
		var used int
		m.Parameters, used = d.tree(d.body[1:], op.depth, all)
		e.plain = op.space != "" && len(d.body) > 1 && d.body[1].depth > op.depth && d.body[1].space == ""
		if rest := d.body[1+used:]; len(rest) > 0 {
			further, _ := d.tree(rest, op.depth-1, all)
			m.Parameters = append(m.Parameters, further...)
		}
		if d.faulty {
			e.fault = d.faultOf(d.body, all)
			m.Parameters = nil
		}
	}
	p.headers(e, all)
}

// mediaFits compares the media type with the version: SOAP 1.1, section 6;
// SOAP 1.2 part 2, section 7.
func (p *parser) mediaFits(e *envelope) {
	switch {
	case p.media == "" || p.media == "application/xop+xml":
	case e.version == "1.1" && p.media == "application/soap+xml":
		p.doc.odd("soap_media_type", "SOAP 1.1 sent as application/soap+xml, which is SOAP 1.2's")
	case e.version == "1.2" && p.media == "text/xml":
		p.doc.odd("soap_media_type", "SOAP 1.2 sent as text/xml, which is SOAP 1.1's")
	case e.version != "" && !strings.HasSuffix(p.media, "xml"):
		p.doc.odd("soap_media_type", "an envelope sent as "+p.media)
	}
}

// parameterOf returns a parameter of a Content-Type.
func parameterOf(contentType, name string) string {
	i := strings.Index(contentType, name+"=")
	if i < 1 || contentType[i-1] != ';' && contentType[i-1] != ' ' {
		return ""
	}
	v := contentType[i+len(name)+1:]
	if strings.HasPrefix(v, `"`) {
		if end := strings.IndexByte(v[1:], '"'); end >= 0 {
			return v[1 : 1+end]
		}
	}
	if end := strings.IndexAny(v, "; \t"); end >= 0 {
		v = v[:end]
	}
	return v
}
