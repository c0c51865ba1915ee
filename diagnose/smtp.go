package diagnose

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sniff/record"
)

// smtpFamily says why mail was not delivered and what is unsafe about how it
// was.
func smtpFamily() Family {
	return Family{
		Name:    "smtp",
		Codes:   smtpCodes(),
		Session: func() Observer { return &smtpObserver{} },
		Whole:   func() Observer { return newSMTPWhole() },
	}
}

// When a wait is worth a finding.
const (
	slowGreeting = 5 * time.Second
	slowReply    = 30 * time.Second
	longHop      = 30 * time.Minute
	longIdle     = time.Minute
	slowData     = 30 * time.Second // and slower than slowRate
	slowRate     = 10_000           // bytes a second
)

type smtpObserver struct {
	limit      int64 // SIZE that the server offered, 0 for none
	accepted   int   // recipients accepted in the transaction that goes on
	refused    bool  // MAIL or a RCPT of it was refused
	offersTLS  bool
	offersAuth bool
	loggedIn   bool
	hello      bool
	unanswered []*record.SMTPExchange
	messages   []*record.SMTPMessage // that were lost
	replies    int
	heard      time.Time            // when the server's last reply was there
	own        *record.SMTPExchange // the end of data that was answered for each recipient
}

func (o *smtpObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.SMTPExchange:
		o.exchange(r, rep)
	case *record.SMTPMessage:
		o.message(r, rep)
	case *record.Credential:
		o.credential(r, rep)
	case *record.Anomaly:
		o.anomaly(r, rep)
	}
}

// exchange judges one command and its reply.
func (o *smtpObserver) exchange(x *record.SMTPExchange, rep *Reporter) {
	if x.Unknown && strings.Contains(x.Command.String(), " HTTP/1.") {
		rep.Raise("smtp.http_client", fmt.Sprintf("%s speaks HTTP to the mail server %s", x.Client.Addr(), x.Server.Addr()), x)
	}
	if x.Reply == nil {
		if len(o.unanswered) < maxFindings {
			o.unanswered = append(o.unanswered, x)
		}
		return
	}
	o.replies++
	o.waiting(x, rep)
	switch x.Verb {
	case "EHLO", "LHLO":
		if x.Reply.Positive() {
			o.capabilities(x)
		}
	case "AUTH":
		o.loggedIn = o.loggedIn || x.Reply.Positive()
	case "MAIL":
		o.accepted, o.refused = 0, x.Reply.Code >= 400
		if n := size(x.Options); x.Reply.Positive() && o.limit > 0 && n > o.limit {
			rep.Raise("smtp.over_offered_size", fmt.Sprintf("MAIL announces %s, but %s takes %s at most", record.Bytes(n), x.Server.Addr(), record.Bytes(o.limit)), x)
		}
	case "RCPT":
		if x.Reply.Positive() {
			o.accepted++
			if local, _, ok := strings.Cut(x.Address, "@"); ok && !x.Inside && strings.ContainsAny(local, "%!") {
				rep.Raise("smtp.relay_trick_accepted", fmt.Sprintf("%s accepted the recipient %s", x.Server.Addr(), x.Address), x)
			}
		} else {
			o.refused = true
		}
	}
	if x.Reply.Code >= 400 {
		o.refusal(x, rep)
	}
	o.heard = x.Reply.Time.Add(x.Reply.Took.Duration())
	if len(x.Further) > 0 {
		o.own = x // whose reply is whose, the message knows
	}
}

func size(o *record.SMTPOptions) int64 {
	if o == nil {
		return 0
	}
	return o.Size
}

func (o *smtpObserver) capabilities(x *record.SMTPExchange) {
	o.limit, o.offersTLS, o.offersAuth, o.hello = 0, false, false, true
	for _, c := range x.Capabilities {
		word, params, _ := strings.Cut(c, " ")
		switch word {
		case "SIZE":
			if n, err := strconv.ParseInt(strings.TrimSpace(params), 10, 64); err == nil {
				o.limit = n
			}
		case "STARTTLS":
			o.offersTLS = true
		case "AUTH":
			o.offersAuth = true
		}
	}
}

// waiting compares the wait for a reply with what clients must grant (RFC
// 5321, section 4.5.3.2).
func (o *smtpObserver) waiting(x *record.SMTPExchange, rep *Reporter) {
	// A client cannot go on before the last line.
	wait := x.Wait + x.Reply.Took
	if x.Idle.Duration() >= longIdle {
		rep.Raise("smtp.idle_client", fmt.Sprintf("%s was silent for %s before %s (servers wait at least 5 minutes)", x.Client.Addr(), x.Idle, spoken(x)), x)
	}
	switch {
	case x.Greeting && wait.Duration() >= slowGreeting:
		rep.Raise("smtp.slow_greeting", fmt.Sprintf("%s greeted after %s", x.Server.Addr(), wait), x)
	case !x.Greeting && wait.Duration() >= slowReply:
		rep.Raise("smtp.slow_reply", fmt.Sprintf("%s took %s to answer %s (clients wait at least %s)", x.Server.Addr(), wait, spoken(x), patience(x.Verb)), x)
	}
}

// patience is how long a client must wait at least for the reply.
func patience(verb string) record.Seconds {
	switch verb {
	case "DATA":
		return record.Seconds(2 * time.Minute)
	case ".", "BDAT":
		return record.Seconds(10 * time.Minute)
	}
	return record.Seconds(5 * time.Minute)
}

// spoken names the exchange in a title.
func spoken(x *record.SMTPExchange) string {
	switch {
	case x.Greeting:
		return "the connection"
	case x.Verb == ".":
		return "the message"
	case x.Verb == "":
		return "nothing"
	case x.Address != "":
		return x.Verb + " " + x.Address
	case x.Domain != "":
		return x.Verb + " " + x.Domain
	}
	return x.Verb
}

// refusal raises what a reply of class 4 or 5 stands for.
func (o *smtpObserver) refusal(x *record.SMTPExchange, rep *Reporter) {
	r := x.Reply
	verb := x.Verb
	if x.Greeting {
		verb = "greeting"
	}
	switch verb {
	case "AUTH":
		o.authRefused(x, rep)
		return
	case "STARTTLS":
		o.raise("smtp.starttls_refused", "STARTTLS refused", x, r, rep)
		return
	case "DATA", "BDAT", ".":
		// No recipient was accepted: that is the cause, and was said.
		if o.accepted == 0 && o.refused {
			return
		}
	case "RCPT":
		if r.Code == 503 && o.refused && o.accepted == 0 {
			return
		}
	case "EHLO":
		if r.Code == 500 || r.Code == 502 {
			return // an old server: the client goes on with HELO
		}
	case "greeting", "MAIL", "HELO", "LHLO":
	default:
		// What Exim says to a client that is gone.
		if text := strings.ToLower(r.String()); verb == "" && (strings.Contains(text, "lost input connection") || strings.Contains(text, "lost incoming connection")) {
			return
		}
		if waited := record.Between(o.heard, r.Time); verb == "" && smtpRefusal(verb, r) == "smtp.client_timeout" {
			o.raise("smtp.client_timeout", fmt.Sprintf("%s was silent for %s, then given up", x.Client.Addr(), waited), x, r, rep)
			return
		}
		if r.Code != 421 && smtpRefusal(verb, r) != "smtp.auth_required" && smtpRefusal(verb, r) != "smtp.tls_required" {
			return
		}
	}
	word := "refused"
	if r.Transient() {
		word = "deferred"
	}
	what := map[string]string{
		"greeting": "client", "EHLO": "hello of " + x.Domain, "HELO": "hello of " + x.Domain, "LHLO": "hello of " + x.Domain,
		"MAIL": "sender " + x.Address, "RCPT": "recipient " + x.Address, ".": "message", "BDAT": "message",
	}[verb]
	if what == "" {
		what = "dialogue"
		if verb != "" {
			what = verb
		}
	}
	code := smtpRefusal(verb, r)
	// What submission servers say to who did not log in (Postfix with
	// permit_sasl_authenticated, reject).
	if code == "smtp.refused" && o.offersAuth && !o.loggedIn && strings.Contains(r.String(), "Access denied") {
		code = "smtp.auth_required"
	}
	o.raise(code, what+" "+word, x, r, rep)
}

func (o *smtpObserver) raise(code, what string, x *record.SMTPExchange, r *record.SMTPReply, rep *Reporter) {
	f := rep.Raise(code, fmt.Sprintf("%s by %s: %s", what, x.Server.Addr(), r), x)
	if len(f.Evidence) < 4 {
		f.Evidence = append(f.Evidence, r.Evidence(x.Head()))
	}
	if r.Transient() && f.Severity.Level() > record.SeverityWarning.Level() {
		f.Severity = record.SeverityWarning
	}
}

func (o *smtpObserver) authRefused(x *record.SMTPExchange, rep *Reporter) {
	r := x.Reply
	who := x.Account
	if who == "" {
		who = "a client"
	}
	what := fmt.Sprintf("login of %s by %s refused", who, x.Mechanism)
	switch {
	case r.Code == 454:
		o.raise("smtp.auth_unavailable", what, x, r, rep)
	case r.Code == 504 || r.Code == 534:
		o.raise("smtp.mechanism_refused", what, x, r, rep)
	case r.Code == 538 || r.Code == 523 || r.Code == 530 || strings.HasSuffix(r.Enhanced, ".7.11") || strings.HasSuffix(r.Enhanced, ".7.10"):
		o.raise("smtp.tls_required", what, x, r, rep)
	case r.Code == 503 || r.Code == 501:
	default:
		o.raise("smtp.auth_failed", what, x, r, rep)
	}
}

func (o *smtpObserver) credential(c *record.Credential, rep *Reporter) {
	who := c.Account
	if who == "" {
		who = "somebody"
	}
	did := map[string]string{"yes": "logged in", "no": "failed to log in"}[c.Worked]
	if did == "" {
		did = "tried to log in"
	}
	title := fmt.Sprintf("%s %s at %s by %s without encryption", who, did, c.Server.Addr(), c.Mechanism)
	switch {
	case c.Secret.IsZero():
	case c.Exposure == record.ExposureClear:
		rep.Raise("smtp.password_in_clear", title, c)
	case c.Exposure == record.ExposureCrackable:
		rep.Raise("smtp.password_crackable", title, c)
	}
}

// anomaly turns violations into findings, where they are more than a curiosity.
func (o *smtpObserver) anomaly(a *record.Anomaly, rep *Reporter) {
	code := map[string]string{
		"smtp_early_talker":           "smtp.early_talker",
		"smtp_pipelining_not_offered": "smtp.pipelining_not_offered",
		"smtp_extension_not_offered":  "smtp.extension_not_offered",
		"smtp_mechanism_not_offered":  "smtp.mechanism_not_offered",
		"smtp_starttls_vanished":      "smtp.starttls_stripped",
		"smtp_capability_overwritten": "smtp.starttls_stripped",
		"smtp_ambiguous_end":          "smtp.ambiguous_end",
		"smtp_smuggling":              "smtp.smuggling",
		"smtp_smuggling_accepted":     "smtp.smuggling_accepted",
		"starttls_injection":          "smtp.plaintext_injected",
	}[a.Code]
	if code == "" {
		return
	}
	title := map[string]string{
		"smtp.early_talker":           fmt.Sprintf("%s talked before the greeting", a.Client.Addr()),
		"smtp.starttls_stripped":      fmt.Sprintf("STARTTLS is taken out between %s and %s", a.Client.Addr(), a.Server.Addr()),
		"smtp.ambiguous_end":          fmt.Sprintf("message from %s with an ambiguous end of data", a.Client.Addr()),
		"smtp.smuggling":              fmt.Sprintf("%s tries to smuggle mail to %s", a.Client.Addr(), a.Server.Addr()),
		"smtp.smuggling_accepted":     fmt.Sprintf("%s took smuggled commands from %s", a.Server.Addr(), a.Client.Addr()),
		"smtp.plaintext_injected":     fmt.Sprintf("plain text from %s behind STARTTLS", a.Client.Addr()),
		"smtp.pipelining_not_offered": fmt.Sprintf("%s pipelines commands, which %s did not offer", a.Client.Addr(), a.Server.Addr()),
	}[code]
	if title == "" {
		title = a.Detail
	}
	rep.Raise(code, title, a, record.Plain(a.Detail))
}

// message judges what became of a message and how it was made.
func (o *smtpObserver) message(m *record.SMTPMessage, rep *Reporter) {
	if m.Outcome == record.MailUnknown && len(o.messages) < maxFindings {
		o.messages = append(o.messages, m)
	}
	if x := o.own; x != nil && x.Message == m.Sequence {
		for i := range m.To {
			if r := m.To[i].Final; r != nil && r.Code >= 400 && r != x.Reply {
				o.raise(smtpRefusal(x.Verb, r), "message not taken for "+m.To[i].Address, x, r, rep)
			}
		}
	}
	name := m.From + " to " + recipientsOf(m)
	if o.limit > 0 && m.Size > o.limit && size(m.Options) <= o.limit {
		rep.Raise("smtp.over_offered_size", fmt.Sprintf("message of %s (%s); %s takes %s at most", record.Bytes(m.Size), name, m.Server.Addr(), record.Bytes(o.limit)), m)
	}
	if took := m.Times.Transfer.Duration(); took >= slowData && m.Rate < slowRate && !m.Partial {
		rep.Raise("smtp.slow_data", fmt.Sprintf("message %s took %s for %s (%s/s)", name, m.Times.Transfer, record.Bytes(m.Size), record.Bytes(m.Rate)), m)
	}
	if m.LongLines > 0 {
		rep.Raise("smtp.long_lines", fmt.Sprintf("message %s has %d lines over 998 characters", name, m.LongLines), m)
	}
	if m.NUL && (m.Options == nil || m.Options.Body != "BINARYMIME") {
		rep.Raise("smtp.nul_in_data", fmt.Sprintf("message %s holds NUL", name), m)
	}
	declared := m.Options != nil && (m.Options.Body == "8BITMIME" || m.Options.Body == "BINARYMIME" || m.Options.SMTPUTF8)
	if m.EightBit && !declared {
		rep.Raise("smtp.undeclared_eight_bit", fmt.Sprintf("message %s holds 8-bit data without BODY=8BITMIME", name), m)
	}
	if !m.TLS && !m.LMTP && m.Transfer != "" && m.Outcome == record.MailDelivered && o.hello && !m.Client.Addr().IsLoopback() {
		title := fmt.Sprintf("mail from %s to %s was sent unencrypted; the server does not offer STARTTLS", m.Client.Addr(), m.Server.Addr())
		if o.offersTLS {
			title = fmt.Sprintf("mail from %s to %s was sent unencrypted although the server offers STARTTLS", m.Client.Addr(), m.Server.Addr())
		}
		rep.Raise("smtp.not_encrypted", title, m)
	}
	if m.Content != nil {
		mimeProblems(m, name, rep)
		bounce(m, rep)
	}
	if m.Content != nil && m.Content.Message != nil {
		o.hops(m, m.Content.Message.Hops, rep)
	}
}

func recipientsOf(m *record.SMTPMessage) string {
	switch n := len(m.To) + m.MoreTo; n {
	case 0:
		return "nobody"
	case 1:
		return m.To[0].Address
	default:
		return fmt.Sprintf("%s and %d others", m.To[0].Address, n-1)
	}
}

// maxHops is how many Received fields are a loop (RFC 5321, section 6.3 asks
// for at least 100; servers give up at 25 to 50).
const maxHops = 50

// hops looks for loops and long stays in the Received chain.
func (o *smtpObserver) hops(m *record.SMTPMessage, hops []record.Hop, rep *Reporter) {
	seen, loops := map[string]int{}, false
	for i, h := range hops {
		by := strings.ToLower(h.By)
		if by != "" {
			seen[by]++
		}
		if !loops && (by != "" && seen[by] == 4 || i == maxHops) {
			loops = true
			rep.Raise("smtp.mail_loop", fmt.Sprintf("message %s went through %d hops, %s among them again and again", m.From+" to "+recipientsOf(m), len(hops), h.By), m)
		}
		if h.Delay.Duration() >= longHop {
			rep.Raise("smtp.hop_delay", fmt.Sprintf("message %s needed %s to get to %s", m.From+" to "+recipientsOf(m), h.Delay, h.By), m, record.Plain("by "+h.By+" "+h.Date))
		}
	}
}

// End judges what was still open when the connection ended.
func (o *smtpObserver) End(s *record.Session, rep *Reporter) {
	o.ended(s, rep)
	rep.Explains("smtp.server_closing", "smtp.lost_in_data")
	rep.Explains("smtp.lost_after_data", "smtp.no_reply")
	rep.Explains("smtp.smuggling_accepted", "smtp.smuggling")
	rep.Explains("smtp.over_offered_size", "smtp.too_big")
	rep.Explains("smtp.tls_required", "smtp.auth_required")
	rep.Explains("smtp.early_talker", "smtp.out_of_turn")
	rep.Explains("smtp.http_client", "smtp.no_reply")
	rep.Explains("smtp.http_client", "smtp.early_talker")
	rep.Explains("smtp.pipelining_not_offered", "smtp.out_of_turn")
	explainedByTLS(rep, "smtp.server_closing", "smtp.tls_required")
}

func (o *smtpObserver) ended(s *record.Session, rep *Reporter) {
	if s == nil || s.OneSided || s.End == record.EndOpen || s.End == record.EndEvicted {
		return
	}
	end := s.Time.Add(s.Duration.Duration())
	for _, m := range o.messages {
		name := m.From + " to " + recipientsOf(m)
		switch {
		case m.Complete && m.FinalReply == nil:
			rep.Raise("smtp.lost_after_data", fmt.Sprintf("message %s was sent whole, but %s", name, m.Reason), m)
		case !m.DataAt.IsZero() && !m.Complete && m.FinalReply == nil && !m.Partial:
			rep.Raise("smtp.lost_in_data", fmt.Sprintf("message %s: %s", name, m.Reason), m)
		}
	}
	if s.ServerSide.Missing > 0 {
		return // the replies may be among what was not captured
	}
	for _, x := range o.unanswered {
		waited := record.Between(x.Time, end)
		switch {
		case x.Greeting:
			rep.Raise("smtp.no_greeting", fmt.Sprintf("%s never greeted; %s ended the connection after %s", x.Server.Addr(), who(s), waited), x)
			return
		case x.Verb == "QUIT" || x.Pipelined || rep.Has("smtp.server_closing"):
		default:
			title := fmt.Sprintf("%s did not answer %s; %s ended the connection after %s", x.Server.Addr(), spoken(x), who(s), waited)
			if least := patience(x.Verb); s.EndedBy == "client" && waited < least {
				title += fmt.Sprintf(" (clients wait at least %s)", least)
			}
			rep.Raise("smtp.no_reply", title, x)
		}
	}
}

func who(s *record.Session) string {
	if s.EndedBy == "" {
		return "nobody"
	}
	return "the " + s.EndedBy
}
