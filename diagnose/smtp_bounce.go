package diagnose

import (
	"fmt"
	"strings"

	"sniff/record"
)

// bounce raises what a delivery report says of each recipient that has not got
// the mail.
func bounce(m *record.SMTPMessage, rep *Reporter) {
	report := m.Content.Report
	if report == nil || report.Type != "delivery-status" {
		return
	}
	for i := range report.Recipients[:min(len(report.Recipients), maxFindings)] {
		r := &report.Recipients[i]
		to := r.Recipient
		if r.Original != "" && r.Original != to {
			to = fmt.Sprintf("%s (sent on to %s)", r.Original, r.Recipient)
		}
		why := strings.TrimSpace(r.Status + " " + r.Diagnostic)
		if r.RemoteMTA != "" {
			why = r.RemoteMTA + " said " + why
		}
		switch r.Action {
		case "failed":
			rep.Raise("smtp.bounce", fmt.Sprintf("%s reports to %s that mail to %s failed: %s", reporter(m, report), recipientsOf(m), to, why), m, record.Plain(why))
		case "delayed":
			rep.Raise("smtp.bounce_delayed", fmt.Sprintf("%s reports to %s that mail to %s is delayed: %s", reporter(m, report), recipientsOf(m), to, why), m, record.Plain(why))
		}
	}
}

// reporter names who wrote the report.
func reporter(m *record.SMTPMessage, r *record.Report) string {
	if r.ReportingMTA != "" {
		return r.ReportingMTA
	}
	return m.Client.Addr().String()
}
