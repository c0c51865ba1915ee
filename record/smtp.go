package record

import (
	"fmt"
	"strings"
	"time"
)

// SMTPExchange is one command of an SMTP or LMTP dialogue with its reply. The
// greeting is an exchange without a command, the end of a message's data one
// with the verb ".", and a whole AUTH dialogue is a single exchange.
type SMTPExchange struct {
	Header
	Verb         string       `json:"verb,omitempty" doc:"command verb in upper case; . for the end of a message's data; empty for the greeting and for a reply without a command"`
	Command      Text         `json:"command,omitzero" doc:"command line as it stands, without its line end, secrets masked"`
	Greeting     bool         `json:"greeting,omitempty" doc:"it is the server's greeting"`
	Unknown      bool         `json:"unknown,omitempty" doc:"the verb is none that SMTP or its extensions know"`
	Domain       string       `json:"domain,omitempty" doc:"name or address literal that the client gave with HELO, EHLO or LHLO"`
	Address      string       `json:"address,omitempty" doc:"address of MAIL or RCPT without brackets; <> is the null sender"`
	Options      *SMTPOptions `json:"options,omitempty" doc:"parameters of MAIL or RCPT"`
	Chunk        int64        `json:"chunk,omitempty" doc:"size that BDAT announced"`
	Last         bool         `json:"last,omitempty" doc:"BDAT said LAST"`
	Mechanism    string       `json:"mechanism,omitempty" doc:"SASL mechanism of AUTH"`
	Account      string       `json:"account,omitempty" doc:"identity that AUTH gave"`
	Steps        []SMTPStep   `json:"steps,omitempty" doc:"challenges and responses of AUTH, in order"`
	Reply        *SMTPReply   `json:"reply,omitempty" doc:"the server's reply; absent when none was seen"`
	Further      []*SMTPReply `json:"further,omitempty" doc:"further replies to the same command: one for each recipient (LMTP, PRDR)"`
	Capabilities []string     `json:"capabilities,omitempty" doc:"extensions that the server offered, as they stand, upper case keyword first"`
	Wait         Seconds      `json:"wait,omitempty" doc:"from the last byte of the command to the first of the reply; for the greeting, from the connection's first packet"`
	Idle         Seconds      `json:"idle,omitempty" doc:"from the reply before to the first byte of this command"`
	Pipelined    bool         `json:"pipelined,omitempty" doc:"sent before the reply to an earlier command was seen"`
	Inside       bool         `json:"inside,omitempty" doc:"the command lies inside a message's data by the strict reading, but the server answered it"`
	Unanswered   string       `json:"unanswered,omitempty" doc:"why there is no reply, in words"`
	Message      int          `json:"message,omitempty" doc:"number of the message in its session that it belongs to, from 1"`
	TLS          bool         `json:"tls,omitempty" doc:"said inside TLS"`
}

// SMTPStep is one line of an AUTH dialogue between the command and its final
// reply.
type SMTPStep struct {
	From string    `json:"from" doc:"who said it: client or server"`
	Text Text      `json:"text" doc:"the line as it stands, secrets masked"`
	Time time.Time `json:"time" doc:"when its first byte was seen"`
}

// SMTPReply is one reply of the server.
type SMTPReply struct {
	Code         int       `json:"code" doc:"reply code; 0 when the reply has none"`
	Enhanced     string    `json:"enhanced,omitempty" doc:"enhanced status code (RFC 3463), such as 5.1.1"`
	Text         []string  `json:"text" doc:"lines without code and enhanced code"`
	Meaning      string    `json:"meaning,omitempty" doc:"what the codes mean at this place of the dialogue, in words"`
	Malformed    string    `json:"malformed,omitempty" doc:"how it breaks the grammar of replies"`
	Partial      bool      `json:"partial,omitempty" doc:"part of it is missing"`
	Time         time.Time `json:"time" doc:"when its first byte was seen"`
	Took         Seconds   `json:"took,omitempty" doc:"from its first line to its last, where they came apart"`
	Offset       int64     `json:"offset" doc:"offset of that byte in the server's stream"`
	StreamOffset int64     `json:"stream_offset,omitempty" doc:"where that byte came out of TLS: offset of the TLS record that carried it, as in the header"`
	Packet       uint64    `json:"-" doc:"number of the packet that carried it"`

	// Wire holds the lines as they stand, for the dialogue.
	Wire []string `json:"-"`
}

// Positive reports a reply of class 2.
func (r *SMTPReply) Positive() bool { return r != nil && r.Code/100 == 2 }

// Transient reports a reply of class 4: try again.
func (r *SMTPReply) Transient() bool { return r != nil && r.Code/100 == 4 }

// Permanent reports a reply of class 5: do not try again as it is.
func (r *SMTPReply) Permanent() bool { return r != nil && r.Code/100 == 5 }

// maxReason bounds the text of String.
const maxReason = 200

// String gives the codes and the text: "550 5.1.1 no such user". Of a reply
// that agrees the first line that says something is enough.
func (r *SMTPReply) String() string {
	if r == nil {
		return "no reply"
	}
	var parts []string
	if r.Code > 0 {
		parts = append(parts, fmt.Sprintf("%03d", r.Code))
	}
	if r.Enhanced != "" {
		parts = append(parts, r.Enhanced)
	}
	for _, t := range r.Text {
		if t = strings.TrimSpace(t); t == "" {
			continue
		}
		parts = append(parts, t)
		if r.Code < 400 {
			break
		}
	}
	s := strings.Join(parts, " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}

// Evidence points at the reply.
func (r *SMTPReply) Evidence(h *Header) Evidence {
	e := Evidence{Session: h.Session, Dir: ServerToClient.String(), Text: Plain(r.String())}
	e.Packet, e.Time, e.Offset = r.Packet, r.Time, r.Offset
	return e
}

// SMTPOptions are the parameters of MAIL and RCPT.
type SMTPOptions struct {
	Size       int64       `json:"size,omitempty" doc:"SIZE: bytes that the client announced (RFC 1870)"`
	Body       string      `json:"body,omitempty" doc:"BODY: 7BIT, 8BITMIME or BINARYMIME (RFC 6152, RFC 3030)"`
	SMTPUTF8   bool        `json:"smtputf8,omitempty" doc:"SMTPUTF8: addresses or headers may be UTF-8 (RFC 6531)"`
	Return     string      `json:"ret,omitempty" doc:"RET: FULL or HDRS, how much a bounce returns (RFC 3461)"`
	EnvelopeID string      `json:"envid,omitempty" doc:"ENVID, xtext decoded (RFC 3461)"`
	Notify     []string    `json:"notify,omitempty" doc:"NOTIFY: NEVER, SUCCESS, FAILURE, DELAY (RFC 3461)"`
	Original   string      `json:"orcpt,omitempty" doc:"ORCPT: original recipient, xtext decoded (RFC 3461)"`
	Auth       string      `json:"auth,omitempty" doc:"AUTH: who submitted it first, xtext decoded (RFC 4954)"`
	Priority   *int        `json:"mt_priority,omitempty" doc:"MT-PRIORITY: -9 to 9 (RFC 6710)"`
	RequireTLS bool        `json:"requiretls,omitempty" doc:"REQUIRETLS: never send on in the clear (RFC 8689)"`
	HoldFor    Seconds     `json:"holdfor,omitempty" doc:"HOLDFOR: seconds to hold it before delivery (RFC 4865)"`
	HoldUntil  string      `json:"holduntil,omitempty" doc:"HOLDUNTIL: when to deliver it (RFC 4865)"`
	By         string      `json:"by,omitempty" doc:"BY: deliver by that time or else (RFC 2852)"`
	PRDR       bool        `json:"prdr,omitempty" doc:"PRDR: a reply for each recipient behind the data"`
	Other      []SMTPParam `json:"other,omitempty" doc:"parameters not known, or known with a value that breaks their grammar"`
}

// SMTPParam is a parameter as it stands.
type SMTPParam struct {
	Name  string `json:"name" doc:"keyword as it stands"`
	Value string `json:"value,omitempty" doc:"value as it stands"`
}

func (*SMTPExchange) Kind() Kind { return KindSMTPExchange }

func (x *SMTPExchange) Summary() string {
	var s string
	switch {
	case x.Greeting:
		s = "greeting"
	case x.Verb == ".":
		s = "end of data"
	case x.Command.IsZero():
		s = "reply without a command"
	default:
		s = x.Command.String()
	}
	if x.Reply != nil {
		s += " -> " + x.Reply.String()
	} else if x.Unanswered != "" {
		s += " -> " + x.Unanswered
	}
	return s
}

// Tell says what happened beside the messages: logins, STARTTLS, a refusal to
// talk at all.
func (x *SMTPExchange) Tell(o *Outline) {
	switch {
	case x.Greeting:
		if x.Reply != nil && !x.Reply.Positive() {
			f := o.Fact("smtp.hello")
			f.Rank, f.Text = 3, "refused at the greeting: "+x.Reply.String()
		} else if x.Reply == nil {
			f := o.Fact("smtp.hello")
			f.Text = "no greeting"
		}
	case x.Verb == "EHLO" || x.Verb == "HELO" || x.Verb == "LHLO":
		f := o.Fact("smtp.hello")
		switch {
		case x.Reply.Positive():
			if f.Rank < 3 && f.N == 0 {
				f.Rank, f.Text = -3, x.Verb+" "+x.Domain+", no message"
			}
		case x.Reply != nil && f.N == 0:
			f.Rank, f.Text = 3, "refused at "+x.Verb+": "+x.Reply.String()
		}
	case x.Verb == "STARTTLS":
		f := o.Fact("smtp.starttls")
		f.Rank = 2
		switch {
		case x.Reply.Positive():
			f.Text = "STARTTLS"
			// What follows may be unreadable: then "no message" would be a guess.
			if h := o.Fact("smtp.hello"); h.Rank < 3 && h.N == 0 {
				h.Text = ""
			}
		case x.Reply != nil:
			f.Text = "STARTTLS refused: " + x.Reply.String()
		default:
			f.Text = "STARTTLS not answered"
		}
	case x.Verb == "AUTH" && x.Reply != nil && x.Reply.Code != 503:
		who := x.Account
		if who == "" {
			who = x.Mechanism
		}
		f := o.Fact("smtp.auth")
		f.Rank = 1
		if x.Reply.Positive() {
			f.Text = "login " + who
			if f.N > 0 {
				f.Text += fmt.Sprintf(" after %d failed", f.N)
			}
			return
		}
		f.N++
		f.Text = "login " + who + " failed"
		if f.N > 1 {
			f.Text += fmt.Sprintf(" %d times", f.N)
		}
	case x.Reply != nil && x.Reply.Code == 421:
		f := o.Fact("smtp.hello")
		f.Rank, f.Text = 3, "closed by the server: "+x.Reply.String()
	}
}

// Lines returns the command, the steps of an AUTH and the replies. The dot
// behind a message's data is left to the message, where it stands behind the
// body.
func (x *SMTPExchange) Lines() []Line {
	var lines []Line
	if !x.Command.IsZero() && (x.Verb != "." || x.Inside) {
		lines = append(lines, Line{Time: x.Time, Dir: ClientToServer, Text: x.Command})
	}
	for _, s := range x.Steps {
		d := ClientToServer
		if s.From == ServerToClient.String() {
			d = ServerToClient
		}
		lines = append(lines, Line{Time: s.Time, Dir: d, Text: s.Text})
	}
	if x.Reply != nil {
		lines = x.Reply.appendLines(lines)
	}
	for _, r := range x.Further {
		lines = r.appendLines(lines)
	}
	if x.Reply == nil && x.Unanswered != "" {
		lines = append(lines, Line{Time: x.Time, Note: true, Text: Plain(x.Unanswered)})
	}
	return lines
}

func (r *SMTPReply) appendLines(lines []Line) []Line {
	for i, w := range r.Wire {
		at := r.Time
		if i > 0 && i == len(r.Wire)-1 {
			at = at.Add(r.Took.Duration())
		}
		lines = append(lines, Line{Time: at, Dir: ServerToClient, Text: Plain(w)})
	}
	if r.Meaning != "" && r.Code >= 400 {
		lines = append(lines, Line{Time: r.Time, Note: true, Text: Plain(r.Meaning)})
	}
	return lines
}
