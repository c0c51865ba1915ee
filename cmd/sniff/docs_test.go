package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFindingsDocument holds docs/findings.md against the catalogue.
func TestFindingsDocument(t *testing.T) {
	got, stderr, status := sniff(t, nil, "findings", "--explain", "all", "-o", "markdown")
	if status != exitDone || stderr != "" {
		t.Fatalf("exit status %d, standard error %q", status, stderr)
	}
	compare(t, "../../docs/findings.md", got)
}

// TestDocuments runs every `$ sniff ...` in the README and the guides and
// holds what it prints, on both outputs, against what the page shows; and what
// looks at the files that it wrote (ls, cut, grep). -update rewrites the pages.
func TestDocuments(t *testing.T) {
	pages, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fixedKey(t)
	t.Setenv("NO_COLOR", "1")
	t.Setenv("COLUMNS", "100")
	var edited []page
	// The commands name samples by their path in the repository.
	t.Chdir("../..")
	for _, path := range append(pages, "../../README.md") {
		p := page{path: strings.TrimPrefix(path, "../../"), dir: t.TempDir()}
		t.Run(p.path, func(t *testing.T) {
			p.play(t)
			edited = append(edited, p)
		})
	}
	if !*update {
		return
	}
	for _, p := range edited {
		if err := os.WriteFile(p.path, []byte(p.now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// page is a document with the commands that it shows.
type page struct {
	path string
	dir  string // where its commands write
	now  string // its text with the output of today
}

// play runs the commands in the page's console blocks. A line in a block that
// begins "$ " is a command; what follows, up to the next one or the end of the
// block, is its output. A line of three dots alone stands for lines left out.
func (p *page) play(t *testing.T) {
	b, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.SplitAfter(string(b), "\n")
	commands := 0
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		if strings.TrimSpace(lines[i]) != "```console" {
			continue
		}
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); {
			command := lines[i]
			i++
			start := i
			for i < len(lines) && !strings.HasPrefix(lines[i], "```") && !strings.HasPrefix(lines[i], "$ ") {
				i++
			}
			shown := strings.Join(lines[start:i], "")
			out.WriteString(command)
			printed, ours := p.run(t, strings.TrimSpace(command))
			if !ours {
				out.WriteString(shown)
				continue
			}
			commands++
			if strings.HasPrefix(command, "$ sniff ca ") {
				// The key is new each time.
				if excerpt(blind(shown), blind(printed)) {
					printed = shown
				}
			}
			if excerpt(shown, printed) {
				out.WriteString(shown)
				continue
			}
			out.WriteString(printed)
			if !*update {
				t.Errorf("%s: %s does not print what the page shows; go test ./cmd/sniff -run TestDocuments -update rewrites it\nnow it prints:\n%s", p.path, strings.TrimSpace(command), printed)
			}
		}
		if i < len(lines) {
			out.WriteString(lines[i])
		}
	}
	if commands == 0 {
		t.Errorf("%s shows no command", p.path)
	}
	p.now = out.String()
}

// run runs one command as the page has it; ours is false when it is none that
// can be run here.
func (p *page) run(t *testing.T, command string) (printed string, ours bool) {
	line := strings.TrimPrefix(command, "$ ")
	switch program, _, _ := strings.Cut(line, " "); program {
	case "sniff":
	case "ls", "cut", "grep", "head", "tail":
		return p.shell(t, line, ""), true
	default:
		return "", false
	}
	if strings.HasPrefix(line, "sniff proxy -") {
		return "", false // runs until it is stopped: TestTourListens
	}
	line, pipe, piped := strings.Cut(line, " | ")
	words := commandWords(line)[1:]
	for i, w := range words {
		// What is written goes to a folder of the page's own, from where it
		// can be read again.
		if i > 0 && words[i-1] == "-w" || exists(filepath.Join(p.dir, w)) {
			words[i] = filepath.Join(p.dir, w)
		}
	}
	stdout, stderr, status := sniff(t, nil, words...)
	if status == exitUsage || status == exitDamaged {
		t.Errorf("%s: exit status %d, standard error %q", command, status, stderr)
	}
	if piped {
		stdout = p.shell(t, pipe, stdout)
	}
	config, _ := os.UserConfigDir()
	// CSV ends its lines with CR LF, which editors take out of pages.
	return strings.NewReplacer("\r\n", "\n", p.dir+"/", "", config, "~/.config").Replace(stdout + stderr), true
}

// shell runs a command in the page's folder.
func (p *page) shell(t *testing.T, line, stdin string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Stdin = p.dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v, %s", line, err, out)
	}
	return string(out)
}

var varying = regexp.MustCompile(`([0-9A-F]{2}:){5,}[0-9A-F]{2}|\d+(\.\d+)?( *[µm]?s\b)?`)

// blind takes out what differs from one run to the next: times, ports and other
// numbers, fingerprints, and the space that aligns them.
func blind(text string) string {
	lines := strings.SplitAfter(varying.ReplaceAllString(text, "0"), "\n")
	for i, line := range lines {
		if fields := strings.Fields(line); len(fields) > 0 {
			lines[i] = strings.Join(fields, " ") + "\n"
		}
	}
	return strings.Join(lines, "")
}

// excerpt reports whether shown is printed, apart from the lines for which a
// line "..." stands.
func excerpt(shown, printed string) bool {
	parts := strings.Split("\n"+shown, "\n...\n")
	if len(parts) == 1 {
		return shown == printed
	}
	rest := "\n" + printed
	for i, part := range parts {
		if i < len(parts)-1 {
			part += "\n"
		}
		if i > 0 {
			part = "\n" + part
		}
		at := strings.Index(rest, part)
		if at < 0 || i == 0 && at > 0 || i == len(parts)-1 && at+len(part) != len(rest) && strings.TrimSpace(part) != "" {
			return false
		}
		// The line end between two parts belongs to both.
		rest = rest[at+len(part)-min(1, len(part)):]
	}
	return true
}

// commandWords splits a command line; single and double quotes hold words together.
func commandWords(line string) []string {
	var out []string
	var word strings.Builder
	var quote rune
	within := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, within = r, true
		case r == ' ':
			if within {
				out = append(out, word.String())
				word.Reset()
				within = false
			}
		default:
			word.WriteRune(r)
			within = true
		}
	}
	if within {
		out = append(out, word.String())
	}
	return out
}

// TestExcerpt holds the rule for lines left out of a page.
func TestExcerpt(t *testing.T) {
	const printed = "one\ntwo\nthree\nfour\n"
	for shown, want := range map[string]bool{
		printed:                       true,
		"one\ntwo\n":                  false,
		"one\n...\nfour\n":            true,
		"one\n...\nthree\n":           false,
		"...\nfour\n":                 true,
		"one\ntwo\n...\n":             true,
		"two\n...\n":                  false,
		"...\ntwo\nthree\n...\n":      true,
		"...\ntwo\nfour\n...\n":       false,
		"...\none\n...\nthree\n...\n": true,
		"...\nthree\n...\none\n...\n": false,
	} {
		if got := excerpt(shown, printed); got != want {
			t.Errorf("excerpt(%q) is %v", shown, got)
		}
	}
}
