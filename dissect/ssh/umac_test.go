package ssh

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// TestUMAC holds it against the vectors of RFC 4418's appendix. There are none
// of 128 bits; those of 96 are its first twelve bytes.
func TestUMAC(t *testing.T) {
	key, nonce := []byte("abcdefghijklmnop"), binary.BigEndian.Uint64([]byte("bcdefghi"))
	for _, c := range []struct {
		text   string
		times  int
		t64, t string
	}{
		{"", 0, "6e155fad26900be1", "32fedb100c79ad58f07ff764"},
		{"a", 3, "44b5cb542f220104", "185e4fe905cba7bd85e4c2dc"},
		{"a", 1 << 10, "26bf2f5d60118bd9", "7a54abe04af82d60fb298c3c"},
		{"a", 1 << 15, "27f8ef643b0d118d", "7b136bd911e4b734286ef2be"},
		{"a", 1 << 20, "a4477e87e9f55853", "f8acfa3ac31cfeea047f7b11"},
		{"abc", 1, "d4d7b9f6bd4fbfcf", "883c3d4b97a61976ffcf2323"},
		{"abc", 500, "d4cf26ddefd5c01a", "8824a260c53c66a36c9260a6"},
	} {
		message := []byte(strings.Repeat(c.text, c.times))
		for tag, want := range map[int]string{8: c.t64, 16: c.t} {
			u, err := newUMAC(key, tag)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(u.tagOf(nil, nonce, message)); len(got) != 2*tag || got[:len(want)] != want {
				t.Errorf("tag of %d bytes over %q %d times is %s, want %s", tag, c.text, c.times, got, want)
			}
		}
	}
}

// TestUMACSecondLayer meets words that the polynomial must take in two steps,
// which messages hardly ever make.
func TestUMACSecondLayer(t *testing.T) {
	// With key 2 and prime p = 2^64-59: 2*1 + p-1 = 1, and 2*1 + (2^64-1)-59 =
	// 2*1 + p-1 = 1.
	l := umacLayer{poly: 2}
	if got := l.step(1, 1<<64-1); got != 1 {
		t.Errorf("step over the largest word is %d, want 1", got)
	}
	if got := l.step(1, 1<<64-1<<32-1); got != 1<<64-1<<32+1 {
		t.Errorf("step over the largest word of one step is %d", got)
	}
}

func BenchmarkUMAC(b *testing.B) {
	u, err := newUMAC(make([]byte, umacKey), 16)
	if err != nil {
		b.Fatal(err)
	}
	packet, tag := make([]byte, 32<<10), []byte(nil)
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		tag = u.tagOf(tag[:0], n, packet)
	}
}
