// Package dissecttest plays transcripts to dissectors, through the real
// engine, and compares the records that come out.
//
// A transcript is a txtar file in the testdata folder of the protocol. Its
// section "dialogue" says what both sides sent, its section "records" which
// records are wanted, one JSON object per line:
//
//	What the case is about.
//	-- dialogue --
//	S: 220 mail.example ESMTP
//	C: EHLO laptop.example
//	-- records --
//	{"kind":"smtp.exchange", ...}
//
// In the dialogue a line is one packet. The clock goes on by a millisecond
// for each.
//
//	C: text     the client sends text and CRLF; S: the server
//	C| text     the same without the CRLF
//	C<< 16 03   bytes in hexadecimal; spaces do not matter
//	C*500| text the text 500 times (also with ":" and "<<")
//	C! gap N    N bytes of the client were not captured (-1: unknown how many)
//	C! eof      the client's FIN; C! reset its RST
//	# comment   also an empty line
//	@ 1.5       the clock goes on by 1.5 seconds
//	@midstream  the beginning was not captured
//	@tls [ALPN] the dialogue is the plaintext of implicit TLS
//	@probe      find the protocol by content instead of being told
//	@port N     the server's port
//	@open NAME SERVER [CLIENT]
//	            another connection; its lines begin with NAME and a space
//
// Text may hold Go's escapes: \r \n \t \\ \x00 \u00e4.
//
// The records are compared without session ids, Community IDs, packet and
// session numbers, and without the addresses of the main connection. Of a
// session's own record only what depends on the dialogue is kept.
// go test -update writes what came out into the files.
package dissecttest

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

var (
	update = flag.Bool("update", false, "write the records that come out into the transcripts")
	seed   = flag.Uint64("dissecttest.seed", 0, "seed of the random cuts; 0: a new one")
)

// options are what the functional options set.
type options struct {
	protocols []dissect.Protocol // the one under test first
	content   func() content.Opener
	tls       func(dissect.LayerEnv) dissect.Layer
	port      uint16
	kinds     map[record.Kind]bool
	probe     bool
	checkGap  func(t *testing.T, g Gap)
	perByte   int
}

// Option changes how transcripts are played.
type Option func(*options)

// WithContent gives every play a content reader of its own. Without one,
// bodies are counted and digested.
func WithContent(opener func() content.Opener) Option {
	return func(o *options) { o.content = opener }
}

// WithTLS gives the engine a TLS layer. Without one TLS is opaque.
func WithTLS(layer func(dissect.LayerEnv) dissect.Layer) Option {
	return func(o *options) { o.tls = layer }
}

// WithPort sets the server's port, which is a probe's hint. Without it, it is
// the protocol's first.
func WithPort(port uint16) Option { return func(o *options) { o.port = port } }

// WithProtocols adds protocols that the one under test needs, such as the one
// of a nested stream.
func WithProtocols(p ...dissect.Protocol) Option {
	return func(o *options) { o.protocols = append(o.protocols, p...) }
}

// Kinds keeps only records of these kinds.
func Kinds(kinds ...record.Kind) Option {
	return func(o *options) {
		o.kinds = map[record.Kind]bool{}
		for _, k := range kinds {
			o.kinds[k] = true
		}
	}
}

// Probed finds the protocol by content in every transcript.
func Probed() Option { return func(o *options) { o.probe = true } }

// CheckGap sets what looks at each play of Gaps.
func CheckGap(check func(t *testing.T, g Gap)) Option {
	return func(o *options) { o.checkGap = check }
}

// RecordsPerByte is how many records a byte of the input may lead to in Fuzz;
// 2 without it.
func RecordsPerByte(n int) Option { return func(o *options) { o.perByte = n } }

func gather(proto dissect.Protocol, opts []Option) *options {
	o := &options{protocols: []dissect.Protocol{proto}, perByte: 2}
	for _, opt := range opts {
		opt(o)
	}
	if o.port == 0 {
		o.port = 4000
		if len(proto.Ports) > 0 {
			o.port = proto.Ports[0]
		}
	}
	return o
}

// Run plays every transcript of testdata: whole, byte by byte, with every one
// cut, with two cuts, with random ones, and with what one side sends in a row
// put together. The records must be the wanted ones each time.
func Run(t *testing.T, proto dissect.Protocol, opts ...Option) {
	t.Helper()
	o := gather(proto, opts)
	for _, file := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, tr := load(t, file)
			got := o.play(tr, nil)
			got.check(t)
			lines := o.lines(got.records)
			if *update {
				writeRecords(t, file, archive, lines)
			} else {
				compare(t, "whole", section(archive, "records"), lines)
			}
			if !t.Failed() {
				o.playCut(t, tr, got.records)
			}
		})
	}
}

// transcripts lists testdata; a test without any tests nothing.
func transcripts(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no transcripts in testdata/*.txtar")
	}
	return files
}

func load(t testing.TB, file string) (*txtar.Archive, *transcript) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parse(strings.Join(section(archive, "dialogue"), "\n"))
	if err != nil {
		t.Fatalf("%s: dialogue: %v", file, err)
	}
	return archive, tr
}

// section returns the lines of a section.
func section(a *txtar.Archive, name string) []string {
	for _, f := range a.Files {
		if f.Name == name {
			text := strings.TrimSuffix(string(f.Data), "\n")
			if text == "" {
				return nil
			}
			return strings.Split(text, "\n")
		}
	}
	return nil
}

func writeRecords(t *testing.T, file string, a *txtar.Archive, lines []string) {
	t.Helper()
	var data []byte
	for _, l := range lines {
		data = append(data, l+"\n"...)
	}
	found := false
	for i := range a.Files {
		if a.Files[i].Name == "records" {
			a.Files[i].Data, found = data, true
		}
	}
	if !found {
		a.Files = append(a.Files, txtar.File{Name: "records", Data: data})
	}
	text := txtar.Format(a)
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("wrote %d records to %s", len(lines), file)
}

// playCut plays the transcript in many cuttings.
func (o *options) playCut(t *testing.T, tr *transcript, want []record.Record) {
	t.Helper()
	total := tr.size()
	try := func(tr *transcript, want []record.Record, how string, cuts []int) bool {
		got := o.play(tr, cuts)
		got.check(t)
		// What is equal as it stands need not be rendered.
		return reflect.DeepEqual(want, got.records) ||
			compare(t, how+tr.describe(cuts), o.lines(want), o.lines(got.records)) && !t.Failed()
	}
	if !try(tr, want, "byte by byte", every(total)) {
		return
	}

	// How many plays a kind of cutting is worth: long transcripts get fewer.
	budget := min(max((1<<20)/(total+1), 20), 2000)
	if testing.Short() {
		budget = min(budget, 200)
	}
	rnd := random(t)
	ones := every(total)
	for _, cut := range sample(rnd, ones, budget) {
		if !try(tr, want, "one cut", []int{cut}) {
			return
		}
	}
	for range min(budget/2, total*total/2) {
		a, b := 1+rnd.IntN(max(total, 1)), 1+rnd.IntN(max(total, 1))
		if !try(tr, want, "two cuts", []int{min(a, b), max(a, b)}) {
			return
		}
	}
	for range min(budget, 100) {
		if !try(tr, want, "random cuts", randomCuts(rnd, total)) {
			return
		}
	}

	// Bytes that one side sends in a row share a packet in life. Their times
	// then differ from those of the transcript, so the dialogue is played
	// with the times of the packets first.
	apart, together := tr.stamped(), tr.merged()
	base := o.play(apart, nil).records
	if try(together, base, "lines put together", nil) {
		for range min(budget, 100) {
			if !try(together, base, "lines put together, random cuts", randomCuts(rnd, total)) {
				return
			}
		}
	}
}

func every(total int) []int {
	var cuts []int
	for i := 1; i < total; i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

func sample(rnd *rand.Rand, all []int, n int) []int {
	if len(all) <= n {
		return all
	}
	var some []int
	for i := range n {
		from, to := i*len(all)/n, (i+1)*len(all)/n
		some = append(some, all[from+rnd.IntN(to-from)])
	}
	return some
}

// randomCuts returns cuts whose mean distance is random too.
func randomCuts(rnd *rand.Rand, total int) []int {
	var cuts []int
	mean := 1 << rnd.IntN(12)
	for at := 1 + rnd.IntN(mean); at < total; at += 1 + rnd.IntN(2*mean) {
		cuts = append(cuts, at)
	}
	return cuts
}

func random(t testing.TB) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed of the random cuts: -dissecttest.seed=%d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// describe names the places of a few cuts.
func (tr *transcript) describe(cuts []int) string {
	if len(cuts) == 0 {
		return ""
	}
	var b strings.Builder
	for i, cut := range cuts {
		if i == 3 {
			fmt.Fprintf(&b, " and %d more", len(cuts)-i)
			break
		}
		at := 0
		for _, st := range tr.steps {
			if st.kind == data && cut < at+len(st.b) {
				fmt.Fprintf(&b, ", %d bytes into line %d", cut-at, st.line)
				break
			}
			if st.kind == data {
				at += len(st.b)
			}
		}
	}
	return b.String()
}
