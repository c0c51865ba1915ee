package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Packets for tests are put together by gopacket, so that our reading is
// checked against another's writing.

var (
	clientIP = net.IP{10, 0, 0, 1}
	serverIP = net.IP{10, 0, 0, 2}
	client6  = net.ParseIP("2001:db8::1")
	server6  = net.ParseIP("2001:db8::2")
)

func serialize(t testing.TB, checksums bool, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: checksums}
	if err := gopacket.SerializeLayers(buf, opts, ls...); err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), buf.Bytes()...)
}

// tcp4 is an IPv4 packet with a TCP segment from port 1025 to 25.
func tcp4(t testing.TB, seq uint32, payload string) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: clientIP, DstIP: serverIP, Id: uint16(seq)}
	tcp := &layers.TCP{SrcPort: 1025, DstPort: 25, Seq: seq, Ack: 7, ACK: true, PSH: true, Window: 512}
	tcp.SetNetworkLayerForChecksum(ip)
	return serialize(t, true, ip, tcp, gopacket.Payload(payload))
}

func tcp6(t testing.TB, seq uint32, payload string) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: client6, DstIP: server6}
	tcp := &layers.TCP{SrcPort: 1025, DstPort: 25, Seq: seq, Ack: 7, ACK: true, Window: 512}
	tcp.SetNetworkLayerForChecksum(ip)
	return serialize(t, true, ip, tcp, gopacket.Payload(payload))
}

// cat joins headers.
func cat(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, p...)
		case byte:
			b = append(b, p)
		case int:
			b = append(b, byte(p))
		}
	}
	return b
}

var macs = make([]byte, 12)

func ether(t string, b []byte) []byte { return cat(macs, t, b) }

// record is a packet for a capture.
type record struct {
	at   time.Time
	data []byte
	wire int // 0: all was captured
}

var epoch = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

func pcapOf(t testing.TB, link layers.LinkType, records ...record) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriter(&buf)
	if err := w.WriteFileHeader(262144, link); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		ci := gopacket.CaptureInfo{Timestamp: r.at, CaptureLength: len(r.data), Length: max(r.wire, len(r.data))}
		if err := w.WritePacket(ci, r.data); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// dialogue is n Ethernet records one second apart, whose payloads tell them
// apart.
func dialogue(t testing.TB, n int) []record {
	var out []record
	for i := range n {
		out = append(out, record{at: epoch.Add(time.Duration(i) * time.Second), data: ether("\x08\x00", tcp4(t, uint32(i), string(rune('a'+i))))})
	}
	return out
}

// ngBlock is a pcapng block.
func ngBlock(order binary.AppendByteOrder, typ uint32, body ...any) []byte {
	b := cat(body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	out := order.AppendUint32(nil, typ)
	out = order.AppendUint32(out, uint32(len(b)+12))
	out = append(out, b...)
	return order.AppendUint32(out, uint32(len(b)+12))
}

func sectionBlock(order binary.AppendByteOrder) []byte {
	return ngBlock(order, blockSection, order.AppendUint32(nil, sectionByteOrder), order.AppendUint16(nil, 1), order.AppendUint16(nil, 0),
		bytes.Repeat([]byte{0xff}, 8))
}

func option(order binary.AppendByteOrder, code uint16, value ...byte) []byte {
	b := order.AppendUint16(nil, code)
	b = order.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func interfaceBlock(order binary.AppendByteOrder, link uint16, options ...[]byte) []byte {
	b := order.AppendUint16(nil, link)
	b = order.AppendUint16(b, 0)
	b = order.AppendUint32(b, 0)
	return ngBlock(order, blockInterface, b, bytes.Join(options, nil))
}

func packetBlock(order binary.AppendByteOrder, iface uint32, ts uint64, data []byte) []byte {
	b := order.AppendUint32(nil, iface)
	b = order.AppendUint32(b, uint32(ts>>32))
	b = order.AppendUint32(b, uint32(ts))
	b = order.AppendUint32(b, uint32(len(data)))
	b = order.AppendUint32(b, uint32(len(data)))
	return ngBlock(order, blockEnhanced, b, data)
}

// result is what reading a capture to its end brought.
type result struct {
	segments []Segment
	damages  []*Damage
	stats    Stats
}

func (r result) payloads() string {
	s := ""
	for _, seg := range r.segments {
		s += string(seg.Payload)
	}
	return s
}

func drain(t testing.TB, r *Reader) result {
	t.Helper()
	defer r.Close()
	var out result
	var s Segment
	for {
		err := r.Next(&s)
		var d *Damage
		switch {
		case err == nil:
			seg := s
			seg.Payload = append([]byte(nil), s.Payload...)
			out.segments = append(out.segments, seg)
			continue
		case errors.As(err, &d):
			out.damages = append(out.damages, d)
			continue
		case err != io.EOF:
			t.Fatalf("Next: %v", err)
		}
		if err := r.Next(&s); err != io.EOF {
			t.Fatalf("Next after the end: %v", err)
		}
		out.stats = r.Stats()
		return out
	}
}

func readAll(t testing.TB, data []byte, o Options) result {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), "test.pcap", o)
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, r)
}
