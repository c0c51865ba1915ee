package content

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sniff/record"
)

// piece is a stretch of a body: bytes, or a hole.
type piece struct {
	data []byte
	hole int64
}

// readAll reads one body that is written in pieces of at most cut bytes (0:
// as they are).
func readAll(r *Reader, info Info, pieces []piece, cut int, complete bool) Result {
	b := r.Open(info)
	for _, p := range pieces {
		if p.hole != 0 {
			b.Gap(p.hole)
			continue
		}
		for d := p.data; len(d) > 0; {
			n := len(d)
			if cut > 0 {
				n = min(n, cut)
			}
			b.Write(d[:n])
			d = d[n:]
		}
	}
	return b.Close(complete)
}

// read reads a body with the given configuration, checks that neither the
// cutting of the bytes nor the workers change anything, and returns its
// record.
func read(t testing.TB, config Config, info Info, pieces ...piece) *record.Content {
	t.Helper()
	config.Workers = -1
	total := 0
	for _, p := range pieces {
		total += len(p.data)
	}
	rng := rand.New(rand.NewPCG(1, uint64(total)))
	var want string
	var whole *record.Content
	for _, cut := range []int{0, 1, 2, 3, 7, 76, 78, 1 + rng.IntN(4096), 0} {
		if total > 1<<20 && cut > 0 && cut < 7 {
			continue
		}
		r := New(config)
		// The pipeline itself must see the cuts, so chunks are by-passed.
		c := &record.Content{}
		rd := &reading{r: r, info: &info, root: c}
		rd.open()
		for _, p := range pieces {
			if p.hole != 0 {
				rd.gap(p.hole)
				continue
			}
			for d := p.data; len(d) > 0; {
				n := len(d)
				if cut > 0 {
					n = min(n, cut)
				}
				rd.write(d[:n:n])
				d = d[n:]
			}
		}
		rd.close(true)
		got := dump(c, rd.loaded)
		if whole == nil {
			want, whole = got, c
		} else if got != want {
			t.Fatalf("pieces of %d bytes change the outcome:\n%s\nwhole:\n%s", cut, got, want)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	config.Workers = 2
	r := New(config)
	res := readAll(r, info, pieces, 1460, true)
	if got := dump(res.Wait(), res.Loaded()); got != want {
		t.Fatalf("two workers change the outcome:\n%s\ninline:\n%s", got, want)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return whole
}

func dump(c *record.Content, loaded []Loaded) string {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err.Error()
	}
	var s strings.Builder
	s.Write(b)
	c.Walk(func(c *record.Content) { fmt.Fprintf(&s, "\n%s kept %q", c.Path, c.Kept) })
	for _, l := range loaded {
		fmt.Fprintf(&s, "\nloaded %s %v at %q", l.Load.Name(), l.Value, l.Content.Path)
	}
	return s.String()
}

func text(s string) piece { return piece{data: []byte(s)} }

// crlf turns the line ends of a literal into those of the wire.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func message(s string) piece { return text(crlf(s)) }

var mailInfo = Info{Carrier: "smtp", Role: Message, ContentType: "message/rfc822"}

// outline is the tree of a body in short: path, type, size, problems.
func outline(c *record.Content) string {
	var s strings.Builder
	c.Walk(func(c *record.Content) {
		fmt.Fprintf(&s, "%s %s %d", c.Path, c.MediaType, c.Size)
		if c.Name != "" {
			fmt.Fprintf(&s, " %q", c.Name)
		}
		if len(c.Problems) > 0 {
			fmt.Fprintf(&s, " %v", c.Problems)
		}
		if c.Partial {
			s.WriteString(" partial")
		}
		s.WriteByte('\n')
	})
	return s.String()
}

func sameOutline(t *testing.T, c *record.Content, want string) {
	t.Helper()
	var lines []string
	for l := range strings.Lines(want) {
		if l = strings.Trim(l, "\t\n"); l != "" {
			lines = append(lines, l)
		}
	}
	if got := strings.TrimSuffix(outline(c), "\n"); got != strings.Join(lines, "\n") {
		t.Errorf("tree:\n%s\nwant:\n%s", got, strings.Join(lines, "\n"))
	}
}
