package soap

import (
	"time"

	"sniff/record"
)

// links remembers the calls that an answer may still come to over another
// exchange, and what would show a replay: a bounded number, the oldest go
// first.
type links struct {
	calls map[string]record.SOAPLink // by kind and identifier
	order []string
	next  int
	most  int
}

func newLinks(most int) *links {
	return &links{calls: make(map[string]record.SOAPLink), most: most}
}

// remember keeps a call under an identifier; an earlier one stays.
func (l *links) remember(by, id string, c *record.SOAPCall) {
	if id == "" || len(id) > 512 {
		return
	}
	key := by + " " + id
	if _, ok := l.calls[key]; ok {
		return
	}
	if len(l.order) < l.most {
		l.order = append(l.order, key)
	} else {
		delete(l.calls, l.order[l.next])
		l.order[l.next] = key
		l.next = (l.next + 1) % l.most
	}
	l.calls[key] = record.SOAPLink{Session: c.Session, Time: c.Time, Offset: c.Offset, Operation: c.Name()}
}

// find returns the earlier call with this identifier.
func (l *links) find(by, id, label string, at time.Time) *record.SOAPLink {
	if id == "" {
		return nil
	}
	link, ok := l.calls[by+" "+id]
	if !ok {
		return nil
	}
	link.By = label
	link.After = record.Between(link.Time, at)
	return &link
}
