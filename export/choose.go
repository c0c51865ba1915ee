package export

import (
	"errors"
	"io"
	"net/netip"
	"slices"

	"sniff/capture"
	"sniff/record"
)

// Choice is a record.Sink that notes which sessions are wanted: those of
// which Want takes a record, and those that belong to one (the data
// connections of an FTP session, and the other way round).
type Choice struct {
	// Want picks; nil takes every session.
	Want func(record.Record) (bool, error)

	wanted   map[string]bool
	sessions []chosenSession
}

// chosenSession is what must be known of a session to find its packets.
type chosenSession struct {
	id, parent string
	ends       ends
	first      uint64 // packet number
}

// ends are the two ends of a connection, in order, whichever side is first.
type ends [2]netip.AddrPort

func endsOf(a, b netip.AddrPort) ends {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return ends{a, b}
}

func (c *Choice) Write(r record.Record) error {
	h := r.Head()
	if s, ok := r.(*record.Session); ok {
		c.sessions = append(c.sessions, chosenSession{s.Session, s.Parent, endsOf(s.Client, s.Server), s.Packet})
	}
	if c.wanted == nil {
		c.wanted = map[string]bool{}
	}
	if h.Session == "" || c.wanted[h.Session] {
		return nil
	}
	yes := c.Want == nil
	if !yes {
		var err error
		if yes, err = c.Want(r); err != nil {
			return err
		}
	}
	if yes {
		c.wanted[h.Session] = true
	}
	return nil
}

func (c *Choice) Close() error { return nil }

// family adds the sessions that belong to wanted ones.
func (c *Choice) family() {
	for grown := true; grown; {
		grown = false
		for _, s := range c.sessions {
			if s.parent != "" && c.wanted[s.id] != c.wanted[s.parent] {
				c.wanted[s.id], c.wanted[s.parent] = true, true
				grown = true
			}
		}
	}
}

// Sessions returns how many sessions are wanted, and how many there are.
func (c *Choice) Sessions() (wanted, all int) {
	c.family()
	for _, s := range c.sessions {
		if c.wanted[s.id] {
			wanted++
		}
	}
	return wanted, len(c.sessions)
}

// Wanted reports whether a session is wanted, once all records are seen.
func (c *Choice) Wanted(session string) bool { return c.wanted[session] }

// Packets is a set of packet numbers.
type Packets struct{ words []uint64 }

func (p *Packets) add(n uint64) {
	if need := int(n/64) + 1; need > len(p.words) {
		p.words = append(p.words, make([]uint64, need-len(p.words))...)
	}
	p.words[n/64] |= 1 << (n % 64)
}

// Has reports whether packet n is in the set.
func (p *Packets) Has(n uint64) bool {
	return n/64 < uint64(len(p.words)) && p.words[n/64]&(1<<(n%64)) != 0
}

// Packets reads the same input again and returns which packets belong to the
// wanted sessions. A packet belongs to the last session between its two ends
// that had begun by then. Damage ends nothing: it was reported before.
func (c *Choice) Packets(r *capture.Reader) (*Packets, error) {
	c.family()
	byEnds := map[ends][]chosenSession{}
	for _, s := range c.sessions {
		byEnds[s.ends] = append(byEnds[s.ends], s)
	}
	for _, list := range byEnds {
		slices.SortFunc(list, func(a, b chosenSession) int {
			if a.first < b.first {
				return -1
			}
			return 1
		})
	}
	set := &Packets{}
	var seg capture.Segment
	for {
		if err := r.Next(&seg); err != nil {
			var damage *capture.Damage
			if errors.As(err, &damage) {
				continue
			}
			if err == io.EOF {
				return set, nil
			}
			return nil, err
		}
		list := byEnds[endsOf(seg.Src, seg.Dst)]
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].first > seg.Packet && i > 0 {
				continue
			}
			if c.wanted[list[i].id] {
				set.add(seg.Packet)
				for _, n := range r.Pieces() {
					set.add(n)
				}
			}
			break
		}
	}
}
