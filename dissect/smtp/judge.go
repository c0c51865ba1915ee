package smtp

import (
	"strings"

	"sniff/record"
)

// judge decides what became of the message and of each recipient, and says
// where and why. closing says how the connection ended, "" while it goes on.
func (t *transaction) judge(closing string, oneSided bool) {
	m := t.rec
	for i := range m.To {
		m.To[i].Fate = t.fate(&m.To[i])
	}
	var delivered, deferred, refused, unknown int
	for i := range m.To {
		switch m.To[i].Fate {
		case record.MailDelivered:
			delivered++
		case record.MailDeferred:
			deferred++
		case record.MailRefused:
			refused++
		default:
			unknown++
		}
	}
	switch {
	case t.moved != nil || len(m.To) == 0:
		t.judgeWithout(closing, oneSided)
		return
	case unknown > 0 && deferred+refused < len(m.To) && !(delivered > 0 && unknown == 0):
		m.Outcome = record.MailUnknown
		m.Reason = t.why(closing, oneSided)
		return
	case delivered == len(m.To):
		m.Outcome = record.MailDelivered
		m.Phase = t.endPhase()
		return
	case delivered > 0:
		m.Outcome = record.MailPartly
	case deferred > 0:
		m.Outcome = record.MailDeferred
	default:
		m.Outcome = record.MailRefused
	}
	phase, r := t.deciding()
	m.Phase = phase
	m.Reason = reason(m.Outcome, phase, r)
}

// fate is what became of one recipient.
func (t *transaction) fate(to *record.SMTPRecipient) string {
	m := t.rec
	for _, r := range []*record.SMTPReply{m.MailReply, to.Reply} {
		switch {
		case r.Transient():
			return record.MailDeferred
		case r.Permanent():
			return record.MailRefused
		}
	}
	final := m.FinalReply
	if to.Final != nil {
		final = to.Final
	}
	if final == nil && m.DataReply != nil && m.DataReply.Code >= 400 {
		final = m.DataReply
	}
	switch {
	case final.Transient():
		return record.MailDeferred
	case final.Permanent():
		return record.MailRefused
	case final.Positive() && to.Reply.Positive():
		return record.MailDelivered
	case final.Positive() && to.Reply == nil && len(m.To) == 1:
		// The reply to RCPT is missing, but a message needs a recipient.
		return record.MailDelivered
	}
	return record.MailUnknown
}

// judgeWithout judges a message of which no recipient is known.
func (t *transaction) judgeWithout(closing string, oneSided bool) {
	m := t.rec
	phase, r := t.deciding()
	switch {
	case r.Transient():
		m.Outcome, m.Phase, m.Reason = record.MailDeferred, phase, reason(record.MailDeferred, phase, r)
	case r.Permanent():
		m.Outcome, m.Phase, m.Reason = record.MailRefused, phase, reason(record.MailRefused, phase, r)
	case m.FinalReply.Positive():
		m.Outcome, m.Phase = record.MailDelivered, t.endPhase()
	default:
		m.Outcome, m.Reason = record.MailUnknown, t.why(closing, oneSided)
	}
}

// deciding finds the reply that decided against the message, and its phase.
func (t *transaction) deciding() (phase string, r *record.SMTPReply) {
	m := t.rec
	if m.MailReply != nil && m.MailReply.Code >= 400 {
		return "MAIL", m.MailReply
	}
	if m.FinalReply != nil && m.FinalReply.Code >= 400 {
		return t.endPhase(), m.FinalReply
	}
	var worst *record.SMTPReply
	for i := range m.To {
		r := m.To[i].Reply
		if r != nil && r.Code >= 400 && (worst == nil || worst.Transient() && r.Permanent() && m.Outcome != record.MailDeferred) {
			worst = r
		}
	}
	if worst != nil {
		return "RCPT", worst
	}
	if m.DataReply != nil && m.DataReply.Code >= 400 {
		return "DATA", m.DataReply
	}
	for i := range m.To {
		if r := m.To[i].Final; r != nil && r.Code >= 400 {
			return t.endPhase(), r
		}
	}
	return "", nil
}

func (t *transaction) endPhase() string {
	if t.rec.Transfer == "BDAT" || t.rec.Transfer == "BURL" {
		return t.rec.Transfer
	}
	if !t.rec.Complete && !t.rec.Partial {
		return "data"
	}
	return "end of data"
}

// reason says in words where and with which reply it failed: "refused at
// RCPT: 550 5.1.1 mailbox unavailable".
func reason(outcome, phase string, r *record.SMTPReply) string {
	if outcome == record.MailPartly {
		outcome = "others refused"
		if r.Transient() {
			outcome = "others deferred"
		}
	}
	if phase == "" {
		return outcome
	}
	at := " at "
	switch phase {
	case "end of data":
		at = " at the "
	case "data":
		at = " inside the "
	}
	return outcome + at + phase + ": " + strings.TrimSpace(r.String())
}

// why says why the outcome is not known.
func (t *transaction) why(closing string, oneSided bool) string {
	m := t.rec
	switch {
	case oneSided:
		return "only one side of the connection is in the capture"
	case m.Complete && m.FinalReply == nil && closing != "":
		return closing + " before the final reply"
	case m.FinalReply == nil && m.Complete:
		return "the final reply is not in the capture"
	case t.body != nil && !m.Complete && closing != "" && t.gaveUp == "":
		return closing + " inside the data"
	case t.body != nil && m.FinalReply == nil:
		return "its end is not in the capture"
	case t.gaveUp != "" && t.doubt:
		return "part of its dialogue is not in the capture"
	case t.gaveUp != "":
		return t.gaveUp
	case m.FinalReply.Positive():
		return "it was taken, but not all replies to RCPT are in the capture"
	case closing != "":
		return closing + " before the data"
	}
	return ""
}
