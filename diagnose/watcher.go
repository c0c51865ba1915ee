package diagnose

import (
	"strings"

	"sniff/record"
)

// Watcher is a sink that adds findings to the records that pass through it.
type Watcher struct {
	next     record.Sink
	families []Family
	infos    map[string]Info
	sessions map[string]*watched
	whole    []Observer
	wholeRep *Reporter
}

// watched is what is known of one session that is still open.
type watched struct {
	observers []Observer // by family; nil while the family is asleep
	rep       *Reporter
	early     []record.Record // the first records, for families still asleep
	late      []record.Record // the last ones behind those, the oldest at next
	next      int
	awake     bool // a family other than tcp is
}

// Bounds of the records that are kept for families still asleep. A carrier's
// records stand before those of what it carries (http.exchange before
// soap.call), and another family has woken by then: of these only the last are
// kept, for they are big and sessions are many.
const (
	maxEarly = 16
	maxLate  = 2
	// crowd is how many sessions may be open before the last records of
	// further ones are not kept: they would take as much as the sessions do.
	// A family that wakes late then goes without what came right before, such
	// as the greeting that names the host of a certificate.
	crowd = 20_000
)

// keep remembers a record for families that wake later.
func (s *watched) keep(r record.Record, crowded bool) {
	small := false
	switch r.(type) {
	case *record.Credential, *record.Anomaly, *record.TLSHandshake:
		small = true
	}
	switch {
	case len(s.early) < maxEarly && (small || !s.awake):
		s.early = append(s.early, r)
	case small || crowded:
	case len(s.late) < maxLate:
		s.late = append(s.late, r)
	default:
		s.late[s.next] = r
		s.next = (s.next + 1) % maxLate
	}
}

// replay shows an observer what was kept, in order.
func (s *watched) replay(o Observer) {
	for _, list := range [...][]record.Record{s.early, s.late[s.next:], s.late[:s.next]} {
		for _, r := range list {
			o.See(r, s.rep)
		}
	}
}

// NewWatcher returns a watcher over all families that writes to next.
func NewWatcher(next record.Sink, families []Family) *Watcher {
	w := &Watcher{next: next, families: families, infos: map[string]Info{}, sessions: map[string]*watched{}}
	for _, f := range families {
		for _, i := range f.Codes {
			w.infos[i.Code] = i
		}
		if f.Whole != nil {
			w.whole = append(w.whole, f.Whole())
		}
	}
	w.wholeRep = &Reporter{infos: w.infos}
	return w
}

// Write lets the observers see r and passes it on.
func (w *Watcher) Write(r record.Record) error {
	if s, ok := r.(*record.Session); ok {
		return w.end(s)
	}
	h := r.Head()
	s := w.sessions[h.Session]
	if s == nil {
		s = &watched{observers: make([]Observer, len(w.families)), rep: &Reporter{infos: w.infos}}
		w.sessions[h.Session] = s
	}
	family, _, _ := strings.Cut(string(r.Kind()), ".")
	for i, f := range w.families {
		if s.observers[i] == nil && f.Session != nil && (f.Name == family || f.Name == "tcp" || f.Wakes != nil && f.Wakes(r)) {
			s.observers[i] = f.Session()
			s.replay(s.observers[i])
		}
		if s.observers[i] != nil {
			s.observers[i].See(r, s.rep)
			s.awake = s.awake || f.Name != "tcp"
		}
	}
	s.keep(r, len(w.sessions) > crowd)
	for _, o := range w.whole {
		o.See(r, w.wholeRep)
	}
	return w.next.Write(r)
}

// end closes a session: its findings, then its record.
func (w *Watcher) end(r *record.Session) error {
	s := w.sessions[r.Header.Session]
	delete(w.sessions, r.Header.Session)
	if s == nil {
		s = &watched{observers: make([]Observer, len(w.families)), rep: &Reporter{infos: w.infos}}
	}
	for i, f := range w.families {
		if s.observers[i] == nil && f.Name == "tcp" && f.Session != nil {
			s.observers[i] = f.Session()
		}
		if s.observers[i] != nil {
			s.observers[i].End(r, s.rep)
		}
	}
	for _, o := range w.whole {
		o.See(r, w.wholeRep)
	}
	if err := w.flush(s.rep); err != nil {
		return err
	}
	return w.next.Write(r)
}

// Close raises what only shows over the whole run, and closes the next sink.
func (w *Watcher) Close() error {
	for _, o := range w.whole {
		o.End(nil, w.wholeRep)
	}
	err := w.flush(w.wholeRep)
	if e := w.next.Close(); err == nil {
		err = e
	}
	return err
}

func (w *Watcher) flush(rep *Reporter) error {
	for _, f := range rep.take() {
		f.RecordKind = record.KindFinding
		if err := w.next.Write(f); err != nil {
			return err
		}
	}
	return nil
}
