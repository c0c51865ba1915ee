package record

import (
	"fmt"
	"time"
)

// What became of a message or of one of its recipients.
const (
	MailDelivered = "delivered"        // the server took it
	MailDeferred  = "deferred"         // not now: the client should try again
	MailRefused   = "refused"          // never in this form
	MailPartly    = "partly delivered" // taken for some recipients only
	MailUnknown   = "unknown"          // see the reason
)

// SMTPMessage is one attempt to hand over a message: everything from MAIL to
// the reply behind the final dot.
type SMTPMessage struct {
	Header
	Sequence   int             `json:"sequence" doc:"number of the attempt in its session, from 1"`
	LMTP       bool            `json:"lmtp,omitempty" doc:"handed over by LMTP"`
	Hello      string          `json:"hello,omitempty" doc:"name that the client gave with HELO, EHLO or LHLO"`
	From       string          `json:"from" doc:"envelope sender without brackets; <> is the null sender; empty when it was not seen"`
	Options    *SMTPOptions    `json:"options,omitempty" doc:"parameters of MAIL"`
	To         []SMTPRecipient `json:"to,omitempty" doc:"envelope recipients in order, each with its own fate"`
	MoreTo     int             `json:"more_to,omitempty" doc:"recipients beyond the limit, not listed"`
	Outcome    string          `json:"outcome" doc:"delivered, deferred, refused, partly delivered or unknown"`
	Phase      string          `json:"phase,omitempty" doc:"where the outcome was decided: MAIL, RCPT, DATA, BDAT, data (inside it), end of data"`
	Reason     string          `json:"reason,omitempty" doc:"why it was not delivered, or why that is unknown"`
	QueueID    string          `json:"queue_id,omitempty" doc:"name that the server gave it, found in the final reply"`
	MailReply  *SMTPReply      `json:"mail_reply,omitempty" doc:"reply to MAIL"`
	DataReply  *SMTPReply      `json:"data_reply,omitempty" doc:"reply to DATA"`
	FinalReply *SMTPReply      `json:"final_reply,omitempty" doc:"reply behind the data, the first that refused it where there are several"`
	Transfer   string          `json:"transfer,omitempty" doc:"how the data was sent: DATA or BDAT"`
	Chunks     int             `json:"chunks,omitempty" doc:"BDAT commands"`
	Complete   bool            `json:"complete" doc:"the end of its data was seen"`
	Partial    bool            `json:"partial,omitempty" doc:"bytes of its data are missing from the capture"`
	Size       int64           `json:"size" doc:"bytes of the message seen, dot-stuffing undone"`
	Missing    int64           `json:"missing,omitempty" doc:"bytes of its data known to be missing; -1 when unknown how many"`
	LongLines  int             `json:"long_lines,omitempty" doc:"lines over 998 characters"`
	BareLF     int             `json:"bare_lf,omitempty" doc:"line feeds without carriage return in the data"`
	BareCR     int             `json:"bare_cr,omitempty" doc:"carriage returns without line feed in the data"`
	NUL        bool            `json:"nul,omitempty" doc:"the data holds NUL"`
	EightBit   bool            `json:"eight_bit,omitempty" doc:"the data holds bytes above 127"`
	Rate       int64           `json:"rate,omitempty" doc:"bytes a second, from the first byte of the message to its last"`
	DataAt     time.Time       `json:"data_at,omitzero" doc:"when the first byte of its data was seen"`
	DataEnd    time.Time       `json:"data_end,omitzero" doc:"when the end of its data was seen"`
	TLS        bool            `json:"tls" doc:"handed over inside TLS"`
	TLSVersion string          `json:"tls_version,omitempty" doc:"version of TLS"`
	TLSCipher  string          `json:"tls_cipher,omitempty" doc:"cipher suite of TLS"`
	User       string          `json:"user,omitempty" doc:"identity that the client had logged in with"`
	Times      SMTPTimes       `json:"times" doc:"time spent in each phase, seconds"`
	Content    *Content        `json:"content,omitempty" doc:"what the message holds"`
}

// SMTPRecipient is one recipient of a message and what became of it.
type SMTPRecipient struct {
	Address string       `json:"address" doc:"address without brackets"`
	Options *SMTPOptions `json:"options,omitempty" doc:"parameters of RCPT"`
	Fate    string       `json:"fate" doc:"delivered, deferred, refused or unknown"`
	Reply   *SMTPReply   `json:"reply,omitempty" doc:"reply to RCPT"`
	Final   *SMTPReply   `json:"final,omitempty" doc:"the recipient's own reply behind the data (LMTP, PRDR)"`
}

// SMTPTimes is where the time of an attempt went.
type SMTPTimes struct {
	Mail       Seconds `json:"mail,omitempty" doc:"from MAIL to its reply"`
	Recipients Seconds `json:"recipients,omitempty" doc:"from the first RCPT to the last reply to one"`
	Data       Seconds `json:"data,omitempty" doc:"from DATA to its reply"`
	Transfer   Seconds `json:"transfer,omitempty" doc:"from the first byte of the message to the last"`
	Final      Seconds `json:"final,omitempty" doc:"from the last byte of the message to the final reply"`
	Total      Seconds `json:"total,omitempty" doc:"from MAIL to the last thing seen of the attempt"`
}

func (*SMTPMessage) Kind() Kind { return KindSMTPMessage }

// Summary says who wrote to whom and what became of it: "a@x to b@y, 12 KB,
// accepted as 4F2C".
func (m *SMTPMessage) Summary() string {
	s := m.from() + " to " + m.recipients()
	if m.From == "" && len(m.To) == 0 {
		s = "message with unknown envelope"
	}
	if !m.DataAt.IsZero() {
		s += ", " + Bytes(m.Size)
		if m.Partial {
			s += " seen"
		}
	}
	return s + ", " + m.verdict()
}

func (m *SMTPMessage) from() string {
	if m.From == "" {
		return "somebody"
	}
	return m.From
}

// recipients names the first recipient and counts the others.
func (m *SMTPMessage) recipients() string {
	n := len(m.To) + m.MoreTo
	switch n {
	case 0:
		return "nobody"
	case 1:
		return m.To[0].Address
	case 2:
		return m.To[0].Address + " and " + m.To[1].Address
	}
	return fmt.Sprintf("%s and %d others", m.To[0].Address, n-1)
}

func (m *SMTPMessage) verdict() string {
	switch m.Outcome {
	case MailDelivered:
		if m.QueueID != "" {
			return "accepted as " + m.QueueID
		}
		return "accepted"
	case MailPartly:
		s := fmt.Sprintf("accepted for %d of %d recipients", m.count(MailDelivered), len(m.To)+m.MoreTo)
		if m.QueueID != "" {
			s += " as " + m.QueueID
		}
		if m.Reason != "" {
			s += "; " + m.Reason
		}
		return s
	case MailUnknown:
		if m.Reason != "" {
			return "outcome unknown: " + m.Reason
		}
		return "outcome unknown"
	}
	if m.Reason != "" {
		return m.Reason
	}
	return m.Outcome
}

func (m *SMTPMessage) count(fate string) int {
	n := 0
	for i := range m.To {
		if m.To[i].Fate == fate {
			n++
		}
	}
	return n
}

// toldMessages is how many messages of one session are told in full.
const toldMessages = 2

// Tell tells the first messages of a session in full and counts the others.
func (m *SMTPMessage) Tell(o *Outline) {
	hello := o.Fact("smtp.hello")
	hello.N++
	if hello.Rank < 3 {
		hello.Text = ""
	}
	if hello.N <= toldMessages {
		o.Fact(fmt.Sprintf("smtp.message.%d", hello.N)).Text = m.Summary()
		return
	}
	f := o.Fact("smtp.messages")
	f.N++
	if m.Outcome == MailDelivered {
		f.Sum++
	}
	f.Text = fmt.Sprintf("%d more messages, ", f.N)
	if f.N == 1 {
		f.Text = "1 more message, "
	}
	if f.Sum == int64(f.N) {
		f.Text += "accepted"
	} else {
		f.Text += fmt.Sprintf("%d accepted", f.Sum)
	}
}

// Lines returns the body, folded, with the dot that ends it, and what became of
// the message.
func (m *SMTPMessage) Lines() []Line {
	var lines []Line
	last := m.Time
	if !m.DataAt.IsZero() {
		l := Line{Time: m.DataAt, Dir: ClientToServer, Text: Plain("(message, " + Bytes(m.Size) + ")")}
		if m.Partial {
			l.Text = Plain("(message, " + Bytes(m.Size) + " seen, parts of it are missing)")
		}
		lines = append(lines, l)
		if m.Content != nil {
			lines[0].Fold = foldContent(m.Content)
			lines = appendParts(lines, m.DataAt, ClientToServer, m.Content)
		}
		last = m.DataAt
		if m.Transfer == "DATA" && !m.DataEnd.IsZero() {
			lines = append(lines, Line{Time: m.DataEnd, Dir: ClientToServer, Text: Plain(".")})
			last = m.DataEnd
		}
	}
	for _, r := range []*SMTPReply{m.MailReply, m.DataReply, m.FinalReply} {
		if r != nil && r.Time.After(last) {
			last = r.Time
		}
	}
	for i := range m.To {
		if r := m.To[i].Reply; r != nil && r.Time.After(last) {
			last = r.Time
		}
		if r := m.To[i].Final; r != nil && r.Time.After(last) {
			last = r.Time
		}
	}
	return append(lines, Line{Time: last, Note: true, Text: Plain(m.Summary())})
}
