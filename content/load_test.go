package content

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sniff/record"
)

// envelopes is a load that takes XML whose first bytes hold "Envelope".
type envelopes struct {
	inside atomic.Int32 // calls of its methods that run now
	t      testing.TB
	panics bool
}

func (l *envelopes) enter() func() {
	if l.inside.Add(1) != 1 {
		l.t.Error("two methods of a load run at once")
	}
	return func() { l.inside.Add(-1) }
}

func (l *envelopes) Name() string { return "envelope" }

func (l *envelopes) Recognise(info *Info, mediaType string, first []byte) bool {
	return bytes.Contains(first, []byte("Envelope"))
}

func (l *envelopes) Parse(info *Info, mediaType string) Parser {
	return &envelope{about: fmt.Sprintf("%s|%s|%s", mediaType, info.ID, info.Action), panics: l.panics}
}

func (l *envelopes) Pair(x *Exchange, emit func(record.Record)) {
	defer l.enter()()
	emit(&record.Anomaly{Code: "paired"})
}

type envelope struct {
	about  string
	b      bytes.Buffer
	panics bool
}

func (e *envelope) Write(p []byte) { e.b.Write(p) }
func (e *envelope) Gap(n int64)    { fmt.Fprintf(&e.b, "[%d]", n) }
func (e *envelope) Close(complete bool) any {
	if e.panics {
		panic("a bug in a load")
	}
	return fmt.Sprintf("%s|%s|%v", e.about, e.b.String(), complete)
}

const related = `--MIME
Content-Type: image/png
Content-ID: <first@x>
Content-Transfer-Encoding: binary

Envelope in an attachment
--MIME
Content-Type: application/xop+xml; charset=utf-8; type="text/xml"
Content-ID: <root@x>

<Envelope/>
--MIME--
`

func loadedBy(t *testing.T, info Info, pieces ...piece) (values []string, c *record.Content) {
	t.Helper()
	r := New(Config{Workers: -1, Loads: []Load{&envelopes{t: t}}})
	res := readAll(r, info, pieces, 11, true)
	for _, l := range res.Loaded() {
		values = append(values, fmt.Sprintf("%s: %v", l.Content.Path, l.Value))
	}
	return values, res.Wait()
}

func TestLoads(t *testing.T) {
	for _, test := range []struct {
		name   string
		info   Info
		pieces []piece
		want   string
	}{
		{"body", Info{ContentType: "text/xml; charset=utf-8", Action: "urn:do"}, []piece{text("<Envelope/>")},
			": text/xml||urn:do|<Envelope/>|true"},
		{"compressed body", Info{ContentType: "text/xml", Codings: []string{"gzip"}}, []piece{{data: compress("gzip", []byte("<Envelope/>"))}},
			": text/xml|||<Envelope/>|true"},
		{"hole", Info{ContentType: "text/xml"}, []piece{text("<Envelope>"), {hole: 5}, text("</Envelope>")},
			": text/xml|||<Envelope>[5]</Envelope>|false"},
		{"something else", Info{ContentType: "text/xml"}, []piece{text("<html/>")}, ""},
		{"root by start", Info{ContentType: `multipart/related; boundary=MIME; start="<root@x>"; action="urn:do"`}, []piece{message(related)},
			"2: application/xop+xml|root@x|urn:do|<Envelope/>|true"},
		{"root is the first", Info{ContentType: `multipart/related; boundary=MIME`, Action: "urn:a"}, []piece{message(related)},
			"1: image/png|first@x|urn:a|Envelope in an attachment|true"},
		{"mail", mailInfo, []piece{message("Content-Type: multipart/mixed; boundary=MIME\n\n" + related)},
			"1: image/png|first@x||Envelope in an attachment|true 2: application/xop+xml|root@x||<Envelope/>|true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := loadedBy(t, test.info, test.pieces...)
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("loaded %q\nwant   %q", s, test.want)
			}
		})
	}
}

func TestRelatedListsPartsByID(t *testing.T) {
	_, c := loadedBy(t, Info{ContentType: `multipart/related; boundary=MIME; start="<root@x>"`}, message(related))
	if len(c.Parts) != 2 || c.Parts[0].ID != "first@x" || c.Parts[0].SHA256 == "" || c.Parts[1].ID != "root@x" {
		t.Errorf("parts:\n%s", outline(c))
	}
}

// TestPairAndWorkers pairs exchanges while workers read others.
func TestPairAndWorkers(t *testing.T) {
	load := &envelopes{t: t}
	r := New(Config{Workers: 3, Loads: []Load{load}})
	var carriers sync.WaitGroup
	var paired atomic.Int32
	for range 4 {
		carriers.Go(func() {
			for i := range 200 {
				body := []byte("<Envelope>" + strings.Repeat("x", i*50) + "</Envelope>")
				one := readAll(r, Info{}, []piece{{data: body}}, 1460, true)
				two := readAll(r, Info{}, []piece{{data: body}}, 100, i%2 == 0)
				Pair(&Exchange{Request: one, Response: two}, func(record.Record) { paired.Add(1) })
			}
		})
	}
	carriers.Wait()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := paired.Load(); n != 800 {
		t.Errorf("%d exchanges of 800 paired: a load is asked once for each", n)
	}
}

func TestBugInLoadEndsOneBodyOnly(t *testing.T) {
	load := &envelopes{t: t, panics: true}
	r := New(Config{Workers: 1, Loads: []Load{load}})
	bad := readAll(r, Info{}, []piece{text("<Envelope/>")}, 0, true)
	good := readAll(r, Info{}, []piece{text("hello")}, 0, true)
	if c := bad.Wait(); strings.Join(c.Problems, " ") != "bug" || !c.Partial || len(bad.Loaded()) != 0 {
		t.Errorf("problems %v, loaded %v", c.Problems, bad.Loaded())
	}
	if c := good.Wait(); c.Size != 5 || len(c.Problems) != 0 {
		t.Errorf("the other body: %+v", c)
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "a bug in a load") || !strings.Contains(err.Error(), "load_test.go") {
		t.Errorf("the bug is reported with its place, got %v", err)
	}
}

// shelf is a Store that remembers what it was given.
type shelf struct {
	mu    sync.Mutex
	items map[string]string
	full  bool
}

type item struct {
	s    *shelf
	name string
	b    bytes.Buffer
}

func (s *shelf) Create(info *Info, c *record.Content, form Form) Artefact {
	return &item{s: s, name: fmt.Sprintf("%s%d", c.Path, form)}
}

func (i *item) Write(p []byte) (int, error) {
	if i.s.full {
		return 0, errors.New("disk full")
	}
	return i.b.Write(p)
}

func (i *item) Gap(n int64) error {
	fmt.Fprintf(&i.b, "[%d missing]", n)
	return nil
}

func (i *item) Close() (string, error) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.s.items[i.name] = i.b.String()
	return "stored-" + i.name, nil
}

func TestStore(t *testing.T) {
	s := &shelf{items: map[string]string{}}
	r := New(Config{Workers: 2, Store: s})
	mail := crlf(mixed)
	at := strings.Index(mail, "hi</body>")
	c := readAll(r, mailInfo, []piece{text(mail[:at]), {hole: 2}, text(mail[at+2:])}, 100, true).Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"0":    mail[:at] + "[2 missing]" + mail[at+2:],
		"1.11": "Grüße \r\nand a soft break",
		"1.21": "<html><body>[2 missing]</body></html>",
		"21":   "%PDF-1.4\n%äüöß\n",
		"30":   "From: mallory@example.com\r\nSubject: inner\r\n\r\ninner body",
		"3.11": "inner body",
	} {
		got, ok := s.items[name]
		if name == "21" {
			got, want = got[:9], want[:9]
		}
		if !ok || got != want {
			t.Errorf("%s:\n%q, want\n%q", name, got, want)
		}
	}
	if len(s.items) != 6 {
		t.Errorf("%d items stored", len(s.items))
	}
	if c.Stored != "stored-0" || c.Parts[0].Parts[1].Stored != "stored-21" {
		t.Errorf("stored as %q", c.Stored)
	}
}

func TestStoreFails(t *testing.T) {
	r := New(Config{Workers: 1, Store: &shelf{items: map[string]string{}, full: true}})
	c := readAll(r, Info{}, []piece{text("hello")}, 0, true).Wait()
	if strings.Join(c.Problems, " ") != "store_failed" || c.Size != 5 || c.SHA256 == "" {
		t.Errorf("%+v", c)
	}
	if err := r.Close(); err == nil || err.Error() != "disk full" {
		t.Errorf("error %v", err)
	}
}

func TestDigests(t *testing.T) {
	c := read(t, Config{SHA1: true, MD5: true}, Info{}, text("abc"))
	if c.MD5 != "900150983cd24fb0d6963f7d28e17f72" || c.SHA1 != "a9993e364706816aba3e25717850c26c9cd0d89d" ||
		c.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%s %s %s", c.MD5, c.SHA1, c.SHA256)
	}
	if empty := read(t, Config{}, Info{}); empty.SHA256 != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("empty body: %s", empty.SHA256)
	}
}

func TestWriteAfterReaderClosed(t *testing.T) {
	r := New(Config{Workers: 2})
	b := r.Open(Info{})
	b.Write(make([]byte, 100_000))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b.Write(make([]byte, 400_000))
	if c := b.Close(true).Wait(); c.Size != 500_000 {
		t.Errorf("%d bytes", c.Size)
	}
}
