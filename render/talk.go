package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"sniff/record"
)

// Talk writes dialogues as they happen, each line with the number of its
// session: what a proxy or a live capture shows.
type Talk struct {
	w     *bufio.Writer
	style Style
	// held are replies to the end of a message, by session, until the message
	// itself was shown: its record comes behind that of the reply.
	held map[string]*record.SMTPExchange
}

// NewTalk returns a sink that writes to w; it does not close w.
func NewTalk(w io.Writer, style Style) *Talk {
	return &Talk{w: bufio.NewWriter(w), style: style, held: map[string]*record.SMTPExchange{}}
}

func (t *Talk) Write(r record.Record) error {
	if t.style.Reveal {
		record.Reveal(r)
	}
	h := r.Head()
	switch r := r.(type) {
	case *record.SMTPMessage:
		lines := r.Lines()
		said := max(len(lines)-1, 0)
		t.lines(h, lines[:said])
		t.release(h.Session)
		t.lines(h, lines[said:])
		return t.w.Flush()
	case *record.SMTPExchange:
		if t.release(h.Session); r.Verb == "." && !r.Inside {
			t.held[h.Session] = r
			return t.w.Flush()
		}
	}
	t.release(h.Session)
	switch r := r.(type) {
	case *record.Finding:
		WriteFinding(t.w, r, t.style, false)
	case *record.Session:
		end := r.Time.Add(r.Duration.Duration())
		t.note(h, end, fmt.Sprintf("%s → %s ended (%s) after %s: %s", r.Client, r.Server, r.End, r.Duration, r.Summary()))
	case record.Speaker:
		t.lines(h, r.Lines())
	default:
		t.note(h, h.Time, string(r.Kind())+": "+r.Summary())
	}
	return t.w.Flush()
}

// release shows the reply that was held back.
func (t *Talk) release(session string) {
	if x := t.held[session]; x != nil {
		delete(t.held, session)
		t.lines(&x.Header, x.Lines())
	}
}

func (t *Talk) lines(h *record.Header, lines []record.Line) {
	for _, l := range lines {
		t.line(h, l)
	}
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

func (t *Talk) note(h *record.Header, at time.Time, text string) {
	lead := fmt.Sprintf("%s %4d ", at.UTC().Format("15:04:05.000"), h.Number)
	mark := "· "
	for _, part := range wrap(Escape(text), columns(t.style.Width, displayWidth(lead+mark))) {
		fmt.Fprintf(t.w, "%s%s\n", lead, t.style.paint(dim, mark+part))
		lead, mark = strings.Repeat(" ", displayWidth(lead)), "  "
	}
}

func (t *Talk) Close() error {
	for session := range t.held {
		t.release(session)
	}
	return t.w.Flush()
}
