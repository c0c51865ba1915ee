package smtp

import (
	"encoding/base64"
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// login is an AUTH dialogue (RFC 4954, section 4).
type login struct {
	mechanism string
	// said are the client's responses, asked the server's challenges, both
	// decoded. An initial response counts as the answer to an empty challenge.
	said, asked [][]byte
	cancelled   bool
	// blind: lines of it are missing, so that it is not known which response
	// is which. All of them count as secret then.
	blind bool
}

// maxSteps bounds the lines of one AUTH dialogue that are kept.
const maxSteps = 32

// beginAuth takes the AUTH command, perhaps with an initial response.
func (d *dissector) beginAuth(x *exchange, args, line string) dissect.Action {
	mechanism, initial, _ := strings.Cut(args, " ")
	initial = strings.TrimSpace(initial)
	x.login = &login{mechanism: strings.ToUpper(mechanism)}
	x.rec.Mechanism = x.login.mechanism
	if offered := " " + strings.ToUpper(d.offers.keywords["AUTH"]) + " "; d.offers.has("AUTH") && mechanism != "" && !strings.Contains(offered, " "+x.login.mechanism+" ") {
		d.violation(d.client(), stampOf(&x.rec.Header), "smtp_mechanism_not_offered", "AUTH with "+x.login.mechanism+", which the server did not offer")
	}
	if initial != "" {
		x.login.asked = append(x.login.asked, nil)
		secret := x.login.secretNext()
		x.login.hear(initial)
		if at := strings.LastIndex(line, initial); secret && at >= 0 {
			x.rec.Command = record.Masked(line, at, at+len(initial))
		}
	}
	d.push(x)
	return d.hold(x, inAnswer)
}

// challenge takes a 334: the client's next line answers it.
func (d *dissector) challenge(x *exchange, r *record.SMTPReply) dissect.Action {
	text := strings.TrimSpace(strings.Join(r.Text, ""))
	if len(x.login.asked) < maxSteps {
		b, _ := decode64(text)
		x.login.asked = append(x.login.asked, b)
		said := record.SMTPStep{From: d.client().Other().String(), Time: r.Time, Text: record.Plain(strings.Join(r.Wire, "\n"))}
		x.rec.Steps = append(x.rec.Steps, said)
	}
	if x.login.mechanism == "" {
		// Its beginning was not seen; LOGIN is known by its prompts.
		if b, _ := decode64(text); hasFold(string(b), "username") || hasFold(string(b), "password") {
			x.login.mechanism, x.rec.Mechanism = "LOGIN", "LOGIN"
			if hasFold(string(b), "password") {
				x.login.said = append(x.login.said, nil)
			}
		}
	}
	d.held, d.mode, d.lost = x, inAuth, false
	return dissect.Release(d.client())
}

// orphanAuth takes a 334 to an AUTH that was not seen.
func (d *dissector) orphanAuth(r *record.SMTPReply) dissect.Action {
	x := &exchange{rec: &record.SMTPExchange{Verb: "AUTH"}, rcpt: -1, login: &login{}}
	x.rec.Stamp(stampOfReply(r), d.client().Other())
	d.queue = append(d.queue, x)
	return d.challenge(x, r)
}

// authLine takes the client's answer to a challenge. "*" cancels.
func (d *dissector) authLine(s string, at, end record.Stamp) dissect.Action {
	x := d.held
	if x == nil {
		d.mode = inCommands
		return d.command(parseCommand(s), s, at, end)
	}
	text := record.Plain(s)
	if x.login.secretNext() && s != "*" {
		text = record.Masked(s, 0, -1)
	}
	if len(x.rec.Steps) < 2*maxSteps {
		x.rec.Steps = append(x.rec.Steps, record.SMTPStep{From: d.client().String(), Text: text, Time: at.Time})
	}
	x.end = end.Time
	if s == "*" {
		x.login.cancelled = true
	} else if !x.login.hear(s) {
		d.violation(d.client(), at, "smtp_auth_malformed", "a response of AUTH that is not base64")
	}
	return d.hold(x, inAnswer)
}

// hear keeps one response; it reports whether it was base64.
func (l *login) hear(s string) bool {
	b, ok := decode64(s)
	if !ok {
		b = []byte(s)
	}
	if len(l.said) < maxSteps {
		l.said = append(l.said, b)
	}
	return ok
}

// secretNext reports whether the response that comes next holds a secret.
func (l *login) secretNext() bool {
	step := len(l.said)
	if l.blind {
		return true
	}
	switch l.mechanism {
	case "LOGIN":
		return step > 0
	case "EXTERNAL", "ANONYMOUS":
		return false
	case "NTLM":
		return step > 0
	case "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS":
		return step > 0
	}
	return true
}

func knownMechanism(m string) bool {
	switch m {
	case "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "GSSAPI", "GS2-KRB5", "EXTERNAL", "ANONYMOUS", "XOAUTH2", "OAUTHBEARER",
		"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS":
		return true
	}
	return false
}

// decode64 decodes base64; "=" stands for an empty response (RFC 4954,
// section 4), missing padding is taken as it comes.
func decode64(s string) ([]byte, bool) {
	s = strings.TrimRight(strings.TrimSpace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// onAuth acts on the final reply to AUTH.
func (d *dissector) onAuth(x *exchange, r *record.SMTPReply) {
	d.credential(x, r)
	if r.Positive() {
		d.user = x.rec.Account
		if d.user == "" {
			d.user = x.login.mechanism
		}
	}
}

// credential reports the attempt to log in. r is nil when no final reply was
// seen.
func (d *dissector) credential(x *exchange, r *record.SMTPReply) {
	l := x.login
	id := l.identity()
	x.rec.Account = printable(id.account)
	if len(l.said) == 0 {
		return
	}
	c := &record.Credential{
		Account:   x.rec.Account,
		Realm:     printable(id.realm),
		Mechanism: l.mechanism,
		Exposure:  id.exposure,
		Worked:    "unknown",
		HashMode:  id.hashMode,
	}
	if id.secret != "" {
		c.Secret = d.env.Secret(id.secret)
	}
	if id.hash != "" {
		c.Hash = d.env.Secret(id.hash)
	}
	if d.tls {
		c.Exposure = record.ExposureHidden
	}
	switch {
	case r.Positive():
		c.Worked, c.Reply = "yes", r.String()
	case r != nil:
		c.Worked, c.Reply = "no", r.String()
	}
	if l.cancelled {
		c.Worked, c.Reply = "no", strings.TrimSpace(fmt.Sprintf("cancelled by the client; %s", r.String()))
	}
	dir := d.client()
	if x.rec.Dir == dir.Other().String() {
		dir = dir.Other() // of an AUTH that was not seen there is the answer only
	}
	c.Stamp(stampOf(&x.rec.Header), dir)
	d.env.Emit(c)
}

// printable bounds and cleans an identity that came out of base64.
func printable(s string) string {
	if len(s) > 320 {
		s = s[:320]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
