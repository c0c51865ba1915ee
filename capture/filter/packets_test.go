package filter_test

import (
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// sample is a packet for a link type.
type sample struct {
	data []byte
	wire int
}

var (
	macA      = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0a}
	macB      = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0b}
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	v4A       = net.IP{10, 1, 2, 3}
	v4B       = net.IP{192, 168, 7, 9}
	v4Multi   = net.IP{224, 0, 0, 5}
	v6A       = net.ParseIP("2001:db8::1")
	v6B       = net.ParseIP("2001:db8:1::2")
	v6Multi   = net.ParseIP("ff02::1")
)

func serialize(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), buf.Bytes()...)
}

// network is a packet from the network layer on.
type network struct {
	etherType layers.EthernetType
	data      []byte
}

// networks makes packets that differ in what filters look at.
func networks(t testing.TB) []network {
	var out []network
	add := func(et layers.EthernetType, ls ...gopacket.SerializableLayer) {
		out = append(out, network{et, serialize(t, ls...)})
	}
	ip4 := func(p layers.IPProtocol, edit ...func(*layers.IPv4)) *layers.IPv4 {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: v4A, DstIP: v4B, Id: 7}
		for _, e := range edit {
			e(ip)
		}
		return ip
	}
	ip6 := func(p layers.IPProtocol, edit ...func(*layers.IPv6)) *layers.IPv6 {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: p, SrcIP: v6A, DstIP: v6B}
		for _, e := range edit {
			e(ip)
		}
		return ip
	}
	payload := func(n int) gopacket.Payload { return make([]byte, n) }
	reverse := func(ip *layers.IPv4) { ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP }
	for _, port := range []layers.TCPPort{21, 25, 22, 587, 8080} {
		add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40000 + port, DstPort: port, SYN: true, Window: 100})
		add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP, reverse), &layers.TCP{SrcPort: port, DstPort: 40000 + port, SYN: true, ACK: true, Window: 100})
		add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40000 + port, DstPort: port, PSH: true, ACK: true}, payload(int(port)%1400))
		add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: port, DstPort: port, FIN: true, ACK: true})
		add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolTCP), &layers.TCP{SrcPort: port, DstPort: 40001, RST: true})
		add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40001, DstPort: port, ACK: true}, payload(300))
	}
	options := func(ip *layers.IPv4) {
		ip.Options = []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 0}}
	}
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP, options), &layers.TCP{SrcPort: 25, DstPort: 5000, ACK: true}, payload(10))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP, func(ip *layers.IPv4) { ip.Flags = layers.IPv4MoreFragments }),
		&layers.TCP{SrcPort: 25, DstPort: 5000, ACK: true}, payload(4))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolTCP, func(ip *layers.IPv4) { ip.FragOffset = 3 }), payload(40))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolUDP), &layers.UDP{SrcPort: 53, DstPort: 5353}, payload(30))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolUDP, func(ip *layers.IPv4) { ip.DstIP = v4Multi }), &layers.UDP{SrcPort: 25, DstPort: 5353}, payload(30))
	for _, typ := range []uint8{0, 3, 8, 11} {
		add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 1)}, payload(28))
	}
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolGRE), payload(40))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolIGMP), payload(8))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolSCTP), gopacket.Payload{0, 25, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0})
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolESP), payload(20))
	add(layers.EthernetTypeIPv4, ip4(layers.IPProtocolAH), payload(20))
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolUDP), &layers.UDP{SrcPort: 53, DstPort: 25}, payload(9))
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolUDP, func(ip *layers.IPv6) { ip.DstIP = v6Multi }), &layers.UDP{SrcPort: 5353, DstPort: 5353})
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolICMPv6), gopacket.Payload{128, 0, 0, 0, 0, 1, 0, 1, 5, 5})
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolICMPv6), gopacket.Payload{135, 0, 0, 0, 0, 0, 0, 0})
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolIPv6Fragment), gopacket.Payload{6, 0, 0, 1, 0, 0, 0, 9, 0, 25, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0})
	add(layers.EthernetTypeIPv6, ip6(layers.IPProtocolIPv6HopByHop), gopacket.Payload{6, 0, 1, 4, 0, 0, 0, 0, 0, 25, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0})
	arp := &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: 1, SourceHwAddress: macA, SourceProtAddress: v4A, DstHwAddress: macB, DstProtAddress: v4B}
	add(layers.EthernetTypeARP, arp)
	add(0x8035, arp)
	return out
}

// samples wraps all networks for a link type, and adds copies that a snap
// length has cut.
func samples(t testing.TB, link layers.LinkType) []sample {
	var out []sample
	add := func(b []byte) {
		out = append(out, sample{b, len(b)})
		for _, snap := range []int{13, 22, 36, 48, 60} {
			if len(b) > snap {
				out = append(out, sample{b[:snap], len(b)})
			}
		}
	}
	cat := func(parts ...[]byte) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for i, n := range networks(t) {
		et := []byte{byte(n.etherType >> 8), byte(n.etherType)}
		isIP := n.etherType == layers.EthernetTypeIPv4 || n.etherType == layers.EthernetTypeIPv6
		ppp := []byte{0, 0x21}
		if n.etherType == layers.EthernetTypeIPv6 {
			ppp[1] = 0x57
		}
		switch link {
		case layers.LinkTypeEthernet:
			eth := cat(macB, macA)
			switch {
			case i%7 == 3:
				eth = cat(broadcast, macB)
			case i%7 == 5:
				eth = cat([]byte{1, 0, 0x5e, 0, 0, 5}, macB)
			}
			add(cat(eth, et, n.data))
			if i%5 > 2 {
				continue // enough is enough
			}
			add(cat(eth, []byte{0x81, 0, 0, 100}, et, n.data))
			add(cat(eth, []byte{0x88, 0xa8, 0x20, 200, 0x81, 0, 0, 100}, et, n.data))
			add(cat(eth, []byte{0x91, 0, 0, 7, 0x81, 0, 0, 8}, et, n.data))
			if isIP {
				add(cat(eth, []byte{0x88, 0x47, 0, 0, 0x11, 64}, n.data))
				add(cat(eth, []byte{0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64}, n.data))
				add(cat(eth, []byte{0x81, 0, 0, 100, 0x88, 0x47, 0, 0, 0x11, 64}, n.data))
				length := len(n.data) + 2
				add(cat(eth, []byte{0x88, 0x64, 0x11, 0, 0, 9, byte(length >> 8), byte(length)}, ppp, n.data))
			}
		case layers.LinkTypeLinuxSLL:
			add(cat([]byte{0, byte(i % 5), 0, 1, 0, 6, 2, 0, 0, 0, 0, 10, 0, 0}, et, n.data))
		case layers.LinkTypeLinuxSLL2:
			add(cat(et, []byte{0, 0, 0, 0, 0, 2, 0, 1, byte(i % 5), 6, 2, 0, 0, 0, 0, 10, 0, 0}, n.data))
		case layers.LinkTypeRaw:
			if isIP {
				add(n.data)
			}
		case layers.LinkTypePPP:
			if isIP {
				add(cat([]byte{0xff, 3}, ppp, n.data))
			}
		case layers.LinkTypeNull:
			family := byte(2)
			if n.etherType == layers.EthernetTypeIPv6 {
				family = 30
			}
			if isIP {
				add(cat([]byte{family, 0, 0, 0}, n.data))
			}
		}
	}
	return out
}
