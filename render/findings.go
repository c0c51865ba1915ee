package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"sniff/record"
)

// Findings collects findings and writes them when closed, those with the same
// code together and the most severe first: what happened and on what evidence
// for each, what it means and what to do once.
type Findings struct {
	w     *bufio.Writer
	style Style
	list  []*record.Finding
}

// NewFindings returns a sink that writes to w; it does not close w.
func NewFindings(w io.Writer, style Style) *Findings {
	return &Findings{w: bufio.NewWriter(w), style: style}
}

func (t *Findings) Write(r record.Record) error {
	if f, ok := r.(*record.Finding); ok {
		t.list = append(t.list, f)
	}
	return nil
}

// rank orders findings: the most severe first, but each symptom right behind
// the finding of its session that explains it, however severe the symptom is.
func rank(list []*record.Finding) []*record.Finding {
	type place struct{ session, code string }
	causes := map[place]bool{}
	for _, f := range list {
		causes[place{f.Session, f.Code}] = true
	}
	symptoms := map[place][]*record.Finding{}
	worst := map[place]int{}
	var roots []*record.Finding
	for _, f := range list {
		cause := place{f.Session, f.Cause}
		if f.Cause == "" || f.Cause == f.Code || !causes[cause] {
			roots = append(roots, f)
			continue
		}
		symptoms[cause] = append(symptoms[cause], f)
		worst[cause] = max(worst[cause], f.Severity.Level())
	}
	level := func(f *record.Finding) int { return max(f.Severity.Level(), worst[place{f.Session, f.Code}]) }
	slices.SortStableFunc(roots, func(a, b *record.Finding) int { return level(b) - level(a) })
	ranked := make([]*record.Finding, 0, len(list))
	var put func(f *record.Finding)
	put = func(f *record.Finding) {
		ranked = append(ranked, f)
		at := place{f.Session, f.Code}
		next := symptoms[at]
		delete(symptoms, at) // behind the first of several with one code
		for _, s := range next {
			put(s)
		}
	}
	for _, f := range roots {
		put(f)
	}
	for _, f := range list { // those that explain each other have no root
		if at := (place{f.Session, f.Cause}); symptoms[at] != nil {
			ranked = append(ranked, symptoms[at]...)
			delete(symptoms, at)
		}
	}
	return ranked
}

// Close writes the groups.
func (t *Findings) Close() error {
	t.list = rank(t.list)
	if len(t.list) == 0 {
		fmt.Fprintln(t.w, "no findings")
		return t.w.Flush()
	}
	type key struct {
		severity record.Severity
		code     string
	}
	groups := map[key][]*record.Finding{}
	var order []key
	for _, f := range t.list {
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

func (t *Findings) group(list []*record.Finding) {
	first := list[0]
	head := fmt.Sprintf("%-8s", first.Severity) + "  " + first.Code
	if len(list) > 1 {
		head += fmt.Sprintf(", %d times", len(list))
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
func (t *Findings) one(f *record.Finding) {
	title := Escape(f.Title)
	if f.Count > 1 {
		title += fmt.Sprintf(" (%d times)", f.Count)
	}
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
		where := ""
		if f.Number > 0 {
			where = fmt.Sprintf("session %d", f.Number)
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
