package content

import (
	"bytes"
	"strings"

	"sniff/record"
)

// maxReport is how much of a report is read.
const maxReport = 256 << 10

// maxRecipients is how many recipients a report lists.
const maxRecipients = 1000

// reportType returns what kind of report a media type is, "" for none.
func reportType(mediaType string) string {
	switch mediaType {
	case "message/delivery-status", "message/global-delivery-status":
		return "delivery-status" // RFC 3464, 6533
	case "message/disposition-notification", "message/global-disposition-notification":
		return "disposition-notification" // RFC 8098
	case "message/feedback-report":
		return "feedback-report" // RFC 5965
	}
	return ""
}

// reportReader reads the machine readable part of a multipart/report: groups
// of fields, an empty line between them.
type reportReader struct {
	kind string
	to   *record.Content // the message that is the report
	part *record.Content
	buf  []byte
}

func (r *reportReader) write(p []byte) {
	if room := maxReport - len(r.buf); len(p) > room {
		p = p[:room]
		r.part.Problem("report_too_long")
	}
	r.buf = append(r.buf, p...)
}

// gap keeps the hole from joining two lines: what was cut is no field.
func (r *reportReader) gap(int64) { r.write([]byte("\n")) }

func (r *reportReader) close(bool) {
	report := r.to.Report
	if report == nil {
		report = &record.Report{Type: r.kind}
		r.to.Report = report
	}
	rest := r.buf
	for len(rest) > 0 {
		var group []byte
		group, rest = cutGroup(rest)
		fields := parseFields(group)
		if len(fields) > 0 {
			readGroup(report, fields)
		}
	}
}

// cutGroup cuts b at its first empty line.
func cutGroup(b []byte) (group, rest []byte) {
	rest = b
	for len(rest) > 0 {
		at := len(b) - len(rest)
		var line []byte
		if line, rest = cutLine(rest); len(bytes.TrimSpace(line)) == 0 {
			return b[:at], rest
		}
	}
	return b, nil
}

// readGroup reads one group of fields: about the message, about one recipient,
// or, from servers that forget the empty line, about both.
func readGroup(report *record.Report, fields []field) {
	var rcpt record.ReportRecipient
	found := false
	for i := range fields {
		f := &fields[i]
		text := clip(decodeText(f.value, ""), 2048)
		_, typed, ok := strings.Cut(text, ";")
		if typed = strings.TrimSpace(typed); !ok {
			typed = strings.TrimSpace(text)
		}
		switch strings.ToLower(f.name) {
		case "reporting-mta", "reporting-ua":
			report.ReportingMTA = typed
			if strings.EqualFold(f.name, "reporting-ua") {
				report.ReportingMTA = text
			}
		case "user-agent":
			if report.ReportingMTA == "" {
				report.ReportingMTA = text
			}
		case "received-from-mta":
			report.ReceivedFrom = typed
		case "original-envelope-id":
			report.EnvelopeID = text
		case "original-message-id":
			report.MessageID = text
		case "arrival-date", "received-date":
			report.Arrived = text
		case "feedback-type":
			report.Feedback = text
		case "final-recipient":
			rcpt.Recipient, found = typed, true
		case "original-recipient", "original-rcpt-to":
			rcpt.Original, found = strings.Trim(typed, "<>"), true
		case "action":
			rcpt.Action, found = strings.ToLower(text), true
		case "disposition":
			rcpt.Action, found = typed, true
		case "status":
			status, _, _ := strings.Cut(strings.TrimSpace(withoutComments(text)), " ")
			rcpt.Status, found = status, true
		case "remote-mta":
			rcpt.RemoteMTA = typed
		case "diagnostic-code":
			rcpt.Diagnostic = strings.Join(strings.Fields(typed), " ")
			rcpt.Code = replyCode(typed)
		case "last-attempt-date":
			rcpt.Attempted = text
		case "will-retry-until":
			rcpt.RetryUntil = text
		}
	}
	if found && len(report.Recipients) < maxRecipients {
		report.Recipients = append(report.Recipients, rcpt)
	}
}

// replyCode finds an SMTP reply code at the front of a diagnostic, or behind
// the words that some servers put there ("host x said: 550 ...").
func replyCode(s string) int {
	for i := 0; i+3 <= len(s); i++ {
		if i > 0 && s[i-1] != ' ' && s[i-1] != ':' && s[i-1] != '<' && s[i-1] != '#' {
			continue
		}
		c := s[i : i+3]
		if c[0] < '2' || c[0] > '5' || c[1] < '0' || c[1] > '5' || c[2] < '0' || c[2] > '9' {
			continue
		}
		if i+3 == len(s) || s[i+3] == ' ' || s[i+3] == '-' {
			return int(c[0]-'0')*100 + int(c[1]-'0')*10 + int(c[2]-'0')
		}
	}
	return 0
}
