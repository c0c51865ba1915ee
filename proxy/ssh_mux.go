package proxy

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// sshEnd is the connection protocol (RFC 4254) of one leg.
type sshEnd struct {
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
}

// discard closes a leg that nobody uses.
func (e sshEnd) discard() {
	e.conn.Close()
	go ssh.DiscardRequests(e.requests)
	for c := range e.channels {
		_ = c.Reject(ssh.ConnectionFailed, "closing")
	}
}

const (
	// maxSSHChannels bounds the channels that are open in one connection.
	maxSSHChannels = 1024
	// maxSSHQueue bounds the requests of one source that wait for the answer
	// to one before them.
	maxSSHQueue = 1024
	// drainTime is how long a leg may take to hear what the other one said
	// before it ended.
	drainTime = 30 * time.Second
	// resetTime is the same for a leg whose peer was cut off: what is left
	// unread then is lost in any case.
	resetTime = 500 * time.Millisecond
	// farewellTime is how long it may take to close its connection then.
	farewellTime = 5 * time.Second
)

// sshMux passes channels and global requests between the legs.
type sshMux struct {
	s    *sshRelay
	ends [2]sshEnd // by the side: client, upstream

	over     [2]chan struct{} // a leg has ended
	flowing  [2]flights       // what is on its way, by direction
	opening  [2]flights       // sessions that are being opened, by who opens
	running  sync.WaitGroup
	mu       sync.Mutex
	channels int
	numbers  uint32
	endOnce  sync.Once
	overflow sync.Once
}

// run passes on until one leg has ended and the other has heard what came
// before.
func (m *sshMux) run() {
	m.over = [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	for dir := range m.ends {
		m.running.Go(func() { m.watch(dissect.Dir(dir)) })
		m.running.Go(func() { m.pass(dissect.Dir(dir)) })
	}
	m.running.Wait()
}

// watch waits for the end of one leg and ends the other.
func (m *sshMux) watch(dir dissect.Dir) {
	err := m.ends[dir].conn.Wait()
	m.endOnce.Do(func() { m.ended(dir, err) })
	close(m.over[dir])
	leg, drain := m.s.leg(dir), drainTime
	if leg.reset.Load() {
		drain = resetTime
	}
	select {
	case <-m.flowing[dir].landed():
	case <-m.over[dir.Other()]:
	case <-time.After(drain):
	}
	if leg.reset.Load() {
		abort(rawConn(m.s.leg(dir.Other()).Conn))
	}
	// Only half at first: what the other side still says on its way out must not
	// be answered with a reset, which could overtake the last words.
	closeWrite(m.s.leg(dir.Other()).Conn)
	select {
	case <-m.over[dir.Other()]:
	case <-time.After(farewellTime):
	}
	m.ends[dir.Other()].conn.Close()
}

// ended notes which side ended the connection, and how.
func (m *sshMux) ended(dir dissect.Dir, err error) {
	r := m.s.r
	switch {
	case m.s.hasFailed():
	case m.s.leg(dir).reset.Load(), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		r.ended(record.EndReset, dir.String())
	case errors.Is(err, net.ErrClosed):
		r.ended(record.EndOpen, "") // by the proxy, which stops
	case err == nil, isEnd(err):
		r.ended(record.EndClosed, dir.String())
	case strings.HasPrefix(err.Error(), "ssh: disconnect"):
		r.srv.cfg.Log.Debug("SSH disconnect", "by", dir, "err", err)
		r.ended(record.EndClosed, dir.String())
	default:
		r.anomaly("proxy_ssh_connection", dir, fmt.Sprintf("the connection of the %s failed: %s", dir, leaving(err)))
		r.ended(record.EndReset, dir.String())
	}
}

// pass takes what one side opens and asks for.
//
// Channels and requests come in two queues, and of their order only this is
// left: when a request is here, the channels that were opened before it are
// too. It matters for "no more sessions", which OpenSSH sends on the heels of
// the session that it opens.
func (m *sshMux) pass(dir dissect.Dir) {
	channels, requests := m.ends[dir].channels, m.ends[dir].requests
	line := m.newLine()
	defer line.close()
	open := func(c ssh.NewChannel, ok bool) {
		if ok {
			m.open(dir, c)
		} else {
			channels = nil
		}
	}
	for channels != nil || requests != nil {
		select {
		case c, ok := <-channels:
			open(c, ok)
		case q, ok := <-requests:
			if !ok {
				requests = nil
				continue
			}
			for more := channels != nil; more; {
				select {
				case c, ok := <-channels:
					open(c, ok)
					more = ok
				default:
					more = false
				}
			}
			line.add(func() { m.passRequest(dir, q) })
		}
	}
}

// passRequest passes on a global request with its answer.
func (m *sshMux) passRequest(dir dissect.Dir, q *ssh.Request) {
	if ownKeys(q.Type) {
		_ = q.Reply(false, nil)
		return
	}
	if q.Type == "no-more-sessions@openssh.com" {
		select {
		case <-m.opening[dir].landed():
		case <-m.over[dir.Other()]:
		}
	}
	ok, payload, err := m.ends[dir.Other()].conn.SendRequest(q.Type, q.WantReply, q.Payload)
	if err != nil {
		ok, payload = false, nil
	}
	_ = q.Reply(ok, payload)
}

// ownKeys reports whether a request is about the host keys of the connection
// itself (OpenSSH's PROTOCOL, section 2.5): the client knows the proxy's, which
// must not be taught the upstream's, and the proof could not be relayed.
func ownKeys(request string) bool {
	return request == "hostkeys-00@openssh.com" || request == "hostkeys-prove-00@openssh.com"
}

// open opens for a channel of one side one at the other.
func (m *sshMux) open(dir dissect.Dir, c ssh.NewChannel) {
	m.mu.Lock()
	full := m.channels >= maxSSHChannels
	if !full {
		m.channels++
		m.numbers++
	}
	number := m.numbers - 1
	m.mu.Unlock()
	if full {
		m.s.r.anomaly("proxy_ssh_channels", dir, fmt.Sprintf("more than %d channels are open", maxSSHChannels))
		_ = c.Reject(ssh.ResourceShortage, "sniff: too many channels")
		return
	}
	if c.ChannelType() == "session" {
		m.opening[dir].begin()
	}
	// The other side may take long to answer (a forwarded connection to a host
	// that is down), and the others must not wait for that.
	m.flowing[dir.Other()].begin()
	m.running.Go(func() {
		m.passChannel(dir, c, number)
		m.mu.Lock()
		m.channels--
		m.mu.Unlock()
	})
}

// sshLine does things one at a time and in order, beside the one who adds them:
// a request that waits for its answer must not keep the connection from being
// read, or two peers could wait for each other for ever.
type sshLine struct {
	m     *sshMux
	queue chan func()
	done  chan struct{}
}

func (m *sshMux) newLine() *sshLine {
	l := &sshLine{m: m, queue: make(chan func(), maxSSHQueue), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *sshLine) run() {
	defer close(l.done)
	for f := range l.queue {
		f()
	}
}

func (l *sshLine) add(f func()) {
	select {
	case l.queue <- f:
	default:
		l.m.overflow.Do(func() {
			l.m.s.fail("proxy_ssh_requests", dissect.ClientToServer, fmt.Sprintf("more than %d requests wait for an answer", maxSSHQueue))
		})
	}
}

// must adds what may wait, but not be left out.
func (l *sshLine) must(f func()) { l.queue <- f }

// close waits until everything was done.
func (l *sshLine) close() {
	close(l.queue)
	<-l.done
}

// flights counts what is on its way. Unlike a WaitGroup it may be waited for
// while more begins.
type flights struct {
	mu   sync.Mutex
	n    int
	wait []chan struct{}
}

func (f *flights) begin() {
	f.mu.Lock()
	f.n++
	f.mu.Unlock()
}

func (f *flights) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n--; f.n > 0 {
		return
	}
	for _, c := range f.wait {
		close(c)
	}
	f.wait = nil
}

// landed returns a channel that is closed when nothing is on its way.
func (f *flights) landed() <-chan struct{} {
	c := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		close(c)
	} else {
		f.wait = append(f.wait, c)
	}
	return c
}
