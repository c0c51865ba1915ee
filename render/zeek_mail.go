package render

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"sniff/record"
)

// mail writes the line of a message and one for each of its files.
func (z *Zeek) mail(c *zeekConn, m *record.SMTPMessage) error {
	at := c.mailBegan
	if at.IsZero() {
		at = m.Time
	}
	c.mailBegan = time.Time{}
	r := z.row(&m.Header, c.uid, at)
	r.set("trans_depth", int64(m.Sequence))
	r.set("helo", m.Hello)
	r.set("mailfrom", m.From)
	if len(m.To) > 0 {
		var to []string
		for i := range m.To {
			to = append(to, m.To[i].Address)
		}
		r.set("rcptto", to)
	}
	path := []netip.Addr{m.Server.Addr().Unmap(), m.Client.Addr().Unmap()}
	if m.Content != nil && m.Content.Message != nil {
		path = append(path, zeekHead(r, m.Content.Message)...)
	}
	r.set("path", path)
	r.set("last_reply", lastReply(m))
	r.set("tls", m.TLS)
	fuids, err := z.mailFiles(c, m)
	if err != nil {
		return err
	}
	r.set("fuids", fuids)
	return z.put("smtp", r)
}

// zeekHead sets the columns that come from the message's head and returns the
// addresses of its Received fields.
func zeekHead(r *zeekRow, h *record.Message) []netip.Addr {
	r.set("date", h.Date)
	r.set("from", h.From)
	if len(h.To) > 0 {
		r.set("to", h.To)
	}
	if len(h.Cc) > 0 {
		r.set("cc", h.Cc)
	}
	r.set("reply_to", h.ReplyTo)
	r.set("msg_id", h.MessageID)
	r.set("in_reply_to", h.InReplyTo)
	r.set("subject", h.Subject)
	r.set("user_agent", h.UserAgent)
	if ip, err := netip.ParseAddr(h.OriginatingIP); err == nil {
		r.set("x_originating_ip", ip)
	}
	var path []netip.Addr
	received := 0
	for _, f := range h.Fields {
		if !strings.EqualFold(f.Name, "Received") {
			continue
		}
		value := f.Value.String()
		switch received++; received {
		case 1:
			r.set("first_received", value)
		case 2:
			r.set("second_received", value)
		}
		if m := addressPattern.FindStringSubmatch(value); m != nil {
			if ip, err := netip.ParseAddr(m[1]); err == nil {
				path = append(path, ip.Unmap())
			}
		}
	}
	return path
}

// addressPattern finds the address literal in a Received field.
var addressPattern = regexp.MustCompile(`\[(?:IPv6:)?([0-9a-fA-F:.]+)\]`)

// lastReply is the latest reply about the message.
func lastReply(m *record.SMTPMessage) string {
	last := m.MailReply
	for i := range m.To {
		if m.To[i].Reply != nil {
			last = m.To[i].Reply
		}
	}
	for _, r := range []*record.SMTPReply{m.DataReply, m.FinalReply} {
		if r != nil {
			last = r
		}
	}
	if last == nil {
		return ""
	}
	text := ""
	if len(last.Text) > 0 {
		text = last.Text[len(last.Text)-1]
	}
	if last.Enhanced != "" {
		text = strings.TrimSpace(last.Enhanced + " " + text)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", last.Code, text))
}

// mailFiles writes the lines of the files in a message and returns their ids.
func (z *Zeek) mailFiles(c *zeekConn, m *record.SMTPMessage) ([]string, error) {
	fuids := []string{}
	if m.Content == nil {
		return fuids, nil
	}
	var err error
	n := 0
	m.Content.Walk(func(p *record.Content) {
		if len(p.Parts) > 0 || p.Size == 0 && p.Missing == 0 || err != nil || p.Message != nil && p == m.Content {
			return
		}
		n++
		fuid := zeekID('F', m.Session, fmt.Sprint(m.Offset), "mail", fmt.Sprint(n))
		fuids = append(fuids, fuid)
		err = z.file(c.uid, &m.Header, fuid, "SMTP", m.DataAt, p, 0, true)
	})
	return fuids, err
}
