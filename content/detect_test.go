package content

import (
	"bytes"
	"strings"
	"testing"
)

// TestControlCharacters looks for each byte at each place of a text.
func TestControlCharacters(t *testing.T) {
	for c := range 256 {
		want := c < 0x20 && !strings.ContainsRune("\t\n\r\f\x1b\b", rune(c)) || c == 0x7f
		for size := 1; size <= 20; size++ {
			for at := range size {
				for _, around := range []byte{'a', '\n', 0xff, 0x80, ' '} {
					b := bytes.Repeat([]byte{around}, size)
					b[at] = byte(c)
					if got := hasControl(b); got != want {
						t.Fatalf("byte %#x at %d of %d among %q: %v, want %v", c, at, size, around, got, want)
					}
				}
			}
		}
	}
}
