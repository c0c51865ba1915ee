package filter

import (
	"fmt"
	"strings"
)

// node is a boolean expression: *logic, *negation, *primitive or *relation.
type node interface{}

type logic struct {
	or          bool
	left, right node
}

type negation struct{ of node }

// qualifiers stand in front of an address, a port or a protocol.
type qualifiers struct {
	proto string // "", "ether", "ip", "tcp", ...
	dir   string // "", "src", "dst", "src and dst"
	kind  string // "host", "net", "port", "portrange", "proto"; "" is host
}

// primitive is one test.
type primitive struct {
	// name is "id" for what qualifiers stand in front of; else a keyword
	// such as "vlan", or a protocol.
	name     string
	q        qualifiers
	id       token
	mask     token // id/mask, when hasMask
	hasMask  bool
	argument *uint32 // vlan 7, less 100
	pos      int
}

// maxDepth bounds nesting.
const maxDepth = 200

type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) isOp(ops ...string) bool {
	t := p.peek()
	for _, op := range ops {
		if t.kind == tokOp && t.text == op {
			return true
		}
	}
	return false
}

func (p *parser) isWord(words ...string) bool {
	t := p.peek()
	for _, w := range words {
		if t.kind == tokWord && !t.escaped && t.text == w {
			return true
		}
	}
	return false
}

func (p *parser) fail(t token, format string, args ...any) error {
	return &Error{p.text, t.pos, fmt.Sprintf(format, args...)}
}

func (p *parser) unexpected(t token) error {
	if t.kind == tokWord && !t.escaped && refused[t.text] {
		return p.fail(t, "%q is not supported", t.text)
	}
	return p.fail(t, "unexpected %v", t)
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.peek(), "nested too deep")
	}
	return nil
}

func (p *parser) whole() (node, error) {
	n, _, err := p.expr(nil)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, p.unexpected(t)
	}
	return n, nil
}

// expr reads terms between "and" and "or", which bind equally strong and to
// the left. The qualifiers of a term hold for the bare addresses and ports
// that follow it: "tcp port 25 or 587".
func (p *parser) expr(q *qualifiers) (node, *qualifiers, error) {
	left, q, err := p.term(q)
	for err == nil {
		or := p.isOp("||") || p.isWord("or")
		if !or && !p.isOp("&&") && !p.isWord("and") {
			return left, q, nil
		}
		p.next()
		var right node
		if right, q, err = p.term(q); err == nil {
			left = &logic{or, left, right}
		}
	}
	return nil, nil, err
}

func (p *parser) term(q *qualifiers) (node, *qualifiers, error) {
	if err := p.enter(); err != nil {
		return nil, nil, err
	}
	defer func() { p.depth-- }()
	t := p.peek()
	if p.isOp("!") || p.isWord("not") {
		p.next()
		n, q, err := p.term(q)
		return &negation{n}, q, err
	}
	if n, ok, err := p.relation(); ok || err != nil {
		return n, nil, err
	}
	if p.isOp("(") {
		p.next()
		n, q, err := p.expr(q)
		if err != nil {
			return nil, nil, err
		}
		if !p.isOp(")") {
			return nil, nil, p.fail(p.peek(), "unexpected %v, a parenthesis is open", p.peek())
		}
		p.next()
		return n, q, nil
	}
	switch {
	case t.kind == tokEnd || t.kind == tokOp:
		return nil, nil, p.unexpected(t)
	case t.kind == tokWord && !t.escaped && (isHead(t.text) || isKeyword(t.text)):
		return p.head()
	case t.kind == tokWord && !t.escaped && refused[t.text]:
		return nil, nil, p.unexpected(t)
	case q == nil:
		return nil, nil, p.fail(t, "%v needs a word in front that says what it is, such as host or port", t)
	}
	n, err := p.id(*q)
	return n, q, err
}

// protocols can stand in front of other qualifiers or alone.
var protocols = map[string]string{
	"ether": "ether", "link": "ether", "ppp": "ether", "slip": "ether",
	"ip": "ip", "arp": "arp", "rarp": "rarp", "ip6": "ip6",
	"tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp", "icmp6": "icmp6",
	"igmp": "igmp", "igrp": "igrp", "pim": "pim", "vrrp": "vrrp", "carp": "carp",
	"ah": "ah", "esp": "esp",
}

// refused are words of the language that cannot be supported: they need
// hardware that is not decoded, headers of variable length in front, name
// services, or knowledge that a capture does not hold.
var refused = map[string]bool{
	"fddi": true, "tr": true, "wlan": true, "atalk": true, "aarp": true, "decnet": true,
	"lat": true, "sca": true, "moprc": true, "mopdl": true, "iso": true, "clnp": true, "esis": true,
	"es-is": true, "isis": true, "is-is": true, "stp": true, "ipx": true, "netbeui": true,
	"l1": true, "l2": true, "iih": true, "lsp": true, "snp": true, "csnp": true, "psnp": true,
	"radio": true, "llc": true, "gateway": true, "protochain": true, "geneve": true, "vxlan": true,
	"ifname": true, "on": true, "rnr": true, "rulenum": true, "srnr": true, "subrulenum": true,
	"reason": true, "rset": true, "ruleset": true, "action": true, "ifindex": true,
	"type": true, "subtype": true, "dir": true, "addr1": true, "addr2": true, "addr3": true, "addr4": true,
	"ra": true, "ta": true, "lane": true, "oam": true, "oamf4": true, "metac": true, "bcc": true, "sc": true,
	"ilmic": true, "connectmsg": true, "metaconnect": true, "vpi": true, "vci": true, "byte": true,
	"sio": true, "opc": true, "dpc": true, "sls": true, "hsio": true, "fisu": true, "lssu": true, "msu": true,
	"lssu2": true, "hopc": true, "hdpc": true, "hsls": true, "hfisu": true, "hlssu": true, "hmsu": true,
}

func isHead(w string) bool {
	switch w {
	case "src", "dst", "host", "net", "port", "portrange", "proto":
		return true
	}
	return protocols[w] != ""
}

func isKeyword(w string) bool {
	switch w {
	case "vlan", "mpls", "pppoed", "pppoes", "less", "greater", "inbound", "outbound", "broadcast", "multicast":
		return true
	}
	return false
}

// head reads qualifiers and what they qualify, or a primitive that is a word.
func (p *parser) head() (node, *qualifiers, error) {
	start := p.peek()
	var q qualifiers
	if proto := protocols[start.text]; proto != "" {
		p.next()
		q.proto = proto
	}
	if w := p.peek(); w.kind == tokWord && !w.escaped && isKeyword(w.text) {
		if q.proto != "" && w.text != "broadcast" && w.text != "multicast" {
			return nil, nil, p.unexpected(w)
		}
		p.next()
		n := &primitive{name: w.text, q: q, pos: w.pos}
		switch w.text {
		case "vlan", "mpls", "pppoes", "less", "greater":
			if t := p.peek(); t.kind == tokNumber {
				p.next()
				n.argument = &t.number
			} else if w.text == "less" || w.text == "greater" {
				return nil, nil, p.fail(t, "%q needs a length", w.text)
			}
		}
		return n, nil, nil
	}
	p.direction(&q)
	if p.isWord("host", "net", "port", "portrange", "proto") {
		q.kind = p.next().text
	}
	if q.dir == "" && q.kind == "" {
		if t := p.peek(); t.kind == tokWord && refused[t.text] {
			return nil, nil, p.unexpected(t)
		}
		return &primitive{name: q.proto, pos: start.pos}, nil, nil
	}
	n, err := p.idList(q)
	return n, &q, err
}

// direction reads src, dst, and both of them with "or" or "and" between.
func (p *parser) direction(q *qualifiers) {
	if !p.isWord("src", "dst") {
		return
	}
	q.dir = p.next().text
	at := p.at
	both := p.isWord("and") || p.isOp("&&")
	if !both && !p.isWord("or") && !p.isOp("||") {
		return
	}
	p.next()
	if p.isWord("src", "dst") && p.peek().text != q.dir {
		p.next()
		if q.dir = "src or dst"; both {
			q.dir = "src and dst"
		}
		return
	}
	p.at = at
}

// idList reads what is qualified: one id, or several in parentheses.
func (p *parser) idList(q qualifiers) (node, error) {
	if !p.isOp("(") {
		if p.isOp("!") || p.isWord("not") {
			p.next()
			n, err := p.idList(q)
			return &negation{n}, err
		}
		return p.id(q)
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.next()
	left, err := p.idList(q)
	for err == nil {
		or := p.isOp("||") || p.isWord("or")
		if !or && !p.isOp("&&") && !p.isWord("and") {
			break
		}
		p.next()
		var right node
		if right, err = p.idList(q); err == nil {
			left = &logic{or, left, right}
		}
	}
	if err != nil {
		return nil, err
	}
	if !p.isOp(")") {
		return nil, p.unexpected(p.peek())
	}
	p.next()
	return left, nil
}

// id reads one address, network, port or protocol.
func (p *parser) id(q qualifiers) (node, error) {
	t := p.next()
	if t.kind == tokEnd || t.kind == tokOp {
		return nil, p.unexpected(t)
	}
	n := &primitive{name: "id", q: q, id: t, pos: t.pos}
	switch {
	case q.kind == "proto" && t.kind == tokWord:
		return n, nil
	case t.kind == tokWord && !t.escaped && (isHead(t.text) || isKeyword(t.text) || refused[t.text]):
		return nil, p.unexpected(t)
	case t.kind == tokIPv4 || t.kind == tokIPv6 || t.kind == tokNumber && q.kind == "net":
		switch {
		case p.isOp("/"):
			p.next()
			n.mask, n.hasMask = p.next(), true
			if n.mask.kind != tokNumber {
				return nil, p.fail(n.mask, "the length of a network prefix must follow, not %v", n.mask)
			}
		case p.isWord("mask") && t.kind == tokIPv4:
			p.next()
			n.mask, n.hasMask = p.next(), true
			if n.mask.kind != tokIPv4 {
				return nil, p.fail(n.mask, "a network mask must follow, not %v", n.mask)
			}
		}
	case q.kind == "portrange" && t.kind == tokNumber && p.isOp("-"):
		p.next()
		end := p.next()
		n.id = token{kind: tokWord, text: strings.Join([]string{t.text, end.text}, "-"), pos: t.pos}
	}
	return n, nil
}
