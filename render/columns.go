package render

import (
	"bufio"
	"io"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"sniff/record"
)

// Column is one field of the records that a CSV file or --fields shows.
type Column struct {
	// Name is the name in the head, and in JSON.
	Name string
	// Of returns the value that a record has there; not valid when none.
	Of func(record.Record) reflect.Value
	// Type returns the Go type of that value in records of this one's type,
	// nil when they have none.
	Type func(record.Record) reflect.Type
	// Omit leaves the cell empty when the value is the zero of its type, as
	// JSON leaves the field out.
	Omit bool
}

// Columns returns the columns for all fields of a record, in the order of its
// JSON.
func Columns(r record.Record) []Column {
	var out []Column
	for _, f := range record.FieldsOf(r) {
		out = append(out, Column{
			Name: f.Name, Omit: f.Omit,
			Of:   func(r record.Record) reflect.Value { return reflect.ValueOf(r).Elem().FieldByIndex(f.Index) },
			Type: func(record.Record) reflect.Type { return f.Of },
		})
	}
	return out
}

// value returns what the record has in the column, pointers followed; ok is
// false when there is nothing to show.
func (c *Column) value(r record.Record) (v reflect.Value, ok bool) {
	v = c.Of(r)
	for v.IsValid() && v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || c.Omit && v.IsZero() {
		return v, false
	}
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		return v, false
	}
	return v, true
}

// text returns the cell: strings and numbers as they stand, all else as JSON.
func (c *Column) text(enc *record.Encoder, r record.Record) (string, error) {
	v, ok := c.value(r)
	if !ok {
		return "", nil
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return "", nil
		}
		return x.UTC().Format(time.RFC3339Nano), nil
	case netip.AddrPort:
		if !x.IsValid() {
			return "", nil
		}
		return x.String(), nil
	case record.Seconds:
		return string(x.AppendJSON(nil)), nil
	case record.Secret:
		return x.String(), nil
	case record.Text:
		return x.String(), nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	}
	b, err := enc.AppendValue(nil, v)
	return string(b), err
}

// FieldLines writes one JSON object per record and line with chosen fields
// only, in the order in which they were chosen. A field of a nested object
// stands under its dotted name.
type FieldLines struct {
	w       *bufio.Writer
	style   Style
	columns []Column
	enc     record.Encoder
	line    []byte
	// Flush writes every record out at once, for a live view.
	Flush bool
}

// NewFieldLines returns a sink that writes to w; it does not close w.
func NewFieldLines(w io.Writer, style Style, columns []Column) *FieldLines {
	return &FieldLines{w: bufio.NewWriterSize(w, 1<<16), style: style, columns: columns}
}

func (f *FieldLines) Write(r record.Record) error {
	if f.style.Reveal {
		record.Reveal(r)
	}
	f.line = append(f.line[:0], '{')
	for i := range f.columns {
		c := &f.columns[i]
		v, ok := c.value(r)
		if !ok {
			continue
		}
		if len(f.line) > 1 {
			f.line = append(f.line, ',')
		}
		f.line = append(strconv.AppendQuote(f.line, c.Name), ':')
		var err error
		if f.line, err = f.enc.AppendValue(f.line, v); err != nil {
			return err
		}
	}
	f.line = append(f.line, '}', '\n')
	if _, err := f.w.Write(f.line); err != nil || !f.Flush {
		return err
	}
	return f.w.Flush()
}

func (f *FieldLines) Close() error { return f.w.Flush() }
