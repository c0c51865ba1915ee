// Package content reads what was carried: it undoes transfer and content
// codings, takes MIME trees apart, digests, names media types, and hands each
// decoded body to the load that recognises it (SOAP in an HTTP body, in a mail
// part or in a MIME package is read by the same code).
//
// A carrier (SMTP, HTTP, FTP) opens a Body through its dissect.Env, writes the
// bytes as they come, and closes it. Costly work may happen beside the engine's
// goroutine: the carrier looks at the Result only inside dissect.Env.Defer,
// where Result.Wait gives the finished record.
//
// How it works: Body.Write copies into chunks, which a worker pushes through
// the body's stages (reading.go): content codings (coding.go: gzip, deflate in
// both its meanings, br, zstd, stacked), transfer encodings (base64, quoted-
// printable, uuencode, also broken ones), then the MIME tree (tree.go, lines.go)
// or a single leaf (leaf.go). A leaf's type is told by its first kilobyte; it is
// digested, offered to the loads and to the store. Nothing is gathered but what
// one line or one head needs, and everything has a bound in Limits. A body that
// fits into its first chunk is read in a batch with others, or by whoever asks
// for its result first. Neither the number of workers nor the cutting of the
// bytes changes a result.
//
// Holes are never closed: what lies on both sides of one is not joined to a
// line, a group of base64, a field or a first kilobyte; a compressed body ends
// at it. Whatever a hole touches is Partial, and its digests are of what is
// there.
//
// Mail is read by RFC 5322 (head), 2045 to 2049, 2183, 2231 and 2387 (MIME),
// 6532 (UTF-8), 3464, 8098 and 5965 (reports), 8601, 6376 and 8617 (what
// authentication fields say; nothing is verified), and by what mailers write
// instead. Not undone are encryption, TNEF, archives, yEnc, message/partial and
// the coding "compress"; they are named by their types.
package content

import (
	"slices"
	"sync"

	"sniff/record"
)

// Role says what a body is to its carrier.
type Role uint8

const (
	File    Role = iota
	Listing      // of a folder, which the carrier has read itself
	Message
	Request
	Response
)

// Info is what the carrier knows about a body before its first byte.
type Info struct {
	Carrier string // protocol that carries it: "smtp", "http", "ftp-data", "sftp"
	Session string // id of the session, for stores
	Role    Role
	Name    string // file name or path as the peers gave it; "" if none
	// ContentType is the whole Content-Type value with its parameters.
	// "message/rfc822" makes the body a mail message.
	ContentType string
	// TransferEncoding is MIME's Content-Transfer-Encoding; "" for none.
	TransferEncoding string
	// Codings are HTTP's content codings in the order they were applied.
	Codings []string
	// ID is the Content-ID, Action the SOAPAction header or action parameter,
	// where the carrier has one.
	ID, Action string
	// Text says that the carrier turned line ends into CR LF (FTP's TYPE A).
	Text bool
	// Stamp is where and when the body begins.
	Stamp record.Stamp
	Dir   record.Dir
}

// Opener opens bodies. *Reader is the real one.
type Opener interface {
	Open(info Info) Body
}

// Body takes the bytes of one body in order. Its methods never fail: what is
// wrong with the bytes is said in the Result.
type Body interface {
	// Write takes the next bytes; p is not kept.
	Write(p []byte)
	// Gap says that n bytes are missing here; n < 0: unknown how many.
	Gap(n int64)
	// Close ends the body. complete is false when the carrier knows that it
	// was cut short. Nothing may be written after it.
	Close(complete bool) Result
}

// Result is what became of a body. It may not be finished yet; both methods
// wait for it.
type Result interface {
	// Wait returns the finished record.
	Wait() *record.Content
	// Loaded returns what loads made of the body and its parts.
	Loaded() []Loaded
}

// Loaded is one body or part that a load recognised, and what it made of it.
type Loaded struct {
	Load    Load
	Value   any
	Content *record.Content
}

// Load reads one kind of document out of bodies, whoever carried them. Bodies
// are recognised and parsed by several goroutines at the same time.
type Load interface {
	Name() string
	// Recognise decides by the declared type and the first decoded bytes (up
	// to 1 KiB, fewer if the body is shorter).
	Recognise(info *Info, mediaType string, first []byte) bool
	// Parse begins to read a body.
	Parse(info *Info, mediaType string) Parser
	// Pair is called once for each exchange in which it recognised a body, in
	// the order of the records and by one goroutine at a time; it emits the
	// load's records.
	Pair(x *Exchange, emit func(record.Record))
}

// Parser is fed one decoded body. Close returns the Value of the Loaded.
type Parser interface {
	Write(p []byte)
	Gap(n int64)
	Close(complete bool) any
}

// Exchange is a finished request with its response, or a mail message.
type Exchange struct {
	// Carrier is the record of the exchange: *record.HTTPExchange or
	// *record.SMTPMessage. Records that Pair emits take its header.
	Carrier record.Record
	// Request and Response are nil when there was none. A mail message is a
	// Request.
	Request, Response Result
}

// guard is a Result whose reader keeps others out of a load while it pairs.
type guard interface {
	guard(l Load) *sync.Mutex
}

// Pair lets every load that recognised something in x emit its records.
func Pair(x *Exchange, emit func(record.Record)) {
	var asked []Load
	for _, r := range [...]Result{x.Request, x.Response} {
		if r == nil {
			continue
		}
		for _, l := range r.Loaded() {
			if !slices.Contains(asked, l.Load) {
				asked = append(asked, l.Load)
				pair(r, l.Load, x, emit)
			}
		}
	}
}

func pair(r Result, l Load, x *Exchange, emit func(record.Record)) {
	if g, ok := r.(guard); ok {
		if mu := g.guard(l); mu != nil {
			mu.Lock()
			defer mu.Unlock()
		}
	}
	l.Pair(x, emit)
}
