package record

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/schema.json; read the difference before committing it")

// TestSchemaIsCurrent holds docs/schema.json against the types.
func TestSchemaIsCurrent(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("..", "docs", "schema.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/schema.json is not what the types say; go test ./record -update rewrites it")
	}
}

// TestTypesAreAll finds every type with a Kind method in the source: each must
// be listed, under a kind of its own.
func TestTypesAreAll(t *testing.T) {
	listed := map[string]bool{}
	kinds := map[Kind]string{}
	for _, r := range Types() {
		name := reflect.TypeOf(r).Elem().Name()
		listed[name] = true
		if other := kinds[r.Kind()]; other != "" {
			t.Errorf("%s and %s are both of kind %s", name, other, r.Kind())
		}
		kinds[r.Kind()] = name
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Kind" {
				continue
			}
			found++
			name := fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
			if !listed[name] {
				t.Errorf("%s: %s is a record that Types does not list", file, name)
			}
		}
	}
	if found != len(listed) {
		t.Errorf("%d record types in the source, %d in Types", found, len(listed))
	}
}

// TestFieldsAreDescribed wants a doc tag on every field that JSON shows, down
// to the last nested type, and no name twice in one object.
func TestFieldsAreDescribed(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if jsonType(typ) != "object" || seen[typ] {
			return
		}
		seen[typ] = true
		names := map[string]bool{}
		for _, f := range FieldsOfType(typ) {
			if f.Doc == "" {
				t.Errorf("%s: the field %s has no doc tag", typ.Name(), f.Name)
			}
			if names[f.Name] {
				t.Errorf("%s: two fields are called %s", typ.Name(), f.Name)
			}
			names[f.Name] = true
			visit(f.Of)
		}
	}
	for _, r := range Types() {
		visit(reflect.TypeOf(r).Elem())
	}
}

// TestFieldsOfHeader: a record's own field must not hide one of the header
// that has another name in JSON.
func TestFieldsOfHeader(t *testing.T) {
	for _, r := range Types() {
		names := map[string]bool{}
		for _, f := range FieldsOf(r) {
			names[f.Name] = true
		}
		for _, want := range []string{"kind", "time", "session", "number", "community_id", "client", "server", "protocol", "dir", "offset", "packet"} {
			if !names[want] {
				t.Errorf("%s lacks the header field %s", r.Kind(), want)
			}
		}
	}
}
