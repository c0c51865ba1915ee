package capture

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func udp4(t testing.TB, src, dst int, payload []byte) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: serverIP, DstIP: clientIP}
	return serialize(t, false, ip, &layers.UDP{SrcPort: layers.UDPPort(src), DstPort: layers.UDPPort(dst)}, gopacket.Payload(payload))
}

func over4(t testing.TB, proto layers.IPProtocol, payload []byte) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: serverIP, DstIP: clientIP}
	return serialize(t, false, ip, gopacket.Payload(payload))
}

func over6(t testing.TB, proto layers.IPProtocol, payload []byte) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: server6, DstIP: client6}
	return serialize(t, false, ip, gopacket.Payload(payload))
}

// TestFindsTCP has one TCP segment in every wrapping that is known.
func TestFindsTCP(t *testing.T) {
	v4, v6 := tcp4(t, 9, "hello"), tcp6(t, 9, "hello")
	eth := ether("\x08\x00", v4)
	ppp := cat(0, 0x21, v4)
	pppoe := cat(0x11, 0, 0, 9, byte(len(ppp)>>8), byte(len(ppp)), ppp)
	label := func(bottom int) []byte { return []byte{0, 1, byte(0x10 | bottom), 64} }
	nflog := cat(2, 0, 0, 0, 8, 0, 1, 0, "\x08\x00\x00\x00", byte(len(v4)+4), 0, 9, 0, v4)
	cases := []struct {
		name string
		link uint32
		data []byte
	}{
		{"Ethernet, IPv4", linkEthernet, eth},
		{"Ethernet, IPv6", linkEthernet, ether("\x86\xdd", v6)},
		{"padded Ethernet", linkEthernet, cat(eth, make([]byte, 10))},
		{"802.1Q", linkEthernet, ether("\x81\x00\x00\x05\x08\x00", v4)},
		{"QinQ 88a8", linkEthernet, ether("\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd", v6)},
		{"QinQ 9100", linkEthernet, ether("\x91\x00\x00\x05\x81\x00\x00\x06\x08\x00", v4)},
		{"802.3 with SNAP", linkEthernet, ether("\x00\x50", cat("\xaa\xaa\x03\x00\x00\x00\x08\x00", v4))},
		{"MPLS", linkEthernet, ether("\x88\x47", cat(label(1), v4))},
		{"MPLS stack in a VLAN", linkEthernet, ether("\x81\x00\x00\x05\x88\x47", cat(label(0), label(1), v6))},
		{"MPLS pseudowire", linkEthernet, ether("\x88\x47", cat(label(1), "\x00\x00\x00\x00", eth))},
		{"PPPoE", linkEthernet, ether("\x88\x64", pppoe)},
		{"PPPoE in a VLAN", linkEthernet, ether("\x81\x00\x00\x05\x88\x64", pppoe)},
		{"SLL", linkSLL, cat(make([]byte, 14), "\x08\x00", v4)},
		{"SLL with VLAN", linkSLL, cat(make([]byte, 14), "\x81\x00\x00\x05\x08\x00", v4)},
		{"SLL2", linkSLL2, cat("\x86\xdd", make([]byte, 18), v6)},
		{"raw", linkRaw, v6},
		{"raw, BSD's number", linkRawBSD, v4},
		{"IPv4", linkIPv4, v4},
		{"IPv6", linkIPv6, v6},
		{"null, little endian", linkNull, cat(2, 0, 0, 0, v4)},
		{"null, big endian", linkNull, cat(0, 0, 0, 30, v6)},
		{"loop", linkLoop, cat(0, 0, 0, 24, v6)},
		{"PPP", linkPPP, cat(0xff, 3, ppp)},
		{"PPP without address", linkPPP, ppp},
		{"PPP, compressed protocol", linkPPP, cat(0x21, v4)},
		{"PPP with MPLS", linkPPPHDLC, cat(0xff, 3, 2, 0x81, label(1), v4)},
		{"PPPoE as link", linkPPPEther, pppoe},
		{"NFLOG", linkNFLOG, nflog},
		{"IP in IP", linkRaw, over4(t, 4, v4)},
		{"6in4", linkRaw, over4(t, 41, v6)},
		{"6in6", linkRaw, over6(t, 41, v6)},
		{"4in6", linkRaw, over6(t, 4, v4)},
		{"GRE", linkRaw, over4(t, 47, cat("\x00\x00\x08\x00", v4))},
		{"GRE, checksum, key, sequence", linkRaw, over4(t, 47, cat("\xb0\x00\x86\xdd", make([]byte, 12), v6))},
		{"GRE, Ethernet", linkRaw, over4(t, 47, cat("\x00\x00\x65\x58", eth))},
		{"GRE, MPLS", linkRaw, over4(t, 47, cat("\x00\x00\x88\x47", label(1), v4))},
		{"ERSPAN I", linkRaw, over4(t, 47, cat("\x00\x00\x88\xbe", eth))},
		{"ERSPAN II", linkRaw, over4(t, 47, cat("\x10\x00\x88\xbe", make([]byte, 4), "\x10", make([]byte, 7), eth))},
		{"ERSPAN III", linkRaw, over4(t, 47, cat("\x10\x00\x22\xeb", make([]byte, 4), "\x20", make([]byte, 11), eth))},
		{"ERSPAN III, subheader", linkRaw, over4(t, 47, cat("\x10\x00\x22\xeb", make([]byte, 4), "\x20", make([]byte, 10), "\x01", make([]byte, 8), eth))},
		{"PPTP", linkRaw, over4(t, 47, cat("\x30\x81\x88\x0b", make([]byte, 12), 0xff, 3, ppp))},
		{"EtherIP", linkRaw, over4(t, 97, cat("\x30\x00", eth))},
		{"MPLS in IP", linkRaw, over4(t, 137, cat(label(1), v4))},
		{"VXLAN", linkRaw, udp4(t, 5000, 4789, cat("\x08", make([]byte, 7), eth))},
		{"VXLAN-GPE", linkRaw, udp4(t, 5000, 4790, cat("\x0c\x00\x00\x02", make([]byte, 4), v6))},
		{"Geneve", linkRaw, udp4(t, 5000, 6081, cat("\x02\x00\x65\x58", make([]byte, 12), eth))},
		{"Teredo", linkRaw, udp4(t, 3544, 5000, v6)},
		{"Teredo, indications", linkRaw, udp4(t, 5000, 3544, cat("\x00\x01\x00\x00", make([]byte, 9), make([]byte, 8), v6))},
		{"Teredo, between client and relay", linkRaw, udp4(t, 3797, 32900, fromTeredo(v6))},
		{"GRE in UDP", linkRaw, udp4(t, 5000, 4754, cat("\x00\x00\x08\x00", v4))},
		{"IPv6 extensions", linkRaw, over6(t, 0, cat(43, 0, make([]byte, 6), 60, 0, make([]byte, 6), 6, 0, make([]byte, 6), v6[40:]))},
		{"IPv6 atomic fragment", linkRaw, over6(t, 44, cat(6, 0, 0, 0, 0, 0, 0, 1, v6[40:]))},
		{"authenticated", linkRaw, over4(t, 51, cat(6, 1, make([]byte, 10), v4[20:]))},
		{"tunnel in tunnel", linkRaw, over4(t, 47, cat("\x00\x00\x86\xdd", over6(t, 4, udp4(t, 1, 4789, cat("\x08", make([]byte, 7), eth)))))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d decoder
			var stats Stats
			var s Segment
			d.stats = &stats
			if !d.decode(&packet{data: c.data, wire: len(c.data), link: c.link}, &s) {
				t.Fatalf("no segment: %+v", stats.Skipped)
			}
			if string(s.Payload) != "hello" || s.Seq != 9 || s.Ack != 7 || s.Dst.Port() != 25 || s.Src.Port() != 1025 || s.Cut != 0 {
				t.Errorf("got %+v", s)
			}
			// However short the packet is cut, it is a segment that owns up to
			// the cut, or none.
			for n := range c.data {
				if d.decode(&packet{data: c.data[:n:n], wire: len(c.data), link: c.link}, &s) && s.Cut+len(s.Payload) != 5 {
					t.Errorf("%d of %d bytes: payload %q, cut %d", n, len(c.data), s.Payload, s.Cut)
				}
			}
		})
	}
}

// fromTeredo gives an IPv6 packet the source address of a Teredo client.
func fromTeredo(v6 []byte) []byte {
	b := bytes.Clone(v6)
	copy(b[8:], "\x20\x01\x00\x00")
	return b
}

func decodeOne(t testing.TB, o bool, link uint32, packets ...[]byte) (s Segment, found int, stats Stats) {
	d := decoder{stats: &stats, checkChecksums: o}
	for i, p := range packets {
		var seg Segment
		if d.decode(&packet{data: p, wire: len(p), link: link, ns: int64(i)}, &seg) {
			seg.Payload = append([]byte(nil), seg.Payload...)
			s = seg
			found++
		}
	}
	stats.Skipped.Incomplete = d.fragments.incomplete
	return s, found, stats
}

func TestSegmentationOffload(t *testing.T) {
	p := tcp4(t, 1, "behind a length of zero")
	p[2], p[3] = 0, 0
	if s, n, _ := decodeOne(t, false, linkRaw, p); n != 1 || string(s.Payload) != "behind a length of zero" {
		t.Errorf("got %d segments, %q", n, s.Payload)
	}
}

func TestChecksums(t *testing.T) {
	for _, good := range [][]byte{tcp4(t, 1, "odd"), tcp6(t, 1, "even")} {
		if s, n, _ := decodeOne(t, true, linkRaw, good); n != 1 || s.BadChecksum {
			t.Errorf("right checksum: %d segments, bad: %v", n, s.BadChecksum)
		}
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1
		if s, n, st := decodeOne(t, true, linkRaw, bad); n != 1 || !s.BadChecksum || st.Skipped.BadChecksum != 1 {
			t.Errorf("wrong checksum: %d segments, bad: %v", n, s.BadChecksum)
		}
		if s, _, _ := decodeOne(t, false, linkRaw, bad); s.BadChecksum {
			t.Error("checksums were checked without being asked to")
		}
	}
}

// fragments4 cuts an IPv4 packet into fragments of size bytes.
func fragments4(p []byte, size int) (out [][]byte) {
	body := p[20:]
	for at := 0; at < len(body); at += size {
		end := min(at+size, len(body))
		f := cat(p[:20], body[at:end])
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		flags := uint16(at / 8)
		if end < len(body) {
			flags |= 0x2000
		}
		binary.BigEndian.PutUint16(f[6:], flags)
		binary.BigEndian.PutUint16(f[10:], 0)
		binary.BigEndian.PutUint16(f[10:], ^sum(f[:20], 0))
		out = append(out, f)
	}
	return out
}

func fragments6(p []byte, size int) (out [][]byte) {
	body := p[40:]
	for at := 0; at < len(body); at += size {
		end := min(at+size, len(body))
		more := 0
		if end < len(body) {
			more = 1
		}
		f := cat(p[:40], 6, 0, byte(at>>8), byte(at|more), "\x00\x00\x12\x34", body[at:end])
		f[6] = 44
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
		out = append(out, f)
	}
	return out
}

func TestFragments(t *testing.T) {
	text := "fragments come in any order, twice, and overlapping, and the text is whole"
	for name, frags := range map[string][][]byte{"IPv4": fragments4(tcp4(t, 3, text), 24), "IPv6": fragments6(tcp6(t, 3, text), 24)} {
		t.Run(name, func(t *testing.T) {
			reversed := make([][]byte, len(frags))
			for i, f := range frags {
				reversed[len(frags)-1-i] = f
			}
			for _, order := range [][][]byte{frags, reversed, append(append([][]byte{}, frags[:len(frags)-1]...), append(frags[:1:1], frags[len(frags)-1])...)} {
				s, n, st := decodeOne(t, true, linkRaw, order...)
				if n != 1 || string(s.Payload) != text || s.BadChecksum {
					t.Fatalf("got %d segments, %q, bad checksum %v (%+v)", n, s.Payload, s.BadChecksum, st.Skipped)
				}
				if st.Fragments != uint64(len(order)) {
					t.Errorf("counted %d fragments of %d", st.Fragments, len(order))
				}
			}
		})
	}
}

func TestFragmentThatNeverCame(t *testing.T) {
	frags := fragments4(tcp4(t, 3, "this one will stay in parts, as it should"), 16)
	var d decoder
	var stats Stats
	var s Segment
	d.stats = &stats
	for _, f := range frags[1:] {
		if d.decode(&packet{data: f, wire: len(f), link: linkRaw}, &s) {
			t.Fatal("a datagram without its beginning was delivered")
		}
	}
	late := frags[0]
	if d.decode(&packet{data: late, wire: len(late), link: linkRaw, ns: fragmentTimeout + 1}, &s) {
		t.Error("a fragment that came after the timeout completed the datagram")
	}
	if d.fragments.incomplete != 1 {
		t.Errorf("%d datagrams were given up, want 1", d.fragments.incomplete)
	}
}

func TestFragmentFloodIsBounded(t *testing.T) {
	frags := fragments4(tcp4(t, 3, string(make([]byte, 9000))), 8192)
	var d decoder
	var stats Stats
	var s Segment
	d.stats = &stats
	for i := range 20000 {
		f := bytes.Clone(frags[0])
		binary.BigEndian.PutUint16(f[4:], uint16(i))
		f[15] = byte(i >> 16)
		d.decode(&packet{data: f, wire: len(f), link: linkRaw}, &s)
	}
	if n := len(d.fragments.waiting); n > maxDatagrams || d.fragments.bytes > maxFragmentBytes+maxIPDatagram {
		t.Errorf("%d datagrams, %d bytes are kept", n, d.fragments.bytes)
	}
}

func TestCutFragmentIsAGap(t *testing.T) {
	frags := fragments4(tcp4(t, 3, "0123456789abcdefghijklmnopqrstuvwxyz"), 40)
	var d decoder
	var stats Stats
	var s Segment
	d.stats = &stats
	d.decode(&packet{data: frags[0][:50], wire: len(frags[0]), link: linkRaw}, &s)
	if !d.decode(&packet{data: frags[1], wire: len(frags[1]), link: linkRaw}, &s) {
		t.Fatal("no segment")
	}
	if string(s.Payload) != "0123456789" || s.Cut != 26 {
		t.Errorf("payload %q, cut %d", s.Payload, s.Cut)
	}
}

func TestUnreachable(t *testing.T) {
	quoted := tcp4(t, 77, "x")
	p := over4(t, 1, cat(3, 13, 0, 0, 0, 0, 0, 0, quoted[:28]))
	s, n, _ := decodeOne(t, false, linkRaw, p)
	if n != 1 || !s.Unreachable || s.ICMPType != 3 || s.ICMPCode != 13 || s.Seq != 77 ||
		s.Src != netip.MustParseAddrPort("10.0.0.1:1025") || s.Dst != netip.MustParseAddrPort("10.0.0.2:25") ||
		s.ICMPFrom != netip.MustParseAddr("10.0.0.2") {
		t.Errorf("IPv4: got %d, %+v", n, s)
	}
	quoted = tcp6(t, 78, "x")
	p = over6(t, 58, cat(1, 4, 0, 0, 0, 0, 0, 0, quoted))
	s, n, _ = decodeOne(t, false, linkRaw, p)
	if n != 1 || !s.Unreachable || s.ICMPType != 1 || s.ICMPCode != 4 || s.Seq != 78 || s.Dst.Port() != 25 {
		t.Errorf("IPv6: got %d, %+v", n, s)
	}
	if _, n, _ = decodeOne(t, false, linkRaw, over4(t, 1, cat(3, 4, 0, 0, 0, 0, 5, 0, quoted))); n != 0 {
		t.Error("fragmentation needed was taken for unreachable")
	}
}

func TestEndlessNesting(t *testing.T) {
	p := tcp4(t, 1, "x")
	for range 100 {
		p = over4(t, 4, p)
	}
	if _, n, st := decodeOne(t, false, linkRaw, p); n != 0 || st.Skipped.Undecodable != 1 {
		t.Errorf("got %d segments, %+v", n, st.Skipped)
	}
}
