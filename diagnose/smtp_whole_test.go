package diagnose

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// try describes one session of a story: when it began and ended (seconds),
// which server, and what came of it.
type try struct {
	from, to float64
	server   string
	end      string // of the connection
	mail     *record.SMTPMessage
	greeting int // its code, when it refused
}

func mail(to, outcome, reason string) *record.SMTPMessage {
	return &record.SMTPMessage{From: "a@x", To: []record.SMTPRecipient{{Address: to}}, Outcome: outcome, Reason: reason}
}

// TestNextServer follows a mail from server to server.
func TestNextServer(t *testing.T) {
	refused := mail("b@y", record.MailRefused, "refused at RCPT: 552 5.2.2 mailbox full")
	taken := mail("b@y", record.MailDelivered, "")
	for _, c := range []struct {
		name  string
		tries []try
		want  []string
	}{
		{"the first never answers, the second refuses", []try{
			{0, 3, "192.0.2.21", record.EndUnanswered, nil, 0},
			{6, 6.2, "192.0.2.22", record.EndClosed, refused, 0},
		}, []string{"error 192.0.2.10 went from server to server with mail from a@x to b@y: 192.0.2.21:25 did not answer; then 192.0.2.22:25 said refused at RCPT: 552 5.2.2 mailbox full"}},
		{"refused, greeted badly, taken", []try{
			{0, 0, "192.0.2.21", record.EndRefused, nil, 0},
			{0.1, 0.2, "192.0.2.22", record.EndClosed, nil, 554},
			{0.3, 0.4, "192.0.2.23", record.EndClosed, taken, 0},
		}, []string{"notice 192.0.2.10 went from server to server with mail from a@x to b@y: 192.0.2.21:25 refused the connection; then 192.0.2.22:25 refused the client: 554 go away; then 192.0.2.23:25 took it"}},
		{"two other mails: which one was it", []try{
			{0, 3, "192.0.2.21", record.EndUnanswered, nil, 0},
			{6, 6.2, "192.0.2.22", record.EndClosed, refused, 0},
			{7, 7.2, "192.0.2.23", record.EndClosed, mail("c@z", record.MailDelivered, ""), 0},
		}, nil},
		{"too late to be the same", []try{
			{0, 0, "192.0.2.21", record.EndRefused, nil, 0},
			{60, 61, "192.0.2.22", record.EndClosed, taken, 0},
		}, nil},
		{"deferred, and taken elsewhere minutes later", []try{
			{0, 1, "192.0.2.21", record.EndClosed, mail("b@y", record.MailDeferred, "deferred at RCPT: 451 later"), 0},
			{10, 11, "192.0.2.30", record.EndClosed, mail("c@z", record.MailDelivered, ""), 0},
			{300, 301, "192.0.2.22", record.EndClosed, taken, 0},
		}, []string{"notice 192.0.2.10 went from server to server with mail from a@x to b@y: 192.0.2.21:25 said deferred at RCPT: 451 later; then 192.0.2.22:25 took it"}},
		{"the same server again is no story", []try{
			{0, 0, "192.0.2.21", record.EndRefused, nil, 0},
			{1, 2, "192.0.2.21", record.EndClosed, taken, 0},
		}, nil},
		{"all is well", []try{{0, 1, "192.0.2.21", record.EndClosed, taken, 0}, {1, 2, "192.0.2.22", record.EndClosed, taken, 0}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			w := NewWatcher(record.SinkFunc(func(r record.Record) error {
				if f, ok := r.(*record.Finding); ok && f.Code == "smtp.next_server" {
					if len(f.Evidence) < 2 {
						t.Errorf("%d pieces of evidence, want one for each session", len(f.Evidence))
					}
					got = append(got, string(f.Severity)+" "+f.Title)
				}
				return nil
			}), []Family{smtpFamily()})
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
			write := func(r record.Record) {
				if err := w.Write(r); err != nil {
					t.Fatal(err)
				}
			}
			// Sessions end in another order than they began.
			for i := len(c.tries) - 1; i >= 0; i-- {
				x := c.tries[i]
				h := record.Header{Session: fmt.Sprint("s", i), Time: at(x.from), Client: netip.MustParseAddrPort("192.0.2.10:4000"), Server: netip.MustParseAddrPort(x.server + ":25")}
				if x.mail != nil || x.greeting > 0 {
					h.Protocol = "smtp"
					g := &record.SMTPExchange{Header: h, Greeting: true, Reply: &record.SMTPReply{Code: 220}}
					if x.greeting > 0 {
						g.Reply = &record.SMTPReply{Code: x.greeting, Text: []string{"go away"}}
					}
					write(g)
				}
				if x.mail != nil {
					m := *x.mail
					m.Header = h
					write(&m)
				}
				write(&record.Session{Header: h, End: x.end, Duration: record.Between(at(x.from), at(x.to))})
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestCredentialTitles: what is said of a login depends on what the server said.
func TestCredentialTitles(t *testing.T) {
	for worked, want := range map[string]string{"yes": "bob logged in at", "no": "bob failed to log in at", "unknown": "bob tried to log in at"} {
		var title string
		w := NewWatcher(record.SinkFunc(func(r record.Record) error {
			if f, ok := r.(*record.Finding); ok {
				title = f.Title
			}
			return nil
		}), []Family{smtpFamily()})
		h := record.Header{Session: "s", Client: netip.MustParseAddrPort("192.0.2.10:1"), Server: netip.MustParseAddrPort("192.0.2.20:25")}
		for _, r := range []record.Record{
			&record.SMTPExchange{Header: h, Verb: "EHLO", Reply: &record.SMTPReply{Code: 250}},
			&record.Credential{Header: h, Account: "bob", Mechanism: "PLAIN", Secret: record.NewSecret("x", "t"), Exposure: record.ExposureClear, Worked: worked},
			&record.Session{Header: h},
		} {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(title, want) {
			t.Errorf("worked %s: %q, want it to begin with %q", worked, title, want)
		}
	}
}
