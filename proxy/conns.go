package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sniff/dissect"
)

// wrapper is a connection around another one.
type wrapper interface{ NetConn() net.Conn }

// rawConn returns the socket under wrappers, for resets.
func rawConn(c net.Conn) net.Conn {
	for {
		w, ok := c.(wrapper)
		if !ok {
			return c
		}
		c = w.NetConn()
	}
}

// leg is the connection to one peer, under all that is put around it. It tells a
// reset from an orderly end however often it is asked: the system reports a reset
// once, to a read or to a write, whichever comes first; behind it a read sees an
// end like any other, and a write a broken pipe, as it does behind an orderly end
// too.
type leg struct {
	net.Conn
	quick            *quick
	reading, writing sync.Mutex // held until what was met is noted
	reset            atomic.Bool
}

func newLeg(c net.Conn) *leg { return &leg{Conn: c, quick: newQuick(c)} }

// mostQuick is the longest read or write that is done quickly. Those of a file
// that comes as fast as it can take long enough to let others have the processor.
const mostQuick = 64 << 10

func (l *leg) Read(b []byte) (n int, err error) {
	l.reading.Lock()
	if l.quick != nil && len(b) <= mostQuick {
		n, err = l.quick.Read(b)
	} else {
		n, err = l.Conn.Read(b)
	}
	l.note(err)
	l.reading.Unlock()
	if err == io.EOF && l.wasReset(&l.writing) {
		err = syscall.ECONNRESET
	}
	return n, err
}

func (l *leg) Write(b []byte) (n int, err error) {
	l.writing.Lock()
	if l.quick != nil && len(b) <= mostQuick {
		n, err = l.quick.Write(b)
	} else {
		n, err = l.Conn.Write(b)
	}
	l.note(err)
	l.writing.Unlock()
	if err != nil && errors.Is(err, syscall.EPIPE) && l.wasReset(&l.reading) {
		err = syscall.ECONNRESET
	}
	return n, err
}

func (l *leg) note(err error) {
	if err != nil && errors.Is(err, syscall.ECONNRESET) {
		l.reset.Store(true)
	}
}

// wasReset reports whether a call has met a reset. The one of the other direction
// may have met it and not noted yet; on a connection that is gone it returns at
// once, so that it can be waited for.
func (l *leg) wasReset(other *sync.Mutex) bool {
	if gone(l.Conn) {
		other.Lock()
		defer other.Unlock()
	}
	return l.reset.Load()
}

func (l *leg) NetConn() net.Conn { return l.Conn }
func (l *leg) CloseWrite() error { closeWrite(l.Conn); return nil }

// prefixed is a connection whose first bytes were read already.
type prefixed struct {
	net.Conn
	prefix []byte
	ended  bool // its end was read
	// shaking: TLS is being agreed on, and tail has the last bytes that came.
	shaking bool
	tail    []byte
}

// plainAlert is the length of an alert that is not encrypted, with its record.
const plainAlert = 7

// alert returns the alert with which a client ended its handshake in the
// clear, as OpenSSL does in TLS 1.3 when it does not like the certificate; the
// server's side takes that for a record that does not authenticate.
func (c *prefixed) alert() (code byte, ok bool) {
	t := c.tail
	if len(t) != plainAlert || t[0] != 0x15 || t[1] != 3 || t[3] != 0 || t[4] != 2 || t[5] != 2 {
		return 0, false
	}
	return t[6], true
}

func (c *prefixed) Read(b []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(b, c.prefix)
		if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
			c.prefix = nil
		}
		return n, nil
	}
	n, err := c.Conn.Read(b)
	c.ended = c.ended || err == io.EOF
	if c.shaking {
		c.tail = append(c.tail, b[:n]...)
		c.tail = c.tail[max(0, len(c.tail)-plainAlert):]
	}
	return n, err
}

// truncated reports whether TLS over a connection ended without saying so:
// crypto/tls lets that pass between two records.
func truncated(c net.Conn) bool {
	t, ok := c.(*tls.Conn)
	if !ok {
		return false
	}
	p, ok := underneath(t.NetConn()).(*prefixed)
	return ok && p.ended
}

// underneath takes away what reads record by record.
func underneath(c net.Conn) net.Conn {
	if r, ok := c.(*records); ok {
		return r.Conn
	}
	return c
}

func (c *prefixed) NetConn() net.Conn { return c.Conn }
func (c *prefixed) CloseWrite() error { closeWrite(c.Conn); return nil }

// records is a connection that carries TLS records and never returns bytes
// beyond the current one, so that what follows the end of TLS is left on it.
type records struct {
	net.Conn
	mayEnd func() bool // whether plaintext may follow without a word
	head   [5]byte
	got    int  // bytes of head that were read
	left   int  // bytes of the record's body that were not
	unsaid bool // TLS has ended without its close_notify
	clear  bool // TLS has ended
}

// firstType and lastType are the types that a record of TLS can have.
const firstType, lastType = 0x14, 0x17

func (c *records) Read(b []byte) (int, error) {
	if c.clear {
		return c.Conn.Read(b)
	}
	if c.left > 0 {
		n, err := c.Conn.Read(b[:min(len(b), c.left)])
		c.left -= n
		return n, err
	}
	n, err := c.Conn.Read(b[:min(len(b), len(c.head)-c.got)])
	if n > 0 && c.got == 0 && (b[0] < firstType || b[0] > lastType) && c.mayEnd() {
		c.Conn = &prefixed{Conn: c.Conn, prefix: bytes.Clone(b[:n])}
		c.unsaid = true
		return 0, io.EOF
	}
	c.got += copy(c.head[c.got:], b[:n])
	if c.got == len(c.head) {
		c.got, c.left = 0, int(binary.BigEndian.Uint16(c.head[3:]))
	}
	return n, err
}

func (c *records) NetConn() net.Conn { return c.Conn }
func (c *records) CloseWrite() error { closeWrite(c.Conn); return nil }

// mayClear reports whether the dialogue is one in which TLS can end while the
// connection goes on: FTP's CCC (RFC 4217, section 6). Reading record by record
// costs, so the others are spared it.
func (r *relay) mayClear() bool {
	const implicitFTPS = 990
	return r.sess.Protocol() == "ftp" || r.conn.TLS && r.conn.Server.Port() == implicitFTPS
}

func (r *relay) mayEnd() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clearing
}

// downgrade goes on in the clear behind the end of TLS in one direction, if
// that was agreed on. The other direction follows when its end comes. Some
// clients end TLS without saying so, and servers read on in the clear at once:
// what was not said is not passed on.
func (r *relay) downgrade(p *pump) bool {
	src, ok := p.source().(*tls.Conn)
	dst, ok2 := p.sink().(*tls.Conn)
	if !ok || !ok2 || !r.mayEnd() {
		return false
	}
	rec, ok := src.NetConn().(*records)
	if !ok {
		return false
	}
	if !rec.unsaid {
		closeWrite(dst)
	}
	rec.clear = true
	from, to := net.Conn(rec), dst.NetConn()
	_ = to.SetWriteDeadline(time.Time{}) // crypto/tls lets nothing be written behind its end
	p.src.Store(&from)
	p.dst.Store(&to)
	if r.tap != nil && p.dir == dissect.ClientToServer {
		r.mu.Lock()
		r.tap.Comment("TLS ended here (CCC)")
		r.mu.Unlock()
	}
	return true
}
