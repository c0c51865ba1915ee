package dissecttest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/dissect"
	"sniff/record"
)

// Gap is one play of a transcript with some of its bytes missing.
type Gap struct {
	// Transcript is the file's name without its ending.
	Transcript string
	// Dir, From and To are what is missing of the main connection.
	Dir      dissect.Dir
	From, To int64
	// Line is the number of the dialogue's line it begins in; Left is how
	// many lines follow it.
	Line, Left int
	// Whole are the records of the whole dialogue, Records those with the
	// bytes missing.
	Whole, Records []record.Record
}

func (g Gap) String() string {
	return fmt.Sprintf("%s without bytes %d to %d of the %s (line %d)", g.Transcript, g.From, g.To, g.Dir, g.Line)
}

// Gaps plays every transcript again and again, with each line missing in
// turn, with each two lines that follow each other, and with parts of lines.
// No dissector may fail, and no record may begin with a byte that is missing.
// What recovery means is up to the function given by CheckGap.
func Gaps(t *testing.T, proto dissect.Protocol, opts ...Option) {
	t.Helper()
	o := gather(proto, opts)
	for _, file := range transcripts(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			_, tr := load(t, file)
			whole := o.play(tr, nil).records
			rnd := random(t)
			for i, st := range tr.steps {
				if st.kind != data || st.conn != 0 || len(st.b) == 0 {
					continue
				}
				ranges := [][2]int{{0, len(st.b)}, {0, max(len(st.b)-1, 1)}, {min(1, len(st.b)-1), len(st.b)}}
				for range 3 {
					a, b := rnd.IntN(len(st.b)), rnd.IntN(len(st.b))
					ranges = append(ranges, [2]int{min(a, b), max(a, b) + 1})
				}
				for _, r := range ranges {
					o.playGap(t, name, tr, i, r[0], r[1], 1, whole)
				}
				o.playGap(t, name, tr, i, 0, len(st.b), 2, whole)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// playGap plays tr without bytes from..to of step i, and without the steps of
// the same direction that follow directly, up to count in all.
func (o *options) playGap(t *testing.T, name string, tr *transcript, i, from, to, count int, whole []record.Record) {
	t.Helper()
	st := tr.steps[i]
	g := Gap{Transcript: name, Dir: st.dir, Line: st.line, Left: len(tr.steps) - i - 1, Whole: whole}
	for _, before := range tr.steps[:i] {
		if before.conn == 0 && before.dir == st.dir {
			g.From += int64(len(before.b)) + max(before.n, 0)
		}
	}
	g.From += int64(from)
	g.To = g.From + int64(to-from)

	cut := *tr
	cut.steps = slices.Clone(tr.steps[:i])
	if from > 0 {
		head := st
		head.b = st.b[:from]
		cut.steps = append(cut.steps, head)
	}
	hole := step{kind: gap, dir: st.dir, n: int64(to - from), at: st.at, line: st.line}
	rest := tr.steps[i+1:]
	if to == len(st.b) && count > 1 && len(rest) > 0 && rest[0].kind == data && rest[0].conn == 0 && rest[0].dir == st.dir {
		hole.n += int64(len(rest[0].b))
		g.To += int64(len(rest[0].b))
		rest = rest[1:]
	}
	cut.steps = append(cut.steps, hole)
	if to < len(st.b) {
		tail := st
		tail.b = st.b[to:]
		cut.steps = append(cut.steps, tail)
	}
	cut.steps = append(cut.steps, rest...)

	p := o.play(&cut, nil)
	p.check(t)
	g.Records = p.records
	for _, r := range p.records {
		h := r.Head()
		isMain := h.Client == mainClient && r.Kind() != record.KindSession
		if isMain && h.Dir == g.Dir.String() && h.Offset > g.From && h.Offset < g.To {
			t.Errorf("%v: a record begins at the missing byte %d: %s", g, h.Offset, r.Summary())
		}
	}
	if o.checkGap != nil {
		o.checkGap(t, g)
	}
}
