// Package soap reads SOAP 1.1 and 1.2 envelopes, and their ancestors XML-RPC
// and WDDX, out of the bodies of any carrier: HTTP, a mail, a part of a MIME
// package.
//
// Reconstructed: operation, parameters, header blocks, faults, the action in
// its three places, WS-Addressing (answers over another connection are tied to
// their calls), WS-Security (UsernameToken as a masked credential, Timestamp,
// tokens, what is signed and encrypted), WS-ReliableMessaging sequences, MTOM
// and SOAP with Attachments (parts by Content-ID, missing ones named). What is
// nearly SOAP (wrong namespace, no envelope, damaged XML) is reported with line
// and column.
//
// Not reconstructed: signatures are not verified, nothing is decrypted,
// entities are not expanded, nothing is fetched, values beyond the limits are
// counted and not kept.
//
// SOAP 1.1 (W3C note), SOAP 1.2 part 1 and 2, WS-Addressing 1.0, WSS 1.1,
// WS-ReliableMessaging 1.0 to 1.2, XOP 1.0, SwA (W3C note), RFC 7303 (XML media
// types and encodings), XML 1.0, Namespaces in XML 1.0.
//
// How it works: bytes go through a decoder (encoding.go) that makes UTF-8 of
// them, a tokenizer (xml.go) that has no tree, and a document (document.go)
// that keeps a bounded list of the nodes that matter. When the carrier has
// finished an exchange, Pair makes a record.SOAPCall of what was found in both
// bodies (pair.go).
package soap

import (
	"bytes"
	"strings"
	"sync"

	"sniff/content"
)

// Config sets up a Load. Zero means the default; nothing can be unlimited.
type Config struct {
	// Nodes is how many elements of a body are kept as parameters; default 48.
	Nodes int
	// Value is how many bytes of a value are kept; default 120.
	Value int
	// Depth is how deep elements may nest; default 512.
	Depth int
	// Attributes is how many one element may have; default 256.
	Attributes int
	// Markup is the longest tag; default 64 KiB.
	Markup int
	// Elements is how many one document may have; default 50 million.
	Elements int
	// Links is how many calls are remembered to find the answers that come
	// over another exchange, and replays; default 4096.
	Links int
	// Secret makes the masked form of a password; nil masks without a token.
	Secret SecretMaker
	// Contracts are what calls are held against; nil checks nothing.
	Contracts *Contracts
}

// NewLoad returns the load that reads SOAP.
func NewLoad(config Config) content.Load {
	l := &load{config: *defaults(config)}
	l.links = newLinks(l.config.Links)
	l.parsers.New = func() any { return newParser(l) }
	l.envelopes.New = func() any { return new(envelope) }
	return l
}

func defaults(config Config) *Config {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&config.Nodes, 48)
	def(&config.Value, 120)
	def(&config.Depth, 512)
	def(&config.Attributes, 256)
	def(&config.Markup, 64<<10)
	def(&config.Elements, 50_000_000)
	def(&config.Links, 4096)
	return &config
}

type load struct {
	config    Config
	parsers   sync.Pool
	envelopes sync.Pool
	links     *links
}

func (l *load) Name() string { return "soap" }

// Recognise takes what calls itself SOAP, and XML that looks like SOAP
// whatever it calls itself.
func (l *load) Recognise(info *content.Info, mediaType string, first []byte) bool {
	if strings.HasPrefix(mediaType, "multipart/") || strings.HasPrefix(mediaType, "message/") {
		return false
	}
	first = narrow(first)
	text := behindMark(first)
	if len(text) == 0 || text[0] != '<' {
		return mediaType == "application/soap+xml" && len(first) > 0
	}
	if mediaType == "application/soap+xml" {
		return true
	}
	for _, mark := range [...]string{"Envelope", "methodCall", "methodResponse", "wddxPacket", "soap-envelope", "schemas.xmlsoap.org/soap"} {
		if bytes.Contains(text, []byte(mark)) {
			return !namesContract(text)
		}
	}
	if info.Action != "" && !bytes.HasPrefix(bytes.ToLower(text[:min(len(text), 14)]), []byte("<!doctype html")) {
		// A request with a SOAPAction means to be SOAP.
		return true
	}
	return false
}

// namesContract reports whether a text has the namespace of WSDL 1.1. It looks
// for what is rare in other texts.
func namesContract(text []byte) bool {
	const host, path = "schemas.xmlsoap.org/", "wsdl"
	for at := 0; ; at += len(path) {
		i := bytes.Index(text[at:], []byte(path))
		if i < 0 {
			return false
		}
		if at += i; bytes.HasSuffix(text[:at], []byte(host)) {
			return true
		}
	}
}

// behindMark returns b without the byte order mark and the white space in front.
func behindMark(b []byte) []byte {
	if len(b) > 0 && b[0] == '<' {
		return b
	}
	return bytes.TrimLeft(b, "\xEF\xBB\xBF \t\r\n")
}

// narrow drops the zero bytes of UTF-16, so that its ASCII can be looked at.
func narrow(b []byte) []byte {
	if len(b) < 4 || b[0] != 0 && b[1] != 0 && !(b[0] == 0xFE && b[1] == 0xFF) && !(b[0] == 0xFF && b[1] == 0xFE) {
		return b
	}
	out := make([]byte, 0, len(b)/2)
	for _, c := range b {
		if c != 0 && c < 0x80 {
			out = append(out, c)
		}
	}
	return out
}

func (l *load) Parse(info *content.Info, mediaType string) content.Parser {
	p := l.parsers.Get().(*parser)
	p.begin(info, mediaType)
	return p
}
