package content

import (
	"strings"

	"sniff/record"
)

// maxValue is the longest field value that a record keeps.
const maxValue = 16 << 10

// readHead makes c.Message of a message's header fields. charset is what raw
// 8-bit text is taken for when it is no UTF-8.
func readHead(rd *reading, c *record.Content, fields []field, charset string) {
	m := &record.Message{}
	c.Message = m
	once := map[string]bool{}
	limits := &rd.r.config.Limits
	for i := range fields {
		f := &fields[i]
		name := strings.ToLower(f.name)
		value := clip(f.value, maxValue)
		if len(m.Fields) >= limits.Fields || rd.head > limits.Head {
			m.MoreFields++
			c.Problem("head_too_long")
		} else {
			decoded := decodeText(value, charset)
			rd.head += len(f.name) + len(decoded)
			m.Fields = append(m.Fields, record.Field{Name: clip(f.name, 256), Value: record.Plain(decoded)})
		}
		if limit := limits.Head; rd.head > 2*limit {
			continue
		}
		switch name {
		case "from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to":
			// RFC 5322, section 3.6: at most one of each. Readers differ on
			// which of two they show, which is why there are two.
			if once[name] {
				c.Problem("head_duplicate")
				if name != "to" && name != "cc" && name != "bcc" {
					continue
				}
			}
			once[name] = true
		}
		rd.head += summarise(c, m, name, value, charset)
	}
	delays(m)
	if m.Date != "" && m.Sent.IsZero() {
		c.Problem("date_broken")
	}
}

// summarise puts one field into m, and returns about how many bytes it took.
func summarise(c *record.Content, m *record.Message, name, value, charset string) int {
	size := len(value)
	switch name {
	case "from":
		m.From = strings.Join(addresses(nil, value, charset), ", ")
	case "sender":
		m.Sender = strings.Join(addresses(nil, value, charset), ", ")
	case "reply-to":
		m.ReplyTo = strings.Join(addresses(nil, value, charset), ", ")
	case "to":
		n := len(m.To)
		m.To = addresses(m.To, value, charset)
		size += 16 * (len(m.To) - n)
	case "cc":
		n := len(m.Cc)
		m.Cc = addresses(m.Cc, value, charset)
		size += 16 * (len(m.Cc) - n)
	case "bcc":
		n := len(m.Bcc)
		m.Bcc = addresses(m.Bcc, value, charset)
		size += 16 * (len(m.Bcc) - n)
	case "subject":
		m.Subject = decodeText(value, charset)
	case "date":
		m.Date = clip(value, 256)
		m.Sent = parseDate(value)
	case "message-id":
		m.MessageID = clip(strings.TrimSpace(withoutComments(value)), 1024)
	case "in-reply-to":
		m.InReplyTo = clip(strings.TrimSpace(withoutComments(value)), 1024)
	case "return-path":
		if m.ReturnPath == "" {
			m.ReturnPath = clip(value, 1024)
		}
	case "user-agent", "x-mailer":
		if m.UserAgent == "" {
			m.UserAgent = clip(decodeText(value, charset), 1024)
		}
	case "x-originating-ip":
		if m.OriginatingIP == "" {
			m.OriginatingIP = clip(strings.Trim(value, " \t[]"), 256)
		}
	case "auto-submitted":
		m.AutoSubmitted = clip(value, 256)
	case "received":
		if len(m.Hops) < maxHops {
			m.Hops = append(m.Hops, readHop(value))
		}
	case "authentication-results":
		if len(m.Auth) < maxHops {
			m.Auth = authResults(m.Auth, value)
		}
	case "dkim-signature":
		if len(m.DKIM) < maxHops {
			m.DKIM = append(m.DKIM, readDKIM(value))
		}
	case "arc-seal":
		if len(m.ARC) < maxHops {
			m.ARC = append(m.ARC, readARC(value))
		}
	case "list-id", "list-post", "list-unsubscribe", "list-help", "list-archive":
		if m.List == nil {
			m.List = &record.List{}
		}
		readList(m.List, name, clip(decodeText(value, charset), 1024))
	default:
		size = 0
	}
	return size
}

func readList(l *record.List, name, value string) {
	to := map[string]*string{
		"list-id": &l.ID, "list-post": &l.Post, "list-unsubscribe": &l.Unsubscribe,
		"list-help": &l.Help, "list-archive": &l.Archive,
	}[name]
	if *to == "" {
		*to = value
	}
}
