package smtp

import (
	"strings"
	"testing"

	"sniff/dissect/dissecttest"
	"sniff/record"
)

// TestGaps drops bytes everywhere. Where the client works in lock step, the
// exchange behind the next complete one must be paired as if nothing was
// missing.
func TestGaps(t *testing.T) {
	dissecttest.Gaps(t, Protocol(), dissecttest.CheckGap(func(t *testing.T, g dissecttest.Gap) {
		noSecret(t, g.Records)
		if g.Left < 6 || !strings.HasPrefix(g.Transcript, "plain") {
			return
		}
		want, got := last(g.Whole), last(g.Records)
		if want == nil {
			t.Fatalf("%v: the whole dialogue ends without an exchange", g)
		}
		if got == nil || got.Summary() != want.Summary() {
			t.Errorf("%v: last exchange is %v, want %q", g, got, want.Summary())
		}
	}))
}

func last(records []record.Record) *record.SMTPExchange {
	var x *record.SMTPExchange
	for _, r := range records {
		if e, ok := r.(*record.SMTPExchange); ok {
			x = e
		}
	}
	return x
}

// noSecret fails when the password of the transcripts shows in an exchange,
// bare or in base64.
func noSecret(t *testing.T, records []record.Record) {
	t.Helper()
	for _, r := range records {
		if c, ok := r.(*record.Credential); ok && (c.Account == "secret" || strings.Contains(c.Summary(), "secret")) {
			t.Errorf("the password is taken for an account: %s", c.Summary())
		}
		x, ok := r.(*record.SMTPExchange)
		if !ok {
			continue
		}
		for _, l := range x.Lines() {
			for _, secret := range []string{"secret", "c2VjcmV0", "AGJvYgBzZWNyZXQ="} {
				if strings.Contains(l.Text.String(), secret) {
					t.Errorf("the password shows in %q", l.Text.String())
				}
			}
		}
	}
}
