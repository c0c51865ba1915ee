package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// Dialogue collects the records of one session and writes, when closed, what
// both sides said, with times relative to the session's start, anomalies and
// findings beside what they rest on, and bodies folded.
type Dialogue struct {
	w     *bufio.Writer
	style Style
	// Match picks the sessions; nil takes all.
	Match func(*record.Header) bool
	// Unfold prints bodies whole.
	Unfold bool

	talks map[string]*talk
	order []*talk
	// Shown counts the sessions that were written.
	Shown int
}

// talk is the dialogue of one session as it is collected.
type talk struct {
	session  *record.Session
	lines    []said
	findings []*record.Finding
	cut      int
}

// said is one line of a dialogue, or what stands beside one.
type said struct {
	record.Line
	// beside: it was not said, but made of the record with the same time, and
	// stands behind what was said then.
	beside bool
}

const (
	// maxLines bounds the lines kept of one session.
	maxLines = 100_000
	// foldLines is how much of a folded body is shown.
	foldLines = 12
)

// NewDialogue returns a sink that writes to w; it does not close w.
func NewDialogue(w io.Writer, style Style) *Dialogue {
	return &Dialogue{w: bufio.NewWriter(w), style: style, talks: map[string]*talk{}}
}

func (d *Dialogue) Write(r record.Record) error {
	h := r.Head()
	if d.Match != nil && !d.Match(h) {
		return nil
	}
	if d.style.Reveal {
		record.Reveal(r)
	}
	t := d.talks[h.Session]
	if t == nil {
		t = &talk{}
		d.talks[h.Session] = t
		d.order = append(d.order, t)
	}
	switch r := r.(type) {
	case *record.Session:
		t.session = r
		return nil
	case *record.Finding:
		t.findings = append(t.findings, r)
		return nil
	case *record.Anomaly:
		t.note(r.Time, "anomaly: "+r.Summary())
		return nil
	}
	if s, ok := r.(record.Speaker); ok {
		for _, l := range s.Lines() {
			t.add(said{Line: l})
		}
		return nil
	}
	switch r.Kind() {
	case record.KindTLSHandshake, record.KindCredential, record.KindFTPTransfer, record.KindSFTPTransfer:
		t.note(h.Time, strings.ReplaceAll(string(r.Kind()), ".", " ")+": "+r.Summary())
	}
	return nil
}

func (t *talk) add(l said) {
	if len(t.lines) >= maxLines {
		t.cut++
		return
	}
	t.lines = append(t.lines, l)
}

func (t *talk) note(at time.Time, text string) {
	t.add(said{Line: record.Line{Time: at, Note: true, Text: record.Plain(text)}, beside: true})
}

// Close writes the dialogues.
func (d *Dialogue) Close() error {
	for _, t := range d.order {
		if t.session == nil {
			continue
		}
		if d.Shown > 0 {
			fmt.Fprintln(d.w)
		}
		d.Shown++
		d.talk(t)
	}
	return d.w.Flush()
}

func (d *Dialogue) talk(t *talk) {
	s := t.session
	proto := s.Protocol
	if proto == "" {
		proto = "not recognised"
	}
	if s.TLS != "" && proto != "tls" {
		proto += "+tls"
	}
	if s.TLS != "" {
		proto += " (" + s.TLS + ")"
	}
	fmt.Fprintf(d.w, "%s  %s → %s\n", d.style.paint(bold, fmt.Sprintf("Session %d  %s", s.Number, proto)), s.Client, s.Server)
	about := fmt.Sprintf("%s, %s, %s from the client, %s from the server, %s",
		s.Time.UTC().Format("2006-01-02 15:04:05.000 MST"), s.Duration, record.Bytes(s.ClientSide.Bytes), record.Bytes(s.ServerSide.Bytes), ending(s))
	for _, l := range wrap(about, d.style.Width) {
		fmt.Fprintln(d.w, l)
	}
	if s.What != "" {
		for _, l := range wrap(Escape(s.What), columns(d.style.Width, 0)) {
			fmt.Fprintln(d.w, l)
		}
	}
	fmt.Fprintln(d.w)

	// Records come in the order in which they were complete; the dialogue
	// wants the order in which things were said.
	slices.SortStableFunc(t.lines, func(a, b said) int {
		if c := a.Time.Compare(b.Time); c != 0 || a.beside == b.beside {
			return c
		}
		if b.beside {
			return -1
		}
		return 1
	})
	findings := slices.Clone(t.findings)
	last := ""
	for i, l := range t.lines {
		at := relative(s.Time, l.Time)
		if at == last {
			at = ""
		} else {
			last = at
		}
		d.line(at, l.Line)
		var next time.Time
		if i+1 < len(t.lines) {
			next = t.lines[i+1].Time
		}
		findings = slices.DeleteFunc(findings, func(f *record.Finding) bool {
			if !next.IsZero() && !f.Time.Before(next) || f.Time.Equal(s.Time) && !next.IsZero() {
				return false
			}
			d.annotate(f)
			return true
		})
	}
	for _, f := range findings {
		d.annotate(f)
	}
	if t.cut > 0 {
		fmt.Fprintf(d.w, "%9s     … and %d more lines\n", "", t.cut)
	}
}

func ending(s *record.Session) string {
	switch {
	case s.End == record.EndClosed && s.EndedBy != "":
		return "closed by the " + s.EndedBy + " first"
	case s.EndedBy != "":
		return s.End + " by the " + s.EndedBy
	case s.End == record.EndOpen:
		return "still open when the capture ended"
	}
	return s.End
}

func relative(start, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%.3f", t.Sub(start).Seconds())
}

// foldHang stands before what does not fit into a line of a body.
const foldHang = "  "

// line prints one line of dialogue: time, side, text.
func (d *Dialogue) line(at string, l record.Line) {
	side, color := "C", green
	switch {
	case l.Note:
		side, color = "·", dim
	case l.Dir == record.ServerToClient:
		side, color = "S", cyan
	}
	text := Escape(l.Text.String())
	const indent = 13
	for i, part := range wrap(text, columns(d.style.Width, indent)) {
		if l.Note {
			part = d.style.paint(dim, part)
		}
		if i == 0 {
			fmt.Fprintf(d.w, "%9s  %s %s\n", at, d.style.paint(color, side), part)
		} else {
			fmt.Fprintf(d.w, "%*s%s\n", indent, "", part)
		}
	}
	for i, f := range l.Fold {
		if i == foldLines && !d.Unfold && len(l.Fold) > foldLines+1 {
			fmt.Fprintf(d.w, "%*s%s\n", indent, "", d.style.paint(dim, fmt.Sprintf("│ … %d more lines (--unfold shows them)", len(l.Fold)-i)))
			break
		}
		text := Escape(strings.TrimRight(f, "\r\n"))
		rest := strings.TrimLeft(text, " ")
		lead := text[:len(text)-len(rest)]
		for n, part := range wrap(rest, columns(d.style.Width, indent+2+len(lead)+len(foldHang))) {
			if n > 0 {
				part = foldHang + part
			}
			fmt.Fprintf(d.w, "%*s%s %s%s\n", indent, "", d.style.paint(dim, "│"), lead, part)
		}
	}
}

// annotate prints a finding beside the line that it rests on.
func (d *Dialogue) annotate(f *record.Finding) {
	color := blue
	switch {
	case f.Severity.Level() >= record.SeverityError.Level():
		color = red
	case f.Severity == record.SeverityWarning:
		color = yellow
	}
	const indent = 13
	for i, part := range wrap(fmt.Sprintf("%s: %s", f.Severity, Escape(f.Title)), columns(d.style.Width, indent+2)) {
		mark := "! "
		if i > 0 {
			mark = "  "
		}
		fmt.Fprintf(d.w, "%*s%s\n", indent-2, "", d.style.paint(color, mark+part))
	}
	if f.Advice != "" {
		for _, part := range wrap(f.Advice, columns(d.style.Width, indent+2)) {
			fmt.Fprintf(d.w, "%*s%s\n", indent, "", d.style.paint(dim, part))
		}
	}
}
