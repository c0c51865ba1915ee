package render

import (
	"bufio"
	"fmt"
	"io"

	"sniff/record"
)

// Talk writes dialogues as they happen, each line with the number of its
// session: what a proxy or a live capture shows.
type Talk struct {
	w     *bufio.Writer
	style Style
}

// NewTalk returns a sink that writes to w; it does not close w.
func NewTalk(w io.Writer, style Style) *Talk {
	return &Talk{w: bufio.NewWriter(w), style: style}
}

func (t *Talk) Write(r record.Record) error {
	if t.style.Reveal {
		record.Reveal(r)
	}
	h := r.Head()
	switch r := r.(type) {
	case *record.Finding:
		WriteFinding(t.w, r, t.style, false)
	case *record.Session:
		t.note(h, fmt.Sprintf("%s → %s ended (%s) after %s: %s", r.Client, r.Server, r.End, r.Duration, r.Summary()))
	default:
		if s, ok := r.(record.Speaker); ok {
			for _, l := range s.Lines() {
				t.line(h, l)
			}
		} else {
			t.note(h, string(r.Kind())+": "+r.Summary())
		}
	}
	return t.w.Flush()
}

func (t *Talk) line(h *record.Header, l record.Line) {
	side, color := "C", green
	switch {
	case l.Note:
		side, color = "·", dim
	case l.Dir == record.ServerToClient:
		side, color = "S", cyan
	}
	fmt.Fprintf(t.w, "%s %4d %s %s\n", l.Time.UTC().Format("15:04:05.000"), h.Number, t.style.paint(color, side), Escape(l.Text.String()))
	for i, f := range l.Fold {
		if i == foldLines {
			fmt.Fprintf(t.w, "%20s│ … %d more lines\n", "", len(l.Fold)-i)
			break
		}
		fmt.Fprintf(t.w, "%20s│ %s\n", "", Escape(f))
	}
}

func (t *Talk) note(h *record.Header, text string) {
	fmt.Fprintf(t.w, "%s %4d %s\n", h.Time.UTC().Format("15:04:05.000"), h.Number, t.style.paint(dim, "· "+Escape(text)))
}

func (t *Talk) Close() error { return t.w.Flush() }
