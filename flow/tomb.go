package flow

import (
	"hash/maphash"
	"maps"

	"sniff/capture"
)

// tomb is what is kept of a connection for tombTime behind its end, so that
// stray packets are known for what they are. A capture of short connections has
// many: a tomb is small and holds no pointer.
type tomb struct {
	name   uint64 // of the connection, see graves.name; 0 for a tomb that is gone
	buried int64  // engine clock
	first  [2]uint32
	next   [2]uint32 // behind the last byte
	known  [2]bool   // by side: first and next are known
}

// tomb returns what is kept of c.
func (c *tcpConn) tomb() tomb {
	var t tomb
	for x := range c.half {
		h := &c.half[x]
		t.known[x] = h.started || h.origin
		t.next[x] = h.next
		t.first[x] = h.next - uint32(h.off) - 1
	}
	return t
}

// tomb returns what is kept of an attempt.
func (a *attempt) tomb() tomb {
	t := tomb{first: a.isn, known: a.known}
	for x := range t.next {
		t.next[x] = a.isn[x] + 1
	}
	return t
}

// stray reports whether a segment belongs to the end of the connection, rather
// than to a new one.
func (t *tomb) stray(x int, s *capture.Segment) bool {
	switch {
	case s.Flags&capture.SYN != 0:
		return t.known[x] && s.Seq == t.first[x]
	case s.Flags&capture.RST != 0:
		return true
	case len(s.Payload)+s.Cut == 0:
		return true
	}
	end := s.Seq + uint32(len(s.Payload)+s.Cut)
	return t.known[x] && int32(end-t.next[x]) <= 1 && int32(end-t.next[x]) > -(64<<20)
}

// tombPage is how many tombs lie together. A page is given back when the last
// of them is gone.
const tombPage = 512

// graves are the tombs, in the order in which they were buried. Each has a
// number that counts up, which is its place as well.
type graves struct {
	seed  maphash.Seed
	pages []*[tombPage]tomb
	base  uint32 // number of the first tomb of the first page
	first uint32 // the oldest
	end   uint32 // the next one gets this number
	// at finds a tomb by its name.
	at map[uint64]uint32
	// most is how many at has room for, about: a map never shrinks.
	most int
}

func (g *graves) init() {
	g.seed = maphash.MakeSeed()
	g.at = make(map[uint64]uint32)
}

// name stands for a key. That two connections share one within a minute is far
// less likely than that the memory errs; then the older tomb is forgotten.
func (g *graves) name(k key) uint64 {
	return max(maphash.Comparable(g.seed, k), 1)
}

func (g *graves) tomb(n uint32) *tomb {
	at := n - g.base
	return &g.pages[at/tombPage][at%tombPage]
}

// find returns the tomb of a connection, nil if there is none.
func (g *graves) find(k key) *tomb {
	if len(g.at) == 0 {
		return nil
	}
	n, ok := g.at[g.name(k)]
	if !ok {
		return nil
	}
	return g.tomb(n)
}

// add buries t, which is of connection k.
func (g *graves) add(k key, t tomb, now int64) {
	g.drop(k)
	t.name, t.buried = g.name(k), now
	if g.end-g.base == uint32(len(g.pages)*tombPage) {
		g.pages = append(g.pages, new([tombPage]tomb))
	}
	*g.tomb(g.end) = t
	g.at[t.name] = g.end
	g.most = max(g.most, len(g.at))
	g.end++
}

// drop forgets the tomb of a connection, if there is one.
func (g *graves) drop(k key) {
	if t := g.find(k); t != nil {
		delete(g.at, t.name)
		t.name = 0
		g.skip()
	}
}

// oldest returns the tomb that was buried first, nil if there is none.
func (g *graves) oldest() *tomb {
	if len(g.at) == 0 {
		return nil
	}
	return g.tomb(g.first)
}

// forget drops the oldest tomb.
func (g *graves) forget() {
	t := g.oldest()
	delete(g.at, t.name)
	t.name = 0
	g.skip()
}

// skip goes on to the oldest tomb that is not gone and gives back what lies
// before it.
func (g *graves) skip() {
	for g.first != g.end && g.tomb(g.first).name == 0 {
		g.first++
		if g.first-g.base == tombPage {
			g.pages[0] = nil
			g.pages, g.base = g.pages[1:], g.first
		}
	}
	if g.most > 4*tombPage && len(g.at) < g.most/4 {
		fresh := make(map[uint64]uint32, len(g.at))
		maps.Copy(fresh, g.at)
		g.at, g.most = fresh, len(g.at)
	}
}
