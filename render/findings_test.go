package render

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
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
	var all found
	for i, f := range list {
		f.Title = fmt.Sprint(i)
		all.add(f)
	}
	var got []string
	for _, f := range all.ranked() {
		got = append(got, f.Session+" "+f.Code)
	}
	want := []string{"b worse", "a cause", "a symptom", "a second symptom", "b symptom", "c cause", "a noise"}
	if !slices.Equal(got[:min(len(got), len(want))], want) || len(got) != len(list) {
		t.Errorf("got %q, want %q and the two that explain each other", got, want)
	}
}

// TestTheSameOfManySessions: what is said in the same words of many sessions
// stands once, with the first of them; a symptom in any of them still stands
// behind its cause.
func TestTheSameOfManySessions(t *testing.T) {
	var all found
	for n := uint64(1); n <= 9; n++ {
		h := record.Header{Session: fmt.Sprint("s", n), Number: n}
		all.add(&record.Finding{Header: h, Code: "old", Title: "server runs an old version", Severity: record.SeverityInfo})
	}
	h := record.Header{Session: "s7", Number: 7}
	all.add(&record.Finding{Header: h, Code: "broke", Title: "it broke", Cause: "old", Severity: record.SeverityError, Count: 3})
	list := all.ranked()
	if len(list) != 2 || list[0].Code != "old" || list[1].Code != "broke" {
		t.Fatalf("%d findings, want the cause and behind it the symptom", len(list))
	}
	if got, want := list[0].others(), "sessions 2, 3, 4, 5, 6 and 3 more"; got != want || list[0].Number != 1 {
		t.Errorf("of session %d, also of %q, want 1 and %q", list[0].Number, got, want)
	}
	if got := list[1].title(); got != "it broke (3 times)" {
		t.Errorf("title %q", got)
	}
}

// Evidence that lies in another session must not be given the number of the
// finding's.
func TestEvidenceOfAnotherSession(t *testing.T) {
	var out bytes.Buffer
	sink := NewFindings(&out, Style{})
	f := &record.Finding{Header: record.Header{Session: "b", Number: 2}, Code: "soap.replay", Severity: record.SeverityError, Evidence: []record.Evidence{
		{Session: "b", Packet: 9, Text: record.Plain("again")}, {Session: "a", Packet: 4, Text: record.Plain("first")},
	}}
	if err := sink.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"again (session 2, packet 9)", "first (packet 4)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
