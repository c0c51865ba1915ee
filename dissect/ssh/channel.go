package ssh

import (
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// channel says what kind of session the messages behind the login make. What
// it rests on:
//
//   - CHANNEL_OPEN of a session has 24 bytes of payload; a forwarded
//     connection names two addresses and has more.
//   - A terminal is asked for with all its modes, some 300 bytes.
//   - An SFTP client sends INIT, 18 bytes with its channel's head, as its first
//     data, and is answered with a version and extensions.
//   - Keys that are typed come one by one and are echoed.
func (t *tally) channel(d *dissector, end, by string) *record.SSHChannel {
	w := &d.watch
	c := &record.SSHChannel{
		Inferred: true, What: "unknown", Confidence: record.ConfidenceLow,
		ClientBytes: t.bytes[0], ServerBytes: t.bytes[1],
		ClientPackets: t.packets[0], ServerPackets: t.packets[1],
		Bursts: t.bursts, Idle: record.Seconds(t.idle),
		Exact:        d.sides[0].sealed.clear && d.sides[1].sealed.clear && !w.blurred,
		Duration:     record.Between(t.first.at.Time, t.last.at.Time),
		MissingBytes: w.missing, ClosedBy: by, ClosedHow: end, Rekeys: t.rekeys,
	}
	c.Stamp(t.first.at, t.first.dir)
	if t.rekeys > 0 {
		c.RekeyReason = "both sides sent packets of the size of their first KEXINIT shortly after each other"
	}
	if !w.accepted {
		c.Reason = "no login was recognised: " + w.auth.Reason
		return c
	}
	c.Obscured = t.beats > 10 && t.beats*2 > t.small
	if !c.Obscured {
		c.Keystrokes = t.keystrokes
	}
	v := t.opening(d)
	t.judge(c, v)
	t.reverse(c)
	if c.What != "interactive" {
		c.Keystrokes, c.Obscured = 0, false
	}
	return c
}

// opening is what the first messages of a session show.
type opening struct {
	session  bool // a session channel was opened
	other    bool // something else was opened or asked for instead
	terminal bool // a request as large as a terminal's modes
	sure     bool // ... as one packet of its own
	sftp     bool // the first data has the size of SFTP's INIT
	scp      bool // the client received a file as scp does
	begun    bool // the client sent anything at all
}

func (t *tally) opening(d *dissector) opening {
	var v opening
	client, server := d.sides[0].sealed.framing, d.sides[1].sealed.framing
	exact := client.clear && !d.watch.blurred
	noMore := client.wire(34) // no-more-sessions@openssh.com comes right behind
	turns := 0                // the client's turns behind the opening
	sum, packets := 0, 0      // of the turn
	init := false             // the last turn has the size of INIT
	seen := 0                 // the client's messages before the opening
	ack, line := false, false // the steps of scp's receiving side
	for i, e := range t.head {
		if e.dir == dissect.ServerToClient {
			// VERSION with its extensions is an answer of some size.
			if init && e.size >= server.wire(9+4+1) && sum > 0 {
				v.sftp = true
			}
			// scp asks with a zero byte, is told the file's name in a line, and
			// says yes with another.
			switch {
			case ack && e.size <= server.wire(80) && e.size >= server.wire(20):
				line = true
			case ack && line && e.size > 256:
				v.scp = true
			}
			if v.session && sum > 0 {
				turns++
				if turns == 1 && !exact && packets == 1 && sum >= client.wire(260) && sum <= 1400 {
					v.terminal = true
				}
			}
			sum, packets = 0, 0
			continue
		}
		if !v.session {
			// Behind something else, a forwarded connection's data may have
			// any size.
			if seen++; seen > 3 {
				continue
			}
			v.session = e.size == client.wire(sessionSize) || !exact && e.size == client.wire(sessionSize)+noMore
			v.other = v.other || !v.begun && !v.session
			v.begun = true
			continue
		}
		if e.size == noMore && i > 0 && t.head[i-1].dir == dissect.ClientToServer && turns == 0 && sum == 0 {
			continue
		}
		sum += e.size
		packets++
		if exact && turns == 0 {
			if lo, _ := client.payload(e.size); lo >= 250 && lo < 700 {
				v.terminal, v.sure = true, true
			}
		}
		ack = turns >= 1 && turns <= 3 && packets == 1 && e.size == client.wire(10)
		init = turns == 1 && packets == 1 && e.size == client.wire(18)
	}
	// INIT and VERSION are followed by requests; a command that is done with
	// is not.
	v.sftp = v.sftp && turns > 3
	return v
}

// bulk is how many bytes make a transfer of a session.
const bulk = 16 << 10

func (t *tally) judge(c *record.SSHChannel, v opening) {
	way := ""
	switch {
	case t.bytes[0] > bulk && t.bytes[0] > 3*t.bytes[1]:
		way = "to the server"
	case t.bytes[1] > bulk && t.bytes[1] > 3*t.bytes[0]:
		way = "to the client"
	}
	var because []string
	say := func(format string, args ...any) { because = append(because, fmt.Sprintf(format, args...)) }
	switch {
	case !v.begun:
		c.What, c.Confidence = "idle", record.ConfidenceMedium
		say("the client opened nothing after the login")
	case v.terminal && v.session:
		c.What, c.Confidence = "interactive", record.ConfidenceMedium
		say("a request as large as a terminal's modes followed the opening of the session")
		if t.keystrokes >= 3 {
			c.Confidence = record.ConfidenceHigh
			say("%d packets of a keystroke's size were echoed", t.keystrokes)
		}
		if c.Obscured {
			c.Confidence = record.ConfidenceHigh
			say("%d packets at a beat of 20 ms, by which OpenSSH hides keystrokes", t.beats)
		}
		if v.sure {
			c.Confidence = record.ConfidenceHigh
		}
	case v.sftp && v.session:
		c.What, c.Confidence = "sftp", record.ConfidenceMedium
		say("the first data has the size of SFTP's INIT")
		if way != "" {
			c.Confidence = record.ConfidenceHigh
			say("bulk data went %s", way)
		}
	case v.session && v.scp && way == "":
		c.What, c.Confidence = "file_transfer", record.ConfidenceLow
		say("the exchange by which scp begins")
	case v.session && way != "":
		c.What, c.Confidence = "file_transfer", record.ConfidenceMedium
		say("no terminal, and bulk data went %s", way)
		switch {
		case v.scp:
			say("behind the exchange by which scp begins")
		case way == "to the client":
			c.Confidence = record.ConfidenceLow
			say("which a command with much output does too")
		}
	case v.session && t.keystrokes >= 8 && t.begun[0] >= 4:
		c.What, c.Confidence = "interactive", record.ConfidenceLow
		say("%d packets of a keystroke's size were echoed, but no terminal was asked for", t.keystrokes)
	case v.session:
		c.What, c.Confidence = "exec", record.ConfidenceMedium
		say("a session without a terminal and without bulk data")
	case v.other:
		c.What, c.Confidence = "tunnel", record.ConfidenceMedium
		say("what was opened first is larger than a session, as an address to forward to makes it")
		if t.bytes[0]+t.bytes[1] < 2000 {
			c.Confidence = record.ConfidenceLow
		}
	}
	c.Reason = strings.Join(because, "; ")
}

// reverse recognises a session that the server drives: its messages end the
// silences, and the client answers with more than it was sent.
func (t *tally) reverse(c *record.SSHChannel) {
	if t.begun[1] >= 6 && t.begun[1] > 4*t.begun[0] && t.bytes[0] > 2*t.bytes[1] {
		c.Reverse = fmt.Sprintf("the server ended %d of %d silences and the client sent %s for %s", t.begun[1], t.begun[0]+t.begun[1],
			record.Bytes(t.bytes[0]), record.Bytes(t.bytes[1]))
	}
}
