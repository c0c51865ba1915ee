package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// Limits of what the observer of the whole run remembers.
const (
	maxSMTPOpen  = 65536 // sessions that have not ended yet
	maxSMTPTries = 65536 // sessions that have
)

// How soon a client goes on to the next server.
const (
	atOnce      = 3 * time.Second  // when it knows that the first has failed
	sameMail    = 10 * time.Minute // when both were given the same envelope
	giveUpAfter = 30 * time.Second // on a connection request without answer
)

// smtpWhole follows a mail over sessions: a client whose first server fails
// tries the next one (RFC 5321, section 5.1). The story is told once, at the
// end, as an attempt without any answer is known only then.
type smtpWhole struct {
	open  map[string]*smtpTry
	tries []*smtpTry
}

// smtpTry is one session as far as the story needs it.
type smtpTry struct {
	session *record.Header
	end     time.Time
	from    string
	to      []string // the first recipients
	outcome string   // of the mail, a record.Mail constant; "" when none was sent
	failed  string   // why nothing was delivered; "" when it was, or nothing tells
	silent  bool     // it got no answer at all
	seen    []record.Evidence
}

func newSMTPWhole() *smtpWhole { return &smtpWhole{open: map[string]*smtpTry{}} }

func (o *smtpWhole) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.SMTPExchange:
		o.exchange(r)
	case *record.SMTPMessage:
		o.message(r)
	case *record.Session:
		o.ended(r)
	}
}

func (o *smtpWhole) try(h *record.Header) *smtpTry {
	t := o.open[h.Session]
	if t == nil {
		t = &smtpTry{}
		if len(o.open) < maxSMTPOpen {
			o.open[h.Session] = t
		}
	}
	return t
}

// exchange notes what keeps a dialogue from getting to a message.
func (o *smtpWhole) exchange(x *record.SMTPExchange) {
	opening := x.Greeting || x.Verb == "EHLO" || x.Verb == "HELO"
	if !opening {
		return
	}
	if x.Reply.Positive() {
		if t := o.open[x.Session]; t != nil {
			t.failed = ""
		}
		return
	}
	t := o.try(&x.Header)
	what := spoken(x)
	if x.Greeting {
		what = "the client"
	}
	switch {
	case x.Reply == nil && x.Greeting:
		t.failed = "never greeted"
		t.seen = []record.Evidence{Seen(x, record.Plain(x.Unanswered))}
		return
	case x.Reply == nil:
		return
	}
	t.failed = "refused " + what + ": " + x.Reply.String()
	t.seen = []record.Evidence{x.Reply.Evidence(x.Head())}
}

// message notes what became of the session's first message.
func (o *smtpWhole) message(m *record.SMTPMessage) {
	t := o.try(&m.Header)
	if t.outcome != "" {
		return
	}
	t.from, t.outcome = m.From, m.Outcome
	for i := range m.To[:min(len(m.To), 8)] {
		t.to = append(t.to, m.To[i].Address)
	}
	t.failed = ""
	if m.Outcome == record.MailRefused || m.Outcome == record.MailDeferred {
		t.failed = m.Reason
	}
	t.seen = []record.Evidence{Seen(m, record.Plain(m.Summary()))}
}

// ended books a session that is over, or one that never began.
func (o *smtpWhole) ended(s *record.Session) {
	t := o.open[s.Session]
	delete(o.open, s.Session)
	if t == nil {
		t = &smtpTry{}
	}
	h := s.Header
	t.session, t.end = &h, s.Time.Add(s.Duration.Duration())
	reached := s.Protocol == "smtp"
	switch {
	case reached:
	case !mailPort(s.Server.Port()):
		return
	case s.End == record.EndUnanswered:
		t.failed, t.silent = "did not answer", true
	case s.End == record.EndRefused:
		t.failed = "refused the connection"
	case s.End == record.EndUnreached:
		t.failed = "could not be reached"
	default:
		return
	}
	if len(t.seen) == 0 {
		text := s.End
		if t.failed != "" {
			text = t.failed
		}
		t.seen = []record.Evidence{Seen(s, record.Plain(text))}
	}
	if len(o.tries) < maxSMTPTries && (t.failed != "" || t.outcome != "") {
		o.tries = append(o.tries, t)
	}
}

func mailPort(p uint16) bool { return p == 25 || p == 465 || p == 587 }

// End tells the stories.
func (o *smtpWhole) End(_ *record.Session, rep *Reporter) {
	slices.SortStableFunc(o.tries, func(a, b *smtpTry) int { return a.session.Time.Compare(b.session.Time) })
	byClient := map[netip.Addr][]*smtpTry{}
	var clients []netip.Addr
	for _, t := range o.tries {
		c := t.session.Client.Addr().Unmap()
		if byClient[c] == nil {
			clients = append(clients, c)
		}
		byClient[c] = append(byClient[c], t)
	}
	for _, c := range clients {
		told := map[*smtpTry]bool{}
		for i, t := range byClient[c] {
			if t.failed == "" || told[t] {
				continue
			}
			story := []*smtpTry{t}
			for j := i; ; {
				k := next(byClient[c], j, story)
				if k < 0 {
					break
				}
				story = append(story, byClient[c][k])
				told[byClient[c][k]] = true
				j = k
			}
			if len(story) > 1 {
				tellStory(story, rep)
			}
		}
	}
}

// next finds the try that follows the last one of a story: the same client at
// another server, with the same envelope, or right behind the failure. Where
// several could be meant, none is taken.
func next(tries []*smtpTry, last int, story []*smtpTry) int {
	before := tries[last]
	if before.failed == "" {
		return -1
	}
	found := -1
	for i := last + 1; i < len(tries); i++ {
		t := tries[i]
		wait := t.session.Time.Sub(before.end)
		if wait > sameMail {
			break
		}
		if visited(story, t.session.Server.Addr()) || !follows(before, t, wait) {
			continue
		}
		if found >= 0 && tries[found].from != "" && t.from != "" && !sameEnvelope(tries[found], t) {
			return -1
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

func visited(story []*smtpTry, server netip.Addr) bool {
	return slices.ContainsFunc(story, func(t *smtpTry) bool { return t.session.Server.Addr() == server })
}

// follows reports whether t may be what the client did about a failure.
func follows(before, t *smtpTry, wait time.Duration) bool {
	switch {
	case before.from != "" && t.from != "":
		return wait >= 0 && sameEnvelope(before, t)
	case before.silent:
		// Who knocks in vain waits longer than the last knock.
		return t.session.Time.After(before.session.Time) && wait <= giveUpAfter
	}
	return wait >= 0 && wait <= atOnce
}

// sameEnvelope reports whether two tries were about the same mail.
func sameEnvelope(a, b *smtpTry) bool {
	if a.from != b.from {
		return false
	}
	for _, to := range a.to {
		if slices.Contains(b.to, to) {
			return true
		}
	}
	return len(a.to) == 0 && len(b.to) == 0
}

// tellStory raises one finding for a mail that went from server to server.
func tellStory(story []*smtpTry, rep *Reporter) {
	first, last := story[0], story[len(story)-1]
	var steps []string
	var seen []record.Evidence
	what := "mail"
	for _, t := range story {
		did := t.failed
		if did == "" {
			did = map[string]string{record.MailDelivered: "took it", record.MailPartly: "took it for some recipients"}[t.outcome]
		}
		if did == "" {
			did = "did not say what it did with it"
		}
		if t.outcome != "" && t.failed != "" {
			did = "said " + did
		}
		steps = append(steps, t.session.Server.String()+" "+did)
		seen = append(seen, t.seen...)
		if t.from != "" && len(t.to) > 0 {
			what = "mail from " + t.from + " to " + t.to[0]
		}
	}
	title := fmt.Sprintf("%s went from server to server with %s: %s", first.session.Client.Addr(), what, strings.Join(steps, "; then "))
	f := rep.Raise("smtp.next_server", title, &record.Session{Header: *last.session})
	f.Evidence = seen
	switch {
	case last.failed == "":
		f.Severity = record.SeverityNotice
	case last.outcome == record.MailRefused:
		f.Severity = record.SeverityError
	}
}
