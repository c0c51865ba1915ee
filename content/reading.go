package content

import (
	"strings"

	"sniff/record"
)

// sink is a stage of the way that a body's bytes take: codings, the MIME
// tree, a leaf. write's p is valid during the call only. Whatever cuts the
// bytes come in, a sink's outcome is the same.
type sink interface {
	write(p []byte)
	gap(n int64)
	close(complete bool)
}

// reading is one body on its way through the sinks, and what its stages share.
type reading struct {
	r    *Reader
	info *Info
	root *record.Content
	to   sink
	at   int64 // bytes before decoding so far, missing ones included

	loaded  []Loaded
	parts   int   // leaves and containers begun
	head    int   // bytes of header fields left in records
	decoded int64 // bytes that decompression yielded
	urls    int
	broken  bool // a bug was met; nothing more is read

	declared mediaType
}

// forget makes rd ready for another body.
func (rd *reading) forget() {
	params := rd.declared.params
	clear(params)
	*rd = reading{declared: mediaType{params: params[:0]}}
}

// open builds the stages by what the carrier knows.
func (rd *reading) open() {
	c, info := rd.root, rd.info
	c.Name = clip(info.Name, 4096)
	c.ID = clip(trimID(info.ID), 1024)
	t := &rd.declared
	t.parse(info.ContentType)
	declare(c, t)
	isMessage := c.MediaType == "message/rfc822" || c.MediaType == "message/global"
	switch {
	case isMessage || info.Role == Message && c.MediaType == "":
		if c.MediaType == "" {
			c.MediaType = "message/rfc822"
		}
		rd.to = newMessageTree(rd, c, info, 0, true)
	case strings.HasPrefix(c.MediaType, "multipart/"):
		rd.to = newMultipartTree(rd, c, t, 0, true)
	default:
		rd.to = newLeaf(rd, c, info, true)
	}
	rd.to = transferDecoder(rd, c, info.TransferEncoding, rd.to)
	for _, coding := range info.Codings {
		rd.to = contentDecoder(rd, c, coding, rd.to)
	}
}

func (rd *reading) write(p []byte) {
	rd.at += int64(len(p))
	rd.to.write(p)
}

// all takes the bytes of a body that was closed when they had come.
func (rd *reading) all(p []byte) {
	rd.at += int64(len(p))
	if l, ok := rd.to.(*leaf); ok {
		l.all(p)
	} else {
		rd.to.write(p)
	}
}

func (rd *reading) gap(n int64) {
	addGap(rd.root, rd.at, n)
	rd.at += max(n, 0)
	rd.to.gap(n)
}

func (rd *reading) close(complete bool) {
	if !complete {
		rd.root.Partial = true
	}
	rd.to.close(complete)
	if rd.root.Encoding != "" {
		rd.root.WireSize = rd.at - max(rd.root.Missing, 0)
	}
}

// maxGaps is how many gaps a Content lists.
const maxGaps = 16

// addGap notes a hole in c at the offset at.
func addGap(c *record.Content, at, n int64) {
	c.Partial = true
	if n < 0 {
		c.Missing = -1
	} else if c.Missing >= 0 {
		c.Missing += n
	}
	if last := len(c.Gaps) - 1; last >= 0 && c.Gaps[last].To == at && n > 0 && c.Gaps[last].From < at {
		c.Gaps[last].To += n
	} else if len(c.Gaps) < maxGaps {
		c.Gaps = append(c.Gaps, record.Range{From: at, To: at + max(n, 0)})
	}
}

// undone notes a coding in front of those that were noted before: decoders
// are put together from the innermost to the outermost.
func undone(c *record.Content, coding string) {
	if c.Encoding == "" {
		c.Encoding = coding
	} else {
		c.Encoding = coding + ", " + c.Encoding
	}
}

// clip bounds a string that goes into a record, at a character's boundary,
// and copies it if that saves memory.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return strings.Clone(s[:n])
}

// trimID takes a Content-ID or the like out of its brackets.
func trimID(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">")
}
