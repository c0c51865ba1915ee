package render

import (
	"strings"

	"sniff/record"
)

// eveSMTP is the envelope of a message. Addresses stand in brackets, as on the
// wire.
type eveSMTP struct {
	Helo     string   `json:"helo,omitempty"`
	MailFrom string   `json:"mail_from,omitempty"`
	RcptTo   []string `json:"rcpt_to,omitempty"`
}

// eveEmail is what the message itself says.
type eveEmail struct {
	Status     string   `json:"status"`
	From       string   `json:"from,omitempty"`
	To         []string `json:"to,omitempty"`
	Cc         []string `json:"cc,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Date       string   `json:"date,omitempty"`
	MessageID  string   `json:"message_id,omitempty"`
	XMailer    string   `json:"x_mailer,omitempty"`
	Received   []string `json:"received,omitempty"`
	Attachment []string `json:"attachment,omitempty"`
	URL        []string `json:"url,omitempty"`
}

// mail writes the smtp event of a message and a fileinfo event for each of its
// attachments.
func (e *EVE) mail(f *eveFlow, m *record.SMTPMessage) error {
	f.events++
	at := m.Time
	for _, r := range []*record.SMTPReply{m.MailReply, m.DataReply, m.FinalReply} {
		if r != nil && r.Time.After(at) {
			at = r.Time
		}
	}
	tx := max(m.Sequence-1, 0)
	v := e.event("smtp", &m.Header, at)
	v.TxID = &tx
	v.SMTP, v.Email = envelope(m), email(m)
	if err := e.put(v, m); err != nil || m.Content == nil {
		return err
	}
	var err error
	m.Content.Walk(func(c *record.Content) {
		if c.Name == "" || err != nil {
			return
		}
		v := e.event("fileinfo", &m.Header, at)
		v.AppProto, v.SMTP, v.Email = "smtp", envelope(m), email(m)
		v.FileInfo = fileInfo(c, c.Name, m.Complete, tx)
		err = e.put(v, m)
	})
	return err
}

func envelope(m *record.SMTPMessage) *eveSMTP {
	s := &eveSMTP{Helo: m.Hello, MailFrom: bracketed(m.From)}
	for i := range m.To {
		s.RcptTo = append(s.RcptTo, bracketed(m.To[i].Address))
	}
	if s.Helo == "" && s.MailFrom == "" && s.RcptTo == nil {
		return nil // the capture begins behind the envelope
	}
	return s
}

func bracketed(address string) string {
	if address == "" || strings.HasPrefix(address, "<") {
		return address
	}
	return "<" + address + ">"
}

// email describes the message; nil when none was sent.
func email(m *record.SMTPMessage) *eveEmail {
	if m.DataAt.IsZero() {
		return nil
	}
	x := &eveEmail{Status: "BODY_STARTED"}
	if m.Complete {
		x.Status = "PARSE_DONE"
	}
	c := m.Content
	if c == nil {
		return x
	}
	if h := c.Message; h != nil {
		x.From, x.To, x.Cc, x.Subject, x.Date, x.MessageID = h.From, h.To, h.Cc, h.Subject, h.Date, h.MessageID
		for _, f := range h.Fields {
			switch {
			case strings.EqualFold(f.Name, "X-Mailer"):
				x.XMailer = f.Value.String()
			case strings.EqualFold(f.Name, "Received"):
				x.Received = append(x.Received, f.Value.String())
			}
		}
	}
	c.Walk(func(p *record.Content) {
		if p.Name != "" {
			x.Attachment = append(x.Attachment, p.Name)
		}
		x.URL = append(x.URL, p.URLs...)
	})
	return x
}
