package export

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"sniff/capture"
	"sniff/record"
)

// Choice is a record.Sink that notes what is wanted. A record that Want takes
// makes its session wanted, and those that belong to it (the data connections
// of an FTP session, and the other way round). Of what a session carried, what
// records of messages, transfers, HTTP exchanges and calls stand for is wanted
// when Want takes them; all of it is, when Want takes other records only.
type Choice struct {
	// Want picks; nil takes every session.
	Want func(record.Record) (bool, error)

	wanted   map[string]bool
	whole    map[string]bool // a record of nothing carried was taken
	some     map[string]bool // a record of something carried was taken
	carried  map[item]bool
	carrier  record.Record // the last one: calls follow the record that carried them
	sessions []chosenSession
}

// item is what was carried, by its digest.
type item struct{ session, sha256 string }

// maxItems bounds what is carried and wanted.
const maxItems = 1_000_000

// ErrTooMany says that more is wanted than can be kept in mind.
var ErrTooMany = fmt.Errorf("more than %d messages, files and bodies are wanted", maxItems)

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
		c.wanted, c.whole, c.some, c.carried = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[item]bool{}
	}
	switch r.(type) {
	case *record.HTTPExchange, *record.SMTPMessage:
		c.carrier = r
	}
	switch {
	case h.Session == "":
		return nil
	case c.Want == nil:
		c.wanted[h.Session], c.whole[h.Session] = true, true
		return nil
	}
	yes, err := c.Want(r)
	if err != nil || !yes {
		return err
	}
	c.wanted[h.Session] = true
	return c.carriedBy(r)
}

// carriedBy makes what a wanted record stands for wanted.
func (c *Choice) carriedBy(r record.Record) error {
	session := r.Head().Session
	switch r := r.(type) {
	case *record.SMTPMessage:
		c.add(session, r.Content)
	case *record.HTTPExchange:
		c.add(session, r.Request)
		c.add(session, r.Response)
	case *record.SOAPCall:
		if by := c.carrier; by != nil && by.Head().Session == session && by.Head().Offset == r.Offset && by.Head().Dir == r.Dir {
			return c.carriedBy(by)
		}
	case *record.FTPTransfer:
		if r.DataSession != "" {
			session = r.DataSession
		}
		c.add(session, r.Content)
	case *record.SFTPTransfer:
		c.add(session, r.Content)
	default:
		c.whole[session] = true
		return nil
	}
	c.some[r.Head().Session] = true
	if len(c.carried) > maxItems {
		return ErrTooMany
	}
	return nil
}

func (c *Choice) add(session string, what *record.Content) {
	if what == nil {
		return
	}
	what.Walk(func(part *record.Content) {
		if part.SHA256 != "" {
			c.carried[item{session, part.SHA256}] = true
		}
	})
}

func (c *Choice) Close() error { return nil }

// family adds the sessions that belong to wanted ones, and settles of which all
// is wanted that they and those below them carried.
func (c *Choice) family() {
	for id := range c.some {
		delete(c.whole, id)
	}
	for grown := true; grown; {
		grown = false
		for _, s := range c.sessions {
			if s.parent == "" {
				continue
			}
			if c.wanted[s.id] != c.wanted[s.parent] {
				c.wanted[s.id], c.wanted[s.parent] = true, true
				grown = true
			}
			if c.whole[s.parent] && !c.whole[s.id] {
				c.whole[s.id] = true
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

// wants reports whether a session carried something that is wanted.
func (c *Choice) wants(session string) bool { return c == nil || c.wanted[session] }

// wantsItem reports whether it is what has this digest.
func (c *Choice) wantsItem(session, sha256 string) bool {
	return c == nil || c.whole[session] || c.carried[item{session, sha256}]
}

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
