package ssh

import (
	"bytes"
	"compress/zlib"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestInflater cuts a stream at random places: packets end anywhere between
// two bits after a partial flush, which to the inflater is the same.
func TestInflater(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for name, text := range map[string][]byte{
		"words": []byte(strings.Repeat("to be or not to be, ", 5000)),
		"noise": noise,
		"short": []byte("x"),
		"mixed": append([]byte(strings.Repeat("ab", 20_000)), noise[:40_000]...),
	} {
		for _, level := range []int{zlib.HuffmanOnly, 0, 1, 9} {
			var packed bytes.Buffer
			w, _ := zlib.NewWriterLevel(&packed, level)
			for rest := text; len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(20_000))
				w.Write(rest[:n])
				w.Flush()
				rest = rest[n:]
			}
			var f inflater
			var got []byte
			for rest := packed.Bytes(); len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(3000))
				out, err := f.packet(rest[:n])
				if err != nil {
					t.Fatalf("%s at level %d: %v", name, level, err)
				}
				got = append(got, out...)
				rest = rest[n:]
			}
			if !bytes.Equal(got, text) {
				t.Errorf("%s at level %d: %d bytes came out, want %d", name, level, len(got), len(text))
			}
		}
	}
}

func TestInflaterIsBounded(t *testing.T) {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(make([]byte, 10<<20))
	w.Flush()
	var f inflater
	if _, err := f.packet(packed.Bytes()); err != errBomb {
		t.Errorf("10 MiB out of one packet: %v", err)
	}
}
