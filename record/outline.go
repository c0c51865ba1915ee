package record

import "strings"

// Teller is a record that has a say in the one line that `sniff read` prints
// for its session.
type Teller interface {
	// Tell adds to the outline of the record's session. Records of one
	// session tell in order of emission, all on one goroutine.
	Tell(o *Outline)
}

// maxFacts bounds the outline of a session however long it lives.
const maxFacts = 6

// Outline collects what happened in one session, in words.
type Outline struct {
	facts []*Fact
	more  int
}

// Fact is one clause of an outline. A record that tells finds the fact by its
// key and rewrites it: "login bob failed" becomes "login bob failed 3 times".
type Fact struct {
	key, name string
	// N is for the teller's own counting; it starts at 0.
	N int
	// Sum is for the teller's own adding up; it starts at 0.
	Sum int64
	// Text is the clause: no capital, no full stop.
	Text string
	// Show, if there is one, makes Text when the outline is read: what counts
	// with every record need not be put in words each time.
	Show func(f *Fact) string
	// Rank orders clauses: higher first, equal ones as they came.
	Rank int
}

// Fact returns the clause with this key, a new one when there is none yet.
// When the outline is full the fact that comes back is counted, not shown.
func (o *Outline) Fact(key string) *Fact { return o.Named(key, "") }

// Named is Fact for a clause of which there may be several, each with a name.
func (o *Outline) Named(key, name string) *Fact {
	for _, f := range o.facts {
		if f.key == key && f.name == name {
			return f
		}
	}
	f := &Fact{key: key, name: name}
	if len(o.facts) >= maxFacts {
		o.more++
		return f
	}
	o.facts = append(o.facts, f)
	return f
}

// String joins the clauses, highest rank first.
func (o *Outline) String() string {
	if o == nil {
		return ""
	}
	for _, f := range o.facts {
		if f.Show != nil {
			f.Text = f.Show(f)
		}
	}
	var b strings.Builder
	for rank := 9; rank >= -9; rank-- {
		for _, f := range o.facts {
			if f.Text == "" || min(max(f.Rank, -9), 9) != rank {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(f.Text)
		}
	}
	if o.more > 0 && b.Len() > 0 {
		b.WriteString("; and more")
	}
	return b.String()
}
