package smtp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// dataState is where in the lines of a message's data the client is (RFC
// 5321, section 4.5.2). Lines end with CR LF in the strict reading; the
// lenient one, in which a bare LF ends a line too, is followed beside it to
// find what some servers take for the end of the data.
type dataState struct {
	bol      bool         // strict: a line begins here
	fresh    bool         // lenient: a line begins here
	dot      bool         // the lenient line began with a dot
	bareLast bool         // the line before ended with a bare LF
	cr       int          // 1 behind a bare CR, 2 behind a bare CR and a dot
	length   int          // bytes of the lenient line so far
	holes    bool         // bytes of this message are missing
	hole     record.Stamp // where the last hole begins
	resumed  bool         // the next byte stands behind a hole

	suspect  string // the first sequence that some servers take for the end
	where    record.Stamp
	behind   []byte // what follows it
	behindAt record.Stamp
	broken   bool // a hole ends what is kept of it
	from     int  // where it begins in the bytes being read
}

const (
	// maxDataLine is the longest line of a message without its end (RFC 5321,
	// section 4.5.3.1.6; RFC 5322, section 2.1.1).
	maxDataLine = 998
	// maxBehind is how much behind a suspicious sequence is looked at.
	maxBehind = 1 << 10
)

// consumeData reads data up to and with the dot.
func (d *dissector) consumeData(b []byte) (int, dissect.Action, error) {
	t := d.current()
	d.open(t, d.env.At(0))
	n, done := d.in.read(d, t, b)
	if n > 0 {
		t.last = d.env.At(n - 1).Time
		t.seen = t.last
	}
	if done {
		d.endOfData(t, d.env.At(n-3), d.env.At(n-1), true)
	}
	return n, dissect.Continue, nil
}

// read passes data on with dot-stuffing undone. It leaves bytes unread only
// where the next ones decide what they are.
func (in *dataState) read(d *dissector, t *transaction, b []byte) (n int, done bool) {
	start, i := 0, 0
	in.from = 0
	for i < len(b) {
		if in.fresh {
			in.dot, in.fresh = b[i] == '.', false
			in.length = 0
		}
		if (in.bol || in.resumed) && b[i] == '.' {
			rest := b[i:]
			if len(rest) < 2 || rest[1] == '\r' && len(rest) < 3 {
				in.fresh = true
				break
			}
			if rest[1] == '\r' && rest[2] == '\n' {
				t.write(b[start:i])
				in.watch(d, b, i)
				return i + 3, true
			}
			if in.bol {
				t.write(b[start:i])
				start = i + 1
				i++
				in.length = 1
			}
		}
		in.bol = false
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			end := len(b)
			if b[end-1] == '\r' {
				end--
			}
			if end > i {
				in.carriageReturns(d, t, b, i, end)
				in.length += end - i
				in.resumed = false
			}
			i = max(i, end)
			break
		}
		j += i
		crlf := j > i && b[j-1] == '\r' || j == i && in.resumed
		end := j
		if crlf && j > i {
			end--
		}
		in.carriageReturns(d, t, b, i, end)
		in.length += end - i
		if in.length > maxDataLine {
			t.rec.LongLines++
		}
		if !crlf {
			if t.rec.BareLF++; t.rec.BareLF == 1 {
				d.violation(d.client(), d.env.At(j), "smtp_bare_lf", "LF without CR in a message's data")
			}
		}
		if in.dot && in.length == 1 && in.suspect == "" {
			switch {
			case !crlf && in.bareLast:
				in.suspicious(d, j, j+1, "LF . LF")
			case !crlf:
				in.suspicious(d, j, j+1, "CR LF . LF")
			case in.bareLast:
				in.suspicious(d, j, j+1, "LF . CR LF")
			}
		}
		in.bareLast = !crlf
		in.bol, in.fresh, in.resumed = crlf, true, false
		in.length = 0
		in.cr = 0
		i = j + 1
	}
	t.write(b[start:i])
	in.watch(d, b, i)
	return i, false
}

// carriageReturns looks for CR without LF in b[from:to], and for the
// sequences with it that some servers take for the end of the data.
func (in *dataState) carriageReturns(d *dissector, t *transaction, b []byte, from, to int) {
	if in.cr == 0 && bytes.IndexByte(b[from:to], '\r') < 0 {
		return
	}
	for i := from; i < to; i++ {
		switch {
		case b[i] == '\r':
			if t.rec.BareCR++; t.rec.BareCR == 1 {
				d.violation(d.client(), d.env.At(i), "smtp_bare_cr", "CR without LF in a message's data")
			}
			if in.cr == 2 && in.suspect == "" {
				in.suspicious(d, i, i+1, "CR . CR")
			}
			in.cr = 1
		case in.cr == 1 && b[i] == '.':
			in.cr = 2
		default:
			in.cr = 0
		}
	}
	// CR . CR LF: the last CR belongs to the line end and was left out.
	if in.cr == 2 && to+1 < len(b) && b[to] == '\r' && b[to+1] == '\n' && in.suspect == "" {
		in.suspicious(d, to, to+2, "CR . CR LF")
	}
}

// suspicious notes the first sequence that some servers take for the end: it
// ends at b[i], and what is behind it begins at b[from].
func (in *dataState) suspicious(d *dissector, i, from int, form string) {
	in.suspect, in.where, in.from = form, d.env.At(i), from
}

// watch keeps what follows the suspicious sequence, up to b[to].
func (in *dataState) watch(d *dissector, b []byte, to int) {
	from := in.from
	if in.suspect == "" || in.broken || from >= to || len(in.behind) >= maxBehind {
		return
	}
	if len(in.behind) == 0 {
		in.behindAt = d.env.At(from)
	}
	in.behind = append(in.behind, b[from:min(to, from+maxBehind-len(in.behind))]...)
}

// flush takes bytes that were left unread when the client's side ended.
func (in *dataState) flush(d *dissector, b []byte) {
	if t := d.cur; t != nil && t.body != nil {
		t.write(b)
	}
}

// readings reports a sequence that can be taken for the end of the data, in
// both readings.
func (in *dataState) readings(d *dissector, t *transaction) {
	if in.suspect == "" {
		return
	}
	t.inside = commandsIn(in.behind, in.behindAt)
	if len(t.inside) == 0 {
		d.violation(d.client(), in.where, "smtp_ambiguous_end", "the data holds "+in.suspect+": strictly read the message goes on behind it, a lenient server takes it for the end; no command follows it")
		return
	}
	var said []string
	for _, c := range t.inside {
		said = append(said, c.text)
	}
	d.violation(d.client(), in.where, "smtp_smuggling", fmt.Sprintf("the data holds %s: strictly read the message goes on behind it; a lenient server takes it for the end, and then reads the commands %.300q", in.suspect, strings.Join(said, " | ")))
}

// commandsIn lists the commands that b begins with.
func commandsIn(b []byte, at record.Stamp) []insideLine {
	var list []insideLine
	for len(b) > 0 && len(list) < 16 {
		text, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			break
		}
		s := string(bytes.TrimRight(text, "\r"))
		if c := parseCommand(s); !c.sure() {
			break
		} else {
			list = append(list, insideLine{text: s, at: at})
			at.Offset += int64(len(b) - len(rest))
			if c.verb == "DATA" {
				return append(list, insideLine{text: ".", at: at})
			}
		}
		b = rest
	}
	return list
}

// endOfData ends the message with the dot whose line runs from at to end.
// complete is false where it lies in a gap.
func (d *dissector) endOfData(t *transaction, at, end record.Stamp, complete bool) {
	d.mode = inCommands
	if t.body != nil {
		t.result = t.body.Close(complete && !t.rec.Partial)
	}
	if complete {
		d.in.readings(d, t)
		d.dot(t, at, end)
	} else {
		at = d.in.hole
		at.Time = t.seen
		d.dot(t, at, record.Stamp{})
		t.rec.Complete = false
		t.rec.Partial = true
	}
	// Replies that came in the middle of the data answer its end.
	early := d.early
	d.early = nil
	for _, r := range early {
		d.answer(r)
	}
}

// dataGap: bytes are missing in the middle of a message.
func (d *dissector) dataGap(n int64) {
	t := d.current()
	t.gap(n)
	d.in.broken = d.in.suspect != ""
	d.in.holes, d.in.resumed, d.in.hole = true, true, d.env.At(0)
	d.in.bol, d.in.fresh, d.in.length, d.in.cr, d.in.bareLast = false, true, 0, 0, false
	if len(d.early) > 0 {
		// The server has answered: the end of the data was in the gap.
		d.endOfData(t, record.Stamp{}, record.Stamp{}, false)
		d.lost = true
	}
}

// dataCut: the connection ended inside the data.
func (d *dissector) dataCut() {
	t := d.cur
	if t.body != nil {
		t.result = t.body.Close(false)
	}
	d.in.readings(d, t)
	t.rec.Complete = false
	d.mode = inCommands
	early := d.early
	d.early = nil
	for _, r := range early {
		r.Meaning = meaning(".", r)
		if t.rec.FinalReply == nil && r.Code >= 400 {
			// The server refused it before its end was sent.
			t.rec.FinalReply = r
		}
		x := &record.SMTPExchange{Reply: r, TLS: d.tls, Message: t.rec.Sequence}
		x.Stamp(stampOfReply(r), d.client().Other())
		d.env.Emit(x)
	}
}

// write passes decoded bytes on to the body.
func (t *transaction) write(b []byte) {
	if len(b) == 0 {
		return
	}
	t.rec.Size += int64(len(b))
	if !t.rec.EightBit && hasHighBit(b) {
		t.rec.EightBit = true
	}
	if !t.rec.NUL && bytes.IndexByte(b, 0) >= 0 {
		t.rec.NUL = true
	}
	t.body.Write(b)
}

// hasHighBit reports whether b holds a byte above 127.
func hasHighBit(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 32 {
		v := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) | binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		if v&high != 0 {
			return true
		}
		b = b[32:]
	}
	for _, c := range b {
		if c&0x80 != 0 {
			return true
		}
	}
	return false
}
