package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// eveSchema is Suricata's own schema of EVE, when it lies beside the checkout:
// its licence keeps it out of it.
func eveSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const path = "../../../shared/eve-schema.json"
	if !exists(path) {
		t.Skip("Suricata's schema of EVE does not lie beside the checkout")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("eve.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("eve.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestEVEAgainstSchema validates every event of every sample, and of foreign
// captures that lie beside the checkout, against Suricata's schema; with
// --eve-extended too, once the key sniff is taken out.
func TestEVEAgainstSchema(t *testing.T) {
	schema := eveSchema(t)
	fixedKey(t)
	foreign, _ := filepath.Glob("../../../shared/corpus/captures/*")
	seen := map[string]int{}
	for _, path := range append(samples(t), foreign...) {
		args := append([]string{"read", "-q", "-o", "eve", path}, keysOf(path)...)
		for _, extended := range []bool{false, true} {
			if extended {
				args = append(args, "--eve-extended")
			}
			out, stderr, status := sniff(t, nil, args...)
			if status == exitUsage {
				t.Errorf("%s: %s", path, stderr)
			}
			for line := range strings.Lines(out) {
				event, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				if err != nil {
					t.Fatalf("%s: %v in %s", path, err, line)
				}
				object := event.(map[string]any)
				kind := object["event_type"].(string)
				switch {
				case extended:
					if object["sniff"] == nil {
						t.Errorf("%s: no key sniff with --eve-extended in %s", path, line)
					}
					delete(object, "sniff")
					if object[kind] == nil {
						continue // a record for which Suricata has no event
					}
				case object["sniff"] != nil:
					t.Errorf("%s: the key sniff was not asked for in %s", path, line)
				}
				seen[kind]++
				if err := schema.Validate(event); err != nil {
					t.Errorf("%s: %v\n%s", path, err, line)
				}
			}
		}
	}
	for _, kind := range []string{"flow", "smtp", "ftp", "ftp_data", "ssh", "http", "tls", "fileinfo", "anomaly"} {
		if seen[kind] == 0 {
			t.Errorf("no event of the type %s was seen", kind)
		}
	}
	b, _ := json.Marshal(seen)
	t.Logf("%s", b)
}
