// Package dissect is the contract that every protocol keeps.
//
// A dissector is a pure function of its state and the bytes it is given: it
// has no sockets, clocks, goroutines or logging. It is a stateful,
// two-direction bufio.SplitFunc: the session offers it the bytes at the front
// of one direction, it says how many it used. Whether the bytes come from a
// capture, an interface or the proxy is nothing it can see.
package dissect

import (
	"net/netip"
	"time"

	"sniff/content"
	"sniff/record"
)

// Dir is a direction of a session.
type Dir = record.Dir

const (
	ClientToServer = record.ClientToServer
	ServerToClient = record.ServerToClient
)

// Dissector reads both directions of one session.
type Dissector interface {
	// Consume reads from the front of b, the next unread bytes of dir, and
	// returns how many it used. It is called again while bytes are left and
	// n > 0.
	//
	// n == 0 with a nil error means "need more": nothing was emitted, no
	// state was changed (a mark of how far b was searched is no state), b was
	// not kept. Records come only from consumed bytes, so how the bytes were
	// cut into packets can never change the outcome.
	//
	// An error means that this direction can no longer be followed. It turns
	// opaque from its next unread byte; the other one goes on.
	//
	// b is valid during the call only. An unfinished token is bounded by the
	// session (256 KiB by default): past that the direction turns opaque.
	Consume(dir Dir, b []byte) (n int, act Action, err error)
	// Gap says that the next n bytes of dir were never seen; n < 0: unknown
	// how many. Bytes that were offered but not consumed before the gap are
	// dropped by the session, which counts them into n.
	Gap(dir Dir, n int64)
	// EOF says that dir ended (FIN, or the end of the session). Bytes that
	// are still unconsumed are offered once more before it; what then remains
	// was never completed. EOF is called at most once for each direction, and
	// for both before the session ends.
	EOF(dir Dir)
}

// Closer is a Dissector that wants to know how its connection ended. Closed
// is called once, behind both EOFs; end is one of the record.End constants,
// by is "client", "server" or "".
type Closer interface {
	Closed(end, by string)
}

// Resetter is a Dissector that wants to know ahead of the EOFs that they come of
// a reset, by "client" or "server". Closed follows later: connections linger.
type Resetter interface {
	Reset(by string)
}

// Blinded is a Dissector that wants to know how many bytes of its stream passed
// that could not be read (TLS without keys), as far as they can be counted. At
// is the time of the bytes that carried them.
type Blinded interface {
	Opaque(dir Dir, n int64)
}

// Waiter is a Dissector that may return Wait.
type Waiter interface {
	// Ready is asked while it waits, now and then and whenever something
	// arrives, and reports whether it can go on. With last set no more is
	// kept, and it goes on with what it has.
	Ready(last bool) bool
}

// Passer is a Dissector that can promise, by a glance, that a proxy need not
// wait for it: whatever it will make of b, it will ask for nothing but Continue.
// It is asked when it has consumed all that came before b (read), or when it
// has promised the same for all that it has not consumed, in the order in which
// that will be consumed.
type Passer interface {
	Passes(dir Dir, b []byte, read bool) bool
}

// Action is what a dissector asks of its session beside going on.
type Action uint8

const (
	Continue Action = iota
	// HoldClient stops the consuming (and in the proxy the forwarding) of
	// client bytes behind the ones just used, until ReleaseClient, Upgrade or
	// Handoff. A hold keeps cause before effect where the meaning of one
	// side's next bytes depends on the other side's answer: after STARTTLS,
	// AUTH TLS, DATA. It is bounded: a byte limit, a timeout of capture time,
	// a gap, the EOF of either side or a capture of one direction only frees
	// it, and then Consume is called with the held bytes although no answer
	// was seen.
	HoldClient
	ReleaseClient
	HoldServer
	ReleaseServer
	// Upgrade says that both directions are TLS from the next unread byte of
	// each. It frees all holds. Held client bytes that are no TLS are
	// reported by the session as an anomaly and not kept.
	Upgrade
	// Downgrade says that TLS ends with the close_notify of each side and
	// that the dissector goes on behind it in the clear (FTP's CCC).
	Downgrade
	// Wait says that what was just used needs something from outside of the
	// traffic before anything more is read: keys that are still being
	// written. The session keeps what arrives on both sides, in order and
	// within bounds, and asks Waiter. Only a Waiter may return it.
	Wait
	// Handoff says that what follows in both directions is a new stream of
	// a protocol not known yet (HTTP's CONNECT and Upgrade). The dissector
	// gets EOF for both directions, then the stream is probed afresh.
	Handoff
)

// Hold returns the action that holds d, Release the one that frees it.
func Hold(d Dir) Action {
	if d == ClientToServer {
		return HoldClient
	}
	return HoldServer
}

func Release(d Dir) Action {
	if d == ClientToServer {
		return ReleaseClient
	}
	return ReleaseServer
}

// Conn is what a dissector may know of its connection.
type Conn struct {
	Client, Server netip.AddrPort
	// Session is the id of the session.
	Session string
	// Start is the time of the first packet.
	Start time.Time
	// Midstream: the beginning of the connection was not captured.
	Midstream bool
	// OneSided: only one direction is captured, as far as can be told yet.
	OneSided bool
	// TLS: the bytes come out of TLS that began with the connection (implicit
	// TLS), so the protocol starts encrypted.
	TLS bool
}

// Env is what the session offers to its dissector.
type Env interface {
	Conn() Conn
	// At returns the stamp of byte i of the slice that Consume was given.
	// In Gap it is the first missing byte, in EOF the end of the stream, and
	// i is ignored.
	At(i int) record.Stamp
	// Emit writes a record. The dissector has stamped it (Header.Stamp); the
	// session fills in the rest of the header. A record without a time gets
	// At(0).
	Emit(r record.Record)
	// Defer keeps r's place in the order of records, and calls finish later,
	// perhaps on another goroutine, when the bodies that were closed before
	// can be waited for without holding up the engine. finish may emit any
	// number of records, r among them; those without a time take r's header.
	// finish must not touch the dissector's state.
	Defer(r record.Record, finish func(emit func(record.Record)))
	// Violation reports a breach of the protocol's rules; parsing goes on.
	// It becomes a record.Anomaly. Repeats of one code are bounded.
	Violation(v Violation)
	// Secret makes a masked secret with the engine's keyed token.
	Secret(text string) record.Secret
	// Body opens a body for piecewise writing.
	Body(info content.Info) content.Body
	// Expect announces a connection, and returns its handle.
	Expect(x Expectation) Expected
	// Open begins a nested stream inside this session, read by the named
	// protocol (an SFTP subsystem inside an SSH channel). nil if there is no
	// such protocol.
	Open(protocol, label string) Stream
	// Upgraded returns the TLS handshake record of the layer that was put in
	// by Upgrade or that the session began with, nil while there is none.
	TLS() *record.TLSHandshake
}

// Stream is fed the bytes of a nested stream.
type Stream interface {
	Data(dir Dir, b []byte)
	Gap(dir Dir, n int64)
	EOF(dir Dir)
}

// Violation is a breach of a protocol's rules by one of the peers.
type Violation struct {
	Code   string // stable token, "smtp_bare_lf"
	Dir    Dir
	Stamp  record.Stamp
	Detail string // in words, secrets masked
}

// Expectation announces a connection that a control channel has negotiated.
type Expectation struct {
	// Server listens for it; Client is who should call, the zero Addr for
	// anyone. Clients other than Client still match, so that a stranger's
	// connection is seen as what it is.
	//
	// Port 0 says that the announcements could not be read: every connection
	// between the two hosts, either way, that begins before the session ends
	// and turns out to be TLS without keys is taken for an announced one. Then
	// New and Protocol are all that counts beside the addresses.
	Server netip.AddrPort
	Client netip.Addr
	// TTL is how long to wait for it in capture time; 0 means a minute.
	TTL time.Duration
	// Protocol is the name that the session gets, "ftp-data".
	Protocol string
	// TLS: the connection will be wrapped in TLS.
	TLS bool
	// New makes its dissector when the first packet of the connection is
	// seen; Env is the new session's. It runs in the same order as the
	// control session's dissector and may share state with it.
	New func(Env) Dissector
	// Expired is called when no connection came within TTL or before the
	// control session ended. May be nil.
	Expired func()
	// From and To are where the announcement's address stands in the control
	// stream's direction Dir (absolute offsets), so that the proxy can
	// announce its own instead: the text between is replaced by the same
	// Form. Form is PORT, EPRT, LPRT, PASV, EPSV, LPSV: how it is written.
	Dir      Dir
	From, To int64
	Form     string
}

// Expected is the handle of an Expectation.
type Expected interface {
	// Cancel withdraws it; Expired is not called.
	Cancel()
}

// Verdict is a probe's answer.
type Verdict uint8

const (
	// More: cannot say yet.
	More Verdict = iota
	// Accept: this is the protocol.
	Accept
	// AcceptSwapped: it is, but who was taken for the client is the server.
	// Only allowed while Input.Oriented is false.
	AcceptSwapped
	// Reject: this is not the protocol.
	Reject
)

// Input is what a probe may look at: the first bytes of both sides, up to
// 4 KiB each.
type Input struct {
	Client, Server []byte
	// ClientEnded, ServerEnded: no more bytes will come from that side.
	ClientEnded, ServerEnded bool
	// ServerFirst: the server's first byte was seen before the client's.
	ServerFirst bool
	// Oriented: it is certain who is the client (the handshake was seen).
	Oriented bool
	// Midstream: the first bytes may be the middle of a dialogue.
	Midstream bool
	// Final: no more bytes will be offered; More counts as Reject.
	Final bool
	// Hint: the server's port is one of the protocol's, or the client's one
	// that its connections come from.
	Hint bool
	// ALPN is the application protocol that TLS negotiated around the
	// stream, "" if none.
	ALPN string
}

// Protocol is one entry of the list that cmd hands to the engine.
type Protocol struct {
	// Name is the protocol's name in records: "smtp".
	Name string
	// Ports are hints, never proof. TLSPorts are the ones of implicit TLS.
	Ports, TLSPorts []uint16
	// AloneOnTLS: a TLS connection to one of TLSPorts that cannot be read is
	// taken for this protocol: nothing else is at home there.
	AloneOnTLS bool
	// From are the ports that its connections come from, where they do from
	// a certain one (20 of active FTP data).
	From []uint16
	// ALPN are the protocol's ALPN names.
	ALPN []string
	// Probe decides by the first bytes.
	Probe func(in *Input) Verdict
	// New makes the dissector of one session.
	New func(env Env) Dissector
}

// LayerEnv is the Env of a layer: a carrier, such as TLS, that turns the
// stream of its connection into another stream.
type LayerEnv interface {
	Env
	// Plain delivers bytes of the inner stream. at is the stamp of the record
	// that carried them; its offset is 0 if none did.
	Plain(dir Dir, b []byte, at record.Stamp)
	PlainGap(dir Dir, n int64)
	PlainEOF(dir Dir)
	// Opaque says that the inner stream cannot be read (no keys). n inner
	// bytes, as far as they can be counted, passed.
	Opaque(dir Dir, n int64)
	// Established hands over the handshake record once both hellos are
	// known; it may still be filled in until it is emitted.
	Established(hs *record.TLSHandshake)
}

// Layer is a Dissector that yields an inner stream.
type Layer interface {
	Dissector
	// Downgrade says that the inner protocol goes on in the clear behind the
	// close_notify of each side.
	Downgrade()
}
