package http

import (
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// simpleResponse is HTTP/0.9's: all bytes up to the end of the connection.
func (d *dissector) simpleResponse(b []byte) (int, dissect.Action, error) {
	x := d.pop()
	s := &d.side[dissect.ServerToClient]
	s.x, s.state = x, untilClose
	x.rec.Answer = d.env.At(0)
	x.rec.Framing = "close"
	h := &head{length: -1}
	info := d.bodyInfo(dissect.ServerToClient, h, x, d.env.At(0))
	info.Stamp.Offset--
	s.body = d.env.Body(info)
	return d.consumeBody(dissect.ServerToClient, b)
}

// response reads a response's head: RFC 9112, section 4 and 6.3.
func (d *dissector) response(h *head, n int) dissect.Action {
	dir := dissect.ServerToClient
	s := &d.side[dir]
	at := d.env.At(0)
	version, rest, _ := strings.Cut(strings.TrimPrefix(h.line, "HTTP/"), " ")
	code, reason, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 {
		d.violation(dir, at, "http_bad_status_line", "status code is no number: "+clip(h.line))
		s.state, s.quiet = isLost, false
		return dissect.Continue
	}
	if status < 200 && status != 101 {
		if len(d.queue) > 0 && len(d.queue[0].rec.Interim) < 8 {
			d.queue[0].rec.Interim = append(d.queue[0].rec.Interim, status)
		}
		s.state = inHead
		return dissect.Continue
	}
	x := d.answered(status, at)
	r := x.rec
	r.Status, r.Reason, r.ResponseVersion, r.Answer = status, reason, version, at
	r.ResponseHead, r.ResponseHeaders = h.size, h.fields
	r.Software, r.Location, r.Range = h.agent, h.location, h.contentRange
	r.ResponseType = mediaType(h.contentType)
	r.Cookies = append(r.Cookies, plus(h.cookies)...)
	d.challenge(x, h)
	s.x, s.state = x, inHead
	if act, done := d.switched(x, h, n); done {
		return act
	}
	if h.te != "" && h.length >= 0 {
		d.violation(dir, at, "http_te_and_length", "Transfer-Encoding and Content-Length in one response: response splitting is possible")
	}
	switch {
	case r.Method == "HEAD" || status == 204 || status == 304:
		r.Framing = "none"
	case h.chunked:
		r.Framing, s.state = "chunked", inChunkSize
	case h.te != "" || h.length < 0:
		r.Framing, s.state = "close", untilClose
	default:
		r.Framing = "length"
		if h.length > 0 {
			s.state, s.left = inBody, h.length
		}
	}
	if s.state == inHead {
		return d.endMessage(dir, d.env.At(n-1), true)
	}
	d.openBody(dir, h, n)
	return d.release(x)
}

// answered finds the exchange that a final response belongs to.
func (d *dissector) answered(status int, at record.Stamp) *exchange {
	if len(d.queue) > 0 {
		x := d.pop()
		if x.lost {
			x.rec.Stamp(at, dissect.ServerToClient)
		}
		return x
	}
	x := unseen()
	x.answered = true
	x.rec.Stamp(at, dissect.ServerToClient)
	// Servers say 408 to connections on which no request came.
	if c := d.env.Conn(); !c.OneSided && !d.doubt && status != 408 {
		d.violation(dissect.ServerToClient, at, "http_unsolicited_response", "a response with status "+strconv.Itoa(status)+" that no request asked for")
	}
	return x
}

// switched handles answers behind which the connection is no HTTP/1 any more:
// CONNECT (RFC 9110, section 9.3.6) and Upgrade (section 7.8).
func (d *dissector) switched(x *exchange, h *head, n int) (dissect.Action, bool) {
	r := x.rec
	switch {
	case r.Method == "CONNECT" && r.Status/100 == 2:
		r.Tunnel = r.Target.String()
	case r.Status == 101:
		if r.Tunnel = h.upgrade; r.Tunnel == "" {
			r.Tunnel = x.upgrade
		}
	default:
		return dissect.Continue, false
	}
	r.Framing = "none"
	if r.Status == 101 && strings.EqualFold(r.Tunnel, "h2c") {
		d.side[dissect.ServerToClient].x = nil
		d.upgradeH2(x)
		return dissect.ReleaseClient, true
	}
	d.endMessage(dissect.ServerToClient, d.env.At(n-1), true)
	for i := range d.side {
		d.side[i].state = isTunnel
	}
	return dissect.Handoff, true
}

// release frees the client that waited for the answer to x.
func (d *dissector) release(x *exchange) dissect.Action {
	if x.held {
		x.held = false
		return dissect.ReleaseClient
	}
	return dissect.Continue
}

// plus marks the names of cookies that a response sets.
func plus(names []string) []string {
	for i, n := range names {
		names[i] = "+" + strings.TrimPrefix(n, "+")
	}
	return names
}
