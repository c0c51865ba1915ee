// Package diagnose says why it failed and what is unsafe: rules over records,
// never over bytes.
//
// A Family holds the rules of one protocol (smtp.go, ftp.go, ...): the
// catalogue of its codes with what each one means, and Observers that see the
// records of one session, or of the whole run, in order and raise findings.
// The Watcher is a record.Sink that stands in front of another one: records
// pass through unchanged, findings of a session are written right before its
// record.Session, the root cause ahead of its symptoms; findings over several
// sessions come when the run ends.
package diagnose

import (
	"slices"
	"strings"

	"sniff/record"
)

// Info is the catalogue entry of one code: all that does not depend on the
// case.
type Info struct {
	// Code is family.token; it never changes its meaning.
	Code     string
	Severity record.Severity
	// Explanation says what it means, in full sentences.
	Explanation string
	// Advice says what to do.
	Advice string
	// Reference is the RFC section or page that it rests on.
	Reference string
}

// Family is the rules of one protocol.
type Family struct {
	// Name is the front of its codes and of the kinds of records that wake it:
	// "smtp" sees sessions in which an smtp.* record was written. The family
	// "tcp" sees every session.
	Name  string
	Codes []Info
	// Wakes names further records that wake it; nil: none.
	Wakes func(record.Record) bool
	// Session makes the observer of one session; nil for none.
	Session func() Observer
	// Whole makes the observer of the whole run; nil for none. It sees every
	// record of every session and bounds its own memory.
	Whole func() Observer
}

// Observer sees records in order.
type Observer interface {
	// See is given every record of the session but the last (its
	// *record.Session), from the family's first one on. What stood before that
	// first one (credentials, anomalies, TLS handshakes, records of the
	// carrier) is given too, in order and in bounded number.
	See(r record.Record, rep *Reporter)
	// End is given the session's own record, for an observer of the whole run
	// nil when the run is over.
	End(s *record.Session, rep *Reporter)
}

// Families returns all families, in the order in which their findings stand.
func Families() []Family {
	return []Family{
		tcpFamily(),
		tlsFamily(),
		smtpFamily(),
		ftpFamily(),
		sshFamily(),
		httpFamily(),
		soapFamily(),
	}
}

// Catalogue returns every code, sorted.
func Catalogue() []Info {
	var all []Info
	for _, f := range Families() {
		all = append(all, f.Codes...)
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// Explain returns the catalogue entry of a code.
func Explain(code string) (Info, bool) {
	for _, i := range Catalogue() {
		if i.Code == code {
			return i, true
		}
	}
	return Info{}, false
}

// Reporter collects findings.
type Reporter struct {
	infos    map[string]Info
	findings []*record.Finding
}

// maxFindings bounds the findings of one session; more of a code than that
// are counted in the ones that stand.
const maxFindings = 50

// Raise adds a finding with the code's explanation, advice and severity. title
// is what happened here: names, addresses, codes; no full stop. on is the
// record it rests on (its header becomes the finding's), evidence what was seen
// there. It returns the finding so that a rule can change its severity or add
// evidence. A second finding with the same code and title is counted, not
// listed.
func (rep *Reporter) Raise(code, title string, on record.Record, seen ...record.Text) *record.Finding {
	for _, f := range rep.findings {
		if f.Code == code && f.Title == title {
			f.Count = max(f.Count, 1) + 1
			return f
		}
	}
	info, ok := rep.infos[code]
	if !ok {
		panic("diagnose: code " + code + " is not in the catalogue")
	}
	f := &record.Finding{
		Header:      *on.Head(),
		Code:        code,
		Severity:    info.Severity,
		Title:       title,
		Explanation: info.Explanation,
		Advice:      info.Advice,
		Reference:   info.Reference,
	}
	for _, t := range seen {
		f.Evidence = append(f.Evidence, Seen(on, t))
	}
	if len(seen) == 0 {
		f.Evidence = append(f.Evidence, Seen(on, record.Plain(on.Summary())))
	}
	if len(rep.findings) < maxFindings {
		rep.findings = append(rep.findings, f)
	}
	return f
}

// Seen makes evidence of a record.
func Seen(on record.Record, text record.Text) record.Evidence {
	h := on.Head()
	return record.Evidence{Session: h.Session, Packet: h.Packet, Time: h.Time, Dir: h.Dir, Offset: h.Offset, Text: text, Number: h.Number}
}

// Has reports whether this code was raised already.
func (rep *Reporter) Has(code string) bool {
	return slices.ContainsFunc(rep.findings, func(f *record.Finding) bool { return f.Code == code })
}

// Withdraw takes the findings with a code back.
func (rep *Reporter) Withdraw(code string) {
	rep.findings = slices.DeleteFunc(rep.findings, func(f *record.Finding) bool { return f.Code == code })
}

// Explains says that the finding with code cause explains those with code
// symptom in the same session: they point to it and stand behind it.
func (rep *Reporter) Explains(cause, symptom string) {
	if !rep.Has(cause) {
		return
	}
	for _, f := range rep.findings {
		if f.Code == symptom && f.Cause == "" {
			f.Cause = cause
		}
	}
}

// take returns the findings, causes before their symptoms, and forgets them.
func (rep *Reporter) take() []*record.Finding {
	fs := rep.findings
	rep.findings = nil
	slices.SortStableFunc(fs, func(a, b *record.Finding) int {
		if (a.Cause == "") != (b.Cause == "") {
			if a.Cause == "" {
				return -1
			}
			return 1
		}
		return b.Severity.Level() - a.Severity.Level()
	})
	return fs
}
