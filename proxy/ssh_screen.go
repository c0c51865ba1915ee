package proxy

import (
	"fmt"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// ptyRequest is RFC 4254, section 6.2.
type ptyRequest struct {
	Term          string
	Columns, Rows uint32
	Rest          []byte `ssh:"rest"`
}

// openScreen begins to record what the program that is being started writes,
// if that is wanted. c.mu is held.
func (c *sshChannel) openScreen(command string) {
	s := c.m.s
	screens := s.r.srv.cfg.SSH.Screens
	if screens == nil || c.screen != nil {
		return
	}
	c.screen = screens.Open(record.Screen{
		Session: s.r.sess.ID(), Channel: c.rec.Number, Title: fmt.Sprintf("%s@%s", clipText(s.login.user, 64), s.address),
		Command: command, Terminal: c.pty.Term, Columns: c.pty.Columns, Rows: c.pty.Rows, Start: s.r.srv.cfg.Now(),
	})
}

// show gives what the program writes to the recorder.
func (c *sshChannel) show(dir dissect.Dir, b []byte) {
	if dir == c.opener {
		return // what is typed shows when it is echoed
	}
	c.mu.Lock()
	screen := c.screen
	c.mu.Unlock()
	if screen != nil {
		screen.Output(b, c.m.s.r.srv.cfg.Now())
	}
}

// resized passes a new size of the window to the recorder (RFC 4254, section
// 6.7). c.mu is held.
func (c *sshChannel) resized(q *ssh.Request) {
	var m struct {
		Columns, Rows uint32
		Rest          []byte `ssh:"rest"`
	}
	if c.screen != nil && ssh.Unmarshal(q.Payload, &m) == nil {
		c.screen.Resize(m.Columns, m.Rows, c.m.s.r.srv.cfg.Now())
	}
}
