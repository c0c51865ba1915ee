package http

import (
	"encoding/binary"
	"slices"
	"strconv"

	"sniff/dissect"
	"sniff/record"
)

// head takes a decoded header block: a request, a response, or trailers.
func (c *h2conn) head(dir dissect.Dir, stream uint32, h *head, pseudo map[string]string, end record.Stamp) {
	s := &c.side[dir]
	x := c.streams[stream]
	switch {
	case pseudo[":method"] != "":
		if x != nil || len(c.streams) >= maxStreams {
			c.d.violation(dir, s.blockAt, "http2_streams", "stream "+strconv.FormatUint(uint64(stream), 10)+" is not followed: used twice, or too many are open")
			return
		}
		x = c.request(stream, h, pseudo)
		c.streams[stream] = x
	case pseudo[":status"] != "":
		if x == nil {
			if len(c.streams) >= maxStreams {
				return
			}
			x = unseen()
			x.rec.Stream = stream
			x.rec.Stamp(s.blockAt, dir)
			c.streams[stream] = x
		}
		if !c.response(x, h, pseudo[":status"]) {
			return
		}
	case x != nil:
		room := max(maxFields-len(x.rec.Trailers), 0)
		x.rec.Trailers = append(x.rec.Trailers, h.fields[:min(room, len(h.fields))]...)
		if s.ends {
			c.endStream(dir, stream, end, true)
		}
		return
	default:
		return
	}
	if s.ends {
		c.endStream(dir, stream, end, true)
		return
	}
	if s.blockAt.Offset >= 0 && c.bodies[dir][stream] == nil {
		c.bodies[dir][stream] = c.d.env.Body(c.d.bodyInfo(dir, h, x, end))
	}
}

func (c *h2conn) request(stream uint32, h *head, pseudo map[string]string) *exchange {
	if h.host == "" {
		h.host = pseudo[":authority"]
	}
	x := c.d.newRequest(h, pseudo[":method"], pseudo[":path"], "2")
	if pseudo[":method"] == "CONNECT" {
		x.rec.Target = record.Plain(pseudo[":authority"])
	}
	x.rec.Stream = stream
	// A promised request (server push) is said by the server.
	s := &c.side[dissect.ClientToServer]
	dir := dissect.ClientToServer
	if stream%2 == 0 {
		s, dir = &c.side[dissect.ServerToClient], dissect.ServerToClient
	}
	x.rec.Stamp(s.blockAt, dir)
	x.done[dissect.ClientToServer] = stream%2 == 0
	c.d.credentials(x, h, s.blockAt)
	return x
}

// response notes a response's head; false for an interim one.
func (c *h2conn) response(x *exchange, h *head, status string) bool {
	code, err := strconv.Atoi(status)
	at := c.side[dissect.ServerToClient].blockAt
	if err != nil {
		c.d.violation(dissect.ServerToClient, at, "http_bad_status_line", ":status is no number: "+clip(status))
		return false
	}
	r := x.rec
	if code < 200 {
		if len(r.Interim) < 8 {
			r.Interim = append(r.Interim, code)
		}
		return false
	}
	r.Status, r.ResponseVersion, r.Answer, r.Framing = code, "2", at, "frames"
	r.ResponseHead, r.ResponseHeaders = h.size, h.fields
	r.Software, r.Location, r.Range = h.agent, h.location, h.contentRange
	r.ResponseType = mediaType(h.contentType)
	r.Cookies = append(r.Cookies, plus(h.cookies)...)
	c.d.challenge(x, h)
	x.answered = true
	return true
}

// dataFrame begins a DATA frame; its payload follows piece by piece.
func (c *h2conn) dataFrame(dir dissect.Dir, b []byte, length int, flags byte, stream uint32) (int, dissect.Action, error) {
	s := &c.side[dir]
	n, padding := 9, 0
	if flags&flagPadded != 0 {
		if len(b) < 10 {
			return 0, dissect.Continue, nil
		}
		n, padding = 10, int(b[9])
		length--
	}
	if padding > length || length < 0 {
		return c.broken(dir, "http2_bad_frame", "padding of DATA exceeds the frame")
	}
	s.left, s.padding = int64(length-padding), int64(padding)
	s.data, s.fin = stream, flags&flagEndStream != 0
	if length == 0 {
		c.dataDone(dir, c.d.env.At(n-1))
	}
	return n, dissect.Continue, nil
}

func (c *h2conn) data(dir dissect.Dir, stream uint32, p []byte) {
	x, body := c.streams[stream], c.bodies[dir][stream]
	if x == nil || body == nil {
		return
	}
	body.Write(p)
	if dir == dissect.ClientToServer {
		x.rec.RequestSize += int64(len(p))
	} else {
		x.rec.ResponseSize += int64(len(p))
	}
}

func (c *h2conn) dataDone(dir dissect.Dir, end record.Stamp) {
	s := &c.side[dir]
	if s.fin {
		s.fin = false
		c.endStream(dir, s.data, end, true)
	}
}

// endStream ends one side of a stream.
func (c *h2conn) endStream(dir dissect.Dir, stream uint32, end record.Stamp, whole bool) {
	x := c.streams[stream]
	if x == nil || x.done[dir] && *x.result(dir) == nil && c.bodies[dir][stream] == nil {
		return
	}
	if body := c.bodies[dir][stream]; body != nil {
		*x.result(dir) = body.Close(whole && !x.damaged[dir])
		delete(c.bodies[dir], stream)
	}
	x.damaged[dir] = x.damaged[dir] || !whole
	x.done[dir] = true
	if dir == dissect.ClientToServer {
		x.rec.RequestEnd = end.Time
	} else if x.answered {
		x.rec.ResponseEnd = end.Time
	}
	if x.done[0] && x.done[1] {
		delete(c.streams, stream)
		c.d.settle(x)
	}
}

// reset ends both sides of a stream: RFC 9113, section 6.4.
func (c *h2conn) reset(dir dissect.Dir, stream uint32, p []byte, n int) {
	x := c.streams[stream]
	if x == nil || len(p) < 4 {
		return
	}
	at := c.d.env.At(n - 1)
	if code := binary.BigEndian.Uint32(p); code != 0 {
		c.d.violation(dir, at, "http2_reset", "stream "+strconv.FormatUint(uint64(stream), 10)+" was reset with "+h2Error(code))
	}
	for _, side := range [...]dissect.Dir{dissect.ClientToServer, dissect.ServerToClient} {
		if !x.done[side] {
			c.endStream(side, stream, at, false)
		}
	}
}

// gap: a hole inside DATA costs its stream; any other costs the framing, and
// with it the direction, for frames carry no mark to find them by.
func (c *h2conn) gap(dir dissect.Dir, n int64) {
	s := &c.side[dir]
	if s.off {
		return
	}
	if n > 0 && n <= s.left {
		if body := c.bodies[dir][s.data]; body != nil {
			body.Gap(n)
			c.streams[s.data].damaged[dir] = true
		}
		if s.left -= n; s.left == 0 && s.padding == 0 {
			c.dataDone(dir, c.d.env.At(0))
		}
		return
	}
	s.off = true
	c.finish(dir, n)
}

// finish ends dir's side of all streams, in order of their numbers.
func (c *h2conn) finish(dir dissect.Dir, missing int64) {
	end := c.d.env.At(0)
	for _, stream := range sortedStreams(c.streams) {
		x := c.streams[stream]
		if x.done[dir] {
			continue
		}
		if body := c.bodies[dir][stream]; body != nil && missing != 0 {
			body.Gap(-1)
		}
		c.endStream(dir, stream, end, false)
	}
}

func (c *h2conn) eof(dir dissect.Dir) {
	c.side[dir].off = true
	if c.side[dir.Other()].off || dir == dissect.ServerToClient {
		c.finish(dissect.ClientToServer, 0)
		c.finish(dissect.ServerToClient, 0)
	}
}

func sortedStreams(m map[uint32]*exchange) []uint32 {
	keys := make([]uint32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// h2Error names an error code: RFC 9113, section 7.
func h2Error(code uint32) string {
	names := [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
		"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
	if int(code) < len(names) {
		return names[code]
	}
	return "error " + strconv.FormatUint(uint64(code), 10)
}
