package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the goldens; read the difference before committing it")

// samples returns the recorded captures.
func samples(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../../samples/*/*.pcapng", "../../samples/*/*.pcap"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		t.Fatal("there are no samples")
	}
	return out
}

// sniff runs the program as a user would, with a fixed key for the tokens.
func sniff(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, bytes.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), status
}

// fixedKey gives this test a configuration folder with a known token key.
func fixedKey(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("COLUMNS", "")
	if err := os.MkdirAll(filepath.Join(dir, "sniff"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sniff", "token.key"), bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSamples compares the records of every sample with the ones beside it.
func TestSamples(t *testing.T) {
	fixedKey(t)
	for _, path := range samples(t) {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		t.Run(filepath.Base(filepath.Dir(path))+"/"+name, func(t *testing.T) {
			args := []string{"read", "-o", "jsonl"}
			args = append(args, keysOf(path)...)
			got, stderr, status := sniff(t, nil, append(args, path)...)
			if status != exitDone || stderr != "" {
				t.Errorf("exit status %d, standard error %q", status, stderr)
			}
			compare(t, strings.TrimSuffix(path, filepath.Ext(path))+".jsonl", got)
		})
	}
}

// keysOf returns the flags that let a sample be decrypted, if it can be.
func keysOf(path string) []string {
	keys := strings.TrimSuffix(path, filepath.Ext(path)) + ".keys"
	switch {
	case !exists(keys):
		return nil
	case filepath.Base(filepath.Dir(path)) == "ssh":
		return []string{"--ssh-keylog", keys}
	}
	return []string{"--keylog", keys}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// compare holds text against a golden file and shows the first lines that
// differ.
func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (go test ./cmd/sniff -update makes it)", err)
	}
	want := strings.Split(string(b), "\n")
	have := strings.Split(got, "\n")
	shown := 0
	for i := range max(len(want), len(have)) {
		w, h := "(nothing)", "(nothing)"
		if i < len(want) {
			w = want[i]
		}
		if i < len(have) {
			h = have[i]
		}
		if w != h {
			t.Errorf("%s:%d\nwant %s\ngot  %s", golden, i+1, w, h)
			if shown++; shown == 5 {
				t.Fatal("and more")
			}
		}
	}
}

// TestSameOutput holds that neither the number of CPUs nor the way in changes
// a byte of the output.
func TestSameOutput(t *testing.T) {
	fixedKey(t)
	for _, path := range samples(t) {
		want, _, _ := sniff(t, nil, "read", "-o", "jsonl", path)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		check := func(how, got string) {
			if got != want {
				t.Errorf("%s: %s gives other records", path, how)
			}
		}
		got, _, _ := sniff(t, raw, "read", "-o", "jsonl", "-")
		check("standard input", got)
		got, _, _ = sniff(t, packed.Bytes(), "read", "-o", "jsonl", "-")
		check("gzip", got)
		for _, n := range []int{1, 2, 8} {
			old := runtime.GOMAXPROCS(n)
			got, _, _ = sniff(t, nil, "read", "-o", "jsonl", path)
			runtime.GOMAXPROCS(old)
			check(fmt.Sprintf("GOMAXPROCS=%d", n), got)
		}
	}
}

// TestDamage cuts every sample in its middle: what stands before the damage is
// reported, then one error, and the exit status is 3.
func TestDamage(t *testing.T) {
	fixedKey(t)
	for _, path := range samples(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, stderr, status := sniff(t, raw[:len(raw)/2-1], "read", "-o", "jsonl", "-")
		if status != exitDamaged {
			t.Errorf("%s cut: exit status %d, want %d", path, status, exitDamaged)
		}
		if !strings.Contains(stderr, "packet") || !strings.Contains(stderr, "offset") {
			t.Errorf("%s cut: the error does not say where: %q", path, stderr)
		}
	}
}
