package content

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// peakDuring returns by how many bytes the heap grew while f ran.
func peakDuring(f func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, peak := m.HeapAlloc, m.HeapAlloc
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return peak - base
}

// repeat writes s n times into a body.
func repeat(b Body, s string, n int) {
	block := strings.Repeat(s, max(1, min(n, 32<<10/len(s))))
	for total := n * len(s); total > 0; {
		p := block[:min(len(block), total)]
		b.Write([]byte(p))
		total -= len(p)
	}
}

func TestMIMEBombs(t *testing.T) {
	const top = "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
	zeros := strings.Repeat("A", 76) + "\r\n"
	for _, test := range []struct {
		name    string
		write   func(b Body)
		problem string
		check   func(t *testing.T, c *record.Content)
	}{
		{"nested multiparts", func(b Body) {
			for i := range 100_000 {
				fmt.Fprintf(writer{b}, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
			}
			b.Write([]byte("\r\ndeep\r\n"))
		}, "too_deep", nil},
		{"nested messages", func(b Body) {
			repeat(b, "Content-Type: message/rfc822\r\n\r\n", 100_000)
		}, "too_deep", nil},
		{"nested messages in base64", func(b Body) {
			s := "From: a@example.org\r\n\r\nhi\r\n"
			for range 40 {
				if len(s) > 4<<20 {
					break
				}
				s = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + mimeLines([]byte(s))
			}
			b.Write([]byte(s))
		}, "too_deep", nil},
		{"100,000 parts", func(b Body) {
			b.Write([]byte(top))
			repeat(b, "--x\r\nContent-Type: text/plain; name=a\r\n\r\nbody\r\n", 100_000)
			b.Write([]byte("--x--\r\n"))
		}, "too_many_parts", func(t *testing.T, c *record.Content) {
			m := c.Parts[0]
			if got := len(m.Parts) + m.MoreParts; got != 100_000 {
				t.Errorf("%d parts counted", got)
			}
		}},
		{"a 64 MB field", func(b Body) {
			b.Write([]byte("From: a@example.org\r\nSubject: "))
			repeat(b, "spam ", 64<<20/5)
			b.Write([]byte("\r\nTo: b@example.org\r\n\r\nbody\r\n"))
		}, "head_too_long", nil},
		{"two million fields", func(b Body) {
			repeat(b, "X-A: b\r\nReceived: by a; x\r\n", 1_000_000)
			b.Write([]byte("\r\nbody\r\n"))
		}, "head_too_long", nil},
		{"a folded field without end", func(b Body) {
			b.Write([]byte("To: a@b\r\n"))
			repeat(b, " ,a@b\r\n", 4_000_000)
		}, "head_too_long", nil},
		{"a line without end", func(b Body) {
			b.Write([]byte(top + "--x\r\n\r\n--"))
			repeat(b, "-", 64<<20)
		}, "", nil},
		{"base64 of zeros", func(b Body) {
			b.Write([]byte(top + "--x\r\nContent-Transfer-Encoding: base64\r\n\r\n"))
			repeat(b, zeros, 1_000_000)
			b.Write([]byte("--x--\r\n"))
		}, "", func(t *testing.T, c *record.Content) {
			if got := c.Parts[0].Parts[0].Size; got != 57_000_000 {
				t.Errorf("%d bytes decoded", got)
			}
		}},
		{"boundaries inside of each other", func(b Body) {
			for i := range 15 {
				fmt.Fprintf(writer{b}, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
			}
			repeat(b, "--b0x\r\n", 1_000_000)
		}, "", nil},
		{"uuencoded files", func(b Body) {
			b.Write([]byte("Subject: x\r\n\r\n"))
			repeat(b, "begin 644 a\r\n`\r\nend\r\n", 200_000)
		}, "too_many_parts", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c *record.Content
			grown := peakDuring(func() {
				r := New(Config{URLs: true, Keep: 1000})
				b := r.Open(mailInfo)
				test.write(b)
				c = b.Close(true).Wait()
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			if grown > 64<<20 {
				t.Errorf("took %d MB", grown>>20)
			}
			if c.Message == nil {
				t.Error("the message was not read")
			}
			found := test.problem == ""
			c.Walk(func(c *record.Content) {
				found = found || slices.Contains(c.Problems, test.problem)
			})
			if !found {
				t.Errorf("problem %s was not reported: %v", test.problem, c.Problems)
			}
			if test.check != nil {
				test.check(t, c)
			}
		})
	}
}

// writer makes a Body an io.Writer.
type writer struct{ Body }

func (w writer) Write(p []byte) (int, error) {
	w.Body.Write(p)
	return len(p), nil
}

func TestManyOpenBodiesStayBounded(t *testing.T) {
	grown := peakDuring(func() {
		r := New(Config{})
		defer r.Close()
		bodies := make([]Body, 2000)
		for i := range bodies {
			bodies[i] = r.Open(Info{})
		}
		block := make([]byte, 1000)
		for range 100 {
			for _, b := range bodies {
				b.Write(block)
			}
		}
		for i, b := range bodies {
			if c := b.Close(true).Wait(); c.Size != 100_000 {
				t.Fatalf("body %d has %d bytes", i, c.Size)
			}
		}
	})
	if grown > 64<<20 {
		t.Errorf("200 MB in 2000 bodies took %d MB", grown>>20)
	}
}

// TestGapsAnywhere drops each stretch of a mail in turn: whatever is missing,
// nothing is claimed to be whole that is not.
func TestGapsAnywhere(t *testing.T) {
	mail := []byte(crlf(mixed))
	whole := read(t, Config{}, mailInfo, piece{data: mail})
	digests := map[string]bool{}
	whole.Walk(func(c *record.Content) { digests[c.SHA256] = c.SHA256 != "" })
	r := New(Config{Workers: -1, URLs: true})
	for from := 0; from < len(mail); from += 13 {
		to := min(from+40, len(mail))
		for _, n := range []int64{int64(to - from), -1} {
			c := readAll(r, mailInfo, []piece{{data: mail[:from]}, {hole: n}, {data: mail[to:]}}, 0, true).Wait()
			if !c.Partial || c.Missing != n {
				t.Fatalf("hole %d-%d: partial %v, missing %d", from, to, c.Partial, c.Missing)
			}
			if c.Size != int64(len(mail)-(to-from)) {
				t.Fatalf("hole %d-%d: %d bytes", from, to, c.Size)
			}
			if digests[c.SHA256] {
				t.Fatalf("hole %d-%d: the digest of the whole", from, to)
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRandomDamageIsSplitInvariant(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 60 {
		mail := []byte(crlf(mixed))
		for range 1 + rng.IntN(8) {
			switch i := rng.IntN(len(mail)); rng.IntN(4) {
			case 0:
				mail[i] = byte(rng.IntN(256))
			case 1:
				mail = slices.Delete(mail, i, min(len(mail), i+1+rng.IntN(20)))
			case 2:
				mail[i] = '\n'
			case 3:
				j := rng.IntN(len(mail))
				mail = slices.Insert(mail, i, slices.Clone(mail[j:min(len(mail), j+rng.IntN(80))])...)
			}
		}
		i := rng.IntN(len(mail))
		read(t, Config{Keep: 50, URLs: true}, mailInfo, piece{data: mail[:i]}, piece{hole: int64(rng.IntN(3) - 1)}, piece{data: mail[i:]})
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(crlf(mixed)), uint16(500), uint16(3))
	f.Add([]byte(crlf(bounce)), uint16(900), uint16(1))
	f.Add([]byte("Content-Type: multipart/related; start=a\r\n\r\n--x\r\n\r\n--x--"), uint16(0), uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, at, cut uint16) {
		i := min(int(at), len(data))
		r := New(Config{Workers: -1, Keep: 64, URLs: true})
		pieces := []piece{{data: data[:i]}, {hole: int64(at%3) - 1}, {data: data[i:]}}
		one := readAll(r, mailInfo, pieces, 0, true)
		fuzzed(t, r, one, mailInfo, pieces, int(cut%100)+1)
	})
}

func FuzzCodings(f *testing.F) {
	data := prose(3000)
	for i, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(compress(coding, data), uint8(i), uint16(7))
	}
	f.Add([]byte("SGVs*bG8=\r\n"), uint8(4), uint16(1))
	f.Add([]byte("a=3D=\r\nb"), uint8(5), uint16(1))
	f.Add([]byte("begin 644 a\n%2&5L;&\\\n"), uint8(6), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, coding uint8, cut uint16) {
		info := Info{ContentType: "text/plain"}
		switch names := []string{"gzip", "deflate", "br", "zstd", "base64", "quoted-printable", "x-uuencode"}; coding % 7 {
		case 4, 5, 6:
			info.TransferEncoding = names[coding%7]
		default:
			info.Codings = names[coding%7 : coding%7+1]
		}
		r := New(Config{Workers: -1, Keep: 64, Limits: Limits{Decoded: 4 << 20}})
		pieces := []piece{{data: data}}
		fuzzed(t, r, readAll(r, info, pieces, 0, true), info, pieces, int(cut)+1)
	})
}

// fuzzed compares a result with that of the same bytes cut otherwise, through
// the stages without chunks between.
func fuzzed(t *testing.T, r *Reader, one Result, info Info, pieces []piece, cut int) {
	c := &record.Content{}
	rd := &reading{r: r, info: &info, root: c}
	rd.open()
	for _, p := range pieces {
		if p.hole != 0 {
			rd.gap(p.hole)
		}
		for d := p.data; len(d) > 0; {
			n := min(cut, len(d))
			rd.write(d[:n:n])
			d = d[n:]
		}
	}
	rd.close(true)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := dump(one.Wait(), one.Loaded()), dump(c, rd.loaded); a != b {
		t.Fatalf("whole:\n%s\nin pieces of %d:\n%s", a, cut, b)
	}
}
