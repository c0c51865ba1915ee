package diagnose

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// refusals are replies as real servers write them, and what they stand for.
var refusals = []struct {
	verb, enhanced, text string
	code                 int
	want                 string
}{
	{"RCPT", "5.1.1", "<x@y>: Recipient address rejected: User unknown in local recipient table", 550, "smtp.unknown_recipient"},
	{"RCPT", "", "Unrouteable address", 550, "smtp.unknown_recipient"},
	{"RCPT", "5.7.1", "<x@y>: Relay access denied", 554, "smtp.relay_denied"},
	{"RCPT", "", "relay not permitted", 550, "smtp.relay_denied"},
	{"RCPT", "4.2.2", "The email account that you tried to reach is over quota", 452, "smtp.mailbox_full"},
	{"RCPT", "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", 554, "smtp.blocklisted"},
	{"RCPT", "4.2.0", "<x@y>: Recipient address rejected: Greylisted, see http://postgrey.example", 450, "smtp.greylisted"},
	{"RCPT", "4.7.1", "Client host rejected: cannot find your hostname, [192.0.2.1]", 450, "smtp.reverse_name"},
	{"RCPT", "5.5.2", "<laptop>: Helo command rejected: need fully-qualified hostname", 504, "smtp.hello_refused"},
	{"RCPT", "4.5.3", "Too many recipients", 452, "smtp.too_many_recipients"},
	{"MAIL", "5.3.4", "Message size exceeds fixed limit", 552, "smtp.too_big"},
	{"MAIL", "5.1.8", "<a@x>: Sender address rejected: Domain not found", 550, "smtp.sender_refused"},
	{"MAIL", "5.7.0", "Must issue a STARTTLS command first", 530, "smtp.tls_required"},
	{"MAIL", "5.7.0", "Authentication required", 530, "smtp.auth_required"},
	{"MAIL", "", "Requested action not taken: parameter FOO not known", 555, "smtp.parameter_refused"},
	{"MAIL", "4.3.1", "Insufficient system storage", 452, "smtp.server_full"},
	{".", "5.7.26", "Unauthenticated email from x is not accepted due to domain's DMARC policy", 550, "smtp.sender_policy"},
	{".", "5.7.1", "This message looks like spam", 554, "smtp.content_refused"},
	{".", "5.4.6", "Too many hops", 554, "smtp.mail_loop"},
	{".", "4.7.28", "Our system has detected an unusual rate of mail", 421, "smtp.rate_limited"},
	{"greeting", "", "your address is not welcome", 554, "smtp.refused_at_greeting"},
	{"greeting", "4.3.2", "too busy", 421, "smtp.server_closing"},
	{"EHLO", "5.7.1", "name refused", 550, "smtp.hello_refused"},
	{"RCPT", "5.6.7", "address requires SMTPUTF8", 553, "smtp.utf8_unsupported"},
	{"RCPT", "5.1.3", "bad address syntax", 501, "smtp.address_syntax"},
	{"RCPT", "5.1.10", "the domain takes no mail", 556, "smtp.domain_without_mail"},
	{"RCPT", "4.3.0", "temporary lookup failure", 451, "smtp.deferred"},
	{"RCPT", "5.0.0", "no", 550, "smtp.refused"},
	{"RCPT", "", "SMTP AUTH is required for message submission on this server", 550, "smtp.auth_required"},
	{"MAIL", "5.7.1", "<a@x>: Sender address rejected: not logged in", 553, "smtp.auth_required"},
	{"RCPT", "", "192.0.2.1 is not allowed to send mail from x.example", 550, "smtp.sender_policy"},
	{"greeting", "", "Too many concurrent SMTP connections; please try again later.", 421, "smtp.rate_limited"},
	{"RCPT", "", "Sender rate overlimit - 12.0 / 1h", 451, "smtp.rate_limited"},
	{"greeting", "", "SMTP synchronization error", 554, "smtp.out_of_turn"},
	{"RCPT", "5.5.1", "Protocol error", 550, "smtp.out_of_turn"},
	{"DATA", "5.5.0", "<DATA>: Data command rejected: Improper use of SMTP command pipelining", 503, "smtp.out_of_turn"},
	{"MAIL", "5.5.1", "Error: send HELO/EHLO first", 503, "smtp.out_of_turn"},
	{"", "4.4.2", "mx.example Error: timeout exceeded", 421, "smtp.client_timeout"},
	{"", "", "mx.example: SMTP command timeout - closing connection", 421, "smtp.client_timeout"},
	{"", "4.7.0", "mx.example Error: too many errors", 421, "smtp.server_closing"},
	{"", "4.4.1", "Error: timeout talking to the content filter", 421, "smtp.server_closing"},
}

// TestRefusalWords checks that replies as real servers write them get the
// code that a postmaster would give them.
func TestRefusalWords(t *testing.T) {
	for _, c := range refusals {
		r := &record.SMTPReply{Code: c.code, Enhanced: c.enhanced, Text: []string{c.text}}
		if got := smtpRefusal(c.verb, r); got != c.want {
			t.Errorf("%s %d %s %q: %s, want %s", c.verb, c.code, c.enhanced, c.text, got, c.want)
		}
		if _, ok := Explain(c.want); !ok {
			t.Errorf("%s is not in the catalogue", c.want)
		}
	}
}

// session plays records of one session through a watcher and returns the
// codes of its findings.
func findingsOf(t *testing.T, end string, records ...record.Record) []string {
	t.Helper()
	var codes []string
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			codes = append(codes, f.Code)
			if strings.Contains(f.Title, "%!") {
				t.Errorf("title %q", f.Title)
			}
		}
		return nil
	}), Families())
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	head := func(h *record.Header) {
		h.Session, h.Time = "s", at
		h.Client, h.Server = netip.MustParseAddrPort("192.0.2.10:4000"), netip.MustParseAddrPort("192.0.2.20:25")
	}
	for _, r := range records {
		head(r.Head())
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	s := &record.Session{End: end, EndedBy: "client", Duration: record.Seconds(time.Minute)}
	head(&s.Header)
	s.Protocol = "smtp"
	if err := w.Write(s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return codes
}

func say(verb string, code int, text string) *record.SMTPExchange {
	return &record.SMTPExchange{Verb: verb, Reply: &record.SMTPReply{Code: code, Text: []string{text}}}
}

// anomaly is a dialogue in which one breach of the rules was seen.
func anomaly(code string) []record.Record {
	return []record.Record{&record.Anomaly{Code: code}, say("QUIT", 221, "bye")}
}

func TestSMTPFindings(t *testing.T) {
	hello := func(caps ...string) *record.SMTPExchange {
		x := say("EHLO", 250, "mx.example")
		x.Capabilities = caps
		return x
	}
	silent := &record.SMTPExchange{Greeting: true, Unanswered: "closed"}
	cases := []struct {
		name    string
		end     string
		records []record.Record
		want    string
	}{
		{"a healthy delivery inside TLS", record.EndClosed, []record.Record{
			hello("STARTTLS"), say("STARTTLS", 220, "go"), say("MAIL", 250, "ok"), say("RCPT", 250, "ok"), say("DATA", 354, "go"), say(".", 250, "ok"),
			&record.SMTPMessage{TLS: true, From: "a@x", Outcome: record.MailDelivered, Transfer: "DATA"}}, ""},
		{"the refusal of DATA is a symptom of refused recipients", record.EndClosed, []record.Record{
			hello(), say("MAIL", 250, "ok"), say("RCPT", 550, "no such user"), say("DATA", 554, "no valid recipients")}, "smtp.unknown_recipient"},
		{"EHLO unknown, HELO taken", record.EndClosed, []record.Record{say("EHLO", 502, "what"), say("HELO", 250, "ok")}, ""},
		{"never greeted", record.EndClosed, []record.Record{silent}, "smtp.no_greeting"},
		{"lost behind the dot", record.EndReset, []record.Record{
			&record.SMTPMessage{Complete: true, Outcome: record.MailUnknown, Transfer: "DATA"},
			&record.SMTPExchange{Verb: ".", Unanswered: "reset"}}, "smtp.lost_after_data smtp.no_reply"},
		{"password in the clear, refused", record.EndClosed, []record.Record{
			hello("AUTH PLAIN"), &record.Credential{Account: "bob", Mechanism: "PLAIN", Secret: record.NewSecret("x", "t"), Exposure: record.ExposureClear},
			say("AUTH", 535, "no")}, "smtp.password_in_clear smtp.auth_failed"},
		{"larger than offered", record.EndClosed, []record.Record{
			hello("SIZE 1000"), &record.SMTPMessage{Size: 2000, TLS: true, Outcome: record.MailDelivered, Transfer: "DATA"}}, "smtp.over_offered_size"},
		{"smuggled", record.EndClosed, []record.Record{
			&record.Anomaly{Code: "smtp_smuggling"}, &record.Anomaly{Code: "smtp_smuggling_accepted"}, say("QUIT", 221, "bye")}, "smtp.smuggling_accepted smtp.smuggling"},
		{"greylisted is no error", record.EndClosed, []record.Record{hello(), say("MAIL", 250, "ok"), say("RCPT", 451, "greylisted")}, "smtp.greylisted"},
		{"a MIME bomb", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA",
				Content: &record.Content{Parts: []*record.Content{{Problems: []string{"too_deep", "boundary_unclosed"}}}}}}, "smtp.mime_bomb"},
		{"a damaged attachment", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA",
				Content: &record.Content{Parts: []*record.Content{{Name: "a.pdf", Problems: []string{"base64_damaged"}}}}}}, "smtp.mime_damaged"},
		{"damage in the capture is not the message's", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Partial: true, Outcome: record.MailDelivered, Transfer: "DATA",
				Content: &record.Content{Parts: []*record.Content{{Problems: []string{"base64_damaged"}}}}}}, ""},
		{"a silent client", record.EndClosed, []record.Record{
			hello(), &record.SMTPExchange{Verb: "MAIL", Idle: record.Seconds(2 * time.Minute), Reply: &record.SMTPReply{Code: 250}}}, "smtp.idle_client"},
		{"slow data", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Size: 1000, Rate: 10, Outcome: record.MailDelivered, Transfer: "DATA",
				Times: record.SMTPTimes{Transfer: record.Seconds(100 * time.Second)}}}, "smtp.slow_data"},
		{"one reply for each recipient", record.EndClosed, []record.Record{
			hello(), &record.SMTPExchange{Verb: ".", Message: 1, Reply: &record.SMTPReply{Code: 250}, Further: []*record.SMTPReply{{Code: 552}}},
			&record.SMTPMessage{Sequence: 1, LMTP: true, Outcome: record.MailPartly, Transfer: "DATA", To: []record.SMTPRecipient{
				{Address: "a", Final: &record.SMTPReply{Code: 250}}, {Address: "b", Final: &record.SMTPReply{Code: 552, Enhanced: "5.2.2"}}}}}, "smtp.mailbox_full"},
		{"unencrypted", record.EndClosed, []record.Record{
			hello("STARTTLS"), &record.SMTPMessage{Outcome: record.MailDelivered, Transfer: "DATA"}}, "smtp.not_encrypted"},
		{"pipelined without offer", record.EndClosed, anomaly("smtp_pipelining_not_offered"), "smtp.pipelining_not_offered"},
		{"a client in a hurry", record.EndClosed, anomaly("smtp_early_talker"), "smtp.early_talker"},
		{"an extension that is not there", record.EndClosed, anomaly("smtp_extension_not_offered"), "smtp.extension_not_offered"},
		{"a mechanism that is not there", record.EndClosed, anomaly("smtp_mechanism_not_offered"), "smtp.mechanism_not_offered"},
		{"STARTTLS gone at the second EHLO", record.EndClosed, anomaly("smtp_starttls_vanished"), "smtp.starttls_stripped"},
		{"STARTTLS overwritten", record.EndClosed, anomaly("smtp_capability_overwritten"), "smtp.starttls_stripped"},
		{"LF . LF in the data", record.EndClosed, anomaly("smtp_ambiguous_end"), "smtp.ambiguous_end"},
		{"commands behind STARTTLS", record.EndClosed, anomaly("starttls_injection"), "smtp.plaintext_injected"},
		{"a tarpit", record.EndClosed, []record.Record{
			&record.SMTPExchange{Greeting: true, Wait: record.Seconds(20 * time.Second), Reply: &record.SMTPReply{Code: 220}}}, "smtp.slow_greeting"},
		{"a slow check of the recipient", record.EndClosed, []record.Record{
			hello(), &record.SMTPExchange{Verb: "RCPT", Wait: record.Seconds(40 * time.Second), Reply: &record.SMTPReply{Code: 250}}}, "smtp.slow_reply"},
		{"no TLS now", record.EndClosed, []record.Record{hello("STARTTLS"), say("STARTTLS", 454, "TLS not available")}, "smtp.starttls_refused"},
		{"the directory is down", record.EndClosed, []record.Record{hello("AUTH PLAIN"), say("AUTH", 454, "temporary failure")}, "smtp.auth_unavailable"},
		{"a mechanism too weak", record.EndClosed, []record.Record{hello("AUTH PLAIN"), say("AUTH", 534, "too weak")}, "smtp.mechanism_refused"},
		{"a crackable login", record.EndClosed, []record.Record{
			hello(), &record.Credential{Account: "bob", Mechanism: "CRAM-MD5", Secret: record.NewSecret("x", "t"), Exposure: record.ExposureCrackable},
			say("AUTH", 235, "ok")}, "smtp.password_crackable"},
		{"a mailbox that was closed", record.EndClosed, []record.Record{
			hello(), say("MAIL", 250, "ok"), say("RCPT", 550, "account is disabled")}, "smtp.mailbox_disabled"},
		{"the percent hack", record.EndClosed, []record.Record{
			hello(), say("MAIL", 250, "ok"), &record.SMTPExchange{Verb: "RCPT", Address: "b%y.example@mx.example", Reply: &record.SMTPReply{Code: 250}}}, "smtp.relay_trick_accepted"},
		{"cut in the data", record.EndReset, []record.Record{
			hello(), &record.SMTPMessage{DataAt: time.Unix(1, 0), Outcome: record.MailUnknown, Transfer: "DATA"}}, "smtp.lost_in_data"},
		{"lines as no mail may have them", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, LongLines: 1, NUL: true, EightBit: true, Outcome: record.MailDelivered, Transfer: "DATA"}},
			"smtp.long_lines smtp.nul_in_data smtp.undeclared_eight_bit"},
		{"8-bit data as announced", record.EndClosed, []record.Record{
			hello("8BITMIME"), &record.SMTPMessage{TLS: true, Complete: true, EightBit: true, Options: &record.SMTPOptions{Body: "8BITMIME"}, Outcome: record.MailDelivered, Transfer: "DATA"}}, ""},
		{"an hour at one hop", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA", Content: &record.Content{Message: &record.Message{
				Hops: []record.Hop{{By: "a.example"}, {By: "b.example", Delay: record.Seconds(time.Hour)}}}}}}, "smtp.hop_delay"},
		{"round and round", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA", Content: &record.Content{Message: &record.Message{
				Hops: []record.Hop{{By: "a.example"}, {By: "b.example"}, {By: "A.example"}, {By: "b.example"}, {By: "a.example"}, {By: "b.example"}, {By: "a.example"}, {By: "b.example"}}}}}}, "smtp.mail_loop"},
		{"access denied to who did not log in", record.EndClosed, []record.Record{
			hello("AUTH PLAIN"), say("MAIL", 250, "ok"), say("RCPT", 554, "Client host rejected: Access denied")}, "smtp.auth_required"},
		{"access denied to who did", record.EndClosed, []record.Record{
			hello("AUTH PLAIN"), say("AUTH", 235, "ok"), say("MAIL", 250, "ok"), say("RCPT", 554, "Client host rejected: Access denied")}, "smtp.refused"},
		{"refused for talking too early", record.EndClosed, []record.Record{
			&record.Anomaly{Code: "smtp_early_talker"}, &record.SMTPExchange{Greeting: true, Reply: &record.SMTPReply{Code: 554, Text: []string{"SMTP synchronization error"}}}},
			"smtp.early_talker smtp.out_of_turn"},
		{"a greeting held back", record.EndClosed, []record.Record{
			&record.SMTPExchange{Greeting: true, Reply: &record.SMTPReply{Code: 220, Took: record.Seconds(6 * time.Second)}}}, "smtp.slow_greeting"},
		{"a client that fell silent", record.EndClosed, []record.Record{hello(), say("", 421, "SMTP command timeout - closing connection")}, "smtp.client_timeout"},
		{"what Exim says to nobody", record.EndClosed, []record.Record{hello(), say("", 421, "mx.example lost input connection")}, ""},
		{"a web client", record.EndClosed, []record.Record{
			&record.SMTPExchange{Greeting: true, Reply: &record.SMTPReply{Code: 220}},
			&record.SMTPExchange{Verb: "GET", Unknown: true, Command: record.Plain("GET / HTTP/1.1"), Reply: &record.SMTPReply{Code: 221}},
			&record.SMTPExchange{Verb: "HOST:", Unknown: true, Command: record.Plain("Host: mx.example"), Unanswered: "closed"}}, "smtp.http_client smtp.no_reply"},
		{"a bounce", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA", Content: &record.Content{Report: &record.Report{
				Type: "delivery-status", Recipients: []record.ReportRecipient{
					{Recipient: "a@x.example", Action: "failed", Status: "5.1.1"}, {Recipient: "b@x.example", Action: "delivered"}, {Recipient: "c@x.example", Action: "delayed"}}}}}},
			"smtp.bounce smtp.bounce_delayed"},
		{"a receipt is no bounce", record.EndClosed, []record.Record{
			hello(), &record.SMTPMessage{TLS: true, Complete: true, Outcome: record.MailDelivered, Transfer: "DATA", Content: &record.Content{Report: &record.Report{
				Type: "disposition-notification", Recipients: []record.ReportRecipient{{Recipient: "a@x.example", Action: "failed"}}}}}}, ""},
	}
	tested := map[string]bool{"smtp.next_server": true} // TestNextServer
	for _, c := range refusals {
		tested[c.want] = true
	}
	for _, c := range cases {
		for code := range strings.FieldsSeq(c.want) {
			tested[code] = true
		}
	}
	for _, info := range smtpCodes() {
		if !tested[info.Code] {
			t.Errorf("no test raises %s", info.Code)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(findingsOf(t, c.end, c.records...), " ")
			if got != c.want {
				t.Errorf("findings %q, want %q", got, c.want)
			}
		})
	}
}
