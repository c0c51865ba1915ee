package sftp

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// The legacy protocol of scp, as its sources define it and OpenSSH still
// speaks it (scp -O): the side with the files sends a line for each (C, or D
// and E around a folder, T with times before them), and behind a C line that
// was answered with a zero byte the file and a zero byte. The other side
// answers everything with a zero byte, or with 1 or 2 and a line that says
// what is wrong. Which side has the files shows by who sends the first line.

// SCP returns the protocol of scp's channel. Like SFTP it has no port: the
// session that carries it opens it by name.
func SCP() dissect.Protocol {
	return dissect.Protocol{
		Name:  "scp",
		Probe: func(*dissect.Input) dissect.Verdict { return dissect.Reject },
		New:   func(env dissect.Env) dissect.Dissector { return &copying{env: env} },
	}
}

const (
	maxLine  = 16 << 10 // a name of 4096 bytes with its mode and size is shorter
	maxDepth = 256      // folders in each other
)

// copying is one run of scp.
type copying struct {
	env     dissect.Env
	known   bool // source is
	source  dissect.Dir
	folders []string
	file    *copied
	lost    [2]bool
	depth   int // folders beyond maxDepth
}

// copied is a file on its way.
type copied struct {
	rec  *record.SFTPTransfer
	body content.Body
	left int64
	last record.Stamp
	done bool // all bytes were seen
	sent bool // and the zero byte behind them: the receiving side has the word
}

var errScp = errors.New("scp: no line of the protocol")

func (c *copying) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if c.lost[dir] {
		return 0, dissect.Continue, errors.New("scp: a line is missing, its successors cannot be found")
	}
	if c.known && dir == c.source && c.file != nil && c.file.left > 0 {
		return c.data(b), dissect.Continue, nil
	}
	if b[0] == 0 {
		c.status(dir, 0, "")
		return 1, dissect.Continue, nil
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxLine {
			return 0, dissect.Continue, errScp
		}
		return 0, dissect.Continue, nil
	}
	line := b[1:end]
	if b[0] == 1 || b[0] == 2 {
		c.status(dir, b[0], record.Lossless(string(line)))
		return end + 1, dissect.Continue, nil
	}
	if c.known && dir != c.source {
		return 0, dissect.Continue, errScp
	}
	if err := c.command(dir, b[0], string(line)); err != nil {
		return 0, dissect.Continue, err
	}
	c.known, c.source = true, dir
	return end + 1, dissect.Continue, nil
}

// command reads a line of the side with the files.
func (c *copying) command(dir dissect.Dir, kind byte, line string) error {
	switch kind {
	case 'C', 'D':
		mode, rest, _ := strings.Cut(line, " ")
		size, name, ok := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if _, e := strconv.ParseUint(mode, 8, 32); e != nil || err != nil || !ok || n < 0 {
			return errScp
		}
		name = record.Lossless(name)
		if kind == 'C' {
			c.begin(dir, name, n)
			return nil
		}
		if len(c.folders) < maxDepth {
			c.folders = append(c.folders, name)
		} else {
			c.depth++
		}
	case 'E':
		switch {
		case line != "":
			return errScp
		case c.depth > 0:
			c.depth--
		case len(c.folders) > 0:
			c.folders = c.folders[:len(c.folders)-1]
		}
	case 'T':
	default:
		return errScp
	}
	return nil
}

// begin opens a file. Its bytes come when the receiving side has said yes;
// since the sender waits for that, what follows the line is the file.
func (c *copying) begin(dir dissect.Dir, name string, size int64) {
	c.cut("another file began before it was whole")
	at := c.env.At(0)
	t := &record.SFTPTransfer{Direction: "upload", Path: path.Join(path.Join(c.folders...), name), Flags: "scp", Announced: size, Source: "C", Requests: 1}
	if dir == dissect.ServerToClient {
		t.Direction = "download"
	}
	t.Stamp(at, dir)
	c.file = &copied{rec: t, left: size, last: at, done: size == 0}
	c.file.body = c.env.Body(content.Info{
		Carrier: "sftp", Session: c.env.Conn().Session, Role: content.File, Name: t.Path, Stamp: at, Dir: dir,
	})
}

// data takes bytes of the file.
func (c *copying) data(b []byte) int {
	f := c.file
	n := int(min(int64(len(b)), f.left))
	at := c.env.At(0)
	if f.rec.Bytes == 0 {
		f.rec.FirstByte = record.Between(f.rec.Time, at.Time)
	}
	f.body.Write(b[:n])
	f.rec.Bytes += int64(n)
	f.left -= int64(n)
	f.last, f.done = at, f.left == 0
	return n
}

// status reads an answer, or the sender's word behind a file.
func (c *copying) status(dir dissect.Dir, code byte, message string) {
	if !c.known {
		return // the receiving side says that it is ready
	}
	if code != 0 {
		c.refusal(dir, message)
	}
	f := c.file
	if f == nil {
		return
	}
	switch {
	case dir == c.source && f.done && code == 0:
		f.sent = true
	case dir == c.source && f.done:
		c.finish(record.TransferShort, message) // the sender could not read it all
	case dir == c.source:
	case f.sent && code == 0:
		c.finish(record.TransferComplete, "")
	case f.sent:
		c.finish(record.TransferShort, message)
	case code != 0 && f.rec.Bytes == 0:
		c.finish(record.TransferRefused, message)
	}
}

// refusal reports an error of either side.
func (c *copying) refusal(dir dissect.Dir, message string) {
	x := &record.SFTPOperation{Operation: "scp", Status: "failure", Message: message}
	if c.file != nil {
		x.Path = c.file.rec.Path
	}
	x.Stamp(c.env.At(0), dir)
	c.env.Emit(x)
}

// cut ends the file in hand where its last answer was not seen.
func (c *copying) cut(reason string) {
	switch f := c.file; {
	case f == nil:
	case f.sent:
		c.finish(record.TransferComplete, "")
	default:
		c.finish(record.TransferAborted, reason)
	}
}

// finish writes the file in hand, if there is one.
func (c *copying) finish(outcome, reason string) {
	f := c.file
	if f == nil {
		return
	}
	c.file = nil
	t := f.rec
	t.Outcome, t.Reason = outcome, reason
	t.Duration = record.Between(t.Time, c.env.At(0).Time)
	if d := f.last.Time.Sub(t.Time); d > 0 {
		t.Rate = int64(float64(t.Bytes) / d.Seconds())
	}
	result := f.body.Close(outcome == record.TransferComplete)
	c.env.Defer(t, func(emit func(record.Record)) {
		t.Content = result.Wait()
		if t.Outcome == record.TransferComplete && t.Content.Missing != 0 {
			t.Reason = "the capture lacks a part of it"
		}
		emit(t)
	})
}

// Gap inside a file is a hole in it; anywhere else the lines cannot be found
// again.
func (c *copying) Gap(dir dissect.Dir, n int64) {
	f := c.file
	switch {
	case c.known && dir != c.source:
		return // answers: what they were shows by what follows
	case f != nil && n > 0 && n <= f.left:
		f.body.Gap(n)
		f.left -= n
		f.done = f.left == 0
	default:
		c.lost[dir] = true
		c.cut("the rest of it was not captured")
	}
}

func (c *copying) EOF(dir dissect.Dir) {}

// Closed reports a file that did not come to its end.
func (c *copying) Closed(end, by string) {
	if f := c.file; f != nil {
		c.cut(fmt.Sprintf("the session ended with %d of %d bytes", f.rec.Bytes, f.rec.Announced))
	}
}
