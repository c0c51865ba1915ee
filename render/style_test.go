package render

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"\x1b[31mred\x07":        `\x1b[31mred\x07`,
		"a\tb\r\n":               `a b\r\n`,
		"caf\xe9 café":           `caf\xe9 café`,
		"\u009b31m":              `\x9b31m`,
		"user\u202etxt.exe":      `user\u{202e}txt.exe`,
		"zero\u200bwidth\ufeff!": `zero\u{200b}width\u{feff}!`,
		"":                       "",
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 7, "one two|three"},
		{"one two three", 8, "one two|three"},
		{"unbreakable", 4, "unbr|eaka|ble"},
		{"a unbreakable", 4, "a|unbr|eaka|ble"},
		{"日本語 テキスト", 6, "日本語|テキス|ト"},
		{"short", 0, "short"},
		{"", 5, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(wrap(tt.text, tt.width), "|"); got != tt.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// session makes a session record for tests of the table.
func session(n uint64, what string) *record.Session {
	s := &record.Session{End: record.EndClosed, What: what, Duration: record.Seconds(1500 * time.Millisecond)}
	s.Number, s.Protocol = n, "smtp"
	s.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Client, s.Server = netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("[2001:db8::25]:25")
	s.ClientSide.Bytes = 1234
	return s
}

func TestTableFitsTheTerminal(t *testing.T) {
	for _, width := range []int{80, 100, 129, 130, 200} {
		var out bytes.Buffer
		tb := NewTable(&out, Style{Width: width})
		for n := range uint64(3) {
			if err := tb.Write(session(3-n, strings.Repeat("words that tell a long story ", 6))); err != nil {
				t.Fatal(err)
			}
		}
		if err := tb.Close(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := displayWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("width %d: a line of %d columns: %q", width, w, line)
			}
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("width %d: colours although none were asked for", width)
		}
		first := strings.Index(out.String(), "1  ")
		if third := strings.Index(out.String(), "3  "); first < 0 || third < first {
			t.Errorf("width %d: sessions are not in order of their numbers:\n%s", width, out.String())
		}
	}
}

func TestTableInPipeHasOneLinePerSession(t *testing.T) {
	var out bytes.Buffer
	tb := NewTable(&out, Style{})
	for n := range uint64(5) {
		if err := tb.Write(session(n+1, strings.Repeat("long ", 100)+"\x1b[2J")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tb.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+5+1+1 {
		t.Errorf("%d lines for a head, 5 sessions, a blank and the totals:\n%s", len(lines), out.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("an escape sequence from the traffic reached the output")
	}
}

func TestSecretsAreMaskedUnlessRevealed(t *testing.T) {
	credential := func() *record.Credential {
		return &record.Credential{Account: "bob", Mechanism: "PLAIN", Exposure: record.ExposureClear, Secret: record.NewSecret("hunter2", "0badcafe")}
	}
	for _, reveal := range []bool{false, true} {
		var out bytes.Buffer
		j := NewJSONLines(&out, Style{Reveal: reveal})
		if err := j.Write(credential()); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(out.String(), "hunter2"); shown != reveal {
			t.Errorf("reveal %v: %s", reveal, out.String())
		}
		if !reveal && !strings.Contains(out.String(), "***0badcafe") {
			t.Errorf("the token of the secret is missing: %s", out.String())
		}
	}
}

// Long lines of a body are broken too, and what is left of them hangs.
func TestFoldedLinesAreWrapped(t *testing.T) {
	var b bytes.Buffer
	d := NewDialogue(&b, Style{Width: 40})
	d.line("", record.Line{Note: true, Text: record.Plain("a note"), Fold: []string{"short", "  indented and longer than the line is"}})
	if err := d.w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `           · a note
             │ short
             │   indented and longer
             │     than the line is
`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
