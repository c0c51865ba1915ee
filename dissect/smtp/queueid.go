package smtp

import (
	"strings"

	"sniff/record"
)

// queueID finds the name that the server gave the message in the reply that
// accepts it. The forms, by server:
//
//	Postfix    2.0.0 Ok: queued as 4F2C1A0B3D
//	Exim       OK id=1Mugho-0003Dg-Un
//	Sendmail   2.0.0 o0IBaD6m012345 Message accepted for delivery
//	Exchange   2.6.0 <...@...> [InternalId=123, Hostname=...] Queued mail for delivery
//	qmail      ok 1700000000 qp 12345
//	OpenSMTPD  2.0.0 7ac2b4d1 Message accepted for delivery
//	Dovecot    2.0.0 <user@example> uK2sNQo Saved
//	Gmail      2.0.0 OK  1700000000 a1-20020a17si123.45 - gsmtp
//	Haraka     Message Queued (0A1B-...)
func queueID(r *record.SMTPReply) string {
	text := strings.Join(r.Text, " ")
	lower := strings.ToLower(text)
	for _, mark := range [...]string{"queued as ", "queued with id ", "queued-as: ", "internalid=", " id=", "queue id ", "queue-id: ", "message id "} {
		if i := strings.Index(" "+lower, mark); i >= 0 {
			if id := token(text[min(len(text), i+len(mark)-1):]); id != "" {
				return id
			}
		}
	}
	f := strings.Fields(text)
	for i, w := range f {
		switch {
		case strings.EqualFold(w, "qp") && i >= 1 && i+1 < len(f):
			return token(f[i-1]) + " qp " + token(f[i+1])
		case w == "gsmtp" && i >= 2 && f[i-1] == "-":
			return token(f[i-2])
		case strings.EqualFold(w, "Saved") && i >= 1 && i == len(f)-1:
			return token(f[i-1])
		case strings.EqualFold(w, "message") && i >= 1 && i+1 < len(f) && strings.HasPrefix(strings.ToLower(f[i+1]), "accepted"):
			if id := token(f[i-1]); len(id) >= 6 {
				return id
			}
		case strings.EqualFold(w, "Queued") && i+1 < len(f) && strings.HasPrefix(f[i+1], "("):
			return token(f[i+1][1:])
		}
	}
	return ""
}

// token returns the id at the front of s; "" when there is none.
func token(s string) string {
	end := strings.IndexAny(s, " \t,;)]>")
	if end < 0 {
		end = len(s)
	}
	id := strings.Trim(s[:end], "<.\"'")
	if len(id) > 128 {
		return ""
	}
	return id
}
