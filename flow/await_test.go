package flow

import (
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// waitingBench is a session of a toy that waits behind its first line.
func waitingBench(t *testing.T, limits Limits) (*bench, *toy) {
	t.Helper()
	var made *toy
	p := toyProtocol
	p.New = func(env dissect.Env) dissect.Dissector { made = &toy{env: env}; return made }
	b := newBench(t, Config{Protocols: []dissect.Protocol{p}, Limits: limits}, toyConn)
	b.c("WAIT\nrest\n").r("answer\n").c("more\n")
	b.want("C WAIT")
	return b, made
}

// TestWaitKeepsTheOrder: what was kept is read in order of arrival.
func TestWaitKeepsTheOrder(t *testing.T) {
	b, d := waitingBench(t, Limits{})
	d.ready = true
	b.r("last\n")
	b.want("C WAIT", "C [ready]", "C rest", "S answer", "C more", "S last")
	if at := b.records[3].Head().Time; !at.Equal(t0.Add(2 * time.Millisecond)) {
		t.Errorf("the answer came at %v, want the time at which it was captured", at)
	}
	b.close()
}

// TestWaitEndsBehindTheConnection: a connection that has ended waits on, and
// goes on when the engine asks.
func TestWaitEndsBehindTheConnection(t *testing.T) {
	b, d := waitingBench(t, Limits{})
	b.s.Close(record.EndClosed, "client", b.at())
	b.want("C WAIT")
	d.ready = true
	b.e.Advance(b.at().Time)
	b.want("C WAIT", "C [ready]", "C rest", "S answer", "C more", "C [eof]", "S [eof]", "C [closed closed]")
	if _, ok := b.records[len(b.records)-1].(*record.Session); !ok {
		t.Error("the session's record is not the last one")
	}
	if n := b.e.awaiting.size; n != 0 || len(b.e.awaiting.sessions) != 0 {
		t.Errorf("%d bytes are still kept, for %d sessions", n, len(b.e.awaiting.sessions))
	}
}

// TestWaitIsBounded: by time, by bytes, by those of all sessions, and by the
// end of the input.
func TestWaitIsBounded(t *testing.T) {
	for what, c := range map[string]struct {
		limits Limits
		then   func(*bench)
	}{
		"time":      {Limits{WaitTime: time.Second}, func(b *bench) { b.e.Advance(b.now.Add(2 * time.Second)) }},
		"bytes":     {Limits{Wait: 1000}, func(b *bench) { b.c(strings.Repeat("x", 2000)) }},
		"all bytes": {Limits{WaitTotal: 6000}, func(b *bench) { b.c(strings.Repeat("x", 2000)) }},
		"the end":   {Limits{}, func(b *bench) { b.e.Close() }},
	} {
		b, _ := waitingBench(t, c.limits)
		c.then(b)
		if len(b.records) < 5 || b.records[1].Summary() != "[gave up]" || b.records[4].Summary() != "more" {
			t.Errorf("%s: %d records, want the wait given up and what was kept read", what, len(b.records))
		}
		b.s.Close(record.EndClosed, "client", b.at())
		b.e.Close()
		if b.e.awaiting.size != 0 {
			t.Errorf("%s: %d bytes are still kept", what, b.e.awaiting.size)
		}
	}
}
