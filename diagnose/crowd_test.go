package diagnose

import (
	"fmt"
	"testing"

	"sniff/record"
)

// TestCrowdedSessionsKeepLess: what is kept of a session for families that may
// wake later is not kept of all when very many are open.
func TestCrowdedSessionsKeepLess(t *testing.T) {
	w := NewWatcher(record.SinkFunc(func(record.Record) error { return nil }), Families())
	say := func(session int) *watched {
		id := fmt.Sprint(session)
		for range maxEarly {
			r := &record.SMTPExchange{Verb: "NOOP"}
			r.RecordKind, r.Session = r.Kind(), id
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		return w.sessions[id]
	}
	if s := say(0); len(s.late) != maxLate {
		t.Errorf("%d of the last records are kept, want %d", len(s.late), maxLate)
	}
	for i := range crowd {
		say(1 + i)
	}
	if s := say(crowd + 1); len(s.late) != 0 {
		t.Errorf("%d of the last records are kept in a crowd", len(s.late))
	}
}
