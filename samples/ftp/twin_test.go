package ftp_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sniff/record"
)

// TestSameDialogueInTLS wants of a session in TLS, read with its keys, what is
// told of the same session in the clear: commands, replies, login, transfers and
// digests, but for what agrees on TLS.
func TestSameDialogueInTLS(t *testing.T) {
	for name, twin := range map[string]string{
		"ftps-explicit":       "extended-passive",
		"ftps-explicit-tls12": "extended-passive",
		"ftps-implicit":       "extended-passive-text",
	} {
		got, want := told(read(t, true, nil, name)), told(read(t, false, nil, twin))
		if len(want) < 10 {
			t.Errorf("%s: only %d things are told", twin, len(want))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\n%s\nand %s in the clear\n%s", name, strings.Join(got, "\n"), twin, strings.Join(want, "\n"))
		}
	}
}

// told is what records say apart from times, ports and TLS.
func told(records []record.Record) (lines []string) {
	port := regexp.MustCompile(`\d{5}`)
	for _, r := range records {
		switch r := r.(type) {
		case *record.FTPExchange:
			switch r.Command {
			case "AUTH", "PBSZ", "PROT":
				continue
			}
			line := fmt.Sprintf("%s %s %s %s", r.Command, r.Arg, r.Path, r.Result)
			for _, reply := range r.Replies {
				line += fmt.Sprintf(" | %d %q", reply.Code, reply.Lines)
			}
			if r.Command == "EPSV" {
				line = port.ReplaceAllString(line, "PORT")
			}
			lines = append(lines, line)
		case *record.Credential:
			lines = append(lines, fmt.Sprintf("login %s %s", r.Account, r.Worked))
		case *record.FTPTransfer:
			lines = append(lines, fmt.Sprintf("transfer %s %s %s %s%s %d of %d %s %d %d %s %s", r.Direction, r.Command, r.Path, r.Mode, r.Type,
				r.Bytes, r.Announced, r.Outcome, r.Opening, r.Completion, r.Setup, r.Content.SHA256))
		}
	}
	return lines
}
