package ftp

import (
	"bytes"

	"sniff/dissect"
	"sniff/record"
)

// reply is a reply that is being read.
type reply struct {
	rec  record.FTPReply
	at   record.Stamp
	size int // bytes of text kept
	// addr is the address that one of its lines announces.
	addr address
}

// line reads one line of the server (RFC 959, section 4.2). A reply of
// several lines begins with "123-" and ends with "123 "; what stands between
// may look like anything, a reply with another code included.
func (s *session) line(b []byte, at record.Stamp) dissect.Action {
	code, sep, rest := splitReply(b)
	in := &s.input[dissect.ServerToClient]
	lost := in.lost
	in.lost = false

	if s.open != nil {
		r := s.open
		switch {
		case code == r.rec.Code && sep == ' ':
			r.add(rest, at, len(b)-len(rest))
			r.rec.Incomplete = r.rec.Incomplete && lost
			return s.endReply(false)
		case r.rec.Incomplete && code != 0 && code != r.rec.Code && sep != 0:
			// The end of the open one was lost in the gap.
			s.endReply(true)
		case code == r.rec.Code:
			r.add(rest, at, len(b)-len(rest))
			return dissect.Continue
		default:
			inner := trimIndent(b)
			r.add(inner, at, len(b)-len(inner))
			return dissect.Continue
		}
	}
	if code == 0 {
		if lost || len(bytes.TrimSpace(b)) == 0 {
			return dissect.Continue
		}
		s.violation("ftp_reply_code_missing", dissect.ServerToClient, at, "a reply that begins with no reply code")
		rest = b
	} else if sep != ' ' && sep != '-' && len(rest) > 0 {
		s.violation("ftp_reply_malformed", dissect.ServerToClient, at, "no space or hyphen behind the reply code")
	}
	r := &reply{at: at, rec: record.FTPReply{Code: code, Time: at.Time, Offset: at.Offset, StreamOffset: at.Carrier}}
	r.add(rest, at, len(b)-len(rest))
	s.open = r
	if sep == '-' {
		return dissect.Continue
	}
	return s.endReply(false)
}

// endReply hands the open reply on. cut says that its last line was not seen.
func (s *session) endReply(cut bool) dissect.Action {
	r := s.open
	if r == nil {
		return dissect.Continue
	}
	s.open = nil
	if cut {
		r.rec.Incomplete = true
	}
	return s.replied(r)
}

// splitReply takes the code off a line. sep is '-' or ' ', another byte where
// neither stands behind the code, or 0 for a line that is nothing but a code
// (which ends a reply just as well).
func splitReply(b []byte) (code int, sep byte, rest []byte) {
	if len(b) < 3 || b[0] < '1' || b[0] > '6' || !digit(b[1]) || !digit(b[2]) {
		return 0, 0, b
	}
	if len(b) > 3 && digit(b[3]) {
		return 0, 0, b
	}
	code = int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0')
	if len(b) == 3 {
		return code, ' ', nil
	}
	if b[3] == ' ' || b[3] == '-' {
		return code, b[3], b[4:]
	}
	return code, '_', b[3:]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// trimIndent takes the one space off that RFC 2389 puts in front of inner
// lines.
func trimIndent(b []byte) []byte {
	if len(b) > 0 && b[0] == ' ' {
		return b[1:]
	}
	return b
}

// add keeps a line, within bounds. skip is how many bytes of it stand in
// front of b on the wire.
func (r *reply) add(b []byte, at record.Stamp, skip int) {
	if !r.addr.ok {
		r.addr = findAddress(r.rec.Code, b)
		r.addr.from += at.Offset + int64(skip)
		r.addr.to += at.Offset + int64(skip)
	}
	if len(r.rec.Lines) >= maxReplyLines || r.size+len(b) > maxReplyText {
		r.rec.More++
		return
	}
	r.size += len(b)
	r.rec.Lines = append(r.rec.Lines, record.Lossless(string(b)))
}
