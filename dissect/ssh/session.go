package ssh

import (
	"fmt"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// channel is one decrypted channel (RFC 4254, section 5).
type channel struct {
	rec     record.SSHChannel
	label   string
	opener  dissect.Dir
	numbers [2]uint32 // by who gave it
	has     [2]bool
	closed  [2]bool
	ended   [2]bool
	bytes   [2]int64
	last    record.Stamp
	started bool            // a program was asked for
	nested  dissect.Stream  // reads SFTP or scp
	bodies  [3]content.Body // input, output, errors of a program
	missed  [2]bool         // packets of a direction are missing
}

// The three streams of a program.
const (
	streamInput = iota
	streamOutput
	streamErrors
)

func (ch *channel) confirmed(c *connection, dir dissect.Dir, number uint32) {
	if dir != ch.opener && !ch.has[dir] {
		c.number(dir, number, ch)
	}
}

// refused reads CHANNEL_OPEN_FAILURE (RFC 4254, section 5.1).
func (ch *channel) refused(d *dissector, c *connection, dir dissect.Dir, r *reader) {
	if dir == ch.opener {
		return
	}
	code := r.uint32()
	reason := fmt.Sprintf("code %d", code)
	if names := [...]string{"", "administratively prohibited", "connect failed", "unknown channel type", "resource shortage"}; code > 0 && int(code) < len(names) {
		reason = names[code]
	}
	ch.rec.Reason = fmt.Sprintf("decrypted; refused: %s (%s)", reason, clip(r.string(), maxUserText))
	ch.end(d, c, record.EndRefused, dir.String())
}

// request reads CHANNEL_REQUEST (RFC 4254, sections 6.2 to 6.10).
func (ch *channel) request(d *dissector, dir dissect.Dir, r *reader) {
	name := clip(r.string(), 64)
	r.bool()
	x := &ch.rec
	if dir != ch.opener {
		switch name {
		case "exit-status":
			status := r.uint32()
			x.ExitStatus = &status
		case "exit-signal":
			x.ExitSignal = clip(r.string(), 32)
		}
		return
	}
	switch name {
	case "env":
		variable := clip(r.string(), maxText)
		if value := clip(r.string(), maxText); len(x.Env) < maxEnv {
			x.Env = append(x.Env, variable+"="+value)
		}
	case "pty-req":
		term := clip(r.string(), 64)
		x.Terminal = fmt.Sprintf("%s %dx%d", term, r.uint32(), r.uint32())
	case "shell":
		x.What, ch.started = "interactive", true
	case "exec":
		command := clip(r.string(), maxText)
		x.Command = record.Plain(command)
		var inside string
		x.What, inside = record.SSHCommand(command)
		ch.started = true
		ch.read(d, inside)
	case "subsystem":
		x.Subsystem = clip(r.string(), 64)
		ch.started = true
		if x.Subsystem == "sftp" {
			x.What = "sftp"
			ch.read(d, "sftp")
		}
	}
}

// read opens the stream that reads what goes through the channel by the given
// protocol, "" if by none that is read.
func (ch *channel) read(d *dissector, protocol string) {
	if ch.nested != nil {
		return
	}
	if protocol != "" {
		ch.nested = d.env.Open(protocol, ch.label)
	}
	for dir := range d.dec.conn.dark {
		if d.dec.conn.dark[dir] {
			ch.blinded(dissect.Dir(dir))
		}
	}
}

// requestFailed notes that the program was not started.
func (ch *channel) requestFailed(dir dissect.Dir) {
	if dir != ch.opener && ch.started && !strings.Contains(ch.rec.Reason, "refused") {
		ch.rec.Reason += "; a request was refused"
	}
}

// data takes CHANNEL_DATA and CHANNEL_EXTENDED_DATA.
func (ch *channel) data(d *dissector, dir dissect.Dir, b []byte, at record.Stamp, errors bool) {
	if len(b) == 0 {
		return
	}
	ch.bytes[dir] += int64(len(b))
	c := &d.dec.conn
	if c.bytes == [2]int64{} {
		c.data = event{dir: dir, at: at}
	}
	c.bytes[dir] += int64(len(b))
	if ch.nested != nil && !errors {
		ch.nested.Data(dir^ch.opener, b)
		return
	}
	if ch.rec.Type != "session" {
		return
	}
	n := streamInput
	switch {
	case dir != ch.opener && errors:
		n = streamErrors
	case dir != ch.opener:
		n = streamOutput
	}
	if ch.bodies[n] == nil {
		ch.bodies[n] = d.env.Body(content.Info{Carrier: "ssh", Role: content.File, Stamp: at, Dir: dir})
		if ch.missed[dir] {
			ch.bodies[n].Gap(-1)
		}
	}
	ch.bodies[n].Write(b)
}

func (ch *channel) eof(dir dissect.Dir) {
	if ch.ended[dir] {
		return
	}
	ch.ended[dir] = true
	if ch.nested != nil {
		ch.nested.EOF(dir ^ ch.opener)
	}
}

// close reads CHANNEL_CLOSE; the channel ends with the second one.
func (ch *channel) close(d *dissector, c *connection, dir dissect.Dir) {
	ch.eof(dir)
	ch.closed[dir] = true
	if ch.rec.ClosedBy == "" {
		ch.rec.ClosedBy, ch.rec.ClosedHow = dir.String(), record.EndClosed
	}
	if ch.closed[0] && ch.closed[1] {
		ch.end(d, c, "", "")
	}
}

// blinded says that a direction is not read from here on.
func (ch *channel) blinded(dir dissect.Dir) {
	ch.gap(dir)
	ch.say("; only up to where the decryption ended")
}

// holed says that part of what goes in a direction may be missing.
func (ch *channel) holed(dir dissect.Dir) {
	ch.missed[dir] = true
	ch.gap(dir)
	ch.say("; packets are missing")
}

func (ch *channel) gap(dir dissect.Dir) {
	if ch.nested != nil && !ch.ended[dir] {
		ch.nested.Gap(dir^ch.opener, -1)
	}
	for n, b := range ch.bodies {
		if b != nil && (n == streamInput) == (dir == ch.opener) {
			b.Gap(-1)
		}
	}
}

// say adds to the reason, once.
func (ch *channel) say(what string) {
	if !strings.Contains(ch.rec.Reason, what) {
		ch.rec.Reason += what
	}
}

// end writes the channel's record. how and by say how the connection ended
// that took the channel with it.
func (ch *channel) end(d *dissector, c *connection, how, by string) {
	c.forget(ch)
	x := &ch.rec
	// A stream is whole when its sender said that it is at its end.
	whole := ch.ended
	if x.ClosedBy == "" && how != "" {
		x.ClosedBy, x.ClosedHow = by, how
	}
	if ch.nested != nil {
		ch.eof(0)
		ch.eof(1)
	}
	x.ClientBytes, x.ServerBytes = ch.bytes[0], ch.bytes[1]
	x.Duration = record.Between(x.Time, ch.last.Time)
	x.Rekeys = c.rekeys
	out := *x
	var results [3]content.Result
	pending := false
	for n, b := range ch.bodies {
		if b != nil {
			sender := ch.opener
			if n != streamInput {
				sender = ch.opener.Other()
			}
			results[n], pending = b.Close(whole[sender]), true
		}
	}
	if !pending {
		d.env.Emit(&out)
		return
	}
	d.env.Defer(&out, func(emit func(record.Record)) {
		for n, field := range [...]**record.Content{&out.Input, &out.Output, &out.Errors} {
			if results[n] != nil {
				*field = results[n].Wait()
			}
		}
		emit(&out)
	})
}
