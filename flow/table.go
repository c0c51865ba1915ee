package flow

import (
	"encoding/binary"
	"net/netip"
)

// endpoint is an address and port without a pointer, for tables that the
// garbage collector need not look into. It is three words without padding, as
// those are hashed at one go.
type endpoint struct {
	hi, lo uint64 // the address, IPv4 mapped to IPv6
	tail   uint64 // the port, and isV4
}

const isV4 = 1 << 16

func endpointOf(a netip.AddrPort) endpoint {
	ip := a.Addr()
	b := ip.As16()
	p := endpoint{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:]), tail: uint64(a.Port())}
	if ip.Is4() {
		p.tail |= isV4
	}
	return p
}

func (p endpoint) port() uint16 { return uint16(p.tail) }

func (p endpoint) addrPort() netip.AddrPort {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], p.hi)
	binary.BigEndian.PutUint64(b[8:], p.lo)
	ip := netip.AddrFrom16(b)
	if p.tail&isV4 != 0 {
		ip = ip.Unmap()
	}
	return netip.AddrPortFrom(ip, p.port())
}

func (p endpoint) less(q endpoint) bool {
	switch {
	case p.hi != q.hi:
		return p.hi < q.hi
	case p.lo != q.lo:
		return p.lo < q.lo
	}
	return p.tail < q.tail
}

// key names a connection by its two endpoints, the lesser one first: side 0
// is the lesser one, side 1 the other.
type key [2]endpoint

// keyOf returns the key of a segment and the side that sent it.
func keyOf(src, dst netip.AddrPort) (k key, side int) {
	a, b := endpointOf(src), endpointOf(dst)
	if b.less(a) {
		return key{b, a}, 1
	}
	return key{a, b}, 0
}

// table finds what is known of a connection: the number of a tcpConn, or the
// negative number of an attempt. No two have the same key.
type table struct {
	ids map[key]int32

	conns     []*tcpConn // from 1
	freeConns []int32
	nConns    int

	pages        []*[attemptPage]attempt
	nAttempts    int32 // in pages, from 1, those that are free included
	freeAttempts []int32

	// recent is the connection of the latest segment: often the next one
	// belongs to it too.
	recent struct {
		conn *tcpConn
		ends [2]netip.AddrPort // by side
	}
}

// again returns the connection of a segment if it is that of the one before.
func (t *table) again(src, dst netip.AddrPort) (c *tcpConn, side int) {
	switch r := &t.recent; {
	case r.conn == nil:
	case src == r.ends[0] && dst == r.ends[1]:
		return r.conn, 0
	case src == r.ends[1] && dst == r.ends[0]:
		return r.conn, 1
	}
	return nil, 0
}

func (t *table) remember(c *tcpConn, side int, src, dst netip.AddrPort) {
	t.recent.conn, t.recent.ends[side], t.recent.ends[side^1] = c, src, dst
}

func (t *table) init() {
	t.ids = make(map[key]int32)
	t.conns = make([]*tcpConn, 1)
	t.pages, t.nAttempts = []*[attemptPage]attempt{new([attemptPage]attempt)}, 1
}

// newConn returns a fresh connection that stands in the table.
func (t *table) newConn(k key) *tcpConn {
	var c *tcpConn
	if n := len(t.freeConns); n > 0 {
		c = t.conns[t.freeConns[n-1]]
		t.freeConns = t.freeConns[:n-1]
	} else {
		c = &tcpConn{id: int32(len(t.conns))}
		t.conns = append(t.conns, c)
	}
	t.ids[k] = c.id
	t.nConns++
	c.key = k
	for x := range c.half {
		c.half[x].trail = none
	}
	return c
}

// freeConn takes c, whose blocks were given back, out of the table.
func (t *table) freeConn(c *tcpConn) {
	delete(t.ids, c.key)
	t.nConns--
	if t.recent.conn == c {
		t.recent.conn = nil
	}
	fresh := tcpConn{id: c.id}
	for x := range c.half {
		if b := c.half[x].ahead.blocks; cap(b) <= 64 {
			fresh.half[x].ahead.blocks = b[:0]
		}
	}
	*c = fresh
	t.freeConns = append(t.freeConns, c.id)
}

// attemptPage is how many attempts lie together: in pages they need not be
// copied when the table grows.
const attemptPage = 256

func (t *table) attempt(id int32) *attempt { return &t.pages[id/attemptPage][id%attemptPage] }

// addAttempt puts a in the table and returns its number.
func (t *table) addAttempt(a attempt) int32 {
	var id int32
	if n := len(t.freeAttempts); n > 0 {
		id = t.freeAttempts[n-1]
		t.freeAttempts = t.freeAttempts[:n-1]
	} else {
		id = t.nAttempts
		t.nAttempts++
		if int(id)%attemptPage == 0 {
			t.pages = append(t.pages, new([attemptPage]attempt))
		}
	}
	*t.attempt(id) = a
	t.ids[a.key] = -id
	return id
}

func (t *table) freeAttempt(id int32) {
	a := t.attempt(id)
	delete(t.ids, a.key)
	*a = attempt{}
	t.freeAttempts = append(t.freeAttempts, id)
}
