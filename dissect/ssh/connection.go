package ssh

import (
	"fmt"
	"net"
	"strconv"

	"sniff/dissect"
	"sniff/record"
)

// Messages of the connection protocol (RFC 4254, section 9).
const (
	msgGlobalRequest   = 80
	msgChannelOpen     = 90
	msgChannelConfirm  = 91
	msgChannelRefused  = 92
	msgChannelAdjust   = 93
	msgChannelData     = 94
	msgChannelExtended = 95
	msgChannelEOF      = 96
	msgChannelClose    = 97
	msgChannelRequest  = 98
	msgChannelSuccess  = 99
	msgChannelFailure  = 100
)

// Limits of what is kept of the connection protocol.
const (
	maxChannels = 1024
	maxEnv      = 64
	maxText     = 4096
	maxListens  = 256 // requests to forward that are reported
)

// connection reads the decrypted connection protocol. A message names its
// channel by the number that its receiver gave it.
type connection struct {
	ids        [2]map[uint32]*channel // by who gave the number
	order      []*channel             // open ones, in order of opening
	count      int                    // channels that were opened
	opened     event                  // the first of them
	data       event                  // the first of their data
	bytes      [2]int64
	rekeys     int
	dark       [2]bool
	listens    int
	disconnect *record.SSHDisconnect
}

func (c *connection) message(d *dissector, dir dissect.Dir, p []byte, at record.Stamp) {
	r := reader{b: p[1:]}
	t := p[0]
	switch t {
	case msgGlobalRequest:
		c.global(d, dir, &r, at)
	case msgChannelOpen:
		c.open(d, dir, &r, at)
	case msgChannelConfirm, msgChannelRefused, msgChannelData, msgChannelExtended, msgChannelEOF, msgChannelClose,
		msgChannelRequest, msgChannelFailure:
		number := r.uint32()
		ch := c.ids[dir.Other()][number]
		if ch == nil {
			break // refused, over the limit, or opened behind a hole
		}
		ch.last = at
		switch t {
		case msgChannelConfirm:
			ch.confirmed(c, dir, r.uint32())
		case msgChannelRefused:
			ch.refused(d, c, dir, &r)
		case msgChannelData:
			ch.data(d, dir, r.string(), at, false)
		case msgChannelExtended:
			kind := r.uint32()
			ch.data(d, dir, r.string(), at, kind == 1) // SSH_EXTENDED_DATA_STDERR
		case msgChannelEOF:
			ch.eof(dir)
		case msgChannelClose:
			ch.close(d, c, dir)
		case msgChannelRequest:
			ch.request(d, dir, &r)
		case msgChannelFailure:
			ch.requestFailed(dir)
		}
	}
	if r.bad {
		d.violate("ssh_message_cut", dir, at, fmt.Sprintf("message %d ends before its fields do", t))
	}
}

// global reads GLOBAL_REQUEST (RFC 4254, section 7.1): of interest is who is
// asked to listen for whom.
func (c *connection) global(d *dissector, dir dissect.Dir, r *reader, at record.Stamp) {
	name := clip(r.string(), 64)
	r.bool()
	var target string
	switch name {
	case "tcpip-forward":
		host := clip(r.string(), maxUserText)
		target = net.JoinHostPort(host, strconv.FormatUint(uint64(r.uint32()), 10))
	case "streamlocal-forward@openssh.com":
		target = clip(r.string(), maxUserText)
	default:
		return
	}
	if c.listens++; c.listens > maxListens {
		return
	}
	rec := &record.SSHChannel{
		What: "tunnel", Confidence: record.ConfidenceCertain, Type: name, Target: target,
		Reason: fmt.Sprintf("decrypted: the %s asks the %s to listen there and to send what comes", dir, dir.Other()),
	}
	rec.Stamp(at, dir)
	d.env.Emit(rec)
}

// open reads CHANNEL_OPEN (RFC 4254, sections 5.1, 6.1, 6.3.2 and 7.2;
// OpenSSH's PROTOCOL, section 2.4).
func (c *connection) open(d *dissector, dir dissect.Dir, r *reader, at record.Stamp) {
	ch := &channel{opener: dir, last: at}
	if c.count++; c.count == 1 {
		c.opened = event{dir: dir, at: at}
	}
	x := &ch.rec
	x.Stamp(at, dir)
	x.Type = clip(r.string(), 64)
	x.Number = r.uint32()
	r.uint32() // window
	r.uint32() // packet size
	x.What, x.Confidence, x.Reason = "unknown", record.ConfidenceCertain, "decrypted"
	switch x.Type {
	case "session":
		x.What = "idle"
	case "direct-tcpip", "forwarded-tcpip":
		x.What = "tunnel"
		host := clip(r.string(), maxUserText)
		x.Target = net.JoinHostPort(host, strconv.FormatUint(uint64(r.uint32()), 10))
	case "direct-streamlocal@openssh.com", "forwarded-streamlocal@openssh.com":
		x.What = "tunnel"
		x.Target = clip(r.string(), maxUserText)
	case "x11", "auth-agent@openssh.com", "tun@openssh.com":
		x.What = "tunnel"
	}
	ch.label = fmt.Sprintf("channel %d", x.Number)
	if dir == dissect.ServerToClient {
		ch.label += " of the server"
	}
	x.Substream = ch.label
	if old := c.ids[dir][x.Number]; old != nil {
		d.violate("ssh_channel_reused", dir, at, fmt.Sprintf("channel %d is opened again before it was closed", x.Number))
		old.end(d, c, "", "")
	}
	if len(c.order) >= maxChannels {
		d.violate("ssh_too_many_channels", dir, at, fmt.Sprintf("more than %d channels are open, this one is not followed", maxChannels))
		return
	}
	c.order = append(c.order, ch)
	c.number(dir, x.Number, ch)
}

// number notes the number that a side gave a channel.
func (c *connection) number(dir dissect.Dir, n uint32, ch *channel) {
	if c.ids[dir] == nil {
		c.ids[dir] = map[uint32]*channel{}
	}
	c.ids[dir][n] = ch
	ch.numbers[dir], ch.has[dir] = n, true
}

// forget takes a channel off the tables.
func (c *connection) forget(ch *channel) {
	for i := range c.ids {
		if ch.has[i] && c.ids[i][ch.numbers[i]] == ch {
			delete(c.ids[i], ch.numbers[i])
		}
	}
	for i, o := range c.order {
		if o == ch {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
}

// blinded says that a direction is not read from here on.
func (c *connection) blinded(dir dissect.Dir) {
	c.dark[dir] = true
	for _, ch := range c.order {
		ch.blinded(dir)
	}
}

// holed says that packets of a direction are missing. Which channels they
// belonged to is not known.
func (c *connection) holed(dir dissect.Dir) {
	for _, ch := range c.order {
		ch.holed(dir)
	}
}

// finish ends the channels that are open when the connection ends.
func (c *connection) finish(d *dissector, end, by string) {
	for len(c.order) > 0 {
		c.order[0].end(d, c, end, by)
	}
}
