package render

import (
	"slices"
	"testing"

	"sniff/record"
)

func TestCausesStandBeforeTheirSymptoms(t *testing.T) {
	f := func(session, code string, severity record.Severity, cause string) *record.Finding {
		return &record.Finding{Header: record.Header{Session: session}, Code: code, Severity: severity, Cause: cause}
	}
	const warning, failure, critical, notice = record.SeverityWarning, record.SeverityError, record.SeverityCritical, record.SeverityNotice
	list := []*record.Finding{
		f("a", "noise", notice, ""),
		f("a", "symptom", failure, "cause"),
		f("a", "cause", warning, ""),
		f("b", "symptom", failure, "cause"), // its cause was not raised
		f("b", "worse", critical, ""),
		f("a", "second symptom", notice, "symptom"),
		f("c", "cause", warning, ""), // explains nothing in its session
		f("d", "hen", notice, "egg"), // never to be lost
		f("d", "egg", notice, "hen"),
	}
	var got []string
	for _, f := range rank(list) {
		got = append(got, f.Session+" "+f.Code)
	}
	want := []string{"b worse", "a cause", "a symptom", "a second symptom", "b symptom", "c cause", "a noise"}
	if !slices.Equal(got[:min(len(got), len(want))], want) || len(got) != len(list) {
		t.Errorf("got %q, want %q and the two that explain each other", got, want)
	}
}
