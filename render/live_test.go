package render

import (
	"net/netip"
	"strings"
	"testing"

	"sniff/record"
)

// TestLiveFitsTheTerminal: what is said of a session as it ends is not torn
// apart at the edge of a terminal, and is one line in a pipe.
func TestLiveFitsTheTerminal(t *testing.T) {
	s := &record.Session{What: "alice@sender.example to bob@recipient.example and 2 more, 25 kB, accepted by everybody"}
	s.Client, s.Server = netip.MustParseAddrPort("192.0.2.10:50000"), netip.MustParseAddrPort("198.51.100.25:25")
	s.Protocol = "smtp"
	for _, width := range []int{80, 0} {
		var table, talk strings.Builder
		live := NewTable(&table, Style{Width: width})
		live.Live = true
		if err := live.Write(s); err != nil {
			t.Fatal(err)
		}
		if err := NewTalk(&talk, Style{Width: width}).Write(s); err != nil {
			t.Fatal(err)
		}
		for what, out := range map[string]string{"table": table.String(), "dialogue": talk.String()} {
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if width == 0 && len(lines) != 1 {
				t.Errorf("%s in a pipe:\n%s", what, out)
			}
			for _, l := range lines {
				if width > 0 && displayWidth(l) > width {
					t.Errorf("%s: wider than %d: %q", what, width, l)
				}
			}
			if joined := strings.Join(strings.Fields(out), " "); !strings.Contains(joined, s.What) {
				t.Errorf("%s: words are torn apart or missing:\n%s", what, out)
			}
		}
	}
}
