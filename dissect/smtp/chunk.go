package smtp

import (
	"fmt"

	"sniff/dissect"
)

// bdat takes BDAT (RFC 3030, section 2): that many bytes of the message follow
// at once, whatever the server thinks of it.
func (d *dissector) bdat(x *exchange, args string) {
	d.needs(x, "CHUNKING")
	size, last, ok := parseChunk(args)
	t := d.current()
	x.txn = t
	if !ok {
		d.violation(d.client(), stampOf(&x.rec.Header), "smtp_chunk_size", fmt.Sprintf("BDAT %.60s: no size that can be read; where the chunk ends is not known", args))
		t.rec.Transfer = "BDAT"
		// What follows may be data or commands.
		d.lost = true
		return
	}
	x.rec.Chunk, x.rec.Last = size, last
	t.rec.Transfer = "BDAT"
	t.rec.Chunks++
	if t.dataSent.IsZero() {
		t.dataSent = x.rec.Time
	}
	d.chunkLeft = size
	d.mode = inChunk
	if t.result != nil {
		// A chunk behind the last one: the server will refuse it.
		t.result, t.body = nil, nil
	}
	t.lastChunk = last
	if size == 0 {
		d.endOfChunk(t)
	}
}

// consumeChunk reads the bytes of a chunk as they are.
func (d *dissector) consumeChunk(b []byte) (int, dissect.Action, error) {
	t := d.current()
	n := int(min(int64(len(b)), d.chunkLeft))
	d.open(t, d.env.At(0))
	t.write(b[:n])
	end := d.env.At(n - 1)
	t.last, t.seen = end.Time, end.Time
	d.chunkLeft -= int64(n)
	if d.chunkLeft == 0 {
		// The wait for the reply begins with the chunk's last byte.
		if k := len(d.queue); k > 0 && d.queue[k-1].txn == t {
			d.queue[k-1].end = end.Time
		}
		d.endOfChunk(t)
		d.settle(t)
	}
	return n, dissect.Continue, nil
}

// endOfChunk ends the message behind its last chunk.
func (d *dissector) endOfChunk(t *transaction) {
	d.mode = inCommands
	if !t.lastChunk {
		return
	}
	d.open(t, d.env.At(0))
	t.rec.Complete, t.rec.DataEnd = true, t.last
	t.result = t.body.Close(!t.rec.Partial)
	t.closed = true
	d.cur, d.sent = nil, t
}

// chunkGap: n bytes are missing inside a chunk, and perhaps behind it.
func (d *dissector) chunkGap(n int64) {
	t := d.current()
	switch {
	case n < 0:
		t.gap(-1)
		d.mode, d.lost = inCommands, true
	case n < d.chunkLeft:
		t.gap(n)
		d.chunkLeft -= n
		return
	default:
		left := d.chunkLeft
		t.gap(left)
		d.chunkLeft = 0
		d.endOfChunk(t)
		d.settle(t)
		d.lost = n > left
	}
}
