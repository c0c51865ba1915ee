// Package http reads HTTP/0.9, 1.0, 1.1 and 2 and reports every exchange with
// its bodies, whatever the port.
//
// Reconstructed: requests and responses paired through pipelining and
// keep-alive, interim responses, bodies framed by Content-Length, chunked
// coding (extensions, trailers) or the end of the connection, CONNECT and
// Upgrade (the stream behind them is probed afresh, except h2c, which is read
// here), credentials (Basic, Digest, Bearer, NTLM, Negotiate) and whether they
// worked. HTTP/2 with prior knowledge, by upgrade and inside TLS. Captures that
// lack one direction, the beginning, or bytes in the middle: a gap costs the
// exchange that it hits.
//
// Not reconstructed: HTTP/3, ranges put together to a file, WebSocket frames.
//
// RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 9113 (HTTP/2), RFC 7541
// (HPACK), RFC 1945 (HTTP/1.0), RFC 7617, 7616, 6750 and 4559
// (authentication).
//
// How it works: each direction is a small state machine (side) that takes a
// whole head, then a body piece by piece. Requests wait in a queue for their
// responses; an exchange is reported when both have ended. Where a message
// ends is read as RFC 9112, section 6.3, has it; shapes on which peers are known
// to disagree (request smuggling) are reported, and never normalised away.
package http

import (
	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

const (
	// maxHead is the longest head that is read.
	maxHead = 128 << 10
	// maxFields is how many header fields of one head are kept.
	maxFields = 100
	// maxQueue is how many requests may wait for their responses.
	maxQueue = 256
)

// Protocol returns HTTP's entry for the engine's list.
func Protocol() dissect.Protocol {
	return dissect.Protocol{
		Name:     "http",
		Ports:    []uint16{80, 8080, 8000, 8008, 8081, 3128},
		TLSPorts: []uint16{443, 8443},
		ALPN:     []string{"http/1.1", "http/1.0", "h2"},
		Probe:    probe,
		New:      func(env dissect.Env) dissect.Dissector { return newDissector(env) },
	}
}

// state is what a direction expects next.
type state uint8

const (
	inHead      state = iota // a message head
	inBody                   // side.left bytes of body
	inChunkSize              // a chunk's size line
	inChunk                  // side.left bytes of a chunk
	inChunkEnd               // the line end behind a chunk
	inTrailer                // the trailer section
	untilClose               // body up to the end of the connection
	isLost                   // anything, until something looks like a head
	isTunnel                 // no HTTP any more
)

// side is one direction of a connection.
type side struct {
	state    state
	searched int   // bytes of the unread input without a head's end
	left     int64 // of the body or chunk
	body     content.Body
	x        *exchange // whose message is under way; nil between messages
	cutHead  string    // first line of a head whose rest did not come
	quiet    bool      // isLost is no damage: the capture starts in the middle
}

type dissector struct {
	env       dissect.Env
	side      [2]side
	queue     []*exchange // requests without a final response, oldest first
	count     int
	pipelines bool // a request was seen in front of the answer to another
	doubt     bool // bytes were lost since the queue was empty
	auth      authState
	head      head    // the one that was read last
	called    called  // by the last request
	h2        *h2conn // the connection has switched to HTTP/2
	glance    glance
}

func newDissector(env dissect.Env) *dissector {
	d := &dissector{env: env}
	if c := env.Conn(); c.Midstream {
		for i := range d.side {
			d.side[i].state, d.side[i].quiet = isLost, true
		}
		d.doubt = true
	}
	return d
}

func (d *dissector) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if d.h2 != nil {
		return d.h2.consume(dir, b)
	}
	s := &d.side[dir]
	switch s.state {
	case inHead:
		if dir == dissect.ServerToClient && d.count == 0 && startsSettings(b) {
			return 0, dissect.Continue, nil // until the client's preface has come
		}
		return d.consumeHead(dir, b)
	case inBody, inChunk, untilClose:
		return d.consumeBody(dir, b)
	case inChunkSize:
		return d.consumeChunkSize(dir, b)
	case inChunkEnd:
		return d.consumeChunkEnd(dir, b)
	case inTrailer:
		return d.consumeTrailer(dir, b)
	case isLost:
		return d.consumeLost(dir, b)
	}
	return len(b), dissect.Continue, nil
}

// Gap costs the exchange that it hits. A gap inside a body of known length
// keeps the direction in step.
func (d *dissector) Gap(dir dissect.Dir, n int64) {
	if d.h2 != nil {
		d.h2.gap(dir, n)
		return
	}
	s := &d.side[dir]
	s.searched, s.cutHead = 0, ""
	switch s.state {
	case inBody, inChunk:
		if n > 0 && n <= s.left {
			d.bodyGap(dir, n)
			s.left -= n
			if s.left == 0 {
				d.bodyPieceDone(dir, d.env.At(0))
			}
			return
		}
	case untilClose:
		d.bodyGap(dir, n)
		return
	case isLost, isTunnel:
		return
	}
	d.lose(dir, n)
}

// lose gives up the message under way; the next one is searched.
func (d *dissector) lose(dir dissect.Dir, n int64) {
	s := &d.side[dir]
	d.doubt = true
	if s.x != nil {
		d.bodyGap(dir, n)
		d.endMessage(dir, d.env.At(0), false)
	} else if dir == dissect.ClientToServer {
		d.push(unseen())
	} else if len(d.queue) > 0 {
		// The head of the response to the oldest request is what is missing.
		d.abandon()
	}
	s.state, s.quiet = isLost, false
}

func (d *dissector) bodyGap(dir dissect.Dir, n int64) {
	s := &d.side[dir]
	if s.body != nil {
		s.body.Gap(n)
	}
	s.x.damaged[dir] = true
}

// EOF ends the message under way: well, if the end of the connection is its
// end, and cut otherwise. The server's end answers for all that still waits.
func (d *dissector) EOF(dir dissect.Dir) {
	if d.h2 != nil {
		d.h2.eof(dir)
		return
	}
	s := &d.side[dir]
	at := d.env.At(0)
	switch {
	case s.state == isTunnel:
	case s.x != nil:
		d.endMessage(dir, at, s.state == untilClose)
	case s.cutHead != "":
		d.violation(dir, at, "http_head_cut", "the head of a message ends before its last line: "+clip(s.cutHead))
		if dir == dissect.ClientToServer {
			d.cutRequest(s.cutHead, at)
		}
	}
	s.state, s.searched, s.cutHead = isTunnel, 0, ""
	if d.side[0].state == isTunnel && d.side[1].state == isTunnel {
		for len(d.queue) > 0 {
			d.abandon()
		}
	}
}

func (d *dissector) violation(dir dissect.Dir, at record.Stamp, code, detail string) {
	d.env.Violation(dissect.Violation{Code: code, Dir: dir, Stamp: at, Detail: detail})
}

// clip bounds text that is quoted in a detail.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
