package query

import (
	"cmp"
	"fmt"
	"reflect"
	"time"

	"sniff/record"
)

// compare is what == != < <= > >= mean. nil, which stands for what a record
// does not have, compares with nothing; only x == nil and x != nil, which the
// check turns into other calls, ask for it. A time compares with a string
// that can be read as a time, severities by their grade, other strings letter
// by letter, and values of different types not at all.
func compare(op string, a, b any) (bool, error) {
	if a == nil || b == nil {
		return false, nil
	}
	order, equal, ok, err := relate(a, b)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, nil
	}
	switch op {
	case "==":
		return equal, nil
	case "!=":
		return !equal, nil
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	}
	return false, fmt.Errorf("no comparison is called %s", op)
}

// relate puts a and b in order; ok is false when they have none, and then not
// even equality is asked.
func relate(a, b any) (order int, equal, ok bool, err error) {
	if x, isNumber := number(a); isNumber {
		y, isNumber := number(b)
		order = cmp.Compare(x, y)
		return order, x == y, isNumber, nil
	}
	switch x := a.(type) {
	case time.Time:
		y, err := timeOf(b)
		if err != nil {
			return 0, false, false, err
		}
		order = x.Compare(y)
		return order, order == 0, true, nil
	case string:
		switch y := b.(type) {
		case string:
			if x == y {
				return 0, true, true, nil
			}
			p, q := record.Severity(x).Level(), record.Severity(y).Level()
			if p > 0 && q > 0 {
				return cmp.Compare(p, q), false, true, nil
			}
			return cmp.Compare(x, y), false, true, nil
		case time.Time:
			order, equal, ok, err = relate(b, a)
			return -order, equal, ok, err
		}
	case bool:
		if y, isBool := b.(bool); isBool {
			return 0, x == y, true, nil
		}
	case []any, map[string]any:
		return 0, reflect.DeepEqual(a, b), true, nil
	}
	return 0, false, false, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// timeLayouts are the forms in which a time may be written, the most exact
// first. A time without a zone is UTC, as all times that sniff prints.
var timeLayouts = [...]string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	time.DateOnly,
}

func timeOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case string:
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
		return time.Time{}, fmt.Errorf("%q is no time: write it like 2026-11-23T05:00:00Z", v)
	}
	return time.Time{}, fmt.Errorf("a time cannot be compared with %v", v)
}

// truth is what a value means where true or false is wanted: numbers that are
// not zero, and strings and lists that are not empty, are true.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return true
	case time.Time:
		return !v.IsZero()
	}
	n, _ := number(v)
	return n != 0
}
