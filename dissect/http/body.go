package http

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// maxTrailer bounds a trailer section, maxChunkLine a chunk's size line.
const (
	maxTrailer   = 16 << 10
	maxChunkLine = 8 << 10
)

// consumeBody takes a piece of a body.
func (d *dissector) consumeBody(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	n := len(b)
	if s.state != untilClose && int64(n) > s.left {
		n = int(s.left)
	}
	if n == 0 {
		return 0, dissect.Continue, nil
	}
	last := d.env.At(n - 1) // before the bytes go to memory that another CPU used
	s.body.Write(b[:n])
	if dir == dissect.ClientToServer {
		s.x.rec.RequestSize += int64(n)
	} else {
		s.x.rec.ResponseSize += int64(n)
	}
	if s.state == untilClose {
		if dir == dissect.ServerToClient {
			// A close that comes long after the last byte is no part of it.
			s.x.rec.ResponseEnd = last.Time
		}
		return n, dissect.Continue, nil
	}
	if s.left -= int64(n); s.left > 0 {
		return n, dissect.Continue, nil
	}
	return n, d.bodyPieceDone(dir, last), nil
}

// bodyPieceDone ends a body of known length, or a chunk.
func (d *dissector) bodyPieceDone(dir dissect.Dir, at record.Stamp) dissect.Action {
	s := &d.side[dir]
	if s.state == inChunk {
		s.state = inChunkEnd
		return dissect.Continue
	}
	return d.endMessage(dir, at, true)
}

// consumeChunkSize reads a chunk's first line: RFC 9112, section 7.1.
func (d *dissector) consumeChunkSize(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	eol := bytes.IndexByte(b, '\n')
	switch {
	case eol > maxChunkLine || eol < 0 && len(b) > maxChunkLine:
		return d.badChunk(dir, "the size line of a chunk is longer than 8 KiB")
	case eol < 0:
		return 0, dissect.Continue, nil
	}
	line := b[:eol]
	if bytes.HasSuffix(line, []byte("\r")) {
		line = line[:len(line)-1]
	} else {
		d.violation(dir, d.env.At(eol), "http_chunk_bare_lf", "the size line of a chunk ends with LF alone: request smuggling is possible")
	}
	digits := line
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		digits = line[:i]
	}
	digits = bytes.TrimRight(digits, " \t")
	size, ok := parseHex(digits)
	if !ok {
		return d.badChunk(dir, "the size of a chunk is no hexadecimal number: "+quote(line))
	}
	if size == 0 {
		s.state = inTrailer
	} else {
		s.state, s.left = inChunk, size
	}
	return eol + 1, dissect.Continue, nil
}

func parseHex(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var v int64
	for _, c := range b {
		var digit int64
		switch {
		case isDigit(c):
			digit = int64(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			digit = int64(c|0x20-'a') + 10
		default:
			return 0, false
		}
		if v > math.MaxInt64>>5 {
			return 0, false
		}
		v = v<<4 | digit
	}
	return v, true
}

// badChunk gives the message up: where it ends cannot be known any more.
func (d *dissector) badChunk(dir dissect.Dir, detail string) (int, dissect.Action, error) {
	at := d.env.At(0)
	d.violation(dir, at, "http_chunk_invalid", detail)
	d.doubt = true
	act := d.endMessage(dir, at, false)
	s := &d.side[dir]
	s.state, s.quiet = isLost, false
	return 1, act, nil
}

// consumeChunkEnd reads the line end behind a chunk's data.
func (d *dissector) consumeChunkEnd(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	switch {
	case b[0] == '\n':
		d.violation(dir, d.env.At(0), "http_chunk_bare_lf", "the data of a chunk ends with LF alone")
		s.state = inChunkSize
		return 1, dissect.Continue, nil
	case b[0] == '\r' && len(b) == 1:
		return 0, dissect.Continue, nil
	case b[0] == '\r' && b[1] == '\n':
		s.state = inChunkSize
		return 2, dissect.Continue, nil
	}
	return d.badChunk(dir, "no line end behind the data of a chunk, but "+quote(b[:1]))
}

// consumeTrailer reads the trailer section: RFC 9112, section 7.1.2.
func (d *dissector) consumeTrailer(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	end := 0
	switch {
	case b[0] == '\n':
		end = 1
	case b[0] == '\r' && len(b) == 1:
		return 0, dissect.Continue, nil
	case b[0] == '\r' && b[1] == '\n':
		end = 2
	default:
		end = headEnd(b, s.searched)
		if end > maxTrailer || end == 0 && len(b) > maxTrailer {
			return d.badChunk(dir, "the trailer section is longer than 16 KiB")
		}
		if end == 0 {
			s.searched = len(b)
			return 0, dissect.Continue, nil
		}
		h := head{length: -1}
		_, fields := h.split(string(b[:end]), false)
		for _, f := range fields {
			h.note(&f)
			if name := strings.ToLower(f.Name); name == "content-length" || name == "transfer-encoding" || name == "host" {
				h.complain(0, "http_trailer_framing", name+" in a trailer section")
			}
			if len(s.x.rec.Trailers) < maxFields {
				s.x.rec.Trailers = append(s.x.rec.Trailers, f)
			}
		}
		h.report(d.env, dir)
	}
	s.searched = 0
	return end, d.endMessage(dir, d.env.At(end-1), true), nil
}

// endMessage ends the message under way in dir; at is its last byte.
func (d *dissector) endMessage(dir dissect.Dir, at record.Stamp, whole bool) dissect.Action {
	s := &d.side[dir]
	x := s.x
	s.x, s.searched, s.cutHead = nil, 0, ""
	left := s.left
	s.left = 0
	if s.body != nil {
		*x.result(dir) = s.body.Close(whole && !x.damaged[dir])
		s.body = nil
	}
	if !whole {
		x.damaged[dir] = true
		if left > 0 && s.state == inBody && !x.lost {
			d.violation(dir, at, "http_body_cut", "a body ends "+strconv.FormatInt(left, 10)+" bytes before its Content-Length")
		}
	}
	x.done[dir] = true
	act := dissect.Continue
	if dir == dissect.ClientToServer {
		x.rec.RequestEnd = at.Time
		if !x.answered && (x.upgrade != "" || x.rec.Method == "CONNECT") && len(d.queue) == 1 {
			x.held, act = true, dissect.HoldClient
		}
	} else {
		if s.state != untilClose || x.rec.ResponseEnd.IsZero() {
			x.rec.ResponseEnd = at.Time
		}
		act = d.release(x)
	}
	s.state = inHead
	d.settle(x)
	return act
}
