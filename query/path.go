package query

import (
	"fmt"
	"reflect"
	"strings"

	"sniff/record"
)

// Path is a field of records, such as time or final_reply.code, with the
// places that it has in each type of record.
type Path struct {
	Name   string
	Omit   bool // left out of the JSON while it is empty
	places map[reflect.Type][]step
	types  []reflect.Type // the Go types that it can have, each once
}

// step leads from a value to a part of it: a field of a struct, or the value
// under a key of a map.
type step struct {
	index []int
	key   string
	omit  bool
}

// ParsePath resolves a dotted name over all types of records.
func ParsePath(name string) (*Path, error) {
	p := root()
	for part := range strings.SplitSeq(name, ".") {
		next, err := p.member(part)
		if err != nil {
			return nil, err
		}
		p = next
	}
	return p, nil
}

// ParseFields resolves a list of names that are separated by commas, for
// records of these kinds (all when there are none).
func ParseFields(list string, kinds ...record.Kind) ([]*Path, error) {
	var out []*Path
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, fmt.Errorf("empty name in the list of fields %q", list)
		}
		p := root(kinds...)
		for part := range strings.SplitSeq(name, ".") {
			next, err := p.member(part)
			if err != nil {
				return nil, err
			}
			p = next
		}
		out = append(out, p)
	}
	return out, nil
}

// root is the path of whole records.
func root(kinds ...record.Kind) *Path {
	p := &Path{places: map[reflect.Type][]step{}}
	for _, r := range record.Types() {
		wanted := len(kinds) == 0
		for _, k := range kinds {
			wanted = wanted || r.Kind() == k
		}
		if wanted {
			p.places[reflect.TypeOf(r).Elem()] = nil
			p.addType(reflect.TypeOf(r).Elem())
		}
	}
	return p
}

func (p *Path) addType(t reflect.Type) {
	for _, have := range p.types {
		if have == t {
			return
		}
	}
	p.types = append(p.types, t)
}

// member returns the path of a part of p.
func (p *Path) member(name string) (*Path, error) {
	q := &Path{Name: name, places: map[reflect.Type][]step{}}
	if p.Name != "" {
		q.Name = p.Name + "." + name
	}
	for rec, steps := range p.places {
		t := rec
		for _, s := range steps {
			t = s.leadsTo(t)
		}
		if s, ok := stepTo(t, name); ok {
			q.places[rec] = append(steps[:len(steps):len(steps)], s)
			q.addType(s.leadsTo(t))
			q.Omit = q.Omit || s.omit
		}
	}
	if len(q.places) == 0 {
		return nil, p.unknown(name)
	}
	return q, nil
}

// leadsTo returns the type behind the step, pointers followed.
func (s step) leadsTo(t reflect.Type) reflect.Type {
	t = pointed(t)
	if t.Kind() == reflect.Map {
		return pointed(t.Elem())
	}
	return pointed(t.FieldByIndex(s.index).Type)
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// stepTo finds the part of a value of type t that has this name in JSON.
func stepTo(t reflect.Type, name string) (step, bool) {
	switch class(t) {
	case classMap:
		return step{key: name, omit: true}, true
	case classObject:
		for _, f := range record.FieldsOfType(t) {
			if f.Name == name {
				return step{index: f.Index, omit: f.Omit}, true
			}
		}
	}
	return step{}, false
}

// unknown says that no record has this name below p, and what was meant.
func (p *Path) unknown(name string) error {
	var names []string
	list := false
	for _, t := range p.types {
		switch class(t) {
		case classObject:
			for _, f := range record.FieldsOfType(t) {
				names = append(names, f.Name)
			}
		case classList:
			list = true
		}
	}
	full := name
	if p.Name != "" {
		full = p.Name + "." + name
	}
	switch {
	case len(names) == 0 && list:
		return &UnknownField{Name: full, Hint: fmt.Sprintf("%s is a list: write any(%s, .%s == ...)", p.Name, p.Name, name)}
	case len(names) == 0:
		return &UnknownField{Name: full, Hint: p.Name + " has no fields"}
	}
	e := &UnknownField{Name: full}
	if near := Nearest(name, names); near != "" {
		if p.Name != "" {
			near = p.Name + "." + near
		}
		e.Nearest = near
		return e
	}
	if inner := deeper(p.types, name, 3); inner != "" {
		e.Nearest = strings.TrimPrefix(p.Name+"."+inner, ".")
	}
	return e
}

// deeper looks for a field of exactly this name inside the objects of the
// types and returns the shortest way to it.
func deeper(types []reflect.Type, name string, levels int) string {
	best := ""
	for _, t := range types {
		if levels == 0 || class(t) != classObject {
			continue
		}
		for _, f := range record.FieldsOfType(t) {
			way := f.Name
			if f.Name != name {
				inner := deeper([]reflect.Type{pointed(f.Of)}, name, levels-1)
				if inner == "" {
					continue
				}
				way += "." + inner
			}
			if best == "" || strings.Count(way, ".") < strings.Count(best, ".") {
				best = way
			}
		}
	}
	return best
}

// UnknownField is the error about a name that no record has.
type UnknownField struct {
	Name    string
	Nearest string // the name that was probably meant, "" when none is near
	Hint    string
}

func (e *UnknownField) Error() string {
	s := fmt.Sprintf("unknown field %q", e.Name)
	switch {
	case e.Nearest != "":
		s += "; did you mean " + e.Nearest + "?"
	case e.Hint != "":
		s += "; " + e.Hint
	}
	return s
}

// Of returns the value that the record has there; not valid when it has none.
func (p *Path) Of(r record.Record) reflect.Value {
	v := reflect.ValueOf(r).Elem()
	steps, ok := p.places[v.Type()]
	if !ok {
		return reflect.Value{}
	}
	for _, s := range steps {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		if v.Kind() == reflect.Map {
			v = v.MapIndex(reflect.ValueOf(s.key).Convert(v.Type().Key()))
			if !v.IsValid() {
				return v
			}
			continue
		}
		v = v.FieldByIndex(s.index)
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return reflect.Value{}
		}
		v = v.Elem()
	}
	return v
}

// TypeIn returns the Go type of what records of r's type have there, nil when
// they have nothing.
func (p *Path) TypeIn(r record.Record) reflect.Type {
	t := reflect.TypeOf(r).Elem()
	steps, ok := p.places[t]
	if !ok {
		return nil
	}
	for _, s := range steps {
		t = s.leadsTo(t)
	}
	return t
}

// Has reports whether records of this kind have the field.
func (p *Path) Has(k record.Kind) bool {
	for _, r := range record.Types() {
		if r.Kind() == k {
			_, ok := p.places[reflect.TypeOf(r).Elem()]
			return ok
		}
	}
	return false
}

// Compare puts two records in the order of what they have at p: -1, 0 or 1.
// A record that has nothing there comes last.
func (p *Path) Compare(a, b record.Record) int {
	x, y := value(p.Of(a)), value(p.Of(b))
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	order, _, ok, err := relate(x, y)
	if !ok || err != nil {
		return 0
	}
	return order
}
