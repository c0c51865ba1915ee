package smtp

import (
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/dissect/internal/line"
	"sniff/record"
)

// replyPart is a reply of which some lines are in.
type replyPart struct {
	rep   *record.SMTPReply
	bytes int
	lines int
	over  int // lines that were not kept
}

// replyLine is one line of a reply (RFC 5321, section 4.2).
type replyLine struct {
	code int  // 0: the line has none
	more bool // a hyphen: more lines follow
	text string
	odd  string // how it breaks the grammar
}

// parseReplyLine reads "250-text", "250 text" or "250".
func parseReplyLine(s string) replyLine {
	if len(s) < 3 || !digit(s[0]) || !digit(s[1]) || !digit(s[2]) || len(s) > 3 && digit(s[3]) {
		return replyLine{text: s, odd: "a line without a reply code"}
	}
	l := replyLine{code: int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')}
	if l.code < 200 || l.code > 599 || s[1] > '5' {
		l.odd = fmt.Sprintf("reply code %s out of range", s[:3])
	}
	switch {
	case len(s) == 3:
	case s[3] == '-':
		l.more, l.text = true, s[4:]
	case s[3] == ' ':
		l.text = s[4:]
	case s[3] == '\t':
		l.text, l.odd = s[4:], "a tab behind the reply code"
	default:
		l.text, l.odd = s[3:], "no space behind the reply code"
	}
	return l
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// enhanced splits an enhanced status code off the text of a reply (RFC 2034,
// section 4; RFC 3463, section 2). Its class must be the one of the code.
func enhanced(code int, text string) (status, rest string) {
	end := strings.IndexByte(text, ' ')
	if end < 0 {
		end = len(text)
	}
	f := text[:end]
	if len(f) < 5 || len(f) > 9 || int(f[0]-'0') != code/100 || f[1] != '.' {
		return "", text
	}
	subject, detail, ok := strings.Cut(f[2:], ".")
	if !ok || !digits(subject) || !digits(detail) {
		return "", text
	}
	return f, strings.TrimLeft(text[end:], " ")
}

func digits(s string) bool {
	if s == "" || len(s) > 3 {
		return false
	}
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// consumeServer reads one line of the server.
func (d *dissector) consumeServer(b []byte) (int, dissect.Action, error) {
	dir := d.client().Other()
	if looksTLS(b) && d.part == nil && !d.tls {
		return 0, dissect.Continue, errTLS
	}
	text, end, n := d.split[dir].Next(b)
	if n == 0 {
		return 0, dissect.Continue, nil
	}
	if d.skip[dir] {
		d.skip[dir] = end == line.Long
		return n, dissect.Continue, nil
	}
	if end == line.Long {
		d.skip[dir] = true
		d.violation(dir, d.env.At(0), "smtp_reply_too_long", fmt.Sprintf("a reply line of more than %d bytes; the rest of it is left out", len(text)))
	} else if len(text) > 510 {
		// RFC 5321, section 4.5.3.1.5.
		d.violation(dir, d.env.At(0), "smtp_reply_too_long", fmt.Sprintf("a reply line of %d bytes; 512 with its end are allowed", n))
	}
	if end == line.LF {
		d.violation(dir, d.env.At(n-1), "smtp_bare_lf", "a reply line ends with LF alone")
	}
	return n, d.serverLine(string(text), d.env.At(0)), nil
}

// serverTail reads a last line that has no end.
func (d *dissector) serverTail(b []byte) {
	if d.skip[d.client().Other()] || looksTLS(b) {
		return
	}
	at := d.env.At(0)
	at.Offset -= int64(len(b))
	d.violation(d.client().Other(), at, "smtp_unfinished_line", fmt.Sprintf("the server's last line has no end: %.80q", b))
	d.serverLine(strings.TrimRight(string(b), "\r"), at)
}

// serverLine puts a line to the reply that is being put together, and answers
// the command when the reply is whole.
func (d *dissector) serverLine(s string, at record.Stamp) dissect.Action {
	l := parseReplyLine(s)
	if d.cutReply && d.part == nil && l.code == 0 {
		// The rest of a line whose front is missing.
		d.cutReply = false
		return dissect.Continue
	}
	if d.teased(l) {
		p := d.part
		p.odd("its last line never came")
		d.violation(d.client().Other(), at, "smtp_reply_unfinished", fmt.Sprintf("the greeting was not ended before the next reply began: %.80q", s))
		d.part = nil
		p.rep.Took = record.Between(p.rep.Time, at.Time)
		d.answer(p.rep)
	}
	p := d.part
	if p == nil {
		p = &replyPart{rep: &record.SMTPReply{Time: at.Time, Offset: at.Offset, StreamOffset: at.Carrier, Packet: at.Packet, Partial: d.cutReply}}
		d.part, d.cutReply = p, false
	}
	if l.odd != "" {
		p.odd(l.odd)
		d.violation(d.client().Other(), at, "smtp_reply_malformed", fmt.Sprintf("%s: %.80q", l.odd, s))
	}
	if l.code != 0 && p.rep.Code != 0 && l.code != p.rep.Code {
		// Clients go by the last line.
		p.odd("its lines have different codes")
		d.violation(d.client().Other(), at, "smtp_reply_codes_mixed", fmt.Sprintf("a reply that began with %d goes on with %d", p.rep.Code, l.code))
	}
	if l.code != 0 {
		p.rep.Code = l.code
	}
	p.add(s, l)
	if l.code == 0 || l.more {
		return dissect.Continue
	}
	d.part = nil
	p.rep.Took = record.Between(p.rep.Time, at.Time)
	if p.over > 0 {
		p.odd(fmt.Sprintf("%d lines of it are left out", p.over))
	}
	return d.answer(p.rep)
}

// teased reports whether l begins a reply while the greeting still lacks its
// last line. Postfix's postscreen greets with "220-" at once and holds the last
// line back; who talks before it gets replies, but never that line.
func (d *dissector) teased(l replyLine) bool {
	return d.part != nil && d.part.rep.Code == 220 && l.code/100 == 2 && l.code != 220 &&
		len(d.queue) > 1 && d.queue[0].rec.Greeting && d.queue[0].rec.Reply == nil
}

func (p *replyPart) odd(what string) {
	if p.rep.Malformed == "" {
		p.rep.Malformed = what
	}
}

func (p *replyPart) add(s string, l replyLine) {
	p.lines++
	if p.bytes += len(s); p.bytes > maxReplyText && p.lines > 1 {
		p.over++
		return
	}
	text := l.text
	if l.code != 0 {
		status, rest := enhanced(l.code, text)
		if status != "" {
			p.rep.Enhanced, text = status, rest
		}
	}
	p.rep.Text = append(p.rep.Text, text)
	p.rep.Wire = append(p.rep.Wire, s)
}

// serverGap: replies may be missing, and the front of the next one.
func (d *dissector) serverGap() {
	if d.part != nil {
		// What is there of it is shown; whom it answers stays open.
		d.part.rep.Partial = true
		d.part = nil
	}
	d.cutReply, d.unsure = true, true
	d.doubtCurrent()
	if d.held != nil && d.held.login != nil {
		d.held.login.blind = true
	}
	for _, x := range d.queue {
		x.doubtful = true
	}
}
