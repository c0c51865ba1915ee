// Package sniff holds no code; this test keeps the walls of the house (see
// docs/architecture.md): who may import whom.
package sniff

import (
	"os/exec"
	"strings"
	"testing"
)

// allowed names, for each package, the packages of ours that it may import;
// "x/*" stands for all below x. Longest prefix wins.
var allowed = map[string][]string{
	"capture":             {"capture/*"},
	"record":              {},
	"content":             {"content/digest", "record"},
	"content/digest":      {},
	"diagnose":            {"record"},
	"export":              {"capture", "content", "dissect", "record"},
	"render":              {"record", "render/*"},
	"dissect":             {"content", "record"},
	"dissect/":            {"dissect", "dissect/internal/*", "content", "record"},
	"dissect/soap":        {"dissect", "dissect/internal/*", "dissect/soap/*", "content", "record"},
	"dissect/dissecttest": {"dissect", "flow", "content", "record"},
	"flow":                {"dissect", "record", "capture", "content"},
	"proxy":               {"flow", "dissect", "record", "proxy/*"},
	"query":               {"record"},
	"benchmark":           {"record", "render"},
	"cmd":                 {"*"},
	"samples":             {"*"}, // tests alone
}

// forbidden names standard packages that would make a dissector impure.
var forbidden = []string{"net/http", "os", "os/exec", "log", "log/slog", "math/rand"}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}}{{"\t"}}{{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), "\t")
		pkg := strings.TrimPrefix(path, "sniff/")
		if pkg == "sniff" {
			continue
		}
		rule, rules := "", []string(nil)
		for prefix, r := range allowed {
			if (pkg == prefix || strings.HasPrefix(pkg, strings.TrimSuffix(prefix, "/")+"/")) && len(prefix) > len(rule) {
				rule, rules = prefix, r
			}
		}
		if rule == "" {
			t.Errorf("%s: no rule says what it may import; add one here and to docs/architecture.md", pkg)
			continue
		}
		for imp := range strings.FieldsSeq(imports) {
			ours, mine := strings.CutPrefix(imp, "sniff/")
			if mine && !permitted(ours, rules) {
				t.Errorf("%s imports %s, which the rule for %q does not allow", pkg, ours, rule)
			}
			if strings.HasPrefix(pkg, "dissect/") && pkg != "dissect/dissecttest" {
				for _, f := range forbidden {
					if imp == f {
						t.Errorf("%s imports %s: dissectors are pure", pkg, imp)
					}
				}
			}
		}
	}
}

func permitted(pkg string, rules []string) bool {
	for _, r := range rules {
		if prefix, ok := strings.CutSuffix(r, "*"); ok && strings.HasPrefix(pkg, prefix) || r == pkg {
			return true
		}
	}
	return false
}
