package record

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Types returns an empty record of every kind, in the order of the schema.
func Types() []Record {
	return []Record{
		&Session{},
		&SMTPExchange{}, &SMTPMessage{},
		&FTPExchange{}, &FTPTransfer{},
		&HTTPExchange{}, &SOAPCall{},
		&SSHHandshake{}, &SSHAuth{}, &SSHChannel{}, &SSHTimeline{}, &SFTPOperation{}, &SFTPTransfer{},
		&TLSHandshake{}, &TLSEnd{},
		&Credential{}, &Anomaly{}, &Finding{},
	}
}

// FieldInfo describes one field of a record.
type FieldInfo struct {
	Name  string // JSON name
	Type  string // JSON type: string, number, integer, boolean, array, object
	Doc   string
	Omit  bool         // left out of the JSON while it is empty
	Of    reflect.Type // Go type
	Index []int        // for reflect.Value.FieldByIndex
}

// FieldsOf lists the top-level fields of a record in the order of its JSON,
// the header's first.
func FieldsOf(r Record) []FieldInfo { return FieldsOfType(reflect.TypeOf(r).Elem()) }

// FieldsOfType lists the fields of any struct of the vocabulary in the order
// of its JSON. As in encoding/json it is the JSON name, not the Go name, by
// which a field hides one that is embedded deeper.
func FieldsOfType(t reflect.Type) []FieldInfo {
	var out []FieldInfo
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			for _, inner := range FieldsOfType(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				out = append(out, inner)
			}
			continue
		}
		if name, omit := jsonName(f); name != "" {
			out = append(out, FieldInfo{Name: name, Type: jsonType(f.Type), Doc: f.Tag.Get("doc"), Omit: omit, Of: f.Type, Index: f.Index})
		}
	}
	return out
}

// jsonName returns the name a field has in JSON, "" when it is not written,
// and whether it is left out while empty.
func jsonName(f reflect.StructField) (name string, omit bool) {
	if f.Anonymous || !f.IsExported() {
		return "", false
	}
	name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
	omit = strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero")
	switch name {
	case "-":
		return "", false
	case "":
		return f.Name, omit
	}
	return name, omit
}

func jsonType(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Seconds]():
		return "number"
	case reflect.TypeFor[Secret](), reflect.TypeFor[Text](), reflect.TypeFor[time.Time](), reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Addr]():
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Interface:
		return ""
	}
	return "integer"
}

// Schema returns the JSON schema (draft 2020-12) of the records that
// `-o jsonl` writes, generated from the types and their doc tags.
func Schema() ([]byte, error) {
	defs := map[string]any{}
	var oneOf []any
	for _, r := range Types() {
		t := reflect.TypeOf(r).Elem()
		schemaOf(t, defs)
		def := defs[t.Name()].(map[string]any)
		def["properties"].(map[string]any)["kind"] = map[string]any{"const": r.Kind(), "description": "kind of record"}
		oneOf = append(oneOf, ref(t))
	}
	return json.MarshalIndent(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Records of sniff",
		"description": "One JSON object per line. Fields may be added; the meaning of one does not change.",
		"oneOf":       oneOf,
		"$defs":       defs,
	}, "", "  ")
}

func ref(t reflect.Type) map[string]any { return map[string]any{"$ref": "#/$defs/" + t.Name()} }

// schemaOf returns the schema of a type; structs go into defs under their name.
func schemaOf(t reflect.Type, defs map[string]any) map[string]any {
	if t.Kind() == reflect.Pointer {
		return schemaOf(t.Elem(), defs)
	}
	typ := jsonType(t)
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case typ == "array":
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), defs)}
	case typ == "object" && t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), defs)}
	case typ == "object":
		if _, ok := defs[t.Name()]; !ok {
			structSchema(t, defs)
		}
		return ref(t)
	case typ == "":
		return map[string]any{}
	}
	return map[string]any{"type": typ}
}

func structSchema(t reflect.Type, defs map[string]any) {
	props := map[string]any{}
	var required []string
	def := map[string]any{"type": "object", "properties": props}
	defs[t.Name()] = def
	for _, f := range FieldsOfType(t) {
		p := schemaOf(f.Of, defs)
		if f.Doc != "" {
			p["description"] = f.Doc
		}
		props[f.Name] = p
		if !f.Omit {
			required = append(required, f.Name)
		}
	}
	if required != nil {
		def["required"] = required
	}
}
