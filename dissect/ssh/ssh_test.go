package ssh

import (
	"testing"

	"sniff/dissect/dissecttest"
	"sniff/record"
)

func TestTranscripts(t *testing.T) { dissecttest.Run(t, Protocol()) }

// TestGaps wants nothing claimed that was not seen: whatever is missing, at
// most one handshake, and never an algorithm or a key that the whole dialogue
// does not have.
func TestGaps(t *testing.T) {
	dissecttest.Gaps(t, Protocol(), dissecttest.CheckGap(func(t *testing.T, g dissecttest.Gap) {
		whole := handshakeOf(g.Whole)
		n := 0
		for _, r := range g.Records {
			h, ok := r.(*record.SSHHandshake)
			if !ok {
				continue
			}
			n++
			if whole == nil {
				continue
			}
			if h.HostKey != nil && (whole.HostKey == nil || h.HostKey.SHA256 != whole.HostKey.SHA256) {
				t.Errorf("%v: host key %s was never sent", g, h.HostKey.SHA256)
			}
			if a, b := h.Negotiated, whole.Negotiated; a != nil && b != nil && *a != *b {
				t.Errorf("%v: negotiated %+v, want %+v", g, *a, *b)
			}
		}
		if n > 1 {
			t.Errorf("%v: %d handshakes", g, n)
		}
	}))
}

func handshakeOf(records []record.Record) *record.SSHHandshake {
	for _, r := range records {
		if h, ok := r.(*record.SSHHandshake); ok {
			return h
		}
	}
	return nil
}

func FuzzDissector(f *testing.F) { dissecttest.Fuzz(f, Protocol()) }
