package render

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"sniff/record"
)

// TestPcapNGForOthers writes two connections and reads the file with another
// implementation of the format: packets, times, comments and payloads must
// be there, lengths and checksums right.
func TestPcapNGForOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.pcapng")
	w, err := CreatePcapNG(path, Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1_700_000_000, 123_456_789).UTC()
	text := bytes.Repeat([]byte("0123456789abcdef!"), 500) // several packets, the last of odd length
	four := w.Open(netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.25:25"), start, "seen by a test")
	four.Data(record.ClientToServer, text, start)
	four.Comment("TLS from here on")
	four.Gap(record.ClientToServer, 7, start)
	four.Data(record.ClientToServer, []byte("x"), start.Add(time.Second))
	four.Close(record.EndClosed, "client", start.Add(time.Second))
	six := w.Open(netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:21"), start, "")
	six.Data(record.ServerToClient, []byte("220 ready\r\n"), start)
	six.Close(record.EndReset, "server", start)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	var payload [2][]byte // of the client over IPv4, of the server over IPv6
	var comments []string
	packets := 0
	for {
		data, info, opts, err := r.ReadPacketDataWithOptions()
		if err != nil {
			break
		}
		packets++
		if info.Timestamp.Before(start) || info.Timestamp.Nanosecond() != 123_456_789 {
			t.Errorf("packet %d at %s", packets, info.Timestamp)
		}
		comments = append(comments, opts.Comments...)
		version := layers.LayerTypeIPv4
		if data[0]>>4 == 6 {
			version = layers.LayerTypeIPv6
		}
		p := gopacket.NewPacket(data, version, gopacket.Default)
		if p.ErrorLayer() != nil {
			t.Fatalf("packet %d: %v", packets, p.ErrorLayer().Error())
		}
		tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
			t.Fatal(err)
		}
		if err, res := tcp.VerifyChecksum(); err != nil || !res.Valid {
			t.Errorf("packet %d: TCP checksum %#x, want %#x (%v)", packets, res.Actual, res.Correct, err)
		}
		if ip, ok := p.NetworkLayer().(*layers.IPv4); ok {
			if err, res := ip.VerifyChecksum(); err != nil || !res.Valid {
				t.Errorf("packet %d: IP checksum %#x, want %#x (%v)", packets, res.Actual, res.Correct, err)
			}
			if tcp.DstPort == 25 {
				payload[0] = append(payload[0], tcp.Payload...)
			}
		} else if tcp.SrcPort == 21 {
			payload[1] = append(payload[1], tcp.Payload...)
		}
	}
	if !bytes.Equal(payload[0], append(text, 'x')) || string(payload[1]) != "220 ready\r\n" {
		t.Errorf("payloads of %d and %d bytes, want %d and 11", len(payload[0]), len(payload[1]), len(text)+1)
	}
	want := []string{"seen by a test", "TLS from here on", "7 bytes of the client are missing before this packet"}
	if !slices.Equal(comments, want) {
		t.Errorf("comments %q, want %q", comments, want)
	}
}

// TestUnreachable: the ICMP error about an attempt is whole, and quotes its SYN.
func TestUnreachable(t *testing.T) {
	for client, server := range map[string]string{"192.0.2.1:40000": "198.51.100.25:25", "[2001:db8::1]:40000": "[2001:db8::2]:25"} {
		path := filepath.Join(t.TempDir(), "out.pcapng")
		w, err := CreatePcapNG(path, Rotation{})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_700_000_000, 0)
		w.Call(netip.MustParseAddrPort(client), netip.MustParseAddrPort(server), at, "a test").Failed(record.EndUnreached, at, "no route to host")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		syn, _, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		about, _, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		quoted := about[len(about)-len(syn):]
		if !bytes.Equal(quoted, syn) {
			t.Errorf("%s: it quotes %x, want %x", server, quoted, syn)
		}
		version := layers.LayerTypeIPv4
		if about[0]>>4 == 6 {
			version = layers.LayerTypeIPv6
		}
		p := gopacket.NewPacket(about, version, gopacket.Default)
		kind := ""
		if l, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
			kind = l.TypeCode.String()
		}
		if l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
			kind = l.TypeCode.String()
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
		if kind != "DestinationUnreachable(Host)" && kind != "DestinationUnreachable(AddressUnreachable)" {
			t.Errorf("%s: it is %q", server, kind)
		}
		if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 {
			t.Errorf("%s: %v, wrong checksums %v", server, err, bad)
		}
	}
}

// TestChecksum compares with the sum word by word.
func TestChecksum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32()) | byte(n&1*0xff) // half of them all ones
		}
		var sum uint64
		for i := 0; i < n; i += 2 {
			word := append(slices.Clone(b[i:min(i+2, n)]), 0)
			sum += uint64(binary.BigEndian.Uint16(word))
		}
		if got, want := fold(checksum(b)), fold(sum); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}
