package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/record"
)

// TestEveryFormat holds what every format makes of every sample against
// testdata/formats. What there is of the table stands there whole, to be read.
// Of the others there is a short digest for each line: a difference is told by
// the lines that are new. (The records themselves lie beside the samples,
// TestSamples; TestParquet reads Parquet back.)
func TestEveryFormat(t *testing.T) {
	fixedKey(t)
	t.Setenv("COLUMNS", "100")
	whole, texts := map[string]*strings.Builder{}, map[string]string{}
	for _, path := range samples(t) {
		name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		for format, text := range everyFormat(t, path) {
			b := whole[format]
			if b == nil {
				b = &strings.Builder{}
				whole[format] = b
			}
			fmt.Fprintf(b, "# %s\n", name)
			if format == "table" {
				b.WriteString(text)
				continue
			}
			writeDigests(b, text)
			texts[format+" "+name] = text
		}
	}
	for format, b := range whole {
		t.Run(format, func(t *testing.T) {
			golden := filepath.Join("testdata", "formats", format+".txt")
			if *update || format == "table" {
				compare(t, golden, b.String())
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (go test ./cmd/sniff -update makes it)", err)
			}
			compareDigests(t, string(want), b.String(), func(sample string) string { return texts[format+" "+sample] })
		})
	}
}

// everyFormat renders the records of a sample in every format.
func everyFormat(t *testing.T, path string) map[string]string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, color: "auto"}
	switch keys := keysOf(path); {
	case keys == nil:
	case keys[0] == "--ssh-keylog":
		a.ssh.keylog = keys[1]
	default:
		a.keylog = keys[1]
	}
	var records []record.Record
	err := a.analyse([]string{path}, record.SinkFunc(func(r record.Record) error {
		records = append(records, r)
		return nil
	}), keepForShow, nil)
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v, %s", path, err, &stderr)
	}
	out := map[string]string{}
	render := func(format string, sink record.Sink, err error) {
		for _, r := range records {
			if err == nil {
				err = sink.Write(r)
			}
		}
		if err == nil {
			err = sink.Close()
		}
		if err != nil {
			t.Fatalf("%s as %s: %v", path, format, err)
		}
		out[format] += stdout.String()
		stdout.Reset()
	}
	for _, format := range []string{"table", "text", "eve", "eve-extended"} {
		b := *a
		b.output, _, b.shape.eveExtended = cutFormat(format)
		sink, err := b.records(false)
		render(format, sink, err)
	}
	for _, kind := range kindNames() {
		if !slices.ContainsFunc(records, func(r record.Record) bool { return string(r.Kind()) == kind }) {
			continue
		}
		b := *a
		b.output, b.choice.kinds = "csv", []string{kind}
		sink, err := b.records(false)
		render("csv", sink, err)
	}
	for _, format := range []string{"zeek", "zeek-json"} {
		b := *a
		b.output, b.shape.zeekJSON, _ = cutFormat(format)
		b.shape.dir = t.TempDir()
		sink, err := b.records(false)
		render(format, sink, err)
		out[format] = filesOf(t, b.shape.dir)
	}
	for _, format := range []string{"text", "sarif", "junit"} {
		b := *a
		b.output, b.choice.kinds = format, []string{string(record.KindFinding)}
		sink, err := b.findingsSink([]string{filepath.Base(path)})
		render("findings-"+format, b.choice.before(sink), err)
	}
	// Most lines of SARIF are braces: it is one line here. What findings-text
	// tells is what it holds.
	out["findings-sarif"] = strings.Join(strings.Fields(out["findings-sarif"]), " ")
	c := &credentialTable{seen: map[credentialKey]*credentialRow{}}
	b := *a
	b.output = "table"
	for _, r := range records {
		err = errors.Join(err, c.Write(r))
	}
	if err := errors.Join(err, b.writeCredentials(c)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out["creds"] = stdout.String()
	return out
}

// cutFormat takes what a flag adds to a format off its name.
func cutFormat(format string) (base string, json, extended bool) {
	base, json = strings.CutSuffix(format, "-json")
	base, extended = strings.CutSuffix(base, "-extended")
	return base, json, extended
}

// filesOf returns the text of the files of a folder, each behind its name.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n%s", filepath.Base(p), b)
	}
	return out.String()
}

// lineDigest is short: it tells lines of one sample apart.
func lineDigest(line string) string {
	sum := sha256.Sum256([]byte(line))
	return hex.EncodeToString(sum[:3])
}

// writeDigests writes the digests of the lines of a text.
func writeDigests(b *strings.Builder, text string) {
	n := 0
	for line := range strings.Lines(text) {
		b.WriteString(lineDigest(line))
		if n++; n%16 == 0 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	if n%16 != 0 {
		b.WriteByte('\n')
	}
}

// compareDigests tells in which samples lines differ, and the new ones.
func compareDigests(t *testing.T, want, got string, text func(sample string) string) {
	t.Helper()
	if want == got {
		return
	}
	old, now := sections(want), sections(got)
	for name := range old {
		if now[name] == nil {
			t.Errorf("%s: there is no such sample any more", name)
		}
	}
	for name, digests := range now {
		before := old[name]
		if slices.Equal(digests, before) {
			continue
		}
		kept := 0
		t.Errorf("%s: %d lines, there were %d", name, len(digests), len(before))
		for line := range strings.Lines(text(name)) {
			if slices.Contains(before, lineDigest(line)) {
				kept++
			} else {
				t.Logf("new: %.400s", line)
			}
		}
		t.Logf("%d lines are as they were; go test ./cmd/sniff -run TestEveryFormat -update takes the new ones over", kept)
	}
}

// sections returns the digests of each sample.
func sections(text string) map[string][]string {
	out := map[string][]string{}
	name := ""
	for line := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(line, "# "); ok {
			name = strings.TrimSpace(s)
			out[name] = []string{}
			continue
		}
		out[name] = append(out[name], strings.Fields(line)...)
	}
	return out
}
