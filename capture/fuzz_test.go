package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// FuzzReader reads arbitrary files: no panic, no endless loop, exactly one
// damage at most, and never a segment that claims more than there is.
func FuzzReader(f *testing.F) {
	order := binary.LittleEndian
	plain := pcapOf(f, layers.LinkTypeEthernet, dialogue(f, 2)...)
	f.Add(plain)
	f.Add(cat(sectionBlock(order), interfaceBlock(order, linkRaw), packetBlock(order, 0, 1, tcp4(f, 1, "x")),
		ngBlock(order, blockSecrets, make([]byte, 8)), ngBlock(order, blockSimple, order.AppendUint32(nil, 4), "abcd")))
	for _, b := range compressions(f, plain) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), "fuzz", Options{CheckChecksums: true})
		if err != nil {
			return
		}
		defer r.Close()
		var s Segment
		for damages := 0; ; {
			err := r.Next(&s)
			var d *Damage
			switch {
			case err == io.EOF:
				return
			case errors.As(err, &d):
				if damages++; damages > 1 {
					t.Fatalf("second damage: %v", err)
				}
			case err != nil:
				t.Fatal(err)
			case s.Cut < 0 || s.Cut > 1<<32:
				t.Fatalf("cut %d", s.Cut)
			}
		}
	})
}

// FuzzDecode decodes arbitrary packets, each after the other so that
// fragments meet.
func FuzzDecode(f *testing.F) {
	for _, p := range fragments4(tcp4(f, 1, "some text that is long enough"), 24) {
		f.Add(uint32(linkRaw), p, 0)
	}
	f.Add(uint32(linkEthernet), ether("\x08\x00", over4(f, 47, cat("\x10\x00\x88\xbe", make([]byte, 12), ether("\x08\x00", tcp4(f, 1, "x"))))), 10)
	f.Add(uint32(linkEthernet), ether("\x08\x00", udp4(f, 1, 6081, cat("\x00\x00\x65\x58", make([]byte, 4), ether("\x86\xdd", tcp6(f, 1, "x"))))), 0)
	f.Add(uint32(linkNFLOG), cat(2, 0, 0, 0, 8, 0, 1, 0, "\x08\x00\x00\x00", 44, 0, 9, 0, tcp4(f, 1, "")), 3)
	var d decoder
	var stats Stats
	d.stats = &stats
	f.Fuzz(func(t *testing.T, link uint32, b []byte, cut int) {
		if len(b) > 65535 {
			return
		}
		cut = max(0, min(cut, 65535))
		p := packet{data: b[:len(b):len(b)], wire: len(b) + cut, link: link, ns: int64(stats.Fragments) * 1e9}
		var s Segment
		if d.decode(&p, &s) && (s.Cut < 0 || len(s.Payload)+s.Cut > len(b)+cut+maxIPDatagram) {
			t.Fatalf("payload %d, cut %d of %d and %d", len(s.Payload), s.Cut, len(b), cut)
		}
	})
}
