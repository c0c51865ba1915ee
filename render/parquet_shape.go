package render

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"sniff/record"
)

// parquetShape is a type of the vocabulary as columns: what stands for it in
// the schema, and how a value of it is taken apart into the cells of its
// leaves, each with the levels that tell where lists begin and what is null
// (the shredding of Dremel, which Parquet's documentation describes).
type parquetShape struct {
	node     parquet.Node
	optional bool // null when it is empty
	leaves   int  // columns below it
	column   int  // the first of them
	repeats  int  // how many lists it lies in, itself included

	cell   func(reflect.Value) parquet.Value // of a leaf
	fields []parquetField                    // of a group
	item   *parquetShape                     // of a list
	keyed  bool                              // the list holds the entries of a map
}

type parquetField struct {
	index []int
	shape *parquetShape
}

// shapeOf returns the shape of a type. A field that JSON leaves out when it is
// empty is null here, and so are empty lists, addresses and times; only
// booleans are false.
func shapeOf(t reflect.Type, omit bool) *parquetShape { return shapeWithin(t, omit, nil) }

// shapeWithin returns the shape of a type inside of others. A type that holds
// itself, as the parts of a message hold parts, has no end as columns: from
// the second time on it is JSON.
func shapeWithin(t reflect.Type, omit bool, outer []reflect.Type) *parquetShape {
	pointer := t.Kind() == reflect.Pointer
	for t.Kind() == reflect.Pointer {
		t, omit = t.Elem(), true
	}
	s := leafShape(t)
	switch {
	case s != nil && t.Kind() == reflect.Bool:
		s.leaves = 1
		omit = omit && pointer // what is not said to be so is not so
	case s != nil:
		s.leaves = 1
		omit = omit || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[netip.AddrPort]() || t == reflect.TypeFor[netip.Addr]()
	case t.Kind() == reflect.Struct:
		s = groupShape(t, outer)
	case t.Kind() == reflect.Map:
		s, omit = mapShape(t, outer), true
	default:
		s, omit = listShape(t, outer), true
	}
	if s.optional = omit; omit {
		s.node = parquet.Optional(s.node)
	}
	return s
}

func groupShape(t reflect.Type, outer []reflect.Type) *parquetShape {
	outer = append(outer[:len(outer):len(outer)], t)
	s := &parquetShape{}
	group := parquetGroup{}
	for _, f := range record.FieldsOfType(t) {
		field := shapeWithin(f.Of, f.Omit, outer)
		group.add(f.Name, field.node)
		s.fields = append(s.fields, parquetField{f.Index, field})
		s.leaves += field.leaves
	}
	s.node = &group
	return s
}

func listShape(t reflect.Type, outer []reflect.Type) *parquetShape {
	item := t.Elem()
	for item.Kind() == reflect.Pointer {
		item = item.Elem()
	}
	if slices.Contains(outer, item) {
		return jsonShape()
	}
	of := shapeWithin(item, false, outer)
	return &parquetShape{node: parquet.List(of.node), leaves: of.leaves, item: of}
}

// mapShape is the shape of a map by strings: a list of keys and values.
func mapShape(t reflect.Type, outer []reflect.Type) *parquetShape {
	key, value := shapeWithin(t.Key(), false, outer), shapeWithin(t.Elem(), false, outer)
	entry := &parquetShape{leaves: key.leaves + value.leaves, fields: []parquetField{{shape: key}, {shape: value}}}
	return &parquetShape{node: parquet.Map(key.node, value.node), leaves: entry.leaves, item: entry, keyed: true}
}

// leafShape returns the shape of a type that is one column, nil for others.
func leafShape(t reflect.Type) *parquetShape {
	words := func(node parquet.Node, text func(reflect.Value) string) *parquetShape {
		return &parquetShape{node: parquet.Encoded(node, &parquet.RLEDictionary), cell: func(v reflect.Value) parquet.Value {
			return parquet.ByteArrayValue([]byte(validText(text(v))))
		}}
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return &parquetShape{node: parquet.Timestamp(parquet.Microsecond), cell: func(v reflect.Value) parquet.Value {
			return parquet.Int64Value(v.Interface().(time.Time).UnixMicro())
		}}
	case reflect.TypeFor[record.Seconds]():
		return &parquetShape{node: parquet.Leaf(parquet.DoubleType), cell: func(v reflect.Value) parquet.Value {
			return parquet.DoubleValue(time.Duration(v.Int()).Round(time.Microsecond).Seconds())
		}}
	case reflect.TypeFor[record.Secret]():
		return words(parquet.String(), func(v reflect.Value) string { return v.Interface().(record.Secret).String() })
	case reflect.TypeFor[record.Text]():
		return words(parquet.String(), func(v reflect.Value) string { return v.Interface().(record.Text).String() })
	case reflect.TypeFor[netip.AddrPort]():
		return words(parquet.String(), func(v reflect.Value) string { return v.Interface().(netip.AddrPort).String() })
	case reflect.TypeFor[netip.Addr]():
		return words(parquet.String(), func(v reflect.Value) string { return v.Interface().(netip.Addr).String() })
	}
	switch t.Kind() {
	case reflect.String:
		return words(parquet.String(), reflect.Value.String)
	case reflect.Bool:
		return &parquetShape{node: parquet.Leaf(parquet.BooleanType), cell: func(v reflect.Value) parquet.Value { return parquet.BooleanValue(v.Bool()) }}
	case reflect.Float32, reflect.Float64:
		return &parquetShape{node: parquet.Leaf(parquet.DoubleType), cell: func(v reflect.Value) parquet.Value { return parquet.DoubleValue(v.Float()) }}
	case reflect.Uint, reflect.Uint64:
		return &parquetShape{node: parquet.Uint(64), cell: func(v reflect.Value) parquet.Value { return parquet.Int64Value(int64(v.Uint())) }}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &parquetShape{node: parquet.Int(64), cell: func(v reflect.Value) parquet.Value { return parquet.Int64Value(int64(v.Uint())) }}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &parquetShape{node: parquet.Int(64), cell: func(v reflect.Value) parquet.Value { return parquet.Int64Value(v.Int()) }}
	case reflect.Interface:
		return jsonShape()
	}
	return nil
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// jsonShape is a column of JSON. Values of the vocabulary marshal; if one did
// not, what was wrong would stand there as a string.
func jsonShape() *parquetShape {
	var enc record.Encoder
	return &parquetShape{node: parquet.JSON(), leaves: 1, cell: func(v reflect.Value) parquet.Value {
		b, err := enc.AppendValue(nil, v)
		if err != nil {
			b, _ = json.Marshal(err.Error()) // a string always marshals
		}
		return parquet.ByteArrayValue(b)
	}}
}

// place numbers the columns of a shape, which lies in so many lists.
func (s *parquetShape) place(column, repeats int) {
	s.column, s.repeats = column, repeats
	if s.item != nil {
		s.repeats++
		s.item.place(column, s.repeats)
	}
	for _, f := range s.fields {
		f.shape.place(column, repeats)
		column += f.shape.leaves
	}
}

// empty reports whether a value of an optional shape is null.
func (s *parquetShape) empty(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case time.Time:
		// Readers take the years that a date can be written with.
		return x.IsZero() || x.Year() < 1 || x.Year() > 9999
	case netip.AddrPort:
		return !x.IsValid()
	case netip.Addr:
		return !x.IsValid()
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// About what a cell costs while it is held: its levels and its place, and the
// value.
const (
	nullSize = 8
	cellSize = 24
)

// parquetRow is one record taken apart: for each column its cells.
type parquetRow struct {
	cells [][]parquet.Value
	size  int // about how many bytes they have
}

func (r *parquetRow) reset() {
	r.size = 0
	for i := range r.cells {
		r.cells[i] = r.cells[i][:0]
	}
}

// take returns the cells, column after column.
func (r *parquetRow) take() parquet.Row {
	n := 0
	for _, c := range r.cells {
		n += len(c)
	}
	row := make(parquet.Row, 0, n)
	for _, c := range r.cells {
		row = append(row, c...)
	}
	return row
}

// shred puts a value into the cells of its columns. repetition is the number
// of the innermost list that goes on with it, definition how many optional
// shapes and lists around it are there.
func (r *parquetRow) shred(s *parquetShape, v reflect.Value, repetition, definition int) {
	for v.IsValid() && v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || s.optional && s.empty(v) {
		for i := s.column; i < s.column+s.leaves; i++ {
			r.cells[i] = append(r.cells[i], parquet.NullValue().Level(repetition, definition, i))
			r.size += nullSize
		}
		return
	}
	if s.optional {
		definition++
	}
	switch {
	case s.cell != nil:
		c := s.cell(v)
		r.size += cellSize
		if c.Kind() == parquet.ByteArray {
			r.size += len(c.ByteArray())
		}
		r.cells[s.column] = append(r.cells[s.column], c.Level(repetition, definition, s.column))
	case s.keyed:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for i, key := range keys {
			if i > 0 {
				repetition = s.repeats
			}
			r.shred(s.item.fields[0].shape, key, repetition, definition+1)
			r.shred(s.item.fields[1].shape, v.MapIndex(key), repetition, definition+1)
		}
	case s.item != nil:
		for i := range v.Len() {
			if i > 0 {
				repetition = s.repeats
			}
			r.shred(s.item, v.Index(i), repetition, definition+1)
		}
	default:
		for _, f := range s.fields {
			r.shred(f.shape, v.FieldByIndex(f.index), repetition, definition)
		}
	}
}

// parquetGroup is a group whose fields stay in the order in which they were
// added; the library's own sorts them by name.
type parquetGroup struct {
	parquet.Group
	order []string
}

func (g *parquetGroup) add(name string, n parquet.Node) {
	if g.Group == nil {
		g.Group = parquet.Group{}
	}
	g.Group[name] = n
	g.order = append(g.order, name)
}

func (g *parquetGroup) Fields() []parquet.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return cmp.Compare(slices.Index(g.order, a.Name()), slices.Index(g.order, b.Name()))
	})
	return fields
}
