package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sniff/content"
	"sniff/record"
)

// folder is an export under way, whose transfers the test makes up.
type folder struct {
	t     *testing.T
	dir   *Dir
	path  string
	clock time.Time
}

func newFolder(t *testing.T, want What) *folder {
	t.Helper()
	f := &folder{t: t, path: t.TempDir(), clock: time.Unix(1_700_000_000, 0).UTC()}
	var err error
	if f.dir, err = Open(f.path, want); err != nil {
		t.Fatal(err)
	}
	return f
}

// moved is one transfer of bytes of a file; holes are in it, by offsets in what
// it would have carried.
type moved struct {
	from    int64
	bytes   []byte
	holes   []record.Range
	session string
	change  func(*record.FTPTransfer)
	beside  bool // begins together with the one before it
}

func (f *folder) add(m moved) {
	f.t.Helper()
	x := &record.FTPTransfer{
		Direction: "download", Command: "RETR", Path: "/pub/big.iso", User: "bob", Type: "I", Mode: "S",
		Restart: m.from, Outcome: record.TransferComplete, DataSession: m.session, Duration: record.Seconds(time.Second),
	}
	if !m.beside {
		f.clock = f.clock.Add(time.Minute)
	}
	x.Time, x.Server = f.clock, netip.MustParseAddrPort("192.0.2.20:21")
	if m.change != nil {
		m.change(x)
	}
	info := &content.Info{Carrier: "ftp-data", Role: content.File, Name: x.Path, Text: x.Type == "A"}
	c := &record.Content{Name: x.Path}
	a := f.dir.Create(info, c, content.Decoded)
	sum := sha256.New()
	at := int64(0)
	pass := func(to int64) {
		for at < to {
			n := min(to-at, 1+rand.Int64N(40_000))
			p := m.bytes[at : at+n]
			sum.Write(p)
			if _, err := a.Write(p); err != nil {
				f.t.Fatal(err)
			}
			at += n
		}
	}
	for _, h := range m.holes {
		pass(h.From)
		if err := a.Gap(h.To - h.From); err != nil {
			f.t.Fatal(err)
		}
		at = h.To
		c.Partial = true
	}
	pass(int64(len(m.bytes)))
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
	stored, err := a.Close()
	if err != nil {
		f.t.Fatal(err)
	}
	c.Stored = stored
	x.Content = c
	if err := f.dir.See(x); err != nil {
		f.t.Fatal(err)
	}
}

// done joins and returns what is on disk, by what index.jsonl says of it.
func (f *folder) done() map[*Written][]byte {
	f.t.Helper()
	if err := f.dir.Join(); err != nil {
		f.t.Fatal(err)
	}
	if err := f.dir.Close(); err != nil {
		f.t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(f.path, "index.jsonl"))
	if err != nil {
		f.t.Fatal(err)
	}
	files := map[*Written][]byte{}
	for line := range bytes.Lines(index) {
		w := &Written{}
		if err := json.Unmarshal(line, w); err != nil {
			f.t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(f.path, w.Path))
		if err != nil {
			f.t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != w.SHA256 || int64(len(b)) != w.Size {
			f.t.Errorf("%s: its bytes are not those that the index speaks of", w.Path)
		}
		files[w] = b
	}
	onDisk, err := os.ReadDir(filepath.Join(f.path, "files"))
	if err != nil {
		f.t.Fatal(err)
	}
	if len(onDisk) != len(files) {
		f.t.Errorf("%d files on disk, the index has %d", len(onDisk), len(files))
	}
	return files
}

func someBytes(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestJoin(t *testing.T) {
	file := someBytes(100_000)
	other := bytes.Clone(file)
	other[65_000] ^= 1
	announced := func(x *record.FTPTransfer) { x.Announced, x.Source = int64(len(file)), "SIZE" }
	short := func(x *record.FTPTransfer) { x.Outcome = record.TransferShort }
	for _, tt := range []struct {
		name  string
		moved []moved
		want  []string // what is there in the end: size, gaps, note
	}{
		{"a short one and its rest, in two sessions",
			[]moved{{bytes: file[:30_000], session: "a", change: short}, {from: 30_000, bytes: file[30_000:], session: "b"}},
			[]string{"100000 [] joined from 2 transfers"}},
		{"the rest overlaps",
			[]moved{{bytes: file[:70_000], change: short}, {from: 60_000, bytes: file[60_000:]}},
			[]string{"100000 [] joined from 2 transfers"}},
		{"the rest overlaps with other bytes",
			[]moved{{bytes: file[:70_000], change: short}, {from: 60_000, bytes: other[60_000:]}},
			[]string{
				"40000 [] from byte 60000 of the file, not joined: differs from other parts at byte 65000",
				"70000 [] from byte 0 of the file, not joined: differs from other parts at byte 65000",
			}},
		{"the middle is missing",
			[]moved{{bytes: file[:30_000], change: short}, {from: 40_000, bytes: file[40_000:]}},
			[]string{"90000 [{30000 40000}] partial, 10 KB missing; joined from 2 transfers"}},
		{"the end is missing, as the announced size tells",
			[]moved{{bytes: file[:30_000], change: short}, {from: 30_000, bytes: file[30_000:90_000], change: announced}},
			[]string{"90000 [{90000 100000}] partial, 10 KB missing; joined from 2 transfers"}},
		{"only the rest is there",
			[]moved{{from: 60_000, bytes: file[60_000:]}},
			[]string{"40000 [{0 60000}] partial, 60 KB missing"}},
		{"a hole is filled by another transfer",
			[]moved{
				{bytes: file[:50_000], holes: []record.Range{{From: 10_000, To: 20_000}, {From: 30_000, To: 31_000}}},
				{from: 5_000, bytes: file[5_000:25_000]},
				{from: 50_000, bytes: file[50_000:]},
			},
			[]string{"99000 [{30000 31000}] partial, 1.0 KB missing; joined from 3 transfers"}},
		{"in pieces at once, the first one begins last",
			[]moved{{from: 60_000, bytes: file[60_000:]}, {from: 30_000, bytes: file[30_000:70_000], beside: true}, {bytes: file[:40_000], beside: true}},
			[]string{"100000 [] joined from 3 transfers"}},
		{"given up and begun anew",
			[]moved{{bytes: file[:30_000], change: short}, {bytes: file}},
			[]string{"100000 [] ", "30000 [] partial"}},
		{"given up, and how much is missing was announced",
			[]moved{{bytes: file[:30_000], change: func(x *record.FTPTransfer) { announced(x); short(x) }}},
			[]string{"30000 [{30000 100000}] partial, 70 KB missing"}},
		{"a rest of what was there already",
			[]moved{{bytes: file}, {from: 60_000, bytes: file[60_000:]}},
			[]string{"100000 [] joined from 2 transfers"}},
		{"another user's",
			[]moved{{bytes: file[:30_000]}, {from: 30_000, bytes: file[30_000:], change: func(x *record.FTPTransfer) { x.User = "eve" }}},
			[]string{"30000 [] ", "70000 [{0 30000}] partial, 30 KB missing"}},
		{"another direction",
			[]moved{{bytes: file[:30_000]}, {from: 30_000, bytes: file[30_000:], change: func(x *record.FTPTransfer) { x.Direction, x.Command = "upload", "STOR" }}},
			[]string{"30000 [] ", "70000 [{0 30000}] partial, 30 KB missing"}},
		{"appended where SIZE said",
			[]moved{
				{bytes: file[:30_000], change: func(x *record.FTPTransfer) { x.Direction, x.Command = "upload", "STOR" }},
				{bytes: file[30_000:], change: func(x *record.FTPTransfer) { x.Direction, x.Command, x.AppendTo = "upload", "APPE", 30_000 }},
			},
			[]string{"100000 [] joined from 2 transfers"}},
		{"appended nobody knows where",
			[]moved{{bytes: file[:30_000]}, {bytes: file[30_000:], change: func(x *record.FTPTransfer) { x.Command = "APPE" }}},
			[]string{"30000 [] ", "70000 [] "}},
		{"as text, where offsets mean nothing",
			[]moved{{bytes: file[:30_000]}, {from: 30_000, bytes: file[30_000:], change: func(x *record.FTPTransfer) { x.Type = "A" }}},
			[]string{"30000 [] ", "70000 [] "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t, What{Files: true})
			for _, m := range tt.moved {
				f.add(m)
			}
			got := map[string]bool{}
			for w, b := range f.done() {
				got[fmt.Sprintf("%d %v %s", w.Size, w.Gaps, w.Note())] = true
				if strings.HasSuffix(w.Path, ".partial") != w.Partial {
					t.Errorf("partial is %t of %s", w.Partial, w.Path)
				}
				want := without(file, w.Gaps)
				if w.Partial && len(w.Gaps) == 0 {
					want = want[:min(len(want), len(b))] // nobody knows how long the file is
				}
				if len(w.Parts) > 0 && !bytes.Equal(b, want) {
					t.Error("the bytes are not the file's")
				}
			}
			for _, want := range tt.want {
				if !got[want] {
					t.Errorf("%q is missing, got %v", want, got)
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

// without leaves ranges out of the bytes of a file.
func without(file []byte, gaps []record.Range) []byte {
	var out []byte
	at := int64(0)
	for _, g := range gaps {
		out = append(out, file[at:g.From]...)
		at = g.To
	}
	return append(out, file[at:]...)
}

// Whatever parts of a file were moved, in whatever order and with whatever
// holes, what is joined is the file but for what none of them has.
func TestJoinAtRandom(t *testing.T) {
	file := someBytes(60_000)
	size := int64(len(file))
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(7, seed))
		f := newFolder(t, What{Files: true})
		seen := make([]bool, size)
		for i := range 1 + r.IntN(8) {
			from := r.Int64N(size-1) + 1
			to := from + 1 + r.Int64N(size-from)
			m := moved{from: from, bytes: file[from:to], beside: i > 0}
			for at := int64(0); r.IntN(3) > 0 && at < to-from-2; {
				h := record.Range{From: at + r.Int64N(to-from-at-1)}
				h.To = h.From + 1 + r.Int64N(to-from-h.From)
				if n := len(m.holes); n > 0 && m.holes[n-1].To == h.From {
					break
				}
				m.holes = append(m.holes, h)
				at = h.To
			}
			f.add(m)
			at := from
			for _, h := range append(m.holes, record.Range{From: to - from, To: to - from}) {
				for ; at < from+h.From; at++ {
					seen[at] = true
				}
				at = from + h.To
			}
		}
		var gaps []record.Range
		end := size
		for end > 0 && !seen[end-1] {
			end-- // nobody knows how long the file is
		}
		for at := int64(0); at < end; at++ {
			switch n := len(gaps); {
			case seen[at]:
			case n > 0 && gaps[n-1].To == at:
				gaps[n-1].To++
			default:
				gaps = append(gaps, record.Range{From: at, To: at + 1})
			}
		}
		want := without(file[:end], gaps)
		for w, b := range f.done() {
			if fmt.Sprint(w.Gaps) != fmt.Sprint(gaps) || !bytes.Equal(b, want) {
				t.Errorf("seed %d: gaps %v, want %v; %d bytes, want %d", seed, w.Gaps, gaps, len(b), len(want))
			}
		}
	}
}

// With --ascii local the line ends of text are those of this machine, however
// the bytes come.
func TestLocalText(t *testing.T) {
	f := newFolder(t, What{Files: true, LocalText: true})
	text := strings.Repeat("one\r\ntwo\rthree\n\r\r\n", 3000) + "\r"
	f.add(moved{bytes: []byte(text), change: func(x *record.FTPTransfer) { x.Type = "A" }})
	f.add(moved{bytes: []byte(text[:30_000])})
	want := strings.ReplaceAll(text, "\r\n", "\n")
	for w, b := range f.done() {
		switch {
		case w.Received != "" && string(b) != want:
			t.Errorf("%d bytes of text, want %d", len(b), len(want))
		case w.Received == "" && string(b) != text[:30_000]:
			t.Errorf("the binary file was touched")
		}
	}
}

// What was moved whole is not kept in memory, and is known all the same when
// more of it comes.
func TestManyFilesAreNotKept(t *testing.T) {
	const files = 3000
	f := newFolder(t, What{Files: true})
	named := func(path string) func(*record.FTPTransfer) {
		return func(x *record.FTPTransfer) { x.Path = path }
	}
	path := func(i int) string { return fmt.Sprintf("/pub/a folder with a name/file number %d.bin", i) }
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	add := func(from, to int) {
		for i := from; i < to; i++ {
			f.add(moved{bytes: fmt.Appendf(nil, "the bytes of file %d", i), change: named(path(i))})
		}
	}
	add(0, files/3)
	before := live()
	add(files/3, files)
	if each := (live() - before) / (files * 2 / 3); each > 150 {
		t.Errorf("a file that was moved whole keeps %d bytes of memory", each)
	}
	// The same again, the same file with other bytes, and its rest.
	f.add(moved{bytes: []byte("the bytes of file 7"), change: named(path(7))})
	f.add(moved{bytes: []byte("other bytes"), change: named(path(8))})
	f.add(moved{from: 19, bytes: []byte(" and its end"), change: named(path(9))})
	got := map[string]int{}
	for w, b := range f.done() {
		got[w.Name+": "+string(b)] = w.Times
	}
	for line, times := range map[string]int{
		path(6) + ": the bytes of file 6":             1,
		path(7) + ": the bytes of file 7":             2,
		path(8) + ": the bytes of file 8":             1,
		path(8) + ": other bytes":                     1,
		path(9) + ": the bytes of file 9 and its end": 1,
	} {
		if got[line] != times {
			t.Errorf("%q was exported %d times, want %d", line, got[line], times)
		}
	}
	if len(got) != files+1 {
		t.Errorf("%d files, want %d", len(got), files+1)
	}
}
