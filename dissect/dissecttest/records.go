package dissecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sniff/record"
)

// noise are the fields that say nothing about a dissector.
var noise = []string{"session", "community_id", "packet", "number"}

// ofSession are the fields of a session's own record that are compared.
var ofSession = []string{"kind", "protocol", "end", "what", "tls", "layers", "opaque_from"}

// lines renders records for a transcript, one JSON object each.
func (o *options) lines(records []record.Record) []string {
	var lines []string
	for _, r := range records {
		if o.kinds != nil && !o.kinds[r.Kind()] {
			continue
		}
		line, err := marshal(r)
		if err != nil {
			line = fmt.Sprintf("{%q: %q}", "cannot marshal", err)
		}
		lines = append(lines, line)
	}
	return lines
}

func marshal(r record.Record) (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	fields, err := topLevel(b)
	if err != nil {
		return "", err
	}
	h := r.Head()
	isMain := h.Client == mainClient || h.Server == mainClient
	kept := fields[:0]
	for _, f := range fields {
		switch {
		case slices.Contains(noise, f.name),
			isMain && (f.name == "client" || f.name == "server"),
			r.Kind() == record.KindSession && !slices.Contains(ofSession, f.name):
		default:
			kept = append(kept, f)
		}
	}
	var out strings.Builder
	for i, f := range kept {
		out.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		fmt.Fprintf(&out, "%q:%s", f.name, readable(f.value))
	}
	return out.String() + "}", nil
}

type field struct {
	name  string
	value json.RawMessage
}

// topLevel splits an object into its fields, in their order.
func topLevel(b []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var fields []field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := field{name: fmt.Sprint(name)}
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// readable undoes the escapes that JSON inside of HTML would need.
func readable(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out.WriteByte(b[i])
			continue
		}
		if i+6 <= len(b) {
			if plain, ok := map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"}[string(b[i:i+6])]; ok {
				out.WriteString(plain)
				i += 5
				continue
			}
		}
		out.Write(b[i : i+2])
		i++
	}
	return out.String()
}

// canonical makes equal objects equal strings.
func canonical(line string) string {
	var v any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return line
	}
	b, err := json.Marshal(v)
	if err != nil {
		return line
	}
	return string(b)
}

// compare fails the test with a difference of the records.
func compare(t *testing.T, how string, want, got []string) bool {
	t.Helper()
	if slices.Equal(want, got) {
		return true
	}
	w, g := make([]string, len(want)), make([]string, len(got))
	for i, l := range want {
		w[i] = canonical(l)
	}
	for i, l := range got {
		g[i] = canonical(l)
	}
	if slices.Equal(w, g) {
		return true
	}
	t.Errorf("%s: records differ (- wanted, + came out, ~ the fields that differ):\n%s", how, difference(w, g))
	return false
}

// difference shows two lists of records against each other.
func difference(want, got []string) string {
	// length[i][j] is that of the longest common rest of want[i:], got[j:].
	length := make([][]int, len(want)+1)
	for i := range length {
		length[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if want[i] == got[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var b strings.Builder
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i] == got[j]:
			fmt.Fprintf(&b, "  %s\n", shorten(want[i]))
			i, j = i+1, j+1
		case i < len(want) && j < len(got) && kindOf(want[i]) == kindOf(got[j]) && length[i+1][j+1] == length[i][j]:
			fmt.Fprintf(&b, "~ %s\n%s", kindOf(want[i]), fieldDifference(want[i], got[j]))
			i, j = i+1, j+1
		case i < len(want) && (j == len(got) || length[i+1][j] >= length[i][j+1]):
			fmt.Fprintf(&b, "- %s\n", want[i])
			i++
		default:
			fmt.Fprintf(&b, "+ %s\n", got[j])
			j++
		}
	}
	return b.String()
}

func shorten(line string) string {
	if len(line) > 100 {
		return line[:100] + "..."
	}
	return line
}

func kindOf(line string) string {
	var head struct{ Kind string }
	if json.Unmarshal([]byte(line), &head) != nil {
		return ""
	}
	return head.Kind
}

func fieldDifference(want, got string) string {
	w, err1 := topLevel([]byte(want))
	g, err2 := topLevel([]byte(got))
	if err1 != nil || err2 != nil {
		return fmt.Sprintf("- %s\n+ %s\n", want, got)
	}
	value := func(fields []field, name string) string {
		for _, f := range fields {
			if f.name == name {
				return string(f.value)
			}
		}
		return "(absent)"
	}
	var names []string
	for _, f := range append(w, g...) {
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	var b strings.Builder
	for _, name := range names {
		if x, y := value(w, name), value(g, name); x != y {
			fmt.Fprintf(&b, "    - %s: %s\n    + %s: %s\n", name, x, name, y)
		}
	}
	return b.String()
}
