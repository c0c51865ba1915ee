package http

import (
	"bytes"

	"sniff/dissect"
)

var _ dissect.Passer = (*dissector)(nil)

// Passes promises for what is plainly an ordinary message, or a piece of a
// body: only CONNECT (RFC 9110, section 9.3.6) and Upgrade (section 7.8) make
// anything wait or hand the connection on.
func (d *dissector) Passes(dir dissect.Dir, b []byte, read bool) bool {
	g := &d.glance
	if read {
		d.look(g)
	}
	switch left := g.left[dir]; {
	case left == unknown || len(b) == 0:
		return false
	case left > 0:
		return g.body(dir, int64(len(b)))
	case dir == dissect.ClientToServer:
		return g.request(b)
	}
	return g.answer(b)
}

// switches reports whether the exchange may end with another protocol.
func (x *exchange) switches() bool {
	return x.held || x.upgrade != "" || x.rec.Method == "CONNECT"
}

// glance is where the messages are of what promises were given for, as far as
// that can be told without reading them.
type glance struct {
	left    [2]int64 // of the body that is under way; 0: a message begins
	chunked [2]bool  // it is a chunk's
	open    int      // requests without a final response
	odd     bool     // the next answer need not be as long as it says
}

// unknown is a place that only reading can tell.
const unknown = -1

// look begins where the dissector has read.
func (d *dissector) look(g *glance) {
	*g = glance{open: len(d.queue), odd: d.doubt}
	never := d.h2 != nil
	for _, x := range d.queue {
		never = never || x.switches()
		g.odd = g.odd || x.lost || x.simple || x.rec.Method == "HEAD"
	}
	for i := range d.side {
		s := &d.side[i]
		never = never || s.x != nil && s.x.switches()
		switch {
		case s.state == inBody || s.state == inChunk:
			g.left[i], g.chunked[i] = s.left, s.state == inChunk
		case s.state != inHead || s.cutHead != "" || s.searched > 0:
			g.left[i] = unknown
		}
	}
	if never {
		g.left = [2]int64{unknown, unknown}
	}
}

// body goes on with n bytes of a body, if it has so many.
func (g *glance) body(dir dissect.Dir, n int64) bool {
	if n > g.left[dir] {
		return false
	}
	if g.left[dir] -= n; g.left[dir] == 0 && g.chunked[dir] {
		g.left[dir] = unknown
	}
	return true
}

const version = "HTTP/1."

// request takes a request that asks for no other protocol. It is the only one
// in b, and its first line is whole.
func (g *glance) request(b []byte) bool {
	line, ok := soleLine(b)
	if !ok || b[0] < 'A' || b[0] > 'Z' || !requestLine(line) || bytes.HasPrefix(b, []byte("CONNECT")) {
		return false
	}
	head, end := b, headEnd(b, 0)
	if end > 0 {
		head = b[:end]
	}
	if names(head, "upgrade") {
		return false
	}
	g.open++
	g.odd = g.odd || bytes.HasPrefix(b, []byte("HEAD"))
	g.begins(dissect.ClientToServer, b, end, 0)
	return true
}

// answer takes the answer to the one request that waits for it, unless it is
// "101".
func (g *glance) answer(b []byte) bool {
	const at = len("HTTP/1.1 ")
	line, ok := soleLine(b)
	if !ok || g.open != 1 || len(line) < at+3 || !bytes.HasPrefix(line, []byte(version)) || string(line[at:at+3]) == "101" {
		return false
	}
	g.begins(dissect.ServerToClient, b, headEnd(b, 0), unknown)
	status := line[at:]
	final := status[0] >= '2' && status[0] <= '5' && isDigit(status[1]) && isDigit(status[2]) && (len(status) == 3 || status[3] == ' ')
	if !final || g.odd || string(status[:3]) == "204" || string(status[:3]) == "304" {
		g.left[dissect.ServerToClient] = unknown
	}
	g.open--
	return true
}

// soleLine returns the first line of b when it is whole and the only one that
// may begin or end with a version.
func soleLine(b []byte) (line []byte, ok bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 || bytes.Count(b, []byte(version)) != 1 {
		return nil, false
	}
	line = bytes.TrimSuffix(b[:end], []byte("\r"))
	return line, bytes.Contains(line, []byte(version))
}

// begins notes where the message is whose head ends at end, 0 when it does not
// end yet. Without a length, without bytes follow.
func (g *glance) begins(dir dissect.Dir, b []byte, end int, without int64) {
	g.chunked[dir] = false
	left := int64(unknown)
	if end > 0 {
		left = plainLength(b[:end], without)
	}
	if left != unknown {
		left = max(left-int64(len(b)-end), unknown)
	}
	g.left[dir] = left
}

// plainLength returns the length that a head gives its body, unknown when it is
// not given in the plainest of words.
func plainLength(head []byte, without int64) int64 {
	const length, coding = "content-length", "transfer-encoding"
	n, lines, has := without, 0, false
	for line := range bytes.Lines(head) {
		lines++
		switch {
		case has && startsWith(line, length), startsWith(line, coding), line[0] == ' ', line[0] == '\t', lines > maxFields:
			return unknown
		case startsWith(line, length):
			value := line[len(length):]
			if value[0] != ':' {
				return unknown
			}
			if n, has = plainNumber(bytes.TrimSpace(value[1:])); !has {
				return unknown
			}
		}
	}
	return n
}

func plainNumber(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// startsWith reports whether b begins with a word in any case, which is given
// in lower case.
func startsWith(b []byte, word string) bool {
	return len(b) >= len(word) && b[0]|0x20 == word[0] && bytes.EqualFold(b[:len(word)], []byte(word))
}

// names reports whether a word stands in b anywhere, in any case.
func names(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if startsWith(b[i:], word) {
			return true
		}
	}
	return false
}
