package query

import (
	"math"
	"net/netip"
	"reflect"
	"time"

	"sniff/record"
)

// What a type is to an expression.
const (
	classOther = iota
	classString
	classNumber
	classBool
	classTime
	classList
	classMap
	classObject
)

func class(t reflect.Type) int {
	switch t {
	case reflect.TypeFor[time.Time]():
		return classTime
	case reflect.TypeFor[record.Secret](), reflect.TypeFor[record.Text](), reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Addr]():
		return classString
	}
	switch t.Kind() {
	case reflect.Pointer:
		return class(t.Elem())
	case reflect.String:
		return classString
	case reflect.Bool:
		return classBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return classNumber
	case reflect.Slice, reflect.Array:
		return classList
	case reflect.Map:
		return classMap
	case reflect.Struct:
		return classObject
	}
	return classOther
}

// className names a class in messages.
func className(c int) string {
	switch c {
	case classString:
		return "a string"
	case classNumber:
		return "a number"
	case classBool:
		return "true or false"
	case classTime:
		return "a time"
	case classList:
		return "a list"
	}
	return "an object"
}

// value makes of a field what an expression works with: string, int, float64,
// bool, time.Time, []any, map[string]any, or nil for what is not there.
// Seconds are numbers; secrets are masked as everywhere.
func value(v reflect.Value) any {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return nil
		}
		return x
	case record.Seconds:
		return x.Duration().Seconds()
	case record.Secret:
		return x.String()
	case record.Text:
		return x.String()
	case netip.AddrPort:
		if !x.IsValid() {
			return ""
		}
		return x.String()
	case netip.Addr:
		if !x.IsValid() {
			return ""
		}
		return x.String()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = value(v.Index(i))
		}
		return list
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = value(it.Value())
		}
		return m
	case reflect.Struct:
		m := map[string]any{}
		for _, f := range record.FieldsOfType(v.Type()) {
			m[f.Name] = value(v.FieldByIndex(f.Index))
		}
		return m
	}
	if v.CanInt() {
		return int(v.Int())
	}
	if v.CanUint() {
		if u := v.Uint(); u > math.MaxInt64 {
			return float64(u)
		}
		return int(v.Uint())
	}
	return nil
}

// absent is what stands for a field that a record does not have where no
// comparison is made with it: the zero of its type, nil when it could be of
// several.
func (p *Path) absent() any {
	c := classOther
	for i, t := range p.types {
		if i > 0 && class(t) != c {
			return nil
		}
		c = class(t)
	}
	switch c {
	case classString:
		return ""
	case classNumber:
		return 0
	case classBool:
		return false
	case classList:
		return []any{}
	}
	return nil
}
