package content

import "testing"

const bounce = `From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: alice@example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status;
	boundary="B/mx"

--B/mx
Content-Description: Notification

I am sorry. See http://example.org/help?a=1&b=2.
--B/mx
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4ABC
Arrival-Date: Mon,  2 Jan 2006 15:04:05 +0000 (UTC)

Final-Recipient: rfc822; bob@example.net
Original-Recipient: rfc822;bob@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>: Recipient address
    rejected: User unknown

Final-Recipient: rfc822; carol@example.net
Action: delayed
Status: 4.4.1 (no answer)
Diagnostic-Code: X-Postfix; connect to mx2.example.net[192.0.2.9]:25: Connection timed out
--B/mx
Content-Type: text/rfc822-headers

From: alice@example.org
Subject: hello
--B/mx--
`

func TestBounce(t *testing.T) {
	c := read(t, Config{URLs: true}, mailInfo, message(bounce))
	r := c.Report
	if r == nil {
		t.Fatalf("no report:\n%s", outline(c))
	}
	if r.Type != "delivery-status" || r.ReportingMTA != "mx.example.org" || len(r.Recipients) != 2 {
		t.Fatalf("report %+v", r)
	}
	bob, carol := r.Recipients[0], r.Recipients[1]
	if bob.Recipient != "bob@example.net" || bob.Action != "failed" || bob.Status != "5.1.1" ||
		bob.RemoteMTA != "mx.example.net" || bob.Code != 550 ||
		bob.Diagnostic != "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown" {
		t.Errorf("bob %+v", bob)
	}
	if carol.Status != "4.4.1" || carol.Code != 0 || carol.Action != "delayed" {
		t.Errorf("carol %+v", carol)
	}
	returned := c.Parts[0].Parts[2]
	if returned.Message == nil || returned.Message.Subject != "hello" || c.Message.Subject == "hello" {
		t.Errorf("the returned head is %+v", returned.Message)
	}
	if text := c.Parts[0].Parts[0]; len(text.URLs) != 1 || text.URLs[0] != "http://example.org/help?a=1&b=2" {
		t.Errorf("URLs %q", text.URLs)
	}
	if c.Message.AutoSubmitted != "auto-replied" {
		t.Errorf("auto-submitted %q", c.Message.AutoSubmitted)
	}
}

func TestDispositionAndFeedback(t *testing.T) {
	c := read(t, Config{}, mailInfo, message(`From: bob@example.net
Content-Type: multipart/report; boundary=b

--b

Read.
--b
Content-Type: message/disposition-notification
Content-Transfer-Encoding: base64

UmVwb3J0aW5nLVVBOiBwYy5leGFtcGxlOyBNYWlsZXIKRmluYWwtUmVjaXBpZW50OiByZmM4MjI7
IGJvYkBleGFtcGxlLm5ldApEaXNwb3NpdGlvbjogbWFudWFsLWFjdGlvbi9NRE4tc2VudDsgZGlz
cGxheWVkCg==
--b--
`))
	if r := c.Report; r == nil || r.Type != "disposition-notification" || len(r.Recipients) != 1 ||
		r.Recipients[0].Action != "displayed" || r.ReportingMTA != "pc.example; Mailer" {
		t.Errorf("report %+v", r)
	}
	c = read(t, Config{}, mailInfo, message(`From: fbl@example.net
Content-Type: multipart/report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Loop/1.0
Original-Rcpt-To: <carol@example.net>
--b--
`))
	if r := c.Report; r == nil || r.Feedback != "abuse" || r.ReportingMTA != "Loop/1.0" || r.Recipients[0].Original != "carol@example.net" {
		t.Errorf("report %+v", r)
	}
}
