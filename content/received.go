package content

import (
	"slices"
	"strings"

	"sniff/record"
)

// maxHops bounds the Received, authentication and signature fields that are
// summarised; a loop is stopped by servers at 25 to 100 hops.
const maxHops = 200

// readHop reads a Received field (RFC 5321, section 4.4). Servers differ in
// all that stands between the keywords: what follows one up to the next is
// its value, comments apart.
func readHop(value string) (h record.Hop) {
	date := value
	if i := strings.LastIndexByte(value, ';'); i >= 0 {
		value, date = value[:i], value[i+1:]
		h.Date = clip(strings.TrimSpace(date), 256)
		h.Time = parseDate(date)
	}
	keyword := ""
	var tls []string
	for s := value; s != ""; {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			break
		}
		if s[0] == '(' {
			text, n := commentText(s)
			s = s[n:]
			switch {
			case isTLSComment(text):
				tls = append(tls, text)
			case keyword == "from":
				h.Peer = strings.TrimSpace(h.Peer + " " + text)
			}
			continue
		}
		end := strings.IndexAny(s, " \t(")
		if end < 0 {
			end = len(s)
		}
		w := s[:end]
		s = s[end:]
		switch low := strings.ToLower(w); low {
		case "from", "by", "via", "with", "id", "for":
			keyword = low
		case "tls":
			keyword = "tls" // Exim: tls TLS_AES_256_GCM_SHA384
		default:
			switch keyword {
			case "from":
				h.From = word(h.From, w)
			case "by":
				h.By = word(h.By, w)
			case "with":
				h.With = word(h.With, w)
			case "id":
				h.ID = word(h.ID, w)
				keyword = "" // one word
			case "for":
				h.For = word(h.For, strings.Trim(w, "<>"))
				keyword = ""
			case "tls":
				tls = append(tls, w)
				keyword = ""
			}
		}
	}
	for _, s := range []*string{&h.From, &h.Peer, &h.By, &h.With, &h.ID, &h.For} {
		*s = clip(*s, 512)
	}
	h.TLSText = clip(strings.Join(tls, "; "), 512)
	h.TLS = len(tls) > 0 || isTLSProtocol(h.With)
	return h
}

func word(s, w string) string {
	if s == "" {
		return w
	}
	return s + " " + w
}

// isTLSProtocol knows the names of the registry "Mail Transmission Types" (RFC
// 3848, 6531, 8314) that imply TLS.
func isTLSProtocol(with string) bool {
	name, _, _ := strings.Cut(with, " ")
	switch strings.ToUpper(name) {
	case "ESMTPS", "ESMTPSA", "SMTPS", "LMTPS", "LMTPSA", "UTF8SMTPS", "UTF8SMTPSA",
		"UTF8LMTPS", "UTF8LMTPSA", "HTTPS":
		return true
	}
	return false
}

// isTLSComment tells "(using TLSv1.3 with cipher ...)" of Postfix,
// "(version=TLS1_2, cipher=...)" of Exchange and Google and "(TLS1.3)" of
// Exim from other comments.
func isTLSComment(s string) bool {
	s = strings.ToLower(s)
	for _, mark := range []string{"tlsv1", "tls1", "tls_", "sslv", "version=tls", "cipher"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}

// delays puts the hops into the order of travel and gives each the time since
// the one before.
func delays(m *record.Message) {
	slices.Reverse(m.Hops)
	for i := range m.Hops {
		if i > 0 {
			m.Hops[i].Delay = record.Between(m.Hops[i-1].Time, m.Hops[i].Time)
		}
	}
}
