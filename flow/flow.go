// Package flow is the engine: it puts TCP segments together to sessions,
// finds out what protocol each one speaks, and drives its dissector.
//
// The way of a byte: Engine.Segment finds the connection (table.go), puts its
// payload in order (reassembly.go) and calls Session.Data or Session.Gap. A
// proxy calls the very same methods of a Session that it got from Engine.Open.
// The session (session.go) probes for the protocol (probe.go), keeps unread
// bytes, and offers them to the dissector of its innermost stage (stage.go).
// Records leave through the output (output.go) in an order that does not
// depend on the number of CPUs.
package flow

import (
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// Config sets up an Engine. The zero value of every limit means its default;
// nothing can be made unlimited.
type Config struct {
	// Protocols are probed in this order.
	Protocols []dissect.Protocol
	// TLS makes the layer that reads TLS; nil leaves TLS opaque.
	TLS func(dissect.LayerEnv) dissect.Layer
	// Content opens bodies; nil counts and digests them, no more.
	Content content.Opener
	// Sink takes the records.
	Sink record.Sink
	// Tap, unless nil, is asked for every session that says something, and
	// returns who takes its bytes: those of its outermost dialogue, plaintext
	// where TLS was decrypted, without the words that agreed on it. nil: nobody.
	// It is called under the session's lock.
	Tap func(h *record.Header, start time.Time) record.TapConn
	// Secrets makes the masked secrets; with a random key when it has none.
	Secrets record.Keyer
	// Inline makes records leave on the caller's goroutine, before Segment or
	// Data returns (proxy, tests). Otherwise an output goroutine writes them.
	Inline bool
	// Clock stamps what comes without a time: the bytes of a nested stream
	// that the proxy feeds. nil means time.Now. Captures never ask it.
	Clock func() time.Time

	Limits Limits
}

// Limits bound what the engine keeps.
type Limits struct {
	// Pending is the most bytes of an unfinished token, each direction;
	// default 256 KiB.
	Pending int
	// Held is the most bytes kept by a hold; default 256 KiB.
	Held int
	// HoldTime is the longest hold in capture time; default 5 minutes.
	HoldTime time.Duration
	// Wait is the most bytes that a session keeps while it waits for keys,
	// WaitTotal all that wait; default 1 MiB and 64 MiB. WaitTime is for how
	// long, in capture time; default 10 seconds.
	Wait, WaitTotal int
	WaitTime        time.Duration
	// OutOfOrder is the most bytes kept ahead of a hole in one direction;
	// default 1 MiB. OutOfOrderTotal is the same over all connections;
	// default 128 MiB.
	OutOfOrder, OutOfOrderTotal int
	// Connections is the most connections kept; default 250,000. HalfOpen is
	// the most that have only sent a SYN; default 500,000.
	Connections, HalfOpen int
	// Idle is how long an established connection may be silent in capture
	// time before it is given up; default 1 hour. HalfOpenIdle is the same
	// for a SYN without answer; default 1 minute.
	Idle, HalfOpenIdle time.Duration
	// Violations is how many anomalies of one code a session lists; more are
	// counted; default 16.
	Violations int
}
