package proxy

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"sniff/dissect"
	"sniff/record"
)

// sshLeg is the connection of one leg as the SSH implementation sees it: the
// identifications, which went out already, are played to it, and what it says
// and hears is observed.
type sshLeg struct {
	net.Conn
	r       *relay
	replay  []byte // the peer's identification and what was read behind it
	swallow int    // bytes of our identification, which the peer has already
	// heard and said take the bytes of each direction as they are on the wire.
	heard, said func(b []byte)

	died    chan struct{} // closed when nothing more can be read
	dieOnce sync.Once
	reset   atomic.Bool // the peer cut the connection
}

func newSSHLeg(r *relay, c net.Conn, peer identified, swallow int) *sshLeg {
	return &sshLeg{Conn: c, r: r, replay: append(peer.line[:len(peer.line):len(peer.line)], peer.rest...), swallow: swallow, died: make(chan struct{})}
}

func (l *sshLeg) Read(b []byte) (int, error) {
	if len(l.replay) > 0 {
		n := copy(b, l.replay)
		l.replay = l.replay[n:]
		l.heard(b[:n])
		return n, nil
	}
	n, err := l.Conn.Read(b)
	if n > 0 {
		l.r.alive()
		l.heard(b[:n])
	}
	if errors.Is(err, syscall.ECONNRESET) {
		l.reset.Store(true)
	}
	if err != nil {
		l.dieOnce.Do(func() { close(l.died) })
	}
	return n, err
}

func (l *sshLeg) Write(b []byte) (int, error) {
	skipped := min(l.swallow, len(b))
	l.swallow -= skipped
	if skipped == len(b) {
		return skipped, nil
	}
	l.said(b[skipped:])
	n, err := l.Conn.Write(b[skipped:])
	if errors.Is(err, syscall.ECONNRESET) {
		l.reset.Store(true) // the implementation closes the leg and reads no more
	}
	return skipped + n, err
}

// clearPart follows the packets of one direction up to NEWKEYS, behind which
// everything is encrypted (RFC 4253, sections 6 and 7.3).
type clearPart struct {
	head [6]byte
	got  int
	left int  // bytes of the packet that are still to come
	over bool // behind NEWKEYS
	last bool // the packet is NEWKEYS
}

const sshMsgNewKeys = 21

// take returns how many of b belong to the clear part.
func (c *clearPart) take(b []byte) int {
	i := 0
	for i < len(b) && !c.over {
		switch {
		case c.left > 0:
			n := min(c.left, len(b)-i)
			c.left -= n
			i += n
			c.over = c.left == 0 && c.last
		default:
			n := copy(c.head[c.got:], b[i:])
			c.got += n
			i += n
			if c.got < len(c.head) {
				break
			}
			c.got = 0
			size := binary.BigEndian.Uint32(c.head[:])
			if size < 2 || size > 256<<10 {
				c.over = true // no packet: the implementation will say so
				break
			}
			c.left = int(size) - 2
			c.last = c.head[5] == sshMsgNewKeys
			c.over = c.left == 0 && c.last
		}
	}
	return i
}

// observeClient gives the client's leg to session and tap as it is on the wire.
// Behind NEWKEYS the session only counts.
func (l *sshLeg) observeClient(client, server identified) {
	r := l.r
	r.sess.Named(record.ClientLeg)
	follow := func(dir dissect.Dir, skip int) func([]byte) {
		c := &clearPart{}
		p := r.pumps[dir]
		return func(b []byte) {
			n := min(skip, len(b)) // relayed and given before
			skip -= n
			b = b[n:]
			if len(b) == 0 {
				return
			}
			if !c.over {
				n := c.take(b)
				r.data(p, b[:n])
				b = b[n:]
				if c.over {
					r.sess.Sealed(dir)
				}
			}
			if len(b) > 0 {
				r.data(p, b)
			}
		}
	}
	l.heard = follow(dissect.ClientToServer, len(client.line))
	l.said = follow(dissect.ServerToClient, 0)
}

// observeUpstream gives the clear part of the upstream's leg to a stream of
// its own in the session.
func (l *sshLeg) observeUpstream(client, server identified) {
	s := l.r.sess.Channel("ssh", record.UpstreamLeg)
	if s == nil {
		l.heard, l.said = func([]byte) {}, func([]byte) {}
		return
	}
	s.Data(dissect.ClientToServer, client.line)
	s.Data(dissect.ServerToClient, server.line)
	follow := func(dir dissect.Dir, skip int) func([]byte) {
		c := &clearPart{}
		return func(b []byte) {
			n := min(skip, len(b))
			skip -= n
			if b = b[n:]; !c.over && len(b) > 0 {
				s.Data(dir, b[:c.take(b)])
			}
		}
	}
	l.heard = follow(dissect.ServerToClient, len(server.line))
	l.said = follow(dissect.ClientToServer, 0)
}
