package render

import (
	"fmt"
	"slices"
	"strings"

	"sniff/record"
)

// found collects findings for people: what is said in the same words of several
// sessions stands once. The zero value is ready.
type found struct {
	list []*same
	by   map[saying]*same
	// places says where the finding of a session stands: with the first one
	// that says the same.
	places map[place]place
}

// same is a finding with the sessions of which it was said.
type same struct {
	*record.Finding          // of the first one
	sessions        int      // how many there are
	times           int      // how often it was seen in all of them
	next            []uint64 // the numbers of the next sessions, the first ones
}

type saying struct {
	code, title, cause string
	severity           record.Severity
}

type place struct{ session, code string }

// maxNext is how many further sessions are named.
const maxNext = 5

func (l *found) add(f *record.Finding) {
	if l.by == nil {
		l.by, l.places = map[saying]*same{}, map[place]place{}
	}
	said := saying{f.Code, f.Title, f.Cause, f.Severity}
	s := l.by[said]
	if s == nil {
		s = &same{Finding: f}
		l.by[said] = s
		l.list = append(l.list, s)
	} else if len(s.next) < maxNext && f.Number > 0 {
		s.next = append(s.next, f.Number)
	}
	s.sessions++
	s.times += max(f.Count, 1)
	if _, twice := l.places[place{f.Session, f.Code}]; !twice {
		l.places[place{f.Session, f.Code}] = place{s.Session, s.Code}
	}
}

// title is what happened, and how often where one session has it several times.
func (s *same) title() string {
	if s.times > s.sessions {
		return fmt.Sprintf("%s (%d times)", Escape(s.Title), s.times)
	}
	return Escape(s.Title)
}

// others names the sessions behind the first one.
func (s *same) others() string {
	if s.sessions == 1 || len(s.next) == 0 {
		return ""
	}
	numbers := make([]string, len(s.next))
	for i, n := range s.next {
		numbers[i] = fmt.Sprint(n)
	}
	text := "session " + numbers[0]
	if len(numbers) > 1 {
		text = "sessions " + strings.Join(numbers, ", ")
	}
	if more := s.sessions - 1 - len(numbers); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// ranked orders the findings: the most severe first, but each symptom right behind
// the finding of its session that explains it, however severe the symptom is.
func (l *found) ranked() []*same {
	list := l.list
	symptoms := map[place][]*same{}
	worst := map[place]int{}
	var roots []*same
	for _, f := range list {
		cause, explained := l.places[place{f.Session, f.Cause}]
		if f.Cause == "" || f.Cause == f.Code || !explained {
			roots = append(roots, f)
			continue
		}
		symptoms[cause] = append(symptoms[cause], f)
		worst[cause] = max(worst[cause], f.Severity.Level())
	}
	level := func(f *same) int { return max(f.Severity.Level(), worst[place{f.Session, f.Code}]) }
	slices.SortStableFunc(roots, func(a, b *same) int { return level(b) - level(a) })
	ranked := make([]*same, 0, len(list))
	var put func(f *same)
	put = func(f *same) {
		ranked = append(ranked, f)
		at := place{f.Session, f.Code}
		next := symptoms[at]
		delete(symptoms, at) // behind the first of several with one code
		for _, s := range next {
			put(s)
		}
	}
	for _, f := range roots {
		put(f)
	}
	for _, f := range list { // those that explain each other have no root
		if at := l.places[place{f.Session, f.Cause}]; symptoms[at] != nil {
			ranked = append(ranked, symptoms[at]...)
			delete(symptoms, at)
		}
	}
	return ranked
}
