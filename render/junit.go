package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"sniff/record"
)

// JUnit collects findings and writes, when closed, a JUnit report, which CI
// systems show as test results. Every finding is a test case; those of a given
// severity or above have failed.
type JUnit struct {
	w     io.Writer
	style Style
	from  record.Severity
	found found
}

// NewJUnit returns a sink that writes to w; it does not close w. Findings of
// severity from or above count as failures.
func NewJUnit(w io.Writer, style Style, from record.Severity) *JUnit {
	return &JUnit{w: w, style: style, from: from}
}

func (j *JUnit) Write(r record.Record) error {
	if f, ok := r.(*record.Finding); ok {
		j.found.add(f)
	}
	return nil
}

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitFailure `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// Close writes the report. Without findings it has one case, which passed:
// some systems take a report without cases for a failure.
func (j *JUnit) Close() error {
	suite := junitSuite{Name: "findings"}
	for _, f := range j.found.ranked() {
		if j.style.Reveal {
			record.Reveal(f.Finding)
		}
		c := junitCase{Class: f.Code, Name: xmlText(f.Title)}
		if f.Session != "" {
			c.Name += fmt.Sprintf(" (session %d, packet %d)", f.Number, f.Packet)
		}
		text := xmlText(junitDetails(f))
		if f.Severity.Level() >= j.from.Level() {
			c.Failure = &junitFailure{Type: string(f.Severity), Message: xmlText(f.Title), Text: text}
			suite.Failures++
		} else {
			c.Out = text
		}
		suite.Cases = append(suite.Cases, c)
	}
	if len(suite.Cases) == 0 {
		suite.Cases = []junitCase{{Class: "sniff", Name: "no findings"}}
	}
	suite.Tests = len(suite.Cases)
	out, err := xml.MarshalIndent(junitSuites{Name: "sniff", Tests: suite.Tests, Failures: suite.Failures, Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.w, "%s%s\n", xml.Header, out)
	return err
}

func junitDetails(f *same) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", f.Severity, f.Explanation)
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "Seen: %s (packet %d, %s offset %d)\n", Escape(e.Text.String()), e.Packet, e.Dir, e.Offset)
	}
	if also := f.others(); also != "" {
		fmt.Fprintf(&b, "Also: %s\n", also)
	}
	if f.Advice != "" {
		fmt.Fprintf(&b, "What to do: %s\n", f.Advice)
	}
	if f.Reference != "" {
		fmt.Fprintf(&b, "See: %s\n", f.Reference)
	}
	if f.Cause != "" {
		fmt.Fprintf(&b, "Because of: %s\n", f.Cause)
	}
	return b.String()
}

// xmlText keeps line ends, which Escape would spell out, and makes the rest
// safe: XML cannot hold control characters.
func xmlText(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Escape(lines[i])
	}
	return strings.Join(lines, "\n")
}
