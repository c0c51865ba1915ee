package render

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"sniff/record"
)

// Table collects sessions and findings and writes, when closed, one row per
// session, then the findings, then the totals.
type Table struct {
	w       *bufio.Writer
	style   Style
	rows    []sessionRow
	dropped int
	found   found
	totals  totals
	// Live prints each session as it ends instead of waiting for Close.
	Live bool
	// Chosen says that the sessions are some of all, and come in the order in
	// which they are shown.
	Chosen bool
}

// maxRows bounds what the table keeps; later sessions are counted only.
const maxRows = 20_000

// maxShownFindings bounds the list behind the table; `sniff findings` has all.
const maxShownFindings = 40

// sessionRow is what the table keeps of a session.
type sessionRow struct {
	number         uint64
	start          string
	day            string
	duration       string
	protocol       string
	client, server netip.AddrPort
	bytes          int64
	what           string
}

type totals struct {
	sessions  int
	bytes     int64
	byProto   map[string]int
	credClear int
	anomalies int
}

// NewTable returns a sink that writes to w; it does not close w.
func NewTable(w io.Writer, style Style) *Table {
	return &Table{w: bufio.NewWriter(w), style: style, totals: totals{byProto: map[string]int{}}}
}

// InTable reports whether the table looks at a record.
func InTable(r record.Record) bool {
	switch r.Kind() {
	case record.KindSession, record.KindFinding, record.KindCredential, record.KindAnomaly:
		return true
	}
	return false
}

func (t *Table) Write(r record.Record) error {
	switch r := r.(type) {
	case *record.Session:
		if t.style.Reveal {
			record.Reveal(r)
		}
		t.session(r)
		if t.Live {
			return t.printLive()
		}
	case *record.Finding:
		if t.Live {
			WriteFinding(t.w, r, t.style, false)
			return t.w.Flush()
		}
		t.found.add(r)
	case *record.Credential:
		if r.Exposure == record.ExposureClear {
			t.totals.credClear++
		}
	case *record.Anomaly:
		t.totals.anomalies++
	}
	return nil
}

func (t *Table) session(s *record.Session) {
	bytes := s.ClientSide.Bytes + s.ServerSide.Bytes
	proto := s.Protocol
	t.totals.sessions++
	t.totals.bytes += bytes
	if proto == "" {
		t.totals.byProto["other"]++
	} else {
		t.totals.byProto[proto]++
	}
	if len(t.rows) >= maxRows {
		t.dropped++
		return
	}
	if proto == "" {
		proto = "-"
	}
	if s.TLS != "" && proto != "tls" {
		proto += "+tls"
	}
	what := s.What
	if what == "" {
		what = endInWords(s)
	}
	t.rows = append(t.rows, sessionRow{
		number: s.Number, start: s.Time.UTC().Format("15:04:05"), day: s.Time.UTC().Format("2006-01-02"),
		duration: s.Duration.String(), protocol: proto,
		client: s.Client, server: s.Server, bytes: bytes, what: what,
	})
}

// endInWords says something of a session in which nothing was understood.
func endInWords(s *record.Session) string {
	switch s.End {
	case record.EndRefused:
		return "connection refused"
	case record.EndUnanswered:
		return "no answer to the connection request"
	case record.EndUnreached:
		return "host or port unreachable (ICMP)"
	case record.EndReset:
		if s.EndedBy != "" {
			return "reset by the " + s.EndedBy
		}
		return "reset"
	}
	if s.ClientSide.Bytes+s.ServerSide.Bytes == 0 {
		return "no data"
	}
	switch s.Protocol {
	case "":
	case "ftp-data":
		return "data connection, told with its control connection"
	case "tls":
		return "encrypted"
	default:
		return "nothing complete"
	}
	return "not recognised"
}

// liveIndent is as wide as the time in front of a live line.
const liveIndent = "          "

func (t *Table) printLive() error {
	r := t.rows[0]
	t.rows = t.rows[:0]
	line := fmt.Sprintf("%s  %-6s  %-9s  %s → %s  %s", r.start, r.duration, r.protocol, r.client, r.server, record.Bytes(r.bytes))
	what := Escape(r.what)
	if t.style.Width == 0 || displayWidth(line)+2+displayWidth(what) <= t.style.Width {
		fmt.Fprintf(t.w, "%s  %s\n", line, what)
		return t.w.Flush()
	}
	// Where the terminal is narrow, what happened stands below.
	fmt.Fprintln(t.w, line)
	for _, part := range wrap(what, columns(t.style.Width, len(liveIndent))) {
		fmt.Fprintf(t.w, "%s%s\n", liveIndent, part)
	}
	return t.w.Flush()
}

// Close writes the table.
func (t *Table) Close() error {
	if !t.Chosen {
		slices.SortStableFunc(t.rows, func(a, b sessionRow) int { return int(int64(a.number) - int64(b.number)) })
	}
	if len(t.rows) > 0 {
		g := t.grid()
		if err := g.Write(t.w); err != nil {
			return err
		}
	}
	if t.dropped > 0 {
		fmt.Fprintf(t.w, "… and %d more sessions; use -o jsonl to see all of them\n", t.dropped)
	}
	if list := t.found.ranked(); len(list) > 0 {
		fmt.Fprintf(t.w, "\n%s\n", t.style.paint(bold, "Findings"))
		for i, f := range list {
			if i == maxShownFindings {
				fmt.Fprintf(t.w, "… and %d more; `sniff findings` lists all\n", len(list)-i)
				break
			}
			writeFinding(t.w, f, t.style, false)
		}
	}
	t.summary()
	return t.w.Flush()
}

// grid lays the rows out: one line each where there is room for it, two where
// the terminal is narrow.
func (t *Table) grid() *Grid {
	if t.style.Width > 0 && t.style.Width < 130 {
		g := &Grid{Style: t.style, Header: []string{"#", "START", "PROTOCOL", "CLIENT, SERVER", "WHAT HAPPENED"}, Right: []int{0}}
		for _, r := range t.rows {
			g.Rows = append(g.Rows, []string{
				fmt.Sprint(r.number), r.start + "\n" + r.duration, t.style.paint(cyan, r.protocol) + "\n" + record.Bytes(r.bytes),
				r.client.String() + "\n" + r.server.String(), Escape(r.what),
			})
		}
		return g
	}
	g := &Grid{Style: t.style, Header: []string{"#", "START", "DURATION", "PROTOCOL", "CLIENT", "SERVER", "BYTES", "WHAT HAPPENED"}, Right: []int{0, 2, 6}}
	for _, r := range t.rows {
		g.Rows = append(g.Rows, []string{
			fmt.Sprint(r.number), r.day + " " + r.start, r.duration, t.style.paint(cyan, r.protocol),
			r.client.String(), r.server.String(), record.Bytes(r.bytes), Escape(r.what),
		})
	}
	return g
}

// WriteFinding writes one finding: severity, title, where; with full also what
// it means, what to do and the reference.
func WriteFinding(w io.Writer, f *record.Finding, style Style, full bool) {
	writeFinding(w, &same{Finding: f, sessions: 1, times: max(f.Count, 1)}, style, full)
}

func writeFinding(w io.Writer, f *same, style Style, full bool) {
	color := map[record.Severity]string{
		record.SeverityCritical: red, record.SeverityError: red, record.SeverityWarning: yellow,
		record.SeverityNotice: blue, record.SeverityInfo: dim,
	}[f.Severity]
	where := ""
	if f.Number > 0 {
		where = fmt.Sprintf("session %d", f.Number)
		if f.Packet > 0 {
			where += fmt.Sprintf(", packet %d", f.Packet)
		}
	}
	const indent = 10
	lines := wrap(f.title(), columns(style.Width, indent))
	fmt.Fprintf(w, "%s  %s\n", style.paint(color, fmt.Sprintf("%-8s", f.Severity)), strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
	tail := f.Code
	if where != "" {
		tail += " · " + where
	}
	if also := f.others(); also != "" {
		tail += " · also " + also
	}
	if f.Cause != "" {
		tail += " · because of " + f.Cause
	}
	fmt.Fprintf(w, "%*s%s\n", indent, "", style.paint(dim, tail))
	if !full {
		return
	}
	say := func(label, text string) {
		if text == "" {
			return
		}
		lines := wrap(text, columns(style.Width, indent+9))
		fmt.Fprintf(w, "%*s%-9s%s\n", indent, "", label, strings.Join(lines, "\n"+strings.Repeat(" ", indent+9)))
	}
	for _, e := range f.Evidence {
		place := ""
		if e.Packet > 0 {
			place = fmt.Sprintf("  (packet %d, %s offset %d)", e.Packet, e.Dir, e.Offset)
		}
		if style.Reveal {
			say("seen", Escape(e.Text.Clear())+place)
		} else {
			say("seen", Escape(e.Text.String())+place)
		}
	}
	say("means", f.Explanation)
	say("do", f.Advice)
	say("see", f.Reference)
}

func columns(width, indent int) int {
	if width == 0 {
		return 0
	}
	return max(width-indent, 20)
}

func (t *Table) summary() {
	if t.totals.sessions == 0 && t.Chosen {
		fmt.Fprintln(t.w, "no session matches")
		return
	}
	if t.totals.sessions == 0 {
		fmt.Fprintln(t.w, "no TCP sessions")
		return
	}
	names := make([]string, 0, len(t.totals.byProto))
	for n := range t.totals.byProto {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := t.totals.byProto[b] - t.totals.byProto[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%d %s", t.totals.byProto[n], n))
	}
	fmt.Fprintf(t.w, "\n%s (%s), %s of payload", record.Count(t.totals.sessions, "session"), strings.Join(parts, ", "), record.Bytes(t.totals.bytes))
	if t.totals.credClear > 0 {
		fmt.Fprintf(t.w, ", %s", t.style.paint(yellow, record.Count(t.totals.credClear, "credential")+" in the clear"))
	}
	if t.totals.anomalies > 0 {
		fmt.Fprintf(t.w, ", %s", record.Count(t.totals.anomalies, "anomaly"))
	}
	fmt.Fprintln(t.w)
}
