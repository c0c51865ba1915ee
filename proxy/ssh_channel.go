package proxy

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// sshChannel is one channel through the proxy.
type sshChannel struct {
	m        *sshMux
	opener   dissect.Dir
	channels [2]ssh.Channel         // by the side
	requests [2]<-chan *ssh.Request // that come from that side
	label    string

	// started is closed when the program on the other side was asked for. What
	// the opener sends is for the program and waits for that: the record has to
	// know what it is, and data and requests come on different ways.
	started   chan struct{}
	startOnce sync.Once

	asking [2]flights // requests of a side that are being answered

	bytes   [2]atomic.Int64
	mu      sync.Mutex // guards what follows
	rec     record.SSHChannel
	running bool           // a program was started
	inner   dissect.Stream // reads the channel's bytes, nil if nothing does
	pty     ptyRequest
	screen  record.ScreenConn // records what the program writes, nil if nothing does
}

// openedChannel is the answer to a channel that was opened.
type openedChannel struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
	err      error
}

// openAt opens a channel at a side, unless that side's leg ends before it has
// answered.
func (m *sshMux) openAt(side dissect.Dir, kind string, extra []byte) openedChannel {
	answer := make(chan openedChannel, 1)
	go func() {
		c, q, err := m.ends[side].conn.OpenChannel(kind, extra)
		answer <- openedChannel{c, q, err}
	}()
	select {
	case o := <-answer:
		return o
	case <-m.over[side]:
	}
	// It may have answered before it ended.
	select {
	case o := <-answer:
		return o
	case <-time.After(settleTime):
		return openedChannel{err: io.EOF}
	}
}

// passChannel carries a channel that the side dir wants to open to its end.
func (m *sshMux) passChannel(dir dissect.Dir, asked ssh.NewChannel, number uint32) {
	begun := sync.OnceFunc(m.flowing[dir.Other()].end) // the answer's flight
	defer begun()
	c := &sshChannel{m: m, opener: dir, started: make(chan struct{}), label: fmt.Sprintf("channel %d", number)}
	c.describe(asked, number)
	there := m.openAt(dir.Other(), asked.ChannelType(), asked.ExtraData())
	if asked.ChannelType() == "session" {
		m.opening[dir].end()
	}
	if there.err != nil {
		reason, text := ssh.ConnectionFailed, "the other side is gone"
		var refused *ssh.OpenChannelError
		if errors.As(there.err, &refused) {
			reason, text = refused.Reason, refused.Message
		}
		_ = asked.Reject(reason, text)
		c.refused(reason, text)
		return
	}
	here, requests, err := asked.Accept()
	if err != nil {
		there.channel.Close()
		ssh.DiscardRequests(there.requests)
		c.refused(ssh.ConnectionFailed, "the side that opened it is gone")
		return
	}
	c.channels[dir], c.requests[dir] = here, requests
	c.channels[dir.Other()], c.requests[dir.Other()] = there.channel, there.requests
	if asked.ChannelType() != "session" {
		c.start()
	}
	c.run(begun)
}

// run carries the channel to its end, and calls begun when it is on its way.
func (c *sshChannel) run(begun func()) {
	var wg sync.WaitGroup
	for dir := range c.channels {
		c.m.flowing[dir].begin()
		wg.Go(func() {
			defer c.m.flowing[dir].end()
			c.pass(dissect.Dir(dir))
		})
	}
	begun()
	wg.Wait()
	c.finish()
}

// pass carries what one side says. Data and error stream share one window, so
// each has a copier of its own: one that waits must not keep the other's bytes
// from being read.
func (c *sshChannel) pass(dir dissect.Dir) {
	src, dst := c.channels[dir], c.channels[dir.Other()]
	var data, all sync.WaitGroup
	copied := make(chan struct{})
	ended := make(chan struct{})
	data.Go(func() { c.copy(dir, dst, src, true) })
	data.Go(func() { c.copy(dir, dst.Stderr(), src.Stderr(), false) })
	all.Go(func() {
		data.Wait()
		close(copied)
	})
	all.Go(func() {
		c.passRequests(dir, copied, func() {
			_ = dst.CloseWrite()
			c.endInner(dir)
			close(ended)
		})
		// No more requests: the side has closed the channel.
		c.closedBy(dir)
		c.start()
	})
	all.Wait()
	<-ended
	// A program may be over before it was passed on that it had been started.
	<-c.asking[dir.Other()].landed()
	_ = dst.Close()
}

// passRequests passes on the requests of one side, and calls eof in its place
// among them.
//
// OpenSSH's client closes a channel as soon as both directions have ended, and
// the implementation answers that at once, so an exit status that comes behind
// the end of the output would be lost. Servers send the two in either order;
// so the end of a program's output waits for its exit status.
func (c *sshChannel) passRequests(dir dissect.Dir, copied <-chan struct{}, eof func()) {
	line := c.m.newLine()
	defer line.close()
	requests := c.requests[dir]
	ending := copied
	var late <-chan time.Time
	exited := false
	add := func(q *ssh.Request, ok bool) bool {
		if !ok {
			requests, exited = nil, true
			c.start() // nothing will be started any more
			return false
		}
		exited = exited || q.Type == "exit-status" || q.Type == "exit-signal"
		line.add(func() { c.passRequest(dir, q, copied) })
		return true
	}
	for requests != nil || ending != nil || late != nil {
		select {
		case q, ok := <-requests:
			add(q, ok)
		case <-ending:
			ending = nil
			// The requests that came before the end are here.
			for more := requests != nil; more; {
				select {
				case q, ok := <-requests:
					more = add(q, ok)
				default:
					more = false
				}
			}
			wait := time.Duration(0)
			if c.program(dir) {
				wait = exitTime
			}
			late = time.After(wait)
		case <-late:
			late = nil
			line.must(eof)
		}
		if late != nil && exited {
			late = nil
			line.must(eof)
		}
	}
}

// exitTime is how long the end of a program's output waits for its exit status.
const exitTime = 2 * time.Second

// program reports whether a program speaks in this direction, whose exit status
// is to be expected.
func (c *sshChannel) program(dir dissect.Dir) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running && dir != c.opener
}

const sshCopyBuffer = 64 << 10

var sshBuffers = sync.Pool{New: func() any { return new([sshCopyBuffer]byte) }}

// copy carries one stream to its end.
func (c *sshChannel) copy(dir dissect.Dir, dst io.Writer, src io.Reader, main bool) {
	if dir == c.opener {
		<-c.started
	}
	buf := sshBuffers.Get().(*[sshCopyBuffer]byte)
	defer sshBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			c.bytes[dir].Add(int64(n))
			if main {
				c.feed(dir, buf[:n])
			}
			c.show(dir, buf[:n])
			if _, err := dst.Write(buf[:n]); err != nil {
				return // that side has closed the channel, and the other one will be
			}
		}
		if err != nil {
			return
		}
	}
}

// settleTime is how long the news of a program's end waits for its last output.
const settleTime = 200 * time.Millisecond

// passRequest passes on a request with its answer.
func (c *sshChannel) passRequest(dir dissect.Dir, q *ssh.Request, copied <-chan struct{}) {
	c.asking[dir].begin()
	defer c.asking[dir].end()
	starts := c.noteRequest(dir, q)
	if q.Type == "exit-status" || q.Type == "exit-signal" {
		// It comes behind the output on the wire, and programs that read the
		// status first expect to find the output there.
		select {
		case <-copied:
		case <-time.After(settleTime):
		}
	}
	ok, err := c.channels[dir.Other()].SendRequest(q.Type, q.WantReply, q.Payload)
	if starts {
		c.answered(err == nil && (ok || !q.WantReply))
		c.start()
	}
	_ = q.Reply(ok && err == nil, nil)
}

func (c *sshChannel) start() { c.startOnce.Do(func() { close(c.started) }) }
