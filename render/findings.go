package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"sniff/record"
)

// Findings collects findings and writes them when closed, those with the same
// code together and the most severe first: what happened and on what evidence
// for each, what it means and what to do once.
type Findings struct {
	w     *bufio.Writer
	style Style
	found found
}

// NewFindings returns a sink that writes to w; it does not close w.
func NewFindings(w io.Writer, style Style) *Findings {
	return &Findings{w: bufio.NewWriter(w), style: style}
}

func (t *Findings) Write(r record.Record) error {
	if f, ok := r.(*record.Finding); ok {
		t.found.add(f)
	}
	return nil
}

// Close writes the groups.
func (t *Findings) Close() error {
	list := t.found.ranked()
	if len(list) == 0 {
		fmt.Fprintln(t.w, "no findings")
		return t.w.Flush()
	}
	type key struct {
		severity record.Severity
		code     string
	}
	groups := map[key][]*same{}
	var order []key
	for _, f := range list {
		k := key{f.Severity, f.Code}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	for i, k := range order {
		if i > 0 {
			fmt.Fprintln(t.w)
		}
		t.group(groups[k])
	}
	return t.w.Flush()
}

func (t *Findings) group(list []*same) {
	first := list[0]
	head := fmt.Sprintf("%-8s", first.Severity) + "  " + first.Code
	times := 0
	for _, f := range list {
		times += f.sessions
	}
	if times > 1 {
		head += fmt.Sprintf(", %d times", times)
	}
	fmt.Fprintln(t.w, t.style.paint(severityColor(first.Severity), head))
	for _, f := range list {
		t.one(f)
	}
	t.say("means", first.Explanation)
	t.say("do", first.Advice)
	t.say("see", first.Reference)
}

// one writes what happened in one case.
func (t *Findings) one(f *same) {
	title := f.title()
	const indent = 2
	for _, l := range wrap(title, columns(t.style.Width, indent)) {
		fmt.Fprintf(t.w, "%*s%s\n", indent, "", l)
	}
	if f.Cause != "" {
		t.say("because", f.Cause)
	}
	for _, e := range f.Evidence {
		text := e.Text.String()
		if t.style.Reveal {
			text = e.Text.Clear()
		}
		where, number := "", e.Number
		if number == 0 && (e.Session == "" || e.Session == f.Session) {
			number = f.Number
		}
		if number > 0 {
			where = fmt.Sprintf("session %d", number)
		}
		if e.Packet > 0 {
			where += fmt.Sprintf(", packet %d", e.Packet)
			if e.Dir != "" {
				where += fmt.Sprintf(", %s offset %d", e.Dir, e.Offset)
			}
		}
		if where != "" {
			where = " (" + strings.TrimPrefix(where, ", ") + ")"
		}
		t.say("seen", Escape(text)+where)
	}
	t.say("also", f.others())
}

func (t *Findings) say(label, text string) {
	if text == "" {
		return
	}
	const indent = 13
	lines := wrap(text, columns(t.style.Width, indent))
	fmt.Fprintf(t.w, "    %s%s\n", t.style.paint(dim, fmt.Sprintf("%-9s", label)), strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
}

func severityColor(s record.Severity) string {
	switch s {
	case record.SeverityCritical, record.SeverityError:
		return red
	case record.SeverityWarning:
		return yellow
	case record.SeverityNotice:
		return blue
	}
	return dim
}
