package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// primitive compiles one test.
func (c *compiler) primitive(p *primitive) (tree, error) {
	switch p.name {
	case "id":
		return c.qualified(p)
	case "vlan":
		return c.vlan(p)
	case "mpls":
		return c.mpls(p)
	case "pppoed":
		return c.etherType(etherPPPoED)
	case "pppoes":
		return c.pppoes(p)
	case "less":
		return c.length(bpf.JumpLessOrEqual, *p.argument), nil
	case "greater":
		return c.length(bpf.JumpGreaterOrEqual, *p.argument), nil
	case "inbound", "outbound":
		return c.direction(p)
	case "broadcast", "multicast":
		return c.cast(p)
	case "ether":
		return nil, c.fail(p.pos, "what of the link layer? A qualifier such as host must follow")
	case "ip", "ip6", "arp", "rarp":
		return c.protocol(p.name)
	}
	switch p.name {
	case "icmp", "igmp", "igrp", "vrrp", "carp":
		return c.overIPv4(ipProtocols[p.name])
	case "icmp6":
		return c.overIPv6(ipProtocols[p.name])
	}
	return c.overIP(ipProtocols[p.name])
}

func (c *compiler) length(op bpf.JumpTest, n uint32) tree {
	return &test{load: []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtLen}}, op: op, value: n}
}

func (c *compiler) overIPv4(proto uint32) (tree, error) {
	ip, err := c.etherType(etherIPv4)
	return and(ip, c.field(9, 1, proto)), err
}

// overIPv6 looks at the next header, and behind a fragment header; other
// extension headers hide the protocol, as they do from tcpdump.
func (c *compiler) overIPv6(proto uint32) (tree, error) {
	ip6, err := c.etherType(etherIPv6)
	fragment := and(c.field(6, 1, ipProtocols["ipv6-frag"]), c.field(40, 1, proto))
	return and(ip6, or(c.field(6, 1, proto), fragment)), err
}

func (c *compiler) overIP(proto uint32) (tree, error) {
	v4, err := c.overIPv4(proto)
	if err != nil {
		return nil, err
	}
	v6, err := c.overIPv6(proto)
	return or(v4, v6), err
}

// vlan accepts tagged packets and moves all that follows behind the tag.
func (c *compiler) vlan(p *primitive) (tree, error) {
	if c.link != linkEthernet || c.ppp || c.labels > 0 {
		return nil, c.fail(p.pos, "%q is supported on Ethernet only", p.name)
	}
	t := or(or(at(c.typeAt, 2, bpf.JumpEqual, etherVLAN), at(c.typeAt, 2, bpf.JumpEqual, etherQinQ)),
		at(c.typeAt, 2, bpf.JumpEqual, etherQinQ9))
	if p.argument != nil {
		if *p.argument > 0xfff {
			return nil, c.fail(p.pos, "VLAN %d is greater than 4095", *p.argument)
		}
		t = and(t, masked(c.payload, 2, 0xfff, *p.argument))
	}
	c.typeAt += 4
	c.payload += 4
	return t, nil
}

// mpls accepts labelled packets and moves all that follows behind the label.
func (c *compiler) mpls(p *primitive) (tree, error) {
	var t tree
	if c.labels > 0 {
		t = masked(c.payload-2, 1, 1, 0) // the label before is not the last
	} else {
		switch {
		case c.ppp, c.link == linkEthernet, c.link == linkCHDLC:
			t, _ = c.etherType(etherMPLS)
		default:
			return nil, c.fail(p.pos, "%q is not supported on link type %d", p.name, c.link)
		}
	}
	if p.argument != nil {
		if *p.argument > 0xfffff {
			return nil, c.fail(p.pos, "MPLS label %d is greater than 1048575", *p.argument)
		}
		t = and(t, masked(c.payload, 4, 0xfffff000, *p.argument<<12))
	}
	c.payload += 4
	c.labels++
	return t, nil
}

// pppoes accepts PPPoE session packets and moves all that follows into PPP.
func (c *compiler) pppoes(p *primitive) (tree, error) {
	t, err := c.etherType(etherPPPoES)
	if err != nil {
		return nil, err
	}
	if p.argument != nil {
		if *p.argument > 0xffff {
			return nil, c.fail(p.pos, "PPPoE session %d is greater than 65535", *p.argument)
		}
		t = and(t, masked(c.payload, 4, 0xffff, *p.argument))
	}
	c.typeAt = c.payload + 6
	c.payload += 8
	c.ppp = true
	return t, nil
}

func (c *compiler) direction(p *primitive) (tree, error) {
	var t tree
	switch c.link {
	case linkSLL:
		t = at(0, 2, bpf.JumpEqual, 4)
	case linkSLL2:
		t = at(10, 1, bpf.JumpEqual, 4)
	default:
		return nil, c.fail(p.pos, "%q: captures of link type %d do not hold the direction", p.name, c.link)
	}
	if p.name == "inbound" {
		t = not(t)
	}
	return t, nil
}

func (c *compiler) cast(p *primitive) (tree, error) {
	broadcast := p.name == "broadcast"
	switch p.q.proto {
	case "", "ether":
		if c.link != linkEthernet {
			return nil, c.fail(p.pos, "%q is supported on Ethernet only", p.name)
		}
		if broadcast {
			return c.mac(0, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), nil
		}
		return not(masked(0, 1, 1, 0)), nil
	case "ip":
		if broadcast {
			return nil, c.fail(p.pos, "\"ip broadcast\" is not supported: a capture does not hold the netmask")
		}
		ip, err := c.etherType(etherIPv4)
		return and(ip, at(c.payload+16, 1, bpf.JumpGreaterOrEqual, 224)), err
	case "ip6":
		if !broadcast {
			ip6, err := c.etherType(etherIPv6)
			return and(ip6, c.field(24, 1, 255)), err
		}
	}
	return nil, c.fail(p.pos, "\"%s %s\" is not supported", p.q.proto, p.name)
}

// qualified compiles an address, network, port or protocol.
func (c *compiler) qualified(p *primitive) (tree, error) {
	switch p.q.kind {
	case "port", "portrange":
		return c.port(p)
	case "proto":
		return c.proto(p)
	}
	if p.id.kind == tokMAC {
		return c.ethernetHost(p)
	}
	if p.q.proto == "ether" {
		return nil, c.fail(p.pos, "%v is no Ethernet address", p.id)
	}
	switch p.id.kind {
	case tokIPv4, tokNumber:
		return c.ipv4(p)
	case tokIPv6:
		return c.ipv6(p)
	}
	return nil, c.fail(p.pos, "%v: names are not resolved, give an address", p.id)
}

// both applies a test to source and destination as the direction says.
func both(dir string, src, dst tree) tree {
	switch dir {
	case "src":
		return src
	case "dst":
		return dst
	case "src and dst":
		return and(src, dst)
	}
	return or(src, dst)
}

func (c *compiler) ethernetHost(p *primitive) (tree, error) {
	if p.q.proto != "ether" {
		return nil, c.fail(p.pos, "an Ethernet address needs \"ether\" in front")
	}
	if p.q.kind == "net" {
		return nil, c.fail(p.pos, "an Ethernet address is no network")
	}
	if c.link != linkEthernet {
		return nil, c.fail(p.pos, "Ethernet addresses are supported on Ethernet only")
	}
	return both(p.q.dir, c.mac(6, p.id.mac), c.mac(0, p.id.mac)), nil
}

func (c *compiler) mac(offset uint32, mac [6]byte) tree {
	return and(at(offset+2, 4, bpf.JumpEqual, binary.BigEndian.Uint32(mac[2:])),
		at(offset, 2, bpf.JumpEqual, uint32(binary.BigEndian.Uint16(mac[:]))))
}

// ipv4 compiles an IPv4 host or network; without a protocol, it also looks at
// the addresses in ARP and RARP.
func (c *compiler) ipv4(p *primitive) (tree, error) {
	var addr, mask uint32
	if p.id.kind == tokNumber {
		addr, mask = p.id.number, 0xffffffff
		for p.q.kind == "net" && addr != 0 && addr&0xff000000 == 0 {
			addr, mask = addr<<8, mask<<8
		}
		if p.q.kind == "net" && addr == 0 {
			mask = 0
		}
	} else {
		a := p.id.addr.As4()
		addr, mask = binary.BigEndian.Uint32(a[:]), uint32(0xffffffff)<<(32-p.id.bits)
	}
	if p.hasMask {
		if p.q.kind == "host" {
			return nil, c.fail(p.mask.pos, "a mask is for networks only")
		}
		if p.mask.kind == tokIPv4 {
			m := p.mask.addr.As4()
			mask = binary.BigEndian.Uint32(m[:])
		} else {
			if p.mask.number > 32 {
				return nil, c.fail(p.mask.pos, "prefix length %d is greater than 32", p.mask.number)
			}
			mask = uint32(0xffffffff << (32 - uint64(p.mask.number)))
		}
		if addr&^mask != 0 {
			return nil, c.fail(p.pos, "%v has bits set outside of its mask", p.id)
		}
	}
	in := func(t, src, dst uint32) (tree, error) {
		check, err := c.etherType(t)
		return and(check, both(p.q.dir, masked(c.payload+src, 4, mask, addr), masked(c.payload+dst, 4, mask, addr))), err
	}
	switch p.q.proto {
	case "ip":
		return in(etherIPv4, 12, 16)
	case "arp":
		return in(etherARP, 14, 24)
	case "rarp":
		return in(etherRARP, 14, 24)
	case "":
		t, err := in(etherIPv4, 12, 16)
		if err != nil || c.labels > 0 {
			return t, err
		}
		arp, err := in(etherARP, 14, 24)
		if err != nil {
			return nil, err
		}
		rarp, err := in(etherRARP, 14, 24)
		return or(or(t, arp), rarp), err
	}
	return nil, c.fail(p.pos, "%q cannot stand in front of an IPv4 address", p.q.proto)
}

func (c *compiler) ipv6(p *primitive) (tree, error) {
	if p.q.proto != "" && p.q.proto != "ip6" {
		return nil, c.fail(p.pos, "%q cannot stand in front of an IPv6 address", p.q.proto)
	}
	prefix := 128
	if p.hasMask {
		if p.q.kind == "host" {
			return nil, c.fail(p.mask.pos, "a mask is for networks only")
		}
		if p.mask.number > 128 {
			return nil, c.fail(p.mask.pos, "prefix length %d is greater than 128", p.mask.number)
		}
		prefix = int(p.mask.number)
		if netip.PrefixFrom(p.id.addr, prefix).Masked().Addr() != p.id.addr {
			return nil, c.fail(p.pos, "%v has bits set outside of its mask", p.id)
		}
	}
	a := p.id.addr.As16()
	match := func(offset uint32) tree {
		var t tree
		for i := range 4 {
			bits := min(max(prefix-32*i, 0), 32)
			mask := uint32(0xffffffff << (32 - uint64(bits)))
			t = and(t, masked(c.payload+offset+uint32(4*i), 4, mask, binary.BigEndian.Uint32(a[4*i:])))
		}
		return t
	}
	ip6, err := c.etherType(etherIPv6)
	return and(ip6, both(p.q.dir, match(8), match(24))), err
}

// port compiles a port or a range of ports, over IPv6 and IPv4.
func (c *compiler) port(p *primitive) (tree, error) {
	switch p.q.proto {
	case "", "tcp", "udp", "sctp":
	default:
		return nil, c.fail(p.pos, "%q cannot stand in front of a port", p.q.proto)
	}
	low, high, only, err := c.portNumbers(p)
	if err != nil {
		return nil, err
	}
	if only == "" {
		only = p.q.proto
	}
	protos := []uint32{ipProtocols["sctp"], ipProtocols["tcp"], ipProtocols["udp"]}
	if only != "" {
		protos = []uint32{ipProtocols[only]}
	}
	within := func(load ...bpf.Instruction) tree {
		if low == high {
			return &test{load: load, op: bpf.JumpEqual, value: low}
		}
		return and(&test{load: load, op: bpf.JumpGreaterOrEqual, value: low},
			&test{load: load, op: bpf.JumpLessOrEqual, value: high})
	}
	any := func(offset uint32) (t tree) {
		for _, proto := range protos {
			t = or(t, c.field(offset, 1, proto))
		}
		return t
	}
	ip6, err := c.etherType(etherIPv6)
	if err != nil {
		return nil, err
	}
	v6 := and(and(ip6, any(6)), both(p.q.dir,
		within(bpf.LoadAbsolute{Off: c.payload + 40, Size: 2}),
		within(bpf.LoadAbsolute{Off: c.payload + 42, Size: 2})))
	ip, err := c.etherType(etherIPv4)
	if err != nil {
		return nil, err
	}
	behind := func(offset uint32) tree {
		return within(bpf.LoadMemShift{Off: c.payload}, bpf.LoadIndirect{Off: c.payload + offset, Size: 2})
	}
	v4 := and(and(ip, and(any(9), c.notFragment())), both(p.q.dir, behind(0), behind(2)))
	return or(v6, v4), nil
}

// portNumbers reads a port or a range. only is the protocol that a service
// is limited to by its name.
func (c *compiler) portNumbers(p *primitive) (low, high uint32, only string, err error) {
	first, last, isRange := strings.Cut(p.id.text, "-")
	if p.q.kind == "portrange" && isRange {
		if low, only, err = c.portNumber(p, first); err != nil {
			return 0, 0, "", err
		}
		if high, _, err = c.portNumber(p, last); err != nil {
			return 0, 0, "", err
		}
		return min(low, high), max(low, high), only, nil
	}
	low, only, err = c.portNumber(p, p.id.text)
	return low, low, only, err
}

// portNumber reads a number or the name of a service. A service that exists
// for one protocol only stands for that one, as with tcpdump.
func (c *compiler) portNumber(p *primitive, text string) (port uint32, only string, err error) {
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		if n > 0xffff {
			return 0, "", c.fail(p.pos, "port %d is greater than 65535", n)
		}
		return uint32(n), "", nil
	}
	tcp, errTCP := net.LookupPort("tcp", text)
	udp, errUDP := net.LookupPort("udp", text)
	switch {
	case p.q.proto == "udp" && errUDP == nil:
		return uint32(udp), "", nil
	case p.q.proto != "udp" && errTCP == nil && (errUDP == nil && udp == tcp || p.q.proto != ""):
		return uint32(tcp), "", nil
	case p.q.proto == "" && errTCP == nil:
		return uint32(tcp), "tcp", nil
	case p.q.proto == "" && errUDP == nil:
		return uint32(udp), "udp", nil
	}
	return 0, "", c.fail(p.pos, "%q is neither a port nor a known service", text)
}

// ipProtocols are the protocols that can be named.
var ipProtocols = map[string]uint32{
	"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "igrp": 9, "udp": 17, "ipv6": 41, "ipv6-route": 43,
	"ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmp6": 58, "ospf": 89,
	"pim": 103, "vrrp": 112, "carp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}

var etherTypes = map[string]uint32{
	"ip": etherIPv4, "arp": etherARP, "rarp": etherRARP, "ip6": etherIPv6, "ipv6": etherIPv6,
}

func (c *compiler) proto(p *primitive) (tree, error) {
	if p.q.dir != "" {
		return nil, c.fail(p.pos, "a protocol has no direction")
	}
	names := ipProtocols
	if p.q.proto == "ether" {
		names = etherTypes
	}
	number, known := p.id.number, p.id.kind == tokNumber
	if p.id.kind == tokWord {
		number, known = names[p.id.text]
	}
	if !known {
		return nil, c.fail(p.pos, "unknown protocol %v", p.id)
	}
	switch p.q.proto {
	case "ether":
		return c.etherType(number)
	case "ip":
		return c.overIPv4(number)
	case "ip6":
		return c.overIPv6(number)
	case "":
		return c.overIP(number)
	}
	return nil, c.fail(p.pos, "%q cannot stand in front of \"proto\"", p.q.proto)
}

// constants are the names of field offsets and values.
var constants = map[string]uint32{
	"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13,
	"tcp-fin": 0x01, "tcp-syn": 0x02, "tcp-rst": 0x04, "tcp-push": 0x08,
	"tcp-ack": 0x10, "tcp-urg": 0x20, "tcp-ece": 0x40, "tcp-cwr": 0x80,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
	"icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16,
	"icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
	"icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133,
	"icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
	"icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144,
	"icmp6-homeagentdiscoveryreply": 145, "icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147,
	"icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149, "icmp6-multicastrouteradvert": 151,
	"icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
}
