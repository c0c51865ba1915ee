package content

import (
	"bytes"
	"strings"
)

const (
	// maxBoundary is the longest boundary that is looked for. RFC 2046,
	// section 5.1.1, allows 70 characters.
	maxBoundary = 256
	// maxFence is the longest line that may be a boundary line.
	maxFence = maxBoundary + 64
	// maxHeadLine is how much of a head line is gathered to tell what it is.
	maxHeadLine = 4096
)

// lines is the state of a tree between two writes: where it stands in a line,
// and what it had to gather.
type lines struct {
	// line is the beginning of a line that is not decided yet: a head line,
	// or one in a body that may be a boundary.
	line []byte
	// held is a line end that belongs to the boundary if one follows, else to
	// the body.
	held  []byte
	ends  [4]byte // what held is made of
	start bool    // in a body: the next byte begins a line

	// Of the head that is being read.
	head    []byte
	limit   int    // of head
	headCut bool   // the limit was reached
	damage  string // what was wrong with the head
	field   bool   // a field was seen
	long    bool   // the rest of a long head line, which goes to the head
	skip    bool   // the rest of a line that a hole has cut
}

func (l *lines) startHead(limit int) {
	*l = lines{line: l.line[:0], head: l.head[:0], limit: limit}
}

func (l *lines) startBody() {
	l.line, l.held, l.start = l.line[:0], l.held[:0], true
	l.long, l.skip = false, false
}

// keep adds to the head as far as its limit allows.
func (l *lines) keep(p []byte) {
	room := l.limit - len(l.head)
	if len(p) > room {
		p = p[:max(room, 0)]
		l.headCut = true
	}
	l.head = append(l.head, p...)
}

func (t *tree) write(p []byte) {
	for len(p) > 0 {
		if t.top().state == inHead {
			p = t.headBytes(p)
		} else {
			p = t.bodyBytes(p)
		}
	}
}

// headBytes reads to the end of one head line, and returns what is left.
func (t *tree) headBytes(p []byte) []byte {
	l := &t.lines
	n := bytes.IndexByte(p, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(p)
	}
	if l.skip || l.long {
		if l.long {
			l.keep(p[:n])
		}
		t.took(p[:n])
		if ended {
			l.skip, l.long = false, false
		}
		return p[n:]
	}
	if room := maxHeadLine - len(l.line); n > room {
		n, ended = room, false
	}
	l.line = append(l.line, p[:n]...)
	p = p[n:]
	if ended || len(l.line) >= maxHeadLine {
		t.headLine(ended)
	}
	return p
}

// headLine decides what the gathered line is. Without ended it is only the
// front of a long one.
func (t *tree) headLine(ended bool) {
	l := &t.lines
	line := l.line
	text := bytes.TrimRight(line, "\r\n")
	switch {
	case len(text) == 0 && ended:
		t.took(line)
		l.line = line[:0]
		t.endHead()
		return
	case t.fence && ended && t.boundaryLine(line):
		return
	case line[0] == ' ' || line[0] == '\t':
		if len(bytes.TrimSpace(text)) == 0 && ended && !l.field {
			// A line of blanks in front of all fields ends the head for
			// some readers; it is no continuation of anything.
			l.damage = "head_damaged"
		}
	case fieldName(text) > 0:
		l.field = true
	case !l.field && isFromLine(text):
		// An mbox separator that was sent along.
		t.took(line)
		l.line = line[:0]
		l.skip = !ended
		l.damage = "head_from_line"
		return
	default:
		// No field: RFC 5322 readers take it for the body's first line.
		l.damage = "head_unended"
		first := bytes.Clone(line)
		l.line = line[:0]
		t.endHead()
		t.write(first)
		return
	}
	l.keep(line)
	t.took(line)
	l.line = line[:0]
	l.long = !ended
}

// isFromLine tells "From sender date" and ">From " from fields.
func isFromLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

// bodyBytes reads a stretch of a body: up to the line that may be a boundary,
// or that line. It returns what is left.
func (t *tree) bodyBytes(p []byte) []byte {
	l := &t.lines
	if !t.fence {
		t.deliver(p)
		return nil
	}
	if l.start || len(l.line) > 0 {
		return t.fenceBytes(p)
	}
	if len(l.held) == 1 && l.held[0] == '\r' && p[0] == '\n' {
		l.hold("\r\n")
		l.start = true
		return p[1:]
	}
	t.release()
	// Only a line that begins with a dash can be a boundary.
	if i := bytes.Index(p, []byte("\n-")); i >= 0 {
		end := i
		if end > 0 && p[end-1] == '\r' {
			end--
		}
		t.deliver(p[:end])
		if end < i {
			l.hold("\r\n")
		} else {
			l.hold("\n")
		}
		l.start = true
		return p[i+1:]
	}
	// The line end at the end of p may stand before a boundary.
	end := len(p)
	switch {
	case p[end-1] == '\r':
		end--
		l.hold("\r")
	case p[end-1] == '\n':
		end--
		l.start = true
		if end > 0 && p[end-1] == '\r' {
			end--
			l.hold("\r\n")
		} else {
			l.hold("\n")
		}
	}
	t.deliver(p[:end])
	return nil
}

// fenceBytes gathers a line that may be a boundary.
func (t *tree) fenceBytes(p []byte) []byte {
	l := &t.lines
	l.start = false
	for len(l.line) < 2 {
		// Most lines are told by their first two bytes.
		if len(p) == 0 {
			return nil
		}
		if p[0] != '-' {
			return t.noFence(p)
		}
		l.line = append(l.line, p[0])
		p = p[1:]
	}
	n := bytes.IndexByte(p, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(p)
	}
	if room := maxFence - len(l.line); n > room {
		l.line = append(l.line, p[:room]...)
		return t.noFence(p[room:])
	}
	l.line = append(l.line, p[:n]...)
	if ended {
		if !t.boundaryLine(l.line) {
			return t.noFence(p[n:])
		}
	}
	return p[n:]
}

// noFence gives up the gathered line as part of the body.
func (t *tree) noFence(p []byte) []byte {
	l := &t.lines
	t.release()
	line := l.line
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > len(text) && line[len(line)-1] == '\n' {
		l.hold(string(line[len(text):]))
		l.start = true
		t.deliver(text)
	} else if text = bytes.TrimSuffix(line, []byte("\r")); len(text) < len(line) {
		l.hold("\r")
		t.deliver(text)
	} else {
		t.deliver(line)
	}
	l.line = line[:0]
	return p
}

// hold keeps a line end back.
func (l *lines) hold(end string) {
	l.held = append(l.ends[:0], end...)
}

// release gives the held line end to the body.
func (t *tree) release() {
	l := &t.lines
	if len(l.held) == 0 {
		return
	}
	held := l.held
	l.held = nil
	t.deliver(held)
}

// deliver gives bytes of a body to the topmost entity and to the copies of the
// messages around it.
func (t *tree) deliver(p []byte) {
	if len(p) == 0 {
		return
	}
	t.took(p)
	if e := t.top(); e.to != nil {
		e.to.write(p)
	}
}

// took counts bytes that were read, and copies them to the open messages.
func (t *tree) took(p []byte) {
	t.at += int64(len(p))
	if t.raws == 0 {
		return
	}
	for i := range t.stack {
		if e := &t.stack[i]; e.raw != nil {
			e.raw.write(t.rd, e.c, p)
		}
	}
}

// boundaryLine reads a line that begins with two dashes. If it is the boundary
// of an open multipart, the innermost first, what is open inside of that ends,
// and a new part or the epilogue begins (RFC 2046, section 5.1.1).
func (t *tree) boundaryLine(line []byte) bool {
	text := bytes.TrimRight(line, " \t\r\n")
	if len(text) < 3 || text[0] != '-' || text[1] != '-' {
		return false
	}
	text = text[2:]
	for k := len(t.stack) - 1; k >= 0; k-- {
		m := &t.stack[k]
		if m.kind != multipartEntity {
			continue
		}
		if m.guess && m.boundary == "" && k == len(t.stack)-1 && len(text) <= maxBoundary {
			m.boundary = string(text)
		}
		last := false
		if m.boundary == "" {
			continue
		}
		if string(text) != m.boundary {
			rest, ok := strings.CutPrefix(string(text), m.boundary)
			if !ok || rest != "--" {
				continue
			}
			last = true
		}
		t.fenced(k, line, last)
		return true
	}
	return false
}

// fenced is called at a boundary of the multipart at place k.
func (t *tree) fenced(k int, line []byte, last bool) {
	l := &t.lines
	held := append([]byte(nil), l.held...)
	own := append([]byte(nil), line...)
	if top := t.top(); top.state == inHead {
		l.damage = "head_unended"
	}
	l.held = nil
	t.closeTo(k+1, true)
	t.took(held)
	m := t.top()
	if last {
		m.state = inEpilogue
		m.any = true
		l.startBody()
		// This line's end belongs to the boundary of an outer multipart if
		// that follows at once.
		text := bytes.TrimRight(own, "\r\n")
		t.took(text)
		l.hold(string(own[len(text):]))
		return
	}
	t.took(own)
	if m.state == inEpilogue {
		m.c.Problem("boundary_after_end")
	}
	t.pushPart()
}

func (t *tree) gap(n int64) {
	l := &t.lines
	top := t.top()
	if top.state == inHead {
		// What stands around the hole is no line.
		line := append([]byte(nil), l.line...)
		l.line = l.line[:0]
		t.took(line)
		l.skip = true
		l.long = false
		l.damage = "head_hole"
	} else {
		line := append([]byte(nil), l.line...)
		t.release()
		l.line = l.line[:0]
		t.deliver(line)
		// Whatever follows is the middle of a line, as far as is known.
		l.start = false
	}
	for i := range t.stack {
		e := &t.stack[i]
		if i > 0 {
			// Of the outermost, whoever has made the tree knows it.
			addGap(e.c, t.at-e.begin, n)
		}
		e.c.Partial = true
		if e.raw != nil {
			e.raw.store.gap(t.rd, e.c, n)
		}
	}
	t.at += max(n, 0)
	if top = t.top(); top.to != nil {
		top.to.gap(n)
	}
}

func (t *tree) close(complete bool) {
	l := &t.lines
	if t.top().state == inHead {
		if len(l.line) > 0 {
			t.headLine(true)
		}
	}
	if t.top().state != inHead && len(l.line) > 0 {
		// The last boundary often lacks its line end.
		if !t.boundaryLine(l.line) {
			line := append([]byte(nil), l.line...)
			t.release()
			l.line = l.line[:0]
			t.deliver(line)
		}
	}
	t.release()
	t.closeTo(0, complete)
}
