package wsdl

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// lexical forms of XML Schema part 2, section 3.
var (
	formDecimal  = regexp.MustCompile(`^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$`)
	formInteger  = regexp.MustCompile(`^[+-]?\d+$`)
	formFloat    = regexp.MustCompile(`^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|-?INF|NaN)$`)
	formDateTime = regexp.MustCompile(`^-?\d{4,}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$`)
	formDate     = regexp.MustCompile(`^-?\d{4,}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$`)
	formTime     = regexp.MustCompile(`^(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$`)
	formDuration = regexp.MustCompile(`^-?P(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$`)
	formHex      = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2})*$`)
	formLanguage = regexp.MustCompile(`^[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*$`)
)

// integers are the bounds of the built-in integer types; "" for none.
var integers = map[string][2]string{
	"integer": {"", ""}, "nonPositiveInteger": {"", "0"}, "negativeInteger": {"", "-1"},
	"nonNegativeInteger": {"0", ""}, "positiveInteger": {"1", ""},
	"long": {"-9223372036854775808", "9223372036854775807"}, "int": {"-2147483648", "2147483647"},
	"short": {"-32768", "32767"}, "byte": {"-128", "127"},
	"unsignedLong": {"0", "18446744073709551615"}, "unsignedInt": {"0", "4294967295"},
	"unsignedShort": {"0", "65535"}, "unsignedByte": {"0", "255"},
}

// maxNumber bounds the digits of a number that is looked at.
const maxNumber = 400

// builtin says what is wrong with a value of a built-in type; "" for nothing.
func builtin(local, v string) string {
	if local != "string" && local != "normalizedString" {
		v = strings.TrimSpace(v)
	}
	ok := true
	switch local {
	case "boolean":
		ok = v == "true" || v == "false" || v == "1" || v == "0"
	case "decimal":
		ok = formDecimal.MatchString(v)
	case "float", "double":
		ok = formFloat.MatchString(v)
	case "dateTime":
		ok = formDateTime.MatchString(v)
	case "date":
		ok = formDate.MatchString(v)
	case "time":
		ok = formTime.MatchString(v)
	case "duration":
		ok = formDuration.MatchString(v) && !strings.HasSuffix(v, "P") && !strings.HasSuffix(v, "T")
	case "hexBinary":
		ok = formHex.MatchString(v)
	case "base64Binary":
		_, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, v))
		ok = err == nil
	case "language":
		ok = formLanguage.MatchString(v)
	default:
		bounds, integer := integers[local]
		if !integer {
			return ""
		}
		if ok = formInteger.MatchString(v); ok && len(v) <= maxNumber {
			if bounds[0] != "" && compare(v, bounds[0]) < 0 || bounds[1] != "" && compare(v, bounds[1]) > 0 {
				return fmt.Sprintf("%q is out of the range of %s", shorten(v), local)
			}
		}
	}
	if !ok {
		return fmt.Sprintf("%q is no %s", shorten(v), local)
	}
	return ""
}

// compare compares two numbers; 0 when one of them is none.
func compare(a, b string) int {
	a, b = strings.TrimPrefix(strings.TrimSpace(a), "+"), strings.TrimPrefix(strings.TrimSpace(b), "+")
	if len(a) > maxNumber || len(b) > maxNumber || !formDecimal.MatchString(a) || !formDecimal.MatchString(b) {
		return 0
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return 0
	}
	return x.Cmp(y)
}

// maxTypes bounds how many types a value is held against.
const maxTypes = 64

// value says what is wrong with a value of a simple type; "" for nothing.
// left is how many more types may be looked at.
func (s *schemas) value(name QName, inline *typeDef, v string, left *int) string {
	if *left--; *left < 0 {
		return ""
	}
	if inline == nil {
		if name.Space == spaceXSD {
			return builtin(name.Local, v)
		}
		if inline = s.types[name]; inline == nil {
			return ""
		}
	}
	t := inline
	if !t.simple {
		if t.value != (QName{}) {
			return s.value(t.value, nil, v, left)
		}
		return ""
	}
	items := []string{v}
	switch {
	case t.list:
		items = strings.Fields(v)
		for _, item := range items {
			if why := s.value(t.base, t.inline, item, left); why != "" {
				return why
			}
		}
	case len(t.members)+len(t.inlines) > 0:
		return s.union(t, v, left)
	case t.base != (QName{}) || t.inline != nil:
		if why := s.value(t.base, t.inline, v, left); why != "" {
			return why
		}
	}
	return t.facets.judge(v, s.length(t, v, len(items)), s.isText(t))
}

func (s *schemas) union(t *typeDef, v string, left *int) string {
	why := ""
	for _, m := range t.members {
		if why = s.value(m, nil, v, left); why == "" {
			return ""
		}
	}
	for _, m := range t.inlines {
		if why = s.value(QName{}, m, v, left); why == "" {
			return ""
		}
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("%q is none of the kinds that are allowed", shorten(v))
}

// root returns the built-in type that a type rests on.
func (s *schemas) root(t *typeDef) string {
	for range maxTypes {
		switch {
		case t.inline != nil:
			t = t.inline
		case t.base.Space == spaceXSD:
			return t.base.Local
		default:
			next := s.types[t.base]
			if next == nil || next == t {
				return ""
			}
			t = next
		}
	}
	return ""
}

// isText reports whether white space counts in values of t.
func (s *schemas) isText(t *typeDef) bool {
	r := s.root(t)
	return !t.list && (r == "string" || r == "normalizedString")
}

// length measures a value as the length facets do: part 2, section 4.3.1.
func (s *schemas) length(t *typeDef, v string, items int) int {
	if t.list {
		return items
	}
	switch s.root(t) {
	case "hexBinary":
		return len(strings.TrimSpace(v)) / 2
	case "base64Binary":
		v = strings.TrimRight(strings.Join(strings.Fields(v), ""), "=")
		return len(v) * 6 / 8
	case "string", "normalizedString":
		return utf8.RuneCountInString(v)
	}
	return utf8.RuneCountInString(strings.TrimSpace(v))
}

// judge says which facet a value breaks; "" for none.
func (f *facets) judge(v string, length int, text bool) string {
	if !text {
		v = strings.TrimSpace(v)
	}
	short := shorten(v)
	switch {
	case len(f.enum) > 0 && !slices.Contains(f.enum, v):
		return fmt.Sprintf("%q is none of %s", short, oneOf(f.enum))
	case f.length >= 0 && length != f.length:
		return fmt.Sprintf("%q has a length of %d, not %d", short, length, f.length)
	case f.minLength >= 0 && length < f.minLength:
		return fmt.Sprintf("%q is shorter than %d", short, f.minLength)
	case f.maxLen >= 0 && length > f.maxLen:
		return fmt.Sprintf("%q is longer than %d", short, f.maxLen)
	case f.minIn != "" && compare(v, f.minIn) < 0, f.minEx != "" && compare(v, f.minEx) <= 0 && formDecimal.MatchString(v):
		return fmt.Sprintf("%q is below %s", short, f.minIn+f.minEx)
	case f.maxIn != "" && compare(v, f.maxIn) > 0, f.maxEx != "" && compare(v, f.maxEx) >= 0 && formDecimal.MatchString(v):
		return fmt.Sprintf("%q is above %s", short, f.maxIn+f.maxEx)
	case f.total >= 0 && digits(v) > f.total:
		return fmt.Sprintf("%q has more than %d digits", short, f.total)
	case f.fraction >= 0 && strings.Contains(v, ".") && len(strings.TrimRight(v[strings.IndexByte(v, '.')+1:], "0")) > f.fraction:
		return fmt.Sprintf("%q has more than %d digits behind the point", short, f.fraction)
	}
	for _, p := range f.patterns {
		if p.MatchString(v) {
			return ""
		}
	}
	if len(f.patterns) > 0 {
		return fmt.Sprintf("%q does not match the pattern %s", short, strings.TrimSuffix(strings.TrimPrefix(f.patterns[0].String(), "^(?:"), ")$"))
	}
	return ""
}

// digits counts the digits of a number that count: part 2, section 4.3.11.
func digits(v string) int {
	v = strings.TrimLeft(v, "+-0")
	if i := strings.IndexByte(v, '.'); i >= 0 {
		v = v[:i] + strings.TrimRight(v[i+1:], "0")
	}
	return len(v)
}

func shorten(v string) string {
	const most = 40
	if len(v) <= most {
		return v
	}
	n := most
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n] + "…"
}

func oneOf(list []string) string {
	const most = 6
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and more"
	}
	return strings.Join(list, ", ")
}
