package http

import (
	"bytes"

	"sniff/dissect"
)

var _ dissect.Passer = (*dissector)(nil)

// Passes promises for what is plainly an ordinary message, or a piece of a
// body: only CONNECT (RFC 9110, section 9.3.6) and Upgrade (section 7.8) make
// anything wait or hand the connection on.
func (d *dissector) Passes(dir dissect.Dir, b []byte) bool {
	s := &d.side[dir]
	if d.h2 != nil || s.x != nil && s.x.switches() {
		return false
	}
	for _, x := range d.queue {
		if x.switches() {
			return false
		}
	}
	switch s.state {
	case inBody, inChunk:
		return int64(len(b)) <= s.left
	case inHead:
		// One message, and its first line is whole.
		const version = "HTTP/1."
		line := b[:max(bytes.IndexByte(b, '\n'), 0)]
		if s.cutHead != "" || s.searched > 0 || !bytes.Contains(line, []byte(version)) || bytes.Count(b, []byte(version)) != 1 {
			return false
		}
		if dir == dissect.ClientToServer {
			return ordinaryRequest(b)
		}
		// One answer, to the request that waits for it, and not "101".
		const status = len("HTTP/1.1 ")
		return len(d.queue) == 1 && len(line) >= status+3 && string(b[:len(version)]) == version && string(b[status:status+3]) != "101"
	}
	return false
}

// switches reports whether the exchange may end with another protocol.
func (x *exchange) switches() bool {
	return x.held || x.upgrade != "" || x.rec.Method == "CONNECT"
}

// ordinaryRequest reports whether the request that b begins with asks for no
// other protocol.
func ordinaryRequest(b []byte) bool {
	if b[0] < 'A' || b[0] > 'Z' || bytes.HasPrefix(b, []byte("CONNECT")) {
		return false
	}
	if end := bytes.Index(b, []byte("\n\r\n")); end >= 0 {
		b = b[:end] // behind it is the body
	}
	const field = "upgrade"
	for i := 0; i+len(field) <= len(b); i++ {
		if b[i]|0x20 == field[0] && bytes.EqualFold(b[i:i+len(field)], []byte(field)) {
			return false
		}
	}
	return true
}
