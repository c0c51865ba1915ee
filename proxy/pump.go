package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// pump relays one direction. Only its own goroutine reads its source and
// writes its destination; the other pump may kick it out of a read when a
// hold was freed, or park it while the connection is upgraded to TLS.
type pump struct {
	r      *relay
	dir    dissect.Dir
	raw    net.Conn // the socket of the source, below TLS
	src    atomic.Pointer[net.Conn]
	dst    atomic.Pointer[net.Conn]
	buf    []byte
	early  []byte // came before the pump ran
	behind []byte // read when TLS was agreed on already: not the dialogue's
	ssh    sshSight

	// pending was given to the session and is not forwarded yet. Offsets count
	// what was given; base is that of the first pending byte.
	pending []byte
	given   int64
	base    atomic.Int64
	// rewrites are changes to pending bytes, in order; relay.mu guards them.
	rewrites []rewrite
	// tapped is up to where the tap has the bytes. It lags behind given only
	// for bytes that look like the beginning of TLS.
	tapped int64
	// heard is how much of a refused client's word was given (see refuse).
	heard int
	gate  gate

	// stopped: TLS was agreed on; what is pending now does not go out any
	// more. relay.mu guards it.
	stopped bool

	waiting atomic.Bool // has pending bytes that may not go out yet
	parking atomic.Bool // the other pump wants this one to stand still
	parked  chan struct{}
	resume  chan error
	done    chan struct{}
}

// rewrite replaces source bytes from..to.
type rewrite struct {
	from, to int64
	text     []byte
}

const (
	// firstBuffer keeps idle connections small; a read that fills it makes the
	// next one larger, up to fullBuffer, and smallReads in a row that leave most
	// of it empty make it small again. mostHuge pumps go on to hugeBuffer: a file
	// that comes as fast as it can takes a tenth less time that way.
	firstBuffer = 4 << 10
	fullBuffer  = 256 << 10
	hugeBuffer  = 1 << 20
	mostHuge    = 32
	smallReads  = 32
	// maxPartial is the longest piece of an FTP line that is kept back until
	// the line is whole.
	maxPartial = 64 << 10
)

func newPump(r *relay, dir dissect.Dir, src, dst net.Conn) *pump {
	p := &pump{r: r, dir: dir, raw: rawConn(src), parked: make(chan struct{}), resume: make(chan error), done: make(chan struct{})}
	p.src.Store(&src)
	p.dst.Store(&dst)
	return p
}

func (p *pump) source() net.Conn { return *p.src.Load() }
func (p *pump) sink() net.Conn   { return *p.dst.Load() }
func (p *pump) other() *pump     { return p.r.pumps[p.dir.Other()] }
func (p *pump) now() record.Stamp {
	return record.Stamp{Time: p.r.srv.cfg.Now()}
}

// run relays until the source ends or an error ends the connection.
func (p *pump) run() {
	defer close(p.done)
	err := p.loop()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		p.eof(err)
	default:
		p.fail(err)
	}
}

// loop returns why the direction ended: io.EOF when its source was closed,
// io.ErrUnexpectedEOF when that happened without the end of TLS being said.
func (p *pump) loop() error {
	if len(p.early) > 0 {
		if err := p.pass(p.early); err != nil {
			return err
		}
		p.early = nil
	}
	p.buf = make([]byte, firstBuffer)
	defer p.notHuge()
	small := 0 // reads in a row that a much smaller buffer would have done for
	for {
		n, err := p.source().Read(p.buf)
		if n > 0 {
			p.r.alive()
			if err := p.pass(p.buf[:n]); err != nil {
				return err
			}
			if small++; n > len(p.buf)/8 {
				small = 0
			}
			switch {
			case n == len(p.buf) && (n < fullBuffer || n == fullBuffer && p.mayBeHuge()):
				p.buf = make([]byte, 4*n)
			case small == smallReads && len(p.buf) > firstBuffer:
				p.notHuge()
				p.buf, small = make([]byte, firstBuffer), 0
			}
		}
		switch {
		case err == nil:
		case isTimeout(err):
			if err := p.kicked(); err != nil {
				return err
			}
		case errors.Is(err, io.EOF) && truncated(p.source()):
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF) && p.r.downgrade(p):
		case p.r.answersEnd(p, err):
			return io.EOF
		default:
			return err
		}
	}
}

// mayBeHuge reports whether another pump may have a huge buffer, and counts it.
func (p *pump) mayBeHuge() bool {
	if p.r.srv.huge.Add(1) <= mostHuge {
		return true
	}
	p.r.srv.huge.Add(-1)
	return false
}

func (p *pump) notHuge() {
	if len(p.buf) == hugeBuffer {
		p.r.srv.huge.Add(-1)
	}
}

// kicked looks at why somebody wanted the pump out of its read. The deadline
// goes first: whoever sets it again from here on is seen in the next read.
func (p *pump) kicked() error {
	_ = p.source().SetReadDeadline(time.Time{})
	if p.parking.Load() {
		p.parked <- struct{}{}
		if err := <-p.resume; err != nil {
			return err
		}
	}
	return p.flush()
}

// pass gives bytes to the session and forwards what it does not hold back.
func (p *pump) pass(b []byte) error {
	if p.r.control != nil {
		// Nothing holds the bytes of a data connection, but it may begin with
		// TLS.
		taken, _ := p.r.data(p, b)
		switch {
		case taken:
			return p.write(b)
		case p.dir == p.r.ftpClient:
			p.behind = append(p.behind, b...)
			return p.r.upgrade(p)
		}
		p.behind = append(p.behind, b...)
		return nil
	}
	if (p.given == 0 || p.ssh == sshLines) && len(p.gate.line) == 0 {
		if done, err := p.first(b); done || err != nil {
			return err
		}
	}
	if p.r.listener.TLS == Require {
		return p.guarded(b)
	}
	return p.relayed(b)
}

// relayed is what pass does behind the first bytes.
func (p *pump) relayed(b []byte) error {
	if p.r.goesAhead(p, b) {
		return p.write(b)
	}
	taken, upgrade := p.r.data(p, b)
	if !taken {
		p.behind = append(p.behind, b...)
		return nil
	}
	if len(p.pending) == 0 && p.limit() >= p.given {
		// Nothing is held: forward without a copy.
		if err := p.write(p.r.rewritten(p, b, p.given)); err != nil {
			return err
		}
		p.base.Store(p.given)
	} else {
		p.pending = append(p.pending, b...)
		if err := p.flush(); err != nil {
			return err
		}
	}
	if o := p.other(); o.waiting.Load() && o.allowed() > o.base.Load() {
		o.kick()
	}
	if upgrade {
		return p.r.upgrade(p)
	}
	return nil
}

// allowed returns the offset up to which the session lets bytes pass; what it
// has not read yet may pass unless the line may have to be rewritten.
func (p *pump) allowed() int64 {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	s := p.r.sess
	limit := int64(1<<63 - 1)
	if p.stopped {
		// TLS was agreed on: the session skips plaintext behind STARTTLS, and
		// what it skipped is nothing that it lets pass.
		return p.base.Load()
	}
	if off, held := s.Limit(p.dir); held {
		limit = off
	}
	if s.Protocol() == "ftp" {
		limit = min(limit, s.Consumed(p.dir))
	}
	return limit
}

// limit returns the offset up to which bytes may be forwarded now.
func (p *pump) limit() int64 {
	limit := min(p.allowed(), p.given)
	if p.given-limit >= maxPartial {
		if _, held := p.r.sess.Limit(p.dir); !held {
			return p.given // too long for a line that names an address
		}
	}
	return limit
}

// flush forwards pending bytes up to the limit, with their rewrites.
func (p *pump) flush() error {
	for len(p.pending) > 0 {
		p.waiting.Store(true)
		base := p.base.Load()
		limit := p.limit()
		if limit <= base {
			return nil
		}
		n := limit - base
		if err := p.write(p.r.rewritten(p, p.pending[:n], limit)); err != nil {
			return err
		}
		p.pending = append(p.pending[:0], p.pending[n:]...)
		p.base.Store(limit)
		if len(p.pending) == 0 {
			p.pending = nil // an idle connection keeps no buffer for it
		}
	}
	p.waiting.Store(false)
	return nil
}

// apply returns out, the source bytes that end at the offset end, with the
// rewrites that fall into it.
func (p *pump) apply(out []byte, end int64) []byte {
	base := end - int64(len(out))
	var b []byte
	at := base
	n := 0
	for _, w := range p.rewrites {
		if w.to > end {
			break
		}
		n++
		if w.from < at {
			continue // its line was forwarded before the session understood it
		}
		b = append(b, out[at-base:w.from-base]...)
		b = append(b, w.text...)
		at = w.to
	}
	p.rewrites = append(p.rewrites[:0], p.rewrites[n:]...)
	return append(b, out[at-base:]...)
}

func (p *pump) write(b []byte) error {
	if _, err := p.sink().Write(b); err != nil {
		return writeError{err}
	}
	return nil
}

// writeError is a failure of the destination, not of the source.
type writeError struct{ err error }

func (e writeError) Error() string { return e.err.Error() }
func (e writeError) Unwrap() error { return e.err }

// kick takes the pump out of its read so that it looks again at what it may
// forward.
func (p *pump) kick() { _ = p.source().SetReadDeadline(time.Unix(1, 0)) }

// park stops the pump outside of its read, and reports whether it stands; a
// pump that has ended cannot be parked.
func (p *pump) park() bool {
	p.parking.Store(true)
	p.kick()
	select {
	case <-p.parked:
		return true
	case <-p.done:
		return false
	}
}

// unpark lets a parked pump go on, or end with err.
func (p *pump) unpark(err error) {
	p.parking.Store(false)
	p.resume <- err
}

// restart makes the pump relay between other connections (the same sockets,
// with TLS on or off) from the offset at on.
func (p *pump) restart(src, dst net.Conn, at int64) {
	p.src.Store(&src)
	p.dst.Store(&dst)
	p.given, p.tapped, p.stopped = at, at, false
	p.base.Store(at)
	p.waiting.Store(false)
}

// eof relays the end of the source: the other leg is half-closed.
func (p *pump) eof(why error) {
	p.r.begin(false)
	p.r.eof(p)
	// EOF frees holds. An unfinished line goes out too: nothing will
	// complete it.
	err := p.flush()
	if err == nil && len(p.pending) > 0 {
		err = p.write(p.pending)
	}
	if err != nil {
		p.fail(err)
		return
	}
	if o := p.other(); o.waiting.Load() {
		o.kick()
	}
	sink := p.sink()
	if t, ok := sink.(*tls.Conn); ok {
		// The peer's end of TLS is passed on only if it was said.
		if errors.Is(why, io.EOF) {
			closeWrite(sink)
		}
		sink = t.NetConn()
	}
	closeWrite(sink)
}

// closeWrite half-closes a connection, or closes it when it has no halves.
func closeWrite(c net.Conn) {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
		return
	}
	c.Close()
}

// fail ends the connection after an error of one leg: a reset is relayed as a
// reset, and so is everything else that is no orderly end.
func (p *pump) fail(err error) {
	side := p.dir.String()
	var w writeError
	if errors.As(err, &w) {
		side = p.dir.Other().String()
		if p.lastWords() {
			return
		}
	}
	if side == p.dir.String() && p.r.alerted(p, err) {
		return
	}
	switch {
	case errors.Is(err, errRefused):
		p.r.ended(record.EndReset, "")
	case errors.Is(err, net.ErrClosed):
		// We closed it: when the proxy stops, or after the other pump's error.
		p.r.ended(record.EndOpen, "")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		p.r.ended(record.EndReset, side)
	default:
		p.r.ended(record.EndReset, side)
		p.r.srv.cfg.Log.Debug("connection ended", "client", p.r.conn.Client, "server", p.r.conn.Server, "side", side, "err", err)
	}
	p.r.begin(false)
	if errors.Is(err, errRefused) {
		p.r.closeLegs()
		return
	}
	p.r.abortLegs()
}

// lastWords lets the other pump relay what the peer said before it could no
// longer be written to, such as why it hangs up, and reports whether that has
// ended the connection.
func (p *pump) lastWords() (ended bool) {
	select {
	case <-p.other().done:
	case <-time.After(lingerTime):
	}
	p.r.endMu.Lock()
	defer p.r.endMu.Unlock()
	return p.r.end != ""
}

// errRefused ends a connection that the proxy itself will not carry on; the
// reason was recorded.
var errRefused = errors.New("proxy: refused")

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
