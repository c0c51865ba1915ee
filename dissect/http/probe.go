package http

import (
	"bytes"

	"sniff/dissect"
)

// preface opens every HTTP/2 connection of a client: RFC 9113, section 3.4.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// probe decides by a request line or a status line. A first line without a
// version is HTTP/0.9, and believed only where something else speaks for it.
func probe(in *dissect.Input) dissect.Verdict {
	client, server := lineKind(in.Client, in.ClientEnded), lineKind(in.Server, in.ServerEnded)
	switch {
	case client == isRequest || server == isResponse:
		return dissect.Accept
	case client == isResponse || server == isRequest:
		if in.Oriented {
			return dissect.Reject
		}
		return dissect.AcceptSwapped
	case client == isUnknown && startsSettings(in.Server) && !in.Final && !in.ClientEnded:
		// Inside TLS a server of HTTP/2 may speak first.
		return dissect.More
	case client == isSimple:
		if in.Hint || len(in.Server) > 0 && in.Server[0] == '<' {
			return dissect.Accept
		}
		if len(in.Server) == 0 && !in.ServerEnded {
			return dissect.More
		}
		return dissect.Reject
	}
	if in.Midstream {
		if findResponse(in.Server) >= 0 || findRequest(in.Client) >= 0 {
			return dissect.Accept
		}
		if !in.Oriented && (findResponse(in.Client) >= 0 || findRequest(in.Server) >= 0) {
			return dissect.AcceptSwapped
		}
	}
	if in.Midstream && !in.Final {
		return dissect.More
	}
	if client == isOther && len(in.Client) > 0 || server == isOther && len(in.Server) > 0 {
		return dissect.Reject
	}
	return dissect.More
}

// startsSettings reports whether b begins as what a server of HTTP/2 says
// first, a short SETTINGS frame: RFC 9113, section 3.4.
func startsSettings(b []byte) bool {
	return len(b) > 0 && b[0] == 0 && (len(b) < 4 || b[3] == 4)
}

type kind uint8

const (
	isUnknown  kind = iota // too little to tell
	isRequest              // a request line with a version, or HTTP/2's preface
	isSimple               // a request line without a version: HTTP/0.9
	isResponse             // a status line
	isOther
)

// lineKind tells what the first line of a stream is.
func lineKind(b []byte, ended bool) kind {
	b = bytes.TrimLeft(b, "\r\n")
	unknown := isUnknown
	if ended {
		unknown = isOther
	}
	if len(b) == 0 {
		return isUnknown
	}
	if n := min(len(b), 7); string(b[:n]) == "HTTP/1."[:n] {
		if len(b) < 13 && !ended || len(b) < 12 {
			return unknown
		}
		if plausibleStatus(b) {
			return isResponse
		}
		return isOther
	}
	sp := 0
	for sp < len(b) && isTokenByte(b[sp]) {
		sp++
	}
	if sp > 32 || sp == 0 {
		return isOther
	}
	if sp == len(b) {
		return unknown
	}
	if b[sp] != ' ' || !likeMethod(b[:sp]) {
		return isOther
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		// A long target may still be on its way. What the line is must not
		// hang on how much of it has come: any method is waited for.
		switch {
		case len(b) < 4096:
			return unknown
		case knownMethod(b[:sp]):
			return isRequest
		}
		return isOther
	}
	line := bytes.TrimRight(b[:end], "\r")
	if i := bytes.LastIndexByte(line, ' '); i > sp && plausibleVersion(line[i+1:]) {
		return isRequest
	}
	if string(b[:sp]) == "GET" && len(line) > 4 && line[4] == '/' && bytes.IndexByte(line[4:], ' ') < 0 {
		return isSimple
	}
	return isOther
}

func plausibleVersion(v []byte) bool {
	return len(v) == 8 && string(v[:5]) == "HTTP/" && (v[5] == '1' || v[5] == '2') && v[6] == '.' && v[7] >= '0' && v[7] <= '9'
}

// plausibleStatus reports whether b, of 12 bytes at least, begins with a
// status line: RFC 9112, section 4.
func plausibleStatus(b []byte) bool {
	return string(b[:7]) == "HTTP/1." && b[7] >= '0' && b[7] <= '9' && b[8] == ' ' &&
		b[9] >= '1' && b[9] <= '9' && isDigit(b[10]) && isDigit(b[11]) &&
		(len(b) == 12 || b[12] == ' ' || b[12] == '\r' || b[12] == '\n')
}

// findResponse returns where in b a status line begins, -1 for nowhere.
func findResponse(b []byte) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("HTTP/1."))
		if i < 0 || at+i+13 > len(b) {
			return -1
		}
		if at += i; plausibleStatus(b[at:]) {
			return at
		}
		at++
	}
}

// findRequest returns where in b a line ends like a request line and begins,
// perhaps behind something else, with a known method; -1 for nowhere.
func findRequest(b []byte) int {
	for at := 0; at < len(b); {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			return -1
		}
		if i := requestInLine(b[at : at+end]); i >= 0 {
			return at + i
		}
		at += end + 1
	}
	return -1
}

// requestInLine finds "METHOD target HTTP/1.x" at the end of a line.
func requestInLine(line []byte) int {
	line = bytes.TrimRight(line, "\r")
	if len(line) < 14 || !plausibleVersion(line[len(line)-8:]) || line[len(line)-9] != ' ' {
		return -1
	}
	target := bytes.LastIndexByte(line[:len(line)-9], ' ')
	if target < 3 || target == len(line)-10 {
		return -1
	}
	// The method ends the rest, perhaps glued to the end of a body.
	for n := 3; n <= 16 && n <= target; n++ {
		if knownMethod(line[target-n:target]) && (n == target || !isUpper(line[target-n-1])) {
			return target - n
		}
	}
	return -1
}

// likeMethod reports whether m is written as methods are: in capitals.
func likeMethod(m []byte) bool {
	for _, c := range m {
		if !isUpper(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func knownMethod(m []byte) bool {
	switch string(m) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "PROPFIND", "PROPPATCH",
		"MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "NOTIFY",
		"SUBSCRIBE", "UNSUBSCRIBE", "M-SEARCH", "M-POST", "PURGE", "LINK", "UNLINK", "QUERY":
		return true
	}
	return false
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isTokenByte reports whether c may stand in a token: RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool { return token[c] }

var token = func() (set [256]bool) {
	for c := range set {
		set[c] = c >= 'a' && c <= 'z' || isUpper(byte(c)) || isDigit(byte(c))
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		set[c] = true
	}
	return set
}()
