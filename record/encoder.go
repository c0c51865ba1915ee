package record

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Encoder writes values as JSON, as encoding/json does without its escapes for
// HTML, but appends to one slice by a plan made once for each type: where each
// field lies, how it is written, and when it is left out. No value is boxed,
// copied or looked through twice. The zero value is ready; one goroutine may
// use it at a time.
type Encoder struct {
	plans map[reflect.Type]appender
	err   error
}

// Append appends v to b. A pointer costs no copy.
func (e *Encoder) Append(b []byte, v any) ([]byte, error) {
	return e.AppendValue(b, reflect.ValueOf(v))
}

// AppendValue is Append for who has a reflect.Value.
func (e *Encoder) AppendValue(b []byte, v reflect.Value) ([]byte, error) {
	e.err = nil
	b = e.value(b, v)
	return b, e.err
}

func (e *Encoder) value(b []byte, v reflect.Value) []byte {
	switch {
	case !v.IsValid():
		return append(b, "null"...)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return e.of(v.Type().Elem())(e, b, v.UnsafePointer())
	case !v.CanAddr():
		at := reflect.New(v.Type())
		at.Elem().Set(v)
		v = at.Elem()
	}
	return e.of(v.Type())(e, b, v.Addr().UnsafePointer())
}

// jsonAppender is a type that says itself how it is written.
type jsonAppender interface{ AppendJSON(b []byte) []byte }

// appender appends the value at p, which is of the type it was made for.
type appender func(e *Encoder, b []byte, p unsafe.Pointer) []byte

// of returns the appender of a type.
func (e *Encoder) of(t reflect.Type) appender {
	if a := e.plans[t]; a != nil {
		return a
	}
	if e.plans == nil {
		e.plans = make(map[reflect.Type]appender)
	}
	// A type may hold itself: whoever asks for it while its plan is being
	// made gets one that looks again.
	e.plans[t] = func(e *Encoder, b []byte, p unsafe.Pointer) []byte { return e.plans[t](e, b, p) }
	e.plans[t] = e.plan(t)
	return e.plans[t]
}

func (e *Encoder) plan(t reflect.Type) appender {
	switch t {
	case reflect.TypeFor[time.Time]():
		return appendTime
	case reflect.TypeFor[Secret]():
		return func(_ *Encoder, b []byte, p unsafe.Pointer) []byte { return appendString(b, (*Secret)(p).String()) }
	case reflect.TypeFor[Text]():
		return func(_ *Encoder, b []byte, p unsafe.Pointer) []byte { return appendString(b, (*Text)(p).String()) }
	case reflect.TypeFor[netip.AddrPort]():
		return appendText[netip.AddrPort]
	case reflect.TypeFor[netip.Addr]():
		return appendText[netip.Addr]
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[jsonAppender]()) {
		return func(_ *Encoder, b []byte, p unsafe.Pointer) []byte {
			return reflect.NewAt(t, p).Interface().(jsonAppender).AppendJSON(b)
		}
	}
	kind := t.Kind()
	if kind != reflect.Pointer && kind != reflect.Interface && marshals(t) {
		return appendOther(t)
	}
	switch kind {
	case reflect.Pointer:
		elem := e.of(t.Elem())
		return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return append(b, "null"...)
			}
			return elem(e, b, p)
		}
	case reflect.Interface:
		return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
			return e.value(b, reflect.NewAt(t, p).Elem().Elem())
		}
	case reflect.Struct:
		return e.structPlan(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return appendBytes
		}
		return e.slicePlan(t)
	case reflect.Array:
		return e.arrayPlan(t)
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return e.mapPlan(t)
		}
	case reflect.String:
		return func(_ *Encoder, b []byte, p unsafe.Pointer) []byte { return appendString(b, *(*string)(p)) }
	case reflect.Bool:
		return func(_ *Encoder, b []byte, p unsafe.Pointer) []byte { return strconv.AppendBool(b, *(*bool)(p)) }
	case reflect.Int:
		return appendInt[int]
	case reflect.Int8:
		return appendInt[int8]
	case reflect.Int16:
		return appendInt[int16]
	case reflect.Int32:
		return appendInt[int32]
	case reflect.Int64:
		return appendInt[int64]
	case reflect.Uint:
		return appendUint[uint]
	case reflect.Uint8:
		return appendUint[uint8]
	case reflect.Uint16:
		return appendUint[uint16]
	case reflect.Uint32:
		return appendUint[uint32]
	case reflect.Uint64:
		return appendUint[uint64]
	case reflect.Float32:
		return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
			return e.float(b, float64(*(*float32)(p)), 32)
		}
	case reflect.Float64:
		return func(e *Encoder, b []byte, p unsafe.Pointer) []byte { return e.float(b, *(*float64)(p), 64) }
	}
	return appendOther(t)
}

func (e *Encoder) slicePlan(t reflect.Type) appender {
	elem, size := e.of(t.Elem()), t.Elem().Size()
	return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
		// The header of every slice is alike, whatever its elements are.
		s := *(*[]struct{})(p)
		if s == nil {
			return append(b, "null"...)
		}
		return appendList(e, b, unsafe.Pointer(unsafe.SliceData(s)), len(s), size, elem)
	}
}

func (e *Encoder) arrayPlan(t reflect.Type) appender {
	elem, size, n := e.of(t.Elem()), t.Elem().Size(), t.Len()
	return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
		return appendList(e, b, p, n, size, elem)
	}
}

func appendList(e *Encoder, b []byte, p unsafe.Pointer, n int, size uintptr, elem appender) []byte {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = elem(e, b, unsafe.Add(p, uintptr(i)*size))
	}
	return append(b, ']')
}

func (e *Encoder) mapPlan(t reflect.Type) appender {
	return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
		m := reflect.NewAt(t, p).Elem()
		if m.IsNil() {
			return append(b, "null"...)
		}
		keys := m.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k.String()), ':')
			b = e.value(b, m.MapIndex(k))
		}
		return append(b, '}')
	}
}

func appendInt[T int | int8 | int16 | int32 | int64](_ *Encoder, b []byte, p unsafe.Pointer) []byte {
	return strconv.AppendInt(b, int64(*(*T)(p)), 10)
}

func appendUint[T uint | uint8 | uint16 | uint32 | uint64](_ *Encoder, b []byte, p unsafe.Pointer) []byte {
	return strconv.AppendUint(b, uint64(*(*T)(p)), 10)
}

// float writes numbers as JavaScript does.
func (e *Encoder) float(b []byte, f float64, bits int) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		e.failed(fmt.Errorf("record: %v is no JSON number", f))
		return b
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (bits == 64 && (abs < 1e-6 || abs >= 1e21) ||
		bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21)) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, bits)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1] // e-09 to e-9
	}
	return b
}

func appendBytes(_ *Encoder, b []byte, p unsafe.Pointer) []byte {
	x := *(*[]byte)(p)
	if x == nil {
		return append(b, "null"...)
	}
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), x), '"')
}

// appendText appends text that needs no escapes.
func appendText[T any, P interface {
	*T
	encoding.TextAppender
}](e *Encoder, b []byte, p unsafe.Pointer) []byte {
	b, err := P((*T)(p)).AppendText(append(b, '"'))
	e.failed(err)
	return append(b, '"')
}

// appendTime appends what time.Time.AppendText makes, which takes longer for
// having to look at zones: nearly all times here are UTC.
func appendTime(e *Encoder, b []byte, p unsafe.Pointer) []byte {
	t := (*time.Time)(p)
	year, month, day := t.Date()
	if t.Location() != time.UTC || year < 1000 || year > 9999 {
		return appendText[time.Time](e, b, p)
	}
	hour, minute, second := t.Clock()
	b = append(appendTwo(appendTwo(append(b, '"'), year/100), year%100), '-')
	b = append(appendTwo(b, int(month)), '-')
	b = append(appendTwo(b, day), 'T')
	b = append(appendTwo(b, hour), ':')
	b = append(appendTwo(b, minute), ':')
	b = appendTwo(b, second)
	if ns := t.Nanosecond(); ns != 0 {
		b = append(b, '.')
		for place := 100_000_000; ns > 0; place /= 10 {
			b = append(b, byte('0'+ns/place))
			ns %= place
		}
	}
	return append(b, 'Z', '"')
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// marshals reports whether encoding/json asks a type how it is written.
func marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// appendOther leaves values of a type to encoding/json.
func appendOther(t reflect.Type) appender {
	return func(e *Encoder, b []byte, p unsafe.Pointer) []byte {
		text, err := json.Marshal(reflect.NewAt(t, p).Interface())
		e.failed(err)
		return append(b, text...)
	}
}

func (e *Encoder) failed(err error) {
	if e.err == nil {
		e.err = err
	}
}
