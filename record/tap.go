package record

import (
	"net/netip"
	"time"
)

// Tap takes what applications said to each other, as the proxy relayed it or
// as it was decrypted: a capture writer.
type Tap interface {
	// Open begins a connection. comment names where it came in.
	Open(client, server netip.AddrPort, at time.Time, comment string) TapConn
	// Call begins a connection that the server has not answered yet.
	Call(client, server netip.AddrPort, at time.Time, comments ...string) TapCall
}

// TapCall is a connection that is being made.
type TapCall interface {
	// Answered says that it has come about.
	Answered(at time.Time) TapConn
	// Failed says that it has not, as the record.End constant says. comments name
	// the reason.
	Failed(end string, at time.Time, comments ...string)
}

// TapConn takes the bytes of one connection; its methods are called by one
// goroutine at a time.
type TapConn interface {
	// Data is what one side said; b is not kept.
	Data(dir Dir, b []byte, at time.Time)
	// Gap says that n bytes of dir are missing; n < 0: unknown how many.
	Gap(dir Dir, n int64, at time.Time)
	// Comment annotates what follows, such as "TLS 1.3: plaintext from here on".
	Comment(text string)
	// EOF ends one direction.
	EOF(dir Dir, at time.Time)
	// Close ends the connection as the record.End constant says.
	Close(end, by string, at time.Time)
}
