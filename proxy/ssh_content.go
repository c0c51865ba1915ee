package proxy

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// What a channel is about, read from what opens it and from its requests.

// Limits on what the record of a channel keeps.
const (
	maxNotedText = 4 << 10
	maxNotedEnv  = 64
)

// describe reads the opening of a channel (RFC 4254, sections 5.1 and 7.2;
// OpenSSH's PROTOCOL, section 2.4).
func (c *sshChannel) describe(asked ssh.NewChannel, number uint32) {
	r := &c.rec
	r.Stamp(record.Stamp{Time: c.m.s.r.srv.cfg.Now()}, c.opener)
	r.Substream = c.label
	r.Type, r.Number = clipText(asked.ChannelType(), 64), number
	r.What, r.Confidence, r.Reason = "unknown", record.ConfidenceCertain, "the proxy terminates the connection"
	switch asked.ChannelType() {
	case "session":
		r.What = "idle"
	case "direct-tcpip", "forwarded-tcpip":
		r.What = "tunnel"
		var to struct {
			Host   string
			Port   uint32
			Origin string
			From   uint32
		}
		if ssh.Unmarshal(asked.ExtraData(), &to) == nil {
			r.Target = net.JoinHostPort(clipText(to.Host, 256), strconv.FormatUint(uint64(to.Port), 10))
		}
	case "direct-streamlocal@openssh.com", "forwarded-streamlocal@openssh.com":
		r.What = "tunnel"
		var to struct {
			Path string
			Rest []byte `ssh:"rest"`
		}
		if ssh.Unmarshal(asked.ExtraData(), &to) == nil {
			r.Target = clipText(to.Path, 256)
		}
	case "x11", "auth-agent@openssh.com", "auth-agent", "tun@openssh.com":
		r.What = "tunnel"
	}
}

// noteRequest notes what a request says, and reports whether it starts the
// program of a session (RFC 4254, section 6).
func (c *sshChannel) noteRequest(dir dissect.Dir, q *ssh.Request) (starts bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.rec
	if dir != c.opener {
		switch q.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(q.Payload, &m) == nil {
				r.ExitStatus = &m.Status
			}
		case "exit-signal":
			var m struct {
				Signal string
				Rest   []byte `ssh:"rest"`
			}
			if ssh.Unmarshal(q.Payload, &m) == nil {
				r.ExitSignal = clipText(m.Signal, 32)
			}
		}
		return false
	}
	switch q.Type {
	case "env":
		var m struct{ Name, Value string }
		if ssh.Unmarshal(q.Payload, &m) == nil && len(r.Env) < maxNotedEnv {
			r.Env = append(r.Env, clipText(m.Name+"="+m.Value, maxNotedText))
		}
	case "pty-req":
		if m := (ptyRequest{}); ssh.Unmarshal(q.Payload, &m) == nil {
			m.Term, m.Rest = clipText(m.Term, 64), nil
			r.Terminal = fmt.Sprintf("%s %dx%d", m.Term, m.Columns, m.Rows)
			c.pty = m
		}
	case "window-change":
		c.resized(q)
	case "shell":
		r.What, c.running = "interactive", true
		c.openScreen("")
		return true
	case "exec":
		var m struct{ Command string }
		if ssh.Unmarshal(q.Payload, &m) == nil {
			r.Command = record.Plain(clipText(m.Command, maxNotedText))
			var inside string
			r.What, inside = record.SSHCommand(m.Command)
			c.read(inside)
		}
		if r.Terminal != "" {
			c.openScreen(clipText(m.Command, maxNotedText))
		}
		c.running = true
		return true
	case "subsystem":
		var m struct{ Name string }
		if ssh.Unmarshal(q.Payload, &m) == nil {
			r.Subsystem = clipText(m.Name, 64)
			if m.Name == "sftp" {
				r.What = "sftp"
				c.read("sftp")
			}
		}
		c.running = true
		return true
	}
	return false
}

// read opens the stream that reads the bytes of a channel.
func (c *sshChannel) read(protocol string) {
	if protocol != "" && c.inner == nil {
		c.inner = c.m.s.r.sess.Channel(protocol, c.label)
	}
}

// answered notes whether the program was started.
func (c *sshChannel) answered(ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		c.running = false
		c.rec.Reason += "; the other side refused to start it"
	}
}

// feed gives bytes to the stream that reads them.
func (c *sshChannel) feed(dir dissect.Dir, b []byte) {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		inner.Data(dir^c.opener, b)
	}
}

func (c *sshChannel) endInner(dir dissect.Dir) {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		inner.EOF(dir ^ c.opener)
	}
}

// closedBy notes that a side has closed the channel; the first counts.
func (c *sshChannel) closedBy(dir dissect.Dir) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rec.ClosedBy == "" {
		c.rec.ClosedBy, c.rec.ClosedHow = dir.String(), record.EndClosed
	}
}

// refused writes the record of a channel that the other side did not want.
func (c *sshChannel) refused(reason ssh.RejectionReason, text string) {
	c.rec.ClosedBy, c.rec.ClosedHow = c.opener.Other().String(), record.EndRefused
	c.rec.Reason = fmt.Sprintf("refused: %s (%s)", reason, clipText(text, 256))
	c.finish()
}

// finish writes the record of the channel.
func (c *sshChannel) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.m.s.r
	c.rec.ClientBytes, c.rec.ServerBytes = c.bytes[dissect.ClientToServer].Load(), c.bytes[dissect.ServerToClient].Load()
	c.rec.Duration = record.Between(c.rec.Time, r.srv.cfg.Now())
	r.sess.Emit(&c.rec)
	if c.screen != nil {
		_ = c.screen.Close() // the recorder has kept the first error
	}
}

func clipText(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
