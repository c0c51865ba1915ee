package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// endless repeats packets for ever behind a file header.
type endless struct {
	head, body []byte
	at         int
}

func (e *endless) Read(b []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(b, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := copy(b, e.body[e.at:])
	e.at = (e.at + n) % len(e.body)
	return n, nil
}

func traffic(t testing.TB, size int) (head, body []byte) {
	v4, v6 := tcp4(t, 1, string(make([]byte, size))), tcp6(t, 2, string(make([]byte, size)))
	head = pcapOf(t, layers.LinkTypeEthernet)
	body = pcapOf(t, layers.LinkTypeEthernet,
		record{at: epoch, data: ether("\x08\x00", v4)},
		record{at: epoch, data: ether("\x81\x00\x00\x07\x86\xdd", v6)},
		record{at: epoch, data: ether("\x08\x00", over4(t, 47, cat("\x00\x00\x08\x00", v4)))},
		record{at: epoch, data: ether("\x08\x00", udp4(t, 9, 4789, cat("\x08", make([]byte, 7), ether("\x08\x00", v4))))},
		record{at: epoch, data: ether("\x08\x00", udp4(t, 9, 9, nil))},
	)[len(head):]
	return head, body
}

func TestNextDoesNotAllocate(t *testing.T) {
	head, body := traffic(t, 700)
	for _, filter := range []string{"", "tcp port 25 or udp or ip proto 47 or vlan"} {
		r, err := NewReader(&endless{head: head, body: body}, "x", Options{Filter: filter, CheckChecksums: true})
		if err != nil {
			t.Fatal(err)
		}
		var s Segment
		for range 100000 { // all blocks are made
			if err := r.Next(&s); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(20000, func() { r.Next(&s) }); n != 0 {
			t.Errorf("filter %q: %v allocations per segment", filter, n)
		}
		r.Close()
	}
}

func benchmarkFile(b *testing.B) []byte {
	head := pcapOf(b, layers.LinkTypeEthernet)
	one := pcapOf(b, layers.LinkTypeEthernet, record{at: epoch, data: ether("\x08\x00", tcp4(b, 1, string(make([]byte, 1446))))})[len(head):]
	return append(head, bytes.Repeat(one, 20000)...)
}

func benchmarkRead(b *testing.B, file []byte, o Options) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(file), "bench", o)
		if err != nil {
			b.Fatal(err)
		}
		var s Segment
		n := 0
		for r.Next(&s) == nil {
			n++
		}
		if r.Close(); n != 20000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkRead reads and decodes 20,000 packets of 1,500 bytes.
func BenchmarkRead(b *testing.B) {
	file := benchmarkFile(b)
	b.Run("pcap", func(b *testing.B) { benchmarkRead(b, file, Options{}) })
	b.Run("filter", func(b *testing.B) { benchmarkRead(b, file, Options{Filter: "tcp port 25 or tcp port 21"}) })
	b.Run("checksums", func(b *testing.B) { benchmarkRead(b, file, Options{CheckChecksums: true}) })
	ng := cat(sectionBlock(binary.LittleEndian), interfaceBlock(binary.LittleEndian, linkEthernet))
	data := ether("\x08\x00", tcp4(b, 1, string(make([]byte, 1446))))
	ng = append(ng, bytes.Repeat(packetBlock(binary.LittleEndian, 0, 1, data), 20000)...)
	b.Run("pcapng", func(b *testing.B) { benchmarkRead(b, ng, Options{}) })
}

// BenchmarkGopacket does the same with pcapgo's reader and gopacket's fastest
// decoder, to measure what docs/decisions/002-decoding.md says.
func BenchmarkGopacket(b *testing.B) {
	file := benchmarkFile(b)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := pcapgo.NewReader(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		var eth layers.Ethernet
		var ip4 layers.IPv4
		var ip6 layers.IPv6
		var tcp layers.TCP
		var payload gopacket.Payload
		parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip4, &ip6, &tcp, &payload)
		var found []gopacket.LayerType
		n := 0
		for {
			data, _, err := r.ZeroCopyReadPacketData()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if err := parser.DecodeLayers(data, &found); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 20000 {
			b.Fatal(n)
		}
	}
}
