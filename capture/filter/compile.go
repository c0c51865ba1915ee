package filter

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Link types that filters can be compiled for (LINKTYPE_ values).
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRawBSD   = 12
	linkRawOBSD  = 14
	linkPPPHDLC  = 50
	linkPPPEther = 51
	linkRaw      = 101
	linkCHDLC    = 104
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

const (
	etherIPv4   = 0x0800
	etherARP    = 0x0806
	etherRARP   = 0x8035
	etherVLAN   = 0x8100
	etherIPv6   = 0x86dd
	etherMPLS   = 0x8847
	etherPPPoED = 0x8863
	etherPPPoES = 0x8864
	etherQinQ   = 0x88a8
	etherQinQ9  = 0x9100
)

// tree is a boolean expression over comparisons: *test, *branch, *inverse or
// always. nil stands for "no condition" where trees are joined.
type tree interface{}

// test loads a value and compares it.
type test struct {
	load  []bpf.Instruction // leaves the value in A
	op    bpf.JumpTest
	value uint32
	withX bool // compare with X instead
}

type branch struct {
	or          bool
	left, right tree
}

type inverse struct{ of tree }

type always bool

func and(a, b tree) tree { return join(false, a, b) }
func or(a, b tree) tree  { return join(true, a, b) }

func join(or bool, a, b tree) tree {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return &branch{or, a, b}
}

func not(a tree) tree { return &inverse{a} }

// compiler holds where headers are, for what is compiled next: "vlan", "mpls"
// and "pppoes" move them.
type compiler struct {
	text string
	link uint32
	// typeAt is where the protocol behind the link header is named, payload
	// where what it names begins.
	typeAt, payload uint32
	ppp             bool // the protocol is a PPP number
	labels          int  // MPLS labels in front of payload
}

// Compile makes the program for packets of one link type.
func (e *Expr) Compile(link uint32) (*Program, error) {
	if e.root == nil {
		return &Program{ops: []op{{code: opReturn, k: acceptAll}}}, nil
	}
	c := &compiler{text: e.text, link: link}
	switch link {
	case linkNull, linkLoop:
		c.payload = 4
	case linkEthernet:
		c.typeAt, c.payload = 12, 14
	case linkPPP, linkPPPHDLC:
		c.typeAt, c.payload, c.ppp = 2, 4, true
	case linkPPPEther:
		c.typeAt, c.payload, c.ppp = 6, 8, true
	case linkCHDLC:
		c.typeAt, c.payload = 2, 4
	case linkRaw, linkRawBSD, linkRawOBSD, linkIPv4, linkIPv6:
	case linkSLL:
		c.typeAt, c.payload = 14, 16
	case linkSLL2:
		c.typeAt, c.payload = 0, 20
	default:
		return nil, c.fail(-1, "link type %d is not supported", link)
	}
	t, err := c.node(e.root)
	if err != nil {
		return nil, err
	}
	return assemble(layout(t)), nil
}

func (c *compiler) fail(pos int, format string, args ...any) error {
	return &Error{c.text, pos, fmt.Sprintf(format, args...)}
}

// node compiles in the order of the text: a primitive sees the offsets that
// the ones in front of it have set.
func (c *compiler) node(n node) (tree, error) {
	switch n := n.(type) {
	case *logic:
		left, err := c.node(n.left)
		if err != nil {
			return nil, err
		}
		right, err := c.node(n.right)
		return join(n.or, left, right), err
	case *negation:
		t, err := c.node(n.of)
		return not(t), err
	case *relation:
		return c.compare(n)
	case *primitive:
		return c.primitive(n)
	}
	return nil, c.fail(-1, "unknown expression")
}

// at compares size bytes at an offset from the start of the packet.
func at(offset uint32, size int, op bpf.JumpTest, value uint32) tree {
	return &test{load: []bpf.Instruction{bpf.LoadAbsolute{Off: offset, Size: size}}, op: op, value: value}
}

// masked compares those bits of size bytes that are in mask.
func masked(offset uint32, size int, mask, value uint32) tree {
	return &test{load: []bpf.Instruction{
		bpf.LoadAbsolute{Off: offset, Size: size},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask},
	}, op: bpf.JumpEqual, value: value}
}

// field compares a field of the network header.
func (c *compiler) field(offset uint32, size int, value uint32) tree {
	return at(c.payload+offset, size, bpf.JumpEqual, value)
}

// notFragment is true for what has a transport header: IPv4 packets that are
// whole or first fragments.
func (c *compiler) notFragment() tree {
	return &test{load: []bpf.Instruction{bpf.LoadAbsolute{Off: c.payload + 6, Size: 2}},
		op: bpf.JumpBitsNotSet, value: 0x1fff}
}

// protocol checks for a network protocol by name.
func (c *compiler) protocol(name string) (tree, error) {
	switch name {
	case "ip":
		return c.etherType(etherIPv4)
	case "ip6":
		return c.etherType(etherIPv6)
	case "arp":
		return c.etherType(etherARP)
	case "rarp":
		return c.etherType(etherRARP)
	}
	return nil, c.fail(-1, "%q is no network protocol", name)
}

// etherType checks for what lies behind the link header.
func (c *compiler) etherType(t uint32) (tree, error) {
	if c.labels > 0 {
		return c.underLabels(t)
	}
	if c.ppp {
		return at(c.typeAt, 2, bpf.JumpEqual, pppProtocol(t)), nil
	}
	switch c.link {
	case linkEthernet, linkSLL, linkSLL2, linkCHDLC:
		if t <= 1500 {
			return nil, c.fail(-1, "protocol %d needs LLC, which is not supported", t)
		}
		return at(c.typeAt, 2, bpf.JumpEqual, t), nil
	case linkNull, linkLoop:
		switch t {
		case etherIPv4:
			return c.family(2), nil
		case etherIPv6:
			return or(or(c.family(10), c.family(24)), or(c.family(28), c.family(30))), nil
		}
		return always(false), nil
	case linkIPv4:
		return always(t == etherIPv4), nil
	case linkIPv6:
		return always(t == etherIPv6), nil
	}
	return c.version(t), nil
}

// version finds IP by the first half byte of its header.
func (c *compiler) version(t uint32) tree {
	switch t {
	case etherIPv4:
		return masked(c.payload, 1, 0xf0, 0x40)
	case etherIPv6:
		return masked(c.payload, 1, 0xf0, 0x60)
	}
	return always(false)
}

// family compares the address family of a loopback header, which may be in
// either byte order.
func (c *compiler) family(f uint32) tree {
	return or(at(0, 4, bpf.JumpEqual, f), at(0, 4, bpf.JumpEqual, f<<24))
}

// underLabels checks for what lies under MPLS: the label before must be the
// last one.
func (c *compiler) underLabels(t uint32) (tree, error) {
	if t != etherIPv4 && t != etherIPv6 {
		return nil, c.fail(-1, "protocol 0x%x cannot be told under MPLS", t)
	}
	return and(masked(c.payload-2, 1, 1, 1), c.version(t)), nil
}

func pppProtocol(t uint32) uint32 {
	switch t {
	case etherIPv4:
		return 0x21
	case etherIPv6:
		return 0x57
	case etherMPLS:
		return 0x281
	}
	return t
}
