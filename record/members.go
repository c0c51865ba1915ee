package record

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// member is one member of an object: a field, or the fields of an embedded
// struct.
type member struct {
	offset uintptr
	name   string // quoted, with the comma in front and the colon; "" of an embedded struct
	omit   omission
	empty  func(unsafe.Pointer) bool // for omitAsked
	text   bool                      // it is a string, as most are
	append appender
}

// omission says when a member is left out.
type omission uint8

const (
	omitNever omission = iota
	omitNoText
	omitNoElements
	omitZero8 // a number of so many bits, or a bool, that is zero
	omitZero16
	omitZero32
	omitZero64
	omitNil
	omitAsked // what a function says
)

func (e *Encoder) structPlan(t reflect.Type) appender {
	members := e.members(t, nil)
	return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
		at := len(b)
		b = appendMembers(e, b, p, members)
		if len(b) == at {
			return append(b, "{}"...)
		}
		b[at] = '{' // where the first comma stood
		return append(b, '}')
	}
}

// members plans the fields of t but those that are hidden: as in encoding/json
// a field hides those of its JSON name that are embedded deeper.
func (e *Encoder) members(t reflect.Type, hidden []string) []member {
	hides := slices.Clone(hidden)
	for i := range t.NumField() {
		if name, _ := jsonName(t.Field(i)); name != "" {
			hides = append(hides, name)
		}
	}
	var out []member
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			inner := e.members(f.Type, hides)
			out = append(out, member{offset: f.Offset, append: func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
				return appendMembers(e, b, p, inner)
			}})
			continue
		}
		name, _ := jsonName(f)
		if name == "" || slices.Contains(hidden, name) {
			continue
		}
		m := member{offset: f.Offset, append: e.of(f.Type), text: f.Type.Kind() == reflect.String && !marshals(f.Type)}
		m.name = "," + string(appendString(nil, name)) + ":"
		_, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case strings.Contains(opts, "omitempty"):
			m.omitEmpty(f.Type)
		case strings.Contains(opts, "omitzero"):
			m.omit, m.empty = omitAsked, zeroOf(f.Type)
		}
		out = append(out, m)
	}
	return out
}

// omitEmpty makes m what omitempty means for its type.
func (m *member) omitEmpty(t reflect.Type) {
	switch t.Kind() {
	case reflect.String:
		m.omit = omitNoText
	case reflect.Slice:
		m.omit = omitNoElements
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		m.omit = map[uintptr]omission{1: omitZero8, 2: omitZero16, 4: omitZero32, 8: omitZero64}[t.Size()]
	case reflect.Pointer:
		m.omit = omitNil
	case reflect.Struct:
	case reflect.Map, reflect.Array:
		m.omit, m.empty = omitAsked, func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().Len() == 0 }
	default:
		m.omit, m.empty = omitAsked, func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().IsZero() }
	}
}

// zeroOf returns what omitzero means for a type.
func zeroOf(t reflect.Type) func(unsafe.Pointer) bool {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(p unsafe.Pointer) bool { return (*time.Time)(p).IsZero() }
	case reflect.TypeFor[Secret]():
		return func(p unsafe.Pointer) bool { return (*Secret)(p).IsZero() }
	case reflect.TypeFor[Text]():
		return func(p unsafe.Pointer) bool { return (*Text)(p).IsZero() }
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ IsZero() bool }]()) {
		return func(p unsafe.Pointer) bool {
			return reflect.NewAt(t, p).Interface().(interface{ IsZero() bool }).IsZero()
		}
	}
	return func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().IsZero() }
}

// appendMembers appends the members of the struct at p, each with a comma in
// front.
func appendMembers(e *Encoder, b []byte, p unsafe.Pointer, members []member) []byte {
	for i := range members {
		m := &members[i]
		f := unsafe.Add(p, m.offset)
		empty := false
		switch m.omit {
		case omitNoText:
			empty = *(*string)(f) == ""
		case omitNoElements:
			empty = len(*(*[]struct{})(f)) == 0
		case omitZero8:
			empty = *(*uint8)(f) == 0
		case omitZero16:
			empty = *(*uint16)(f) == 0
		case omitZero32:
			empty = *(*uint32)(f) == 0
		case omitZero64:
			empty = *(*uint64)(f) == 0
		case omitNil:
			empty = *(*unsafe.Pointer)(f) == nil
		case omitAsked:
			empty = m.empty(f)
		}
		switch {
		case empty:
		case m.text:
			b = appendString(append(b, m.name...), *(*string)(f))
		default:
			b = m.append(e, append(b, m.name...), f)
		}
	}
	return b
}
