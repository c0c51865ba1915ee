package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"sniff/record"
)

// readParquet returns the rows of a file as objects.
func readParquet(t *testing.T, path string) []map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %o", path, info.Mode().Perm())
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	r := parquet.NewReader(file)
	defer r.Close()
	rows := make([]map[string]any, 0, r.NumRows())
	for range r.NumRows() {
		row := map[string]any{}
		if err := r.Read(&row); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// plain makes what JSON and Parquet say of a record alike: what is absent,
// empty, zero or false is left out, times are microseconds, and text that is JSON
// (the parts of a message) is read.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, w := range x {
			if p := plain(w); p != nil {
				out[k] = p
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, w := range x {
			out[i] = plain(w)
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case time.Time:
		return float64(x.UnixMicro())
	case []byte:
		return plain(string(x))
	case string:
		if at, err := time.Parse(time.RFC3339Nano, x); err == nil {
			return plain(at)
		}
		if strings.HasPrefix(x, "[{") {
			var list []any
			if json.Unmarshal([]byte(x), &list) == nil {
				return plain(list)
			}
		}
		if x == "" {
			return nil
		}
		return x
	case bool:
		if !x {
			return nil
		}
		return x
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
		return nil
	case r.Kind() == reflect.Slice:
		out := make([]any, r.Len())
		for i := range out {
			out[i] = r.Index(i).Interface()
		}
		return plain(out)
	case r.Kind() == reflect.Map:
		out := map[string]any{}
		for it := r.MapRange(); it.Next(); {
			out[fmt.Sprint(it.Key().Interface())] = it.Value().Interface()
		}
		return plain(out)
	case r.CanFloat() || r.CanInt() || r.CanUint():
		f := r.Convert(reflect.TypeFor[float64]()).Float()
		if math.Abs(f) < 1e9 { // what is larger is a whole number
			f = math.Round(f*1e6) / 1e6
		}
		if f == 0 {
			return nil
		}
		return f
	}
	return v
}

// TestParquet reads back what it wrote of all samples: it is what -o jsonl
// says of them.
func TestParquet(t *testing.T) {
	fixedKey(t)
	dir := filepath.Join(t.TempDir(), "out")
	if _, stderr, status := sniff(t, nil, append([]string{"read", "-q", "-o", "parquet", "-w", dir}, samples(t)...)...); status != exitDone || stderr != "" {
		t.Fatalf("exit status %d, standard error %q", status, stderr)
	}
	lines, _, _ := sniff(t, nil, append([]string{"read", "-q", "-o", "jsonl"}, samples(t)...)...)
	want := map[string][]any{}
	for line := range strings.Lines(lines) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		kind := r["kind"].(string)
		want[kind] = append(want[kind], plain(r))
	}
	compared := 0
	for kind, records := range want {
		rows := readParquet(t, filepath.Join(dir, kind+".parquet"))
		if len(rows) != len(records) {
			t.Errorf("%s: %d rows, want %d", kind, len(rows), len(records))
			continue
		}
		for i, row := range rows {
			compared++
			if got := plain(row); !reflect.DeepEqual(got, records[i]) {
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(records[i])
				t.Errorf("%s: row %d is\n%s\nwant\n%s", kind, i, a, b)
				break
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d rows were compared", compared)
	}
}

// TestParquetColumns: the columns are typed, in the order of the record, and
// --fields chooses them.
func TestParquetColumns(t *testing.T) {
	fixedKey(t)
	schema := func(args ...string) (*parquet.Schema, string) {
		dir := filepath.Join(t.TempDir(), "out")
		if _, stderr, status := sniff(t, nil, append([]string{"read", "-q", "-o", "parquet", "-w", dir, attachment}, args...)...); status != exitDone || stderr != "" {
			t.Fatalf("exit status %d, standard error %q", status, stderr)
		}
		f, err := os.Open(filepath.Join(dir, "smtp.message.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, _ := f.Stat()
		file, err := parquet.OpenFile(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		return file.Schema(), dir
	}
	s, _ := schema()
	text := s.String()
	for _, line := range []string{
		"required binary kind (STRING);", "optional int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));",
		"optional int64 number (INT(64,false));", "required boolean tls;", "optional group to (LIST) {", "optional double total;",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the schema lacks %q:\n%s", line, text)
		}
	}
	names := s.Fields()
	for i, f := range record.FieldsOf(&record.SMTPMessage{}) {
		if names[i].Name() != f.Name {
			t.Fatalf("column %d is %s, want %s", i, names[i].Name(), f.Name)
		}
	}
	s, dir := schema("--fields", "time,to,content.message.subject,code")
	if got, want := fmt.Sprint(s.Columns()), "[[time] [to list element address]"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "[content.message.subject]]") {
		t.Errorf("the columns are %s", got)
	}
	rows := readParquet(t, filepath.Join(dir, "smtp.message.parquet"))
	if len(rows) != 1 || rows[0]["content.message.subject"] != "Hello" {
		t.Errorf("the rows are %v", rows)
	}
	// A file that is there is not replaced.
	_, stderr, status := sniff(t, nil, "read", "-q", "-o", "parquet", "-w", dir, attachment)
	if status == exitDone || !strings.Contains(stderr, "exists already") {
		t.Errorf("files that are there were overwritten: exit status %d, standard error %q", status, stderr)
	}
	if again := readParquet(t, filepath.Join(dir, "smtp.message.parquet")); len(again) != 1 {
		t.Errorf("%d rows are left", len(again))
	}
}
