package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"sniff/record"
)

// bySession reports whether the output stands for whole sessions rather than
// for single records: the choice picks sessions then.
func (a *app) bySession(live bool) bool {
	return a.output == "table" || a.output == "text" && !live
}

// sessions puts the choice in front of a renderer of whole sessions: those of
// which a record is chosen are shown with everything that belongs to them, in
// the order of --sort, the first --limit of them. needs says which records the
// renderer looks at; nil: at all. live passes them on as soon as they are
// chosen.
func (c *choice) sessions(next record.Sink, needs func(record.Record) bool, live bool) (record.Sink, error) {
	if !c.any() {
		return next, nil
	}
	if c.by != nil && !c.by.Has(record.KindSession) {
		return nil, usageError{hinted{fmt.Errorf("--sort: sessions have no field %q", c.by.Name), "a table has a line for each session: sort by a field of the session records, such as -duration or client_side.bytes; -o csv sorts records of any kind"}}
	}
	return &sessionChooser{next: next, choice: c, needs: needs, live: live, held: map[string]*heldSession{}}, nil
}

// any reports whether the user chose at all.
func (c *choice) any() bool {
	return c.expr != nil || c.kinds != nil || c.by != nil || c.limit > 0
}

type sessionChooser struct {
	next   record.Sink
	choice *choice
	needs  func(record.Record) bool
	live   bool

	held    map[string]*heldSession
	records int // held
	shown   int // sessions, live
}

// heldSession is what was seen of a session until it is known whether it is
// shown.
type heldSession struct {
	session *record.Session
	records []record.Record
	chosen  bool
	passed  bool // live: it is among the first
}

func (s *sessionChooser) Write(r record.Record) error {
	yes, err := s.choice.take(r)
	if err != nil {
		return err
	}
	id := r.Head().Session
	if id == "" { // about the input as a whole
		if !yes {
			return nil
		}
		return s.next.Write(r)
	}
	h := s.held[id]
	if h == nil {
		h = &heldSession{}
		s.held[id] = h
	}
	if x, ok := r.(*record.Session); ok {
		h.session = x
	}
	if yes && !h.chosen {
		h.chosen = true
		if s.live {
			if err := s.pass(h); err != nil {
				return err
			}
		}
	}
	if s.needs != nil && !s.needs(r) {
		return nil
	}
	if s.live && h.chosen {
		if !h.passed {
			return nil
		}
		return s.next.Write(r)
	}
	h.records = append(h.records, r)
	if s.records++; s.records > maxSorted {
		return usageError{hinted{fmt.Errorf("more than %d records may be of sessions to show", maxSorted), "read fewer packets with -f, or write records: -o jsonl, -o csv"}}
	}
	return nil
}

// pass shows what was held of a session, if it is among the first.
func (s *sessionChooser) pass(h *heldSession) error {
	if s.choice.limit == 0 || s.shown < s.choice.limit {
		s.shown++
		h.passed = true
	}
	list := h.records
	h.records = nil
	s.records -= len(list)
	for _, r := range list {
		if !h.passed {
			break
		}
		if err := s.next.Write(r); err != nil {
			return err
		}
	}
	return nil
}

// Close shows the chosen sessions.
func (s *sessionChooser) Close() error {
	var list []*heldSession
	for _, h := range s.held {
		if h.chosen && h.session != nil && !s.live {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *heldSession) int {
		order := 0
		if s.choice.by != nil {
			order = s.choice.order(a.session, b.session)
		}
		return cmp.Or(order, cmp.Compare(a.session.Number, b.session.Number))
	})
	for _, h := range list {
		if err := s.pass(h); err != nil {
			return errors.Join(err, s.next.Close())
		}
	}
	return s.next.Close()
}
