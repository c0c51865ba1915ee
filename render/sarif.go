package render

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"sniff/record"
)

// SARIF collects findings and writes, when closed, one run of the Static
// Analysis Results Interchange Format (OASIS, version 2.1.0), which code hosts
// and CI systems read. Each code is a rule; a result points to the capture, as
// far as there is only one, and to the session and packet within it.
type SARIF struct {
	w     io.Writer
	style Style
	files []string
	found found
}

// NewSARIF returns a sink that writes to w; it does not close w. files are the
// captures that were read, as the user named them.
func NewSARIF(w io.Writer, style Style, files []string) *SARIF {
	return &SARIF{w: w, style: style, files: files}
}

func (s *SARIF) Write(r record.Record) error {
	if f, ok := r.(*record.Finding); ok {
		s.found.add(f)
	}
	return nil
}

// The parts of a SARIF log that are used here, named by its members.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool      sarifTool       `json:"tool"`
		Artifacts []sarifArtifact `json:"artifacts,omitempty"`
		Results   []sarifResult   `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string        `json:"id"`
		Full    sarifText     `json:"fullDescription"`
		Help    sarifText     `json:"help"`
		Default sarifSeverity `json:"defaultConfiguration"`
	}
	sarifSeverity struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifArtifact struct {
		Location sarifURI `json:"location"`
	}
	sarifURI struct {
		URI string `json:"uri"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		Index        int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Occurrences  int               `json:"occurrenceCount,omitempty"`
		Properties   sarifProperties   `json:"properties"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifURI `json:"artifactLocation"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Full string `json:"fullyQualifiedName"`
	}
	sarifProperties struct {
		Severity record.Severity   `json:"severity"`
		Time     string            `json:"time"`
		Session  string            `json:"session,omitempty"`
		Cause    string            `json:"cause,omitempty"`
		Evidence []record.Evidence `json:"evidence,omitempty"`
	}
)

// Close writes the log.
func (s *SARIF) Close() error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "sniff", Rules: []sarifRule{}}}, Results: []sarifResult{}}
	for _, name := range s.files {
		run.Artifacts = append(run.Artifacts, sarifArtifact{sarifURI{fileURI(name)}})
	}
	rules := map[string]int{}
	for _, f := range s.found.ranked() {
		if s.style.Reveal {
			record.Reveal(f.Finding)
		}
		i, known := rules[f.Code]
		if !known {
			i = len(run.Tool.Driver.Rules)
			rules[f.Code] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
				ID: f.Code, Full: sarifText{f.Explanation}, Help: sarifText{help(f.Finding)}, Default: sarifSeverity{sarifLevel(f.Severity)},
			})
		}
		run.Results = append(run.Results, s.result(f, i))
	}
	enc := json.NewEncoder(s.w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func (s *SARIF) result(f *same, rule int) sarifResult {
	often := 0
	if f.times > 1 {
		often = f.times
	}
	where := sarifLocation{}
	// Packets are counted over all inputs: which of several one was in is not
	// known.
	if len(s.files) == 1 {
		where.Physical = &sarifPhysical{sarifURI{fileURI(s.files[0])}}
	}
	if f.Session != "" {
		name := fmt.Sprintf("session %d", f.Number)
		if f.Packet > 0 {
			name += fmt.Sprintf(", packet %d", f.Packet)
		}
		where.Logical = []sarifLogical{{Name: name, Full: f.Session}}
	}
	return sarifResult{
		Rule: f.Code, Index: rule, Level: sarifLevel(f.Severity), Message: sarifText{f.Title},
		Locations:    []sarifLocation{where},
		Fingerprints: map[string]string{"finding/v1": f.Session + "/" + f.Code + "/" + f.Title},
		Occurrences:  often,
		Properties: sarifProperties{
			Severity: f.Severity, Time: f.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
			Session: f.Session, Cause: f.Cause, Evidence: f.Evidence,
		},
	}
}

// sarifLevel maps a severity to one of SARIF's levels (section 3.27.10).
func sarifLevel(s record.Severity) string {
	switch {
	case s.Level() >= record.SeverityError.Level():
		return "error"
	case s == record.SeverityWarning:
		return "warning"
	}
	return "note"
}

func help(f *record.Finding) string {
	text := f.Advice
	if text == "" {
		text = f.Explanation
	}
	if f.Reference != "" {
		text += "\n\nSee " + f.Reference + "."
	}
	return text
}

// fileURI makes a file name a URI reference; "-" is standard input.
func fileURI(name string) string {
	if name == "-" {
		name = "stdin"
	}
	return (&url.URL{Path: filepath.ToSlash(name)}).String()
}
