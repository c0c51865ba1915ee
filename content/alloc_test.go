//go:build !race

package content

import (
	"bytes"
	"testing"
)

// The race detector makes pools forget what they were given: no counts then.

func TestSmallBodyAllocations(t *testing.T) {
	r := New(Config{Workers: -1})
	data := bytes.Repeat([]byte("<a>b</a>"), 512)
	n := testing.AllocsPerRun(200, func() {
		b := r.Open(Info{ContentType: "text/xml; charset=utf-8"})
		b.Write(data[:1460])
		b.Write(data[1460:])
		b.Close(true).Wait()
	})
	if n > 3 { // body, content, digest
		t.Errorf("%v allocations for a body of 4 KB", n)
	}
}
