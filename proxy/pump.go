package proxy

import (
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
	r        *relay
	dir      dissect.Dir
	raw      net.Conn // the socket of the source
	src      atomic.Pointer[net.Conn]
	dst      atomic.Pointer[net.Conn]
	buf      []byte
	early    []byte    // bytes that came before the pump ran
	pending  []byte    // given to the session, not forwarded yet
	given    int64     // bytes given to the session: the offset behind pending
	rewrites []rewrite // changes to pending bytes, in order
	waiting  atomic.Bool
	parking  atomic.Bool
	parked   chan struct{}
	resume   chan error
	done     chan struct{}
}

// rewrite replaces source bytes from..to.
type rewrite struct {
	from, to int64
	text     []byte
}

const (
	// firstBuffer keeps idle connections small; a read that fills it makes the
	// next one larger, up to fullBuffer.
	firstBuffer = 4 << 10
	fullBuffer  = 128 << 10
	// maxPartial is the longest piece of an FTP line that is kept back until
	// the line is whole.
	maxPartial = 64 << 10
)

func newPump(r *relay, dir dissect.Dir, src, dst net.Conn) *pump {
	p := &pump{r: r, dir: dir, raw: src, parked: make(chan struct{}), resume: make(chan error), done: make(chan struct{})}
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
	case err == nil:
	case errors.Is(err, io.EOF):
		p.eof()
	default:
		p.fail(err)
	}
}

func (p *pump) loop() error {
	if len(p.early) > 0 {
		if err := p.pass(p.early); err != nil {
			return err
		}
		p.early = nil
	}
	p.buf = make([]byte, firstBuffer)
	for {
		n, err := p.source().Read(p.buf)
		if n > 0 {
			p.r.lastByte.Store(p.r.srv.cfg.Now().UnixNano())
			if err := p.pass(p.buf[:n]); err != nil {
				return err
			}
			if n == len(p.buf) && n < fullBuffer {
				p.buf = make([]byte, min(4*n, fullBuffer))
			}
		}
		if err == nil {
			continue
		}
		if !isTimeout(err) {
			return err
		}
		// Somebody wants us out of the read.
		if p.parking.Load() {
			p.parked <- struct{}{}
			if err := <-p.resume; err != nil {
				return err
			}
		}
		_ = p.source().SetReadDeadline(time.Time{})
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// pass gives bytes to the session and forwards what it does not hold back.
func (p *pump) pass(b []byte) error {
	if p.given == 0 && p.r.control == nil {
		if done, err := p.first(b); done || err != nil {
			return err
		}
	}
	p.r.data(p.dir, b, p.now())
	p.given += int64(len(b))
	if p.r.control == nil && len(p.pending) == 0 && len(p.rewrites) == 0 && p.limit() >= p.given {
		// Nothing is held: forward without a copy.
		if err := p.write(b); err != nil {
			return err
		}
	} else {
		p.pending = append(p.pending, b...)
		if err := p.flush(); err != nil {
			return err
		}
	}
	if o := p.other(); o.waiting.Load() && o.limit() > o.given-1 {
		o.kick()
	}
	if p.r.intercepts() && p.r.sess.Upgrading() {
		return p.r.upgrade(p)
	}
	return nil
}

// limit returns the offset up to which bytes may be forwarded now.
func (p *pump) limit() int64 {
	s := p.r.sess
	limit := p.given
	if off, held := s.Limit(p.dir); held {
		limit = min(limit, off)
	}
	if s.Protocol() == "ftp" {
		// Addresses in FTP lines are rewritten, so lines go out whole.
		if c := s.Consumed(p.dir); p.given-c < maxPartial {
			limit = min(limit, c)
		}
	}
	return limit
}

// flush forwards pending bytes up to the limit, with their rewrites.
func (p *pump) flush() error {
	for len(p.pending) > 0 {
		base := p.given - int64(len(p.pending))
		p.waiting.Store(true)
		limit := p.limit()
		if limit <= base {
			return nil
		}
		p.waiting.Store(false)
		out := p.pending[:limit-base]
		rest := p.pending[limit-base:]
		if len(p.rewrites) > 0 {
			out = p.apply(out, base, limit)
		}
		if err := p.write(out); err != nil {
			return err
		}
		p.pending = append(p.pending[:0], rest...)
		if cap(p.pending) > fullBuffer && len(p.pending) == 0 {
			p.pending = nil
		}
	}
	p.waiting.Store(false)
	return nil
}

// apply returns out, the source bytes base..limit, with the rewrites that
// fall into it.
func (p *pump) apply(out []byte, base, limit int64) []byte {
	var b []byte
	at := base
	n := 0
	for _, w := range p.rewrites {
		if w.to > limit {
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
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

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

// eof relays the end of the source: the other leg is half-closed.
func (p *pump) eof() {
	p.r.begin(false)
	p.r.ended("", p.dir.String())
	p.r.eof(p.dir, p.now())
	// EOF frees holds.
	if err := p.flush(); err != nil {
		p.fail(err)
		return
	}
	if len(p.pending) > 0 {
		// An unfinished line: nothing will complete it.
		if err := p.write(p.pending); err != nil {
			p.fail(err)
			return
		}
	}
	if o := p.other(); o.waiting.Load() {
		o.kick()
	}
	if c, ok := p.sink().(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	} else {
		p.sink().Close()
	}
}

// fail ends the connection after an error of one leg: a reset is relayed as a
// reset, everything else closes both.
func (p *pump) fail(err error) {
	side := p.dir.String()
	var w writeError
	if errors.As(err, &w) {
		side = p.dir.Other().String()
	}
	switch {
	case errors.Is(err, errRefused):
		p.r.ended(record.EndReset, "")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		p.r.ended(record.EndReset, side)
	case errors.Is(err, net.ErrClosed):
		p.r.ended(record.EndReset, "")
	default:
		p.r.ended(record.EndReset, side)
		p.r.srv.cfg.Log.Debug("connection ended", "client", p.r.conn.Client, "server", p.r.conn.Server, "side", side, "err", err)
	}
	p.r.begin(false)
	p.r.eof(p.dir, p.now())
	if errors.Is(err, errRefused) {
		p.r.closeLegs()
		return
	}
	p.r.abortLegs()
}

// errRefused ends a connection that the proxy itself will not carry on; the
// reason was recorded.
var errRefused = errors.New("proxy: refused")

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
