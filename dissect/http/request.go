package http

import (
	"bytes"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// consumeHead reads a whole message head, or one line of HTTP/0.9.
func (d *dissector) consumeHead(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	// Empty lines in front of a message: RFC 9112, section 2.2.
	blank := 0
	for blank < len(b) && (b[blank] == '\r' || b[blank] == '\n') {
		blank++
	}
	if blank > 0 {
		s.searched = 0
		return blank, dissect.Continue, nil
	}
	if dir == dissect.ServerToClient {
		if len(d.queue) > 0 && d.queue[0].simple {
			return d.simpleResponse(b)
		}
		if n := min(len(b), 5); string(b[:n]) != "HTTP/"[:n] {
			if len(b) < quoted && bytes.IndexByte(b, '\n') < 0 {
				s.cutHead = string(b)
				return 0, dissect.Continue, nil
			}
			d.violation(dir, d.env.At(0), "http_bad_status_line", "what should be a status line begins with "+quote(b))
			return d.derail(dir, b)
		}
	}
	var first []byte // the start line, unless it was looked at before
	if s.searched == 0 || s.cutHead == "" {
		eol := bytes.IndexByte(b, '\n')
		if eol > maxHead || eol < 0 && len(b) > maxHead {
			return d.longHead(dir, b)
		}
		if eol < 0 {
			return 0, dissect.Continue, nil
		}
		first = bytes.TrimSuffix(b[:eol], []byte("\r"))
		if dir == dissect.ClientToServer {
			if string(b[:min(len(b), 16)]) == preface[:16] {
				return d.startH2(b)
			}
			if lineKind(b[:eol+1], false) == isSimple {
				d.simpleRequest(string(first), eol+1)
				return eol + 1, dissect.Continue, nil
			}
			if !requestLine(first) {
				d.violation(dir, d.env.At(0), "http_bad_request_line", "what should be a request line is "+quote(b[:eol]))
				return d.derail(dir, b)
			}
		}
	}
	end := headEnd(b, s.searched)
	if end > maxHead || end == 0 && len(b) > maxHead {
		return d.longHead(dir, b)
	}
	if end == 0 {
		if s.searched = len(b); first != nil {
			s.cutHead = string(first)
		}
		return 0, dissect.Continue, nil
	}
	s.searched, s.cutHead = 0, ""
	h := &d.head
	h.parse(b[:end])
	h.report(d.env, dir)
	if dir == dissect.ClientToServer {
		return end, d.request(h, end), nil
	}
	return end, d.response(h, end), nil
}

// requestLine reports whether a line has the shape of a request line with a
// version: RFC 9112, section 3.
func requestLine(line []byte) bool {
	i := bytes.LastIndexByte(line, ' ')
	return i > 0 && bytes.HasPrefix(line[i+1:], []byte("HTTP/")) && bytes.IndexByte(line, ' ') > 0
}

// derail gives up the place of the next message and looks for another.
func (d *dissector) derail(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	s.state, s.quiet, s.searched, s.cutHead = isLost, false, 0, ""
	d.doubt = true
	return 1, dissect.Continue, nil
}

func (d *dissector) longHead(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	d.violation(dir, d.env.At(0), "http_head_too_long", "a message head is longer than 128 KiB")
	return d.derail(dir, b)
}

// quoted is how many bytes a detail quotes at most.
const quoted = 24

// quote quotes the first line of b.
func quote(b []byte) string {
	b = b[:min(len(b), quoted)]
	if eol := bytes.IndexByte(b, '\n'); eol >= 0 {
		b = b[:eol]
	}
	return `"` + strings.ToValidUTF8(string(b), "\uFFFD") + `"`
}

// consumeLost skips bytes until one of them may begin a message head.
func (d *dissector) consumeLost(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &d.side[dir]
	at := 0
	if dir == dissect.ClientToServer {
		const longest = 16 << 10
		eol := bytes.IndexByte(b, '\n')
		switch {
		case (eol < 0 || eol > longest) && len(b) > longest:
			return longest, dissect.Continue, nil
		case eol < 0:
			return 0, dissect.Continue, nil
		}
		if at = requestInLine(b[:eol]); at < 0 {
			return eol + 1, dissect.Continue, nil
		}
	} else if at = findResponse(b); at < 0 {
		// Keep what may be the beginning of a status line.
		for at = max(len(b)-12, 0); at < len(b) && b[at] != 'H'; at++ {
		}
		return at, dissect.Continue, nil
	}
	if at > 0 {
		return at, dissect.Continue, nil
	}
	s.state = inHead
	n, act, err := d.consumeHead(dir, b)
	if n == 0 && err == nil {
		s.state = isLost
	}
	return n, act, err
}

// request begins the exchange of a request.
func (d *dissector) request(h *head, n int) dissect.Action {
	method, rest, _ := strings.Cut(h.line, " ")
	target, version := rest, ""
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		target, version = rest[:i], rest[i+1:]
	}
	target = strings.TrimSpace(target)
	x := d.newRequest(h, method, target, strings.TrimPrefix(version, "HTTP/"))
	x.rec.Stamp(d.env.At(0), dissect.ClientToServer)
	at := d.env.At(0)
	if x.rec.Version == "1.1" && h.host == "" {
		d.violation(dissect.ClientToServer, at, "http_host_missing", "HTTP/1.1 request without a Host field")
	}
	if h.te != "" && h.length >= 0 {
		d.violation(dissect.ClientToServer, at, "http_te_and_length", "Transfer-Encoding and Content-Length in one request: request smuggling is possible")
	}
	if h.te != "" && !h.chunked {
		d.violation(dissect.ClientToServer, at, "http_te_unframed", "a request whose last transfer coding is not chunked has no end that can be known: "+clip(h.te))
	}
	d.push(x)
	s := &d.side[dissect.ClientToServer]
	s.x = x
	d.credentials(x, h, at)
	switch {
	case h.chunked:
		s.state = inChunkSize
	case h.te != "":
		s.state = untilClose
	case h.length > 0:
		s.state, s.left = inBody, h.length
	default:
		return d.endMessage(dissect.ClientToServer, d.env.At(n-1), true)
	}
	d.openBody(dissect.ClientToServer, h, n)
	return dissect.Continue
}

// newRequest fills a record in from a request's head, of either version.
func (d *dissector) newRequest(h *head, method, target, version string) *exchange {
	host := h.host
	if i := strings.Index(target, "://"); i >= 0 {
		host = target[i+3:]
		if end := strings.IndexAny(host, "/?#"); end >= 0 {
			host = host[:end]
		}
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = host[at+1:]
		}
	} else if method == "CONNECT" {
		host = target
	}
	x := &exchange{simple: version == "0.9"}
	x.rec = &x.own
	r := x.rec
	*r = record.HTTPExchange{
		Method: method, Host: host, Version: version,
		UserAgent: h.agent, RequestType: mediaType(h.contentType), RequestHead: h.size,
		RequestHeaders: h.fields, Cookies: h.cookies, Action: h.action,
	}
	r.Target, r.URL = d.target(method, target, host)
	if r.Action == "" && h.contentType != "" {
		r.Action = parameter(h.contentType, "action")
	}
	if h.upgrade != "" && hasToken(h.connection, "upgrade") {
		x.upgrade = h.upgrade
	}
	return x
}

// called is the target of a request.
type called struct {
	target, host string
	text         record.Text
	url          string
}

// target masks a target and makes it absolute. Most clients call the same one
// again and again.
func (d *dissector) target(method, target, host string) (record.Text, string) {
	if method == "CONNECT" {
		return record.FormText(target), url(method, target, host, false)
	}
	if c := &d.called; c.target != target || c.host != host {
		*c = called{target, host, record.FormText(target), url(method, target, host, d.env.Conn().TLS || d.env.TLS() != nil)}
	}
	return d.called.text, d.called.url
}

// simpleRequest is HTTP/0.9's: RFC 1945, section 5.
func (d *dissector) simpleRequest(line string, n int) {
	h := &head{size: int64(n), length: -1}
	method, target, _ := strings.Cut(line, " ")
	x := d.newRequest(h, method, target, "0.9")
	x.rec.Stamp(d.env.At(0), dissect.ClientToServer)
	d.push(x)
	d.side[dissect.ClientToServer].x = x
	d.endMessage(dissect.ClientToServer, d.env.At(n-1), true)
}

// cutRequest reports a request of which only the first line came.
func (d *dissector) cutRequest(line string, at record.Stamp) {
	h := &head{length: -1}
	method, rest, _ := strings.Cut(line, " ")
	target, version := rest, ""
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		target, version = rest[:i], strings.TrimPrefix(rest[i+1:], "HTTP/")
	}
	x := d.newRequest(h, method, target, version)
	x.rec.Stamp(at, dissect.ClientToServer)
	x.damaged[dissect.ClientToServer] = true
	d.push(x)
	d.side[dissect.ClientToServer].x = x
	d.endMessage(dissect.ClientToServer, at, false)
}

// openBody opens the body behind a head of n bytes.
func (d *dissector) openBody(dir dissect.Dir, h *head, n int) {
	s := &d.side[dir]
	s.body = d.env.Body(d.bodyInfo(dir, h, s.x, d.env.At(n-1)))
}

func (d *dissector) bodyInfo(dir dissect.Dir, h *head, x *exchange, at record.Stamp) content.Info {
	at.Offset++
	info := content.Info{
		Carrier: "http", Session: d.env.Conn().Session, Role: content.Request, Name: parameter(h.disposition, "filename"),
		ContentType: h.contentType, Codings: h.codings, ID: h.id, Action: x.rec.Action, Stamp: at, Dir: dir,
	}
	if dir == dissect.ServerToClient {
		info.Role, info.Action = content.Response, ""
		if info.Name == "" && x.rec.Method == "GET" {
			info.Name = lastSegment(x.rec.Target.Clear())
		}
	}
	return info
}

// lastSegment returns the file name at the end of a target's path.
func lastSegment(target string) string {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	return target[strings.LastIndexByte(target, '/')+1:]
}
