package content

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// compress applies one content coding; "raw" is deflate without zlib's frame.
func compress(coding string, data []byte) []byte {
	var b bytes.Buffer
	switch coding {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "deflate":
		w := zlib.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "raw":
		w, _ := flate.NewWriter(&b, 6)
		w.Write(data)
		w.Close()
	case "br":
		w := brotli.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&b)
		w.Write(data)
		w.Close()
	}
	return b.Bytes()
}

// prose is text that compresses about as texts do, the same at each call.
func prose(n int) []byte {
	rng := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("the quick brown fox jumps over a lazy dog and then it sleeps under some old tree near this small river")
	var b []byte
	for len(b) < n {
		b = append(b, words[rng.IntN(len(words))]...)
		b = append(b, " \n"[rng.IntN(2)])
	}
	return b[:n]
}

func TestContentCodings(t *testing.T) {
	data := prose(150_000)
	for _, test := range []struct {
		name    string
		codings []string
		body    []byte
		want    []byte // what of data is to be seen
		problem string
		partial bool
	}{
		{"gzip", []string{"gzip"}, compress("gzip", data), data, "", false},
		{"x-gzip", []string{"X-GZip"}, compress("gzip", data), data, "", false},
		{"two members", []string{"gzip"}, append(compress("gzip", data[:100]), compress("gzip", data[100:])...), data, "", false},
		{"zlib", []string{"deflate"}, compress("deflate", data), data, "", false},
		{"raw deflate", []string{"deflate"}, compress("raw", data), data, "", false},
		{"br", []string{"br"}, compress("br", data), data, "", false},
		{"zstd", []string{"zstd"}, compress("zstd", data), data, "", false},
		{"stacked", []string{"deflate", "gzip"}, compress("gzip", compress("deflate", data)), data, "", false},
		{"stacked with identity", []string{"br", "identity", "zstd"}, compress("zstd", compress("br", data)), data, "", false},
		{"empty", []string{"gzip"}, nil, nil, "", false},
		{"label without gzip", []string{"gzip"}, data, data, "gzip_missing", false},
		{"unknown", []string{"compress"}, data, data, "coding_unknown", false},
		{"trailing", []string{"gzip"}, append(compress("gzip", data), "tail"...), data, "gzip_trailing", false},
		{"gzip cut", []string{"gzip"}, compress("gzip", data)[:20000], nil, "gzip_cut", true},
		{"zlib cut", []string{"deflate"}, compress("deflate", data)[:20000], nil, "deflate_cut", true},
		{"br cut", []string{"br"}, compress("br", data)[:20000], nil, "br_cut", true},
		{"zstd cut", []string{"zstd"}, compress("zstd", data)[:20000], nil, "zstd_cut", true},
		{"gzip damaged", []string{"gzip"}, damage(compress("gzip", data)), nil, "gzip_damaged", true},
		{"zlib damaged", []string{"deflate"}, damage(compress("deflate", data)), nil, "deflate_damaged", true},
		{"zstd damaged", []string{"zstd"}, damage(compress("zstd", data)), nil, "zstd_damaged", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := read(t, Config{Keep: len(data) + 1}, Info{Codings: test.codings}, piece{data: test.body})
			if test.want != nil && !bytes.Equal(c.Kept, test.want) {
				t.Errorf("%d bytes, want %d", len(c.Kept), len(test.want))
			}
			if !bytes.HasPrefix(data, c.Kept[:min(len(c.Kept), 1000)]) {
				t.Error("what was decoded is not the beginning of the data")
			}
			if got := strings.Join(c.Problems, " "); got != test.problem {
				t.Errorf("problems %q, want %q", got, test.problem)
			}
			if c.Partial != test.partial {
				t.Errorf("partial is %v", c.Partial)
			}
			if c.Encoding != "" && c.WireSize != int64(len(test.body)) {
				t.Errorf("wire size %d, want %d", c.WireSize, len(test.body))
			}
		})
	}
}

// damage overwrites a stretch in the middle.
func damage(b []byte) []byte {
	for i := range 64 {
		b[len(b)/2+i] ^= 0x5a
	}
	return b
}

func TestCompressedBodyEndsAtHole(t *testing.T) {
	data := prose(600_000)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		z := compress(coding, data)
		c := read(t, Config{Keep: len(data)}, Info{Codings: []string{coding}},
			piece{data: z[:len(z)/2]}, piece{hole: 100}, piece{data: z[len(z)/2+100:]})
		if !c.Partial || c.Missing != 100 || len(c.Gaps) != 1 || c.Gaps[0].From != int64(len(z)/2) {
			t.Errorf("%s: partial %v, missing %d, gaps %v", coding, c.Partial, c.Missing, c.Gaps)
		}
		if len(c.Problems) != 0 {
			t.Errorf("%s: a hole in the capture is no fault of the sender: %v", coding, c.Problems)
		}
		if !bytes.HasPrefix(data, c.Kept) || c.Size == 0 || c.Size == int64(len(data)) {
			t.Errorf("%s: %d bytes of %d decoded", coding, c.Size, len(data))
		}
	}
}

func TestBomb(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for _, coding := range []string{"gzip", "br", "zstd"} {
		r := New(Config{Workers: -1, Keep: 10, Limits: Limits{Decoded: 48 << 20}})
		c := readAll(r, Info{Codings: []string{coding}}, []piece{{data: compress(coding, zeros)}}, 1460, true).Wait()
		if strings.Join(c.Problems, " ") != "bomb" || !c.Partial {
			t.Errorf("%s: problems %v, partial %v", coding, c.Problems, c.Partial)
		}
		if c.Size < 48<<20 || c.Size > 49<<20 {
			t.Errorf("%s: counted %d bytes, the limit is %d", coding, c.Size, 48<<20)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTransferEncodings(t *testing.T) {
	long := strings.Repeat("abc", 3000)
	for _, test := range []struct{ name, encoding, in, want, problems string }{
		{"base64", "base64", "SGVs\r\nbG8=\r\n", "Hello", ""},
		{"name in capitals and quotes", `"BASE64"`, "SGVsbG8=", "Hello", ""},
		{"any line length", "base64", "S\nGV\nsbG8\n=", "Hello", ""},
		{"blanks", "base64", "SGVs bG8=\t\r\n", "Hello", ""},
		{"no padding", "base64", "SGVsbG8", "Hello", "base64_unpadded"},
		{"foreign characters", "base64", "SG*Vs!bG8=", "Hello", "base64_damaged"},
		{"padding too much", "base64", "SGVsbG8===", "Hello", "base64_damaged"},
		{"two streams in one", "base64", "SGVsbG8=SGVsbG8=", "HelloHello", ""},
		{"one digit left", "base64", "SGVsb", "Hel", "base64_damaged base64_unpadded"},
		{"a long one", "base64", mimeLines([]byte(long)), long, ""},
		{"a long one, out of step", "base64", "SGV\r\n" + mimeLines([]byte(long)), "", "base64_unpadded"},
		{"quoted-printable", "quoted-printable", "a=3Db =C3=a9=\r\n c\r\n", "a=b é c\r\n", ""},
		{"white space at the end", "quoted-printable", "a \t\r\nb  ", "a\r\nb", ""},
		{"blank behind a soft break", "quoted-printable", "a= \r\nb", "ab", ""},
		{"broken triplets", "quoted-printable", "a=XYb=4", "a=XYb=4", "qp_damaged"},
		{"bare line feeds", "quoted-printable", "a=\nb\nc", "ab\nc", ""},
		{"soft break at the end", "quoted-printable", "abc=", "abc", ""},
		{"a very long line", "quoted-printable", strings.Repeat("=41b", 3000), strings.Repeat("Ab", 3000), ""},
		{"a very long line of equals", "quoted-printable", strings.Repeat("=3D", 3000) + "\r\n", strings.Repeat("=", 3000) + "\r\n", ""},
		{"uuencode", "x-uuencode", "begin 644 a\r\n%2&5L;&\\ \r\n`\r\nend\r\n", "Hello", ""},
		{"uuencode without end", "uuencode", "begin 644 a\n%2&5L;&\\\n", "Hello", "uu_cut"},
		{"unknown", "x-mine", "abc", "abc", "encoding_unknown"},
		{"8bit with a comment", "8bit (really)", "abc", "abc", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := read(t, Config{Keep: 20000}, Info{ContentType: "application/octet-stream", TransferEncoding: test.encoding}, text(test.in))
			if test.want != "" && string(c.Kept) != test.want {
				t.Errorf("got %.80q, want %.80q", c.Kept, test.want)
			}
			if got := strings.Join(c.Problems, " "); got != test.problems {
				t.Errorf("problems %q, want %q", got, test.problems)
			}
		})
	}
}

// mimeLines encodes as mailers do: 76 characters to the line.
func mimeLines(data []byte) string {
	s := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

func TestBase64BehindHole(t *testing.T) {
	data := prose(5700)
	lines := mimeLines(data)
	// The hole takes the middle of one line to the middle of another.
	c := read(t, Config{Keep: 6000}, Info{TransferEncoding: "base64"},
		text(lines[:78*10+30]), piece{hole: 78 * 3}, text(lines[78*13+30:]))
	want := append(append([]byte{}, data[:57*10+22]...), data[57*14:]...)
	if !bytes.Equal(c.Kept, want) {
		t.Errorf("%d bytes, want %d:\n%.700q\n%.700q", len(c.Kept), len(want), c.Kept, want)
	}
	if c.Missing != 234 || !c.Partial {
		t.Errorf("missing %d, partial %v", c.Missing, c.Partial)
	}
}

func TestDecodeQuadsAgreesWithLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		src := make([]byte, 4*rng.IntN(20))
		for i := range src {
			src[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rng.IntN(64)]
		}
		if rng.IntN(4) == 0 && len(src) > 0 {
			src[rng.IntN(len(src))] = byte(rng.IntN(256))
		}
		want, err := base64.StdEncoding.DecodeString(string(src))
		dst := make([]byte, len(src)/4*3)
		n, ok := decodeQuads(dst, src)
		// The library skips line ends and reads padding; decodeQuads leaves
		// both to its caller.
		if bytes.ContainsAny(src, "=\r\n") {
			if ok {
				t.Fatalf("%q was taken for digits only", src)
			}
			continue
		}
		if ok != (err == nil) || ok && !bytes.Equal(dst[:n], want) {
			t.Fatalf("%q: %v %q, want %v %q", src, ok, dst[:n], err, want)
		}
	}
}

func ExampleReader() {
	r := New(Config{Keep: 100})
	defer r.Close()
	b := r.Open(Info{ContentType: "text/plain; charset=utf-8", TransferEncoding: "base64"})
	b.Write([]byte("SGVsbG8s"))
	b.Write([]byte("IHdvcmxk\r\n"))
	c := b.Close(true).Wait()
	fmt.Printf("%s %d %q\n", c.MediaType, c.Size, c.Kept)
	// Output: text/plain 12 "Hello, world"
}
