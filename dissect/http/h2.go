package http

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// HTTP/2's limits: of concurrent streams followed, of one header block, and of
// the table that HPACK may keep.
const (
	maxStreams    = 1024
	maxBlock      = 128 << 10
	maxTableBytes = 64 << 10
)

// Frame types and flags: RFC 9113, section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameRSTStream    = 0x3
	frameSettings     = 0x4
	framePushPromise  = 0x5
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// h2conn reads a connection that speaks HTTP/2.
type h2conn struct {
	d       *dissector
	side    [2]h2side
	streams map[uint32]*exchange
	bodies  [2]map[uint32]content.Body
}

// h2side is one direction.
type h2side struct {
	preface bool // the client's preface is still to come
	off     bool // framing was lost to a gap or to a bad frame
	blind   bool // HPACK's state was lost: heads cannot be read any more
	hpack   *hpack.Decoder
	block   []byte // header block under way, over CONTINUATION
	stream  uint32 // whose block it is
	ends    bool   // END_STREAM came with it
	blockAt record.Stamp
	left    int64 // of a DATA frame's payload
	padding int64 // behind it
	data    uint32
	fin     bool
}

// startH2 switches the connection to HTTP/2 at a client's preface.
func (d *dissector) startH2(b []byte) (int, dissect.Action, error) {
	if len(b) < len(preface) {
		return 0, dissect.Continue, nil
	}
	if string(b[:len(preface)]) != preface {
		d.violation(dissect.ClientToServer, d.env.At(0), "http2_bad_preface", "the connection preface of HTTP/2 is damaged")
		return d.derail(dissect.ClientToServer, b)
	}
	d.h2 = newH2(d)
	return len(preface), dissect.Continue, nil
}

// upgradeH2 switches behind a 101: RFC 7540, section 3.2. The request that
// asked for it becomes stream 1, half closed.
func (d *dissector) upgradeH2(x *exchange) {
	d.h2 = newH2(d)
	d.h2.side[dissect.ClientToServer].preface = true
	for len(d.queue) > 0 {
		d.abandon()
	}
	r := x.rec
	r.Stream, r.Interim = 1, append(r.Interim, r.Status)
	r.Status, r.Reason, r.Tunnel, x.answered = 0, "", "", false
	d.h2.streams[1] = x
}

func newH2(d *dissector) *h2conn {
	c := &h2conn{d: d, streams: make(map[uint32]*exchange)}
	for i := range c.side {
		c.side[i].hpack = hpack.NewDecoder(4096, nil)
		c.side[i].hpack.SetAllowedMaxDynamicTableSize(maxTableBytes)
		c.side[i].hpack.SetMaxStringLength(maxBlock)
		c.bodies[i] = make(map[uint32]content.Body)
	}
	return c
}

func (c *h2conn) consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s := &c.side[dir]
	switch {
	case s.off:
		return len(b), dissect.Continue, nil
	case s.preface:
		return c.consumePreface(s, dir, b)
	case s.left > 0:
		n := int(min(s.left, int64(len(b))))
		c.data(dir, s.data, b[:n])
		s.left -= int64(n)
		if s.left == 0 && s.padding == 0 {
			c.dataDone(dir, c.d.env.At(n-1))
		}
		return n, dissect.Continue, nil
	case s.padding > 0:
		n := int(min(s.padding, int64(len(b))))
		if s.padding -= int64(n); s.padding == 0 {
			c.dataDone(dir, c.d.env.At(n-1))
		}
		return n, dissect.Continue, nil
	}
	return c.consumeFrame(dir, b)
}

func (c *h2conn) consumePreface(s *h2side, dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if len(b) < len(preface) && preface[:len(b)] == string(b) {
		return 0, dissect.Continue, nil
	}
	s.preface = false
	if !bytes.HasPrefix(b, []byte(preface)) {
		return c.broken(dir, "http2_bad_preface", "no connection preface behind the upgrade to HTTP/2")
	}
	return len(preface), dissect.Continue, nil
}

// consumeFrame reads a frame's header and, but for DATA, its payload:
// RFC 9113, section 4.1.
func (c *h2conn) consumeFrame(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if len(b) < 9 {
		return 0, dissect.Continue, nil
	}
	s := &c.side[dir]
	length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	kind, flags, stream := b[3], b[4], binary.BigEndian.Uint32(b[5:])&(1<<31-1)
	if s.block != nil && (kind != frameContinuation || stream != s.stream) {
		return c.broken(dir, "http2_bad_frame", "a frame of type "+strconv.Itoa(int(kind))+" stands inside a header block")
	}
	if kind == frameData {
		return c.dataFrame(dir, b, length, flags, stream)
	}
	if length > maxBlock {
		return c.broken(dir, "http2_frame_too_long", "a frame of type "+strconv.Itoa(int(kind))+" is "+strconv.Itoa(length)+" bytes long")
	}
	if len(b) < 9+length {
		return 0, dissect.Continue, nil
	}
	p, n := b[9:9+length], 9+length
	switch kind {
	case frameHeaders:
		p, ok := unpad(p, flags)
		if ok && flags&flagPriority != 0 {
			if ok = len(p) >= 5; ok {
				p = p[5:]
			}
		}
		if !ok {
			return c.broken(dir, "http2_bad_frame", "padding or priority of HEADERS exceeds the frame")
		}
		s.stream, s.ends, s.blockAt = stream, flags&flagEndStream != 0, c.d.env.At(0)
		s.block = append(make([]byte, 0, len(p)), p...)
		c.blockPiece(dir, flags, n)
	case framePushPromise:
		p, ok := unpad(p, flags)
		if !ok || len(p) < 4 {
			return c.broken(dir, "http2_bad_frame", "PUSH_PROMISE is too short")
		}
		s.stream, s.ends, s.blockAt = binary.BigEndian.Uint32(p)&(1<<31-1), true, c.d.env.At(0)
		s.block = append(make([]byte, 0, len(p)), p[4:]...)
		c.blockPiece(dir, flags, n)
	case frameContinuation:
		if s.block == nil {
			return c.broken(dir, "http2_bad_frame", "CONTINUATION without a header block")
		}
		if s.block = append(s.block, p...); len(s.block) > maxBlock {
			return c.broken(dir, "http2_block_too_long", "a header block is longer than 128 KiB")
		}
		c.blockPiece(dir, flags, n)
	case frameRSTStream:
		c.reset(dir, stream, p, n)
	case frameSettings:
		c.settings(dir, p, flags)
	case frameGoAway:
		if len(p) >= 8 && binary.BigEndian.Uint32(p[4:]) != 0 {
			c.d.violation(dir, c.d.env.At(0), "http2_goaway", "GOAWAY with "+h2Error(binary.BigEndian.Uint32(p[4:])))
		}
	}
	return n, dissect.Continue, nil
}

// unpad takes the padding off: RFC 9113, section 6.1.
func unpad(p []byte, flags byte) ([]byte, bool) {
	if flags&flagPadded == 0 {
		return p, true
	}
	if len(p) == 0 || int(p[0]) > len(p)-1 {
		return nil, false
	}
	return p[1 : len(p)-int(p[0])], true
}

func (c *h2conn) settings(dir dissect.Dir, p []byte, flags byte) {
	const headerTableSize = 1
	if flags&1 != 0 {
		return
	}
	for ; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) == headerTableSize {
			// It bounds the table that the other side's encoder may use.
			c.side[dir.Other()].hpack.SetAllowedMaxDynamicTableSize(min(binary.BigEndian.Uint32(p[2:]), maxTableBytes))
		}
	}
}

// blockPiece decodes a header block when its last piece has come.
func (c *h2conn) blockPiece(dir dissect.Dir, flags byte, n int) {
	if flags&flagEndHeaders == 0 {
		return
	}
	s := &c.side[dir]
	block, end := s.block, c.d.env.At(n-1)
	s.block = nil
	if s.blind {
		c.blindHead(dir, s.stream, end)
		return
	}
	fields, err := s.hpack.DecodeFull(block)
	if err != nil {
		s.blind = true
		c.d.violation(dir, s.blockAt, "http2_hpack", "header block cannot be decoded: "+err.Error())
		return
	}
	h, pseudo := h2head(fields, len(block))
	h.report(c.d.env, dir)
	c.head(dir, s.stream, h, pseudo, end)
}

// blindHead keeps a stream's exchange when its head cannot be read.
func (c *h2conn) blindHead(dir dissect.Dir, stream uint32, end record.Stamp) {
	if x := c.streams[stream]; x != nil {
		x.damaged[dir] = true
		if c.side[dir].ends {
			c.endStream(dir, stream, end, true)
		}
	}
}

// broken gives the direction up: without framing nothing can be found again.
func (c *h2conn) broken(dir dissect.Dir, code, detail string) (int, dissect.Action, error) {
	c.d.violation(dir, c.d.env.At(0), code, detail)
	c.side[dir].off = true
	return 1, dissect.Continue, nil
}

// h2head makes a head of decoded fields: RFC 9113, section 8.3.
func h2head(fields []hpack.HeaderField, size int) (*head, map[string]string) {
	h := &head{size: int64(size), length: -1}
	pseudo := make(map[string]string, 4)
	for _, f := range fields {
		if strings.HasPrefix(f.Name, ":") {
			if len(pseudo) < 8 {
				pseudo[f.Name] = f.Value
			}
			continue
		}
		if len(h.fields) >= maxFields {
			continue
		}
		h.fields = append(h.fields, record.Field{Name: strings.Clone(f.Name), Value: record.Plain(strings.Clone(f.Value))})
	}
	for i := range h.fields {
		h.note(&h.fields[i])
	}
	return h, pseudo
}
