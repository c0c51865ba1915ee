package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMutatedSamples flips and overwrites bytes of the samples: whatever a
// capture holds, reading it ends, with status 0 or 3, and no part of sniff
// fails inside. SNIFF_SEED chooses other mutations. (It found a FIN that the engine waited for without end.)
func TestMutatedSamples(t *testing.T) {
	fixedKey(t)
	seed := uint64(1)
	if s := os.Getenv("SNIFF_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	paths := samples(t)
	runs := 150
	if testing.Short() {
		runs = 30
	}
	for range runs {
		path := paths[rng.IntN(len(paths))]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(60) {
			i := 60 + rng.IntN(len(b)-60)
			switch rng.IntN(3) {
			case 0:
				b[i] ^= 1 << rng.IntN(8)
			case 1:
				b[i] = byte(rng.Uint32())
			default:
				for k := i; k < min(i+rng.IntN(40), len(b)); k++ {
					b[k] = byte(rng.Uint32())
				}
			}
		}
		type outcome struct {
			stdout, stderr string
			status         int
		}
		done := make(chan outcome, 1)
		go func() {
			stdout, stderr, status := sniff(t, b, "read", "-o", "jsonl", "-")
			done <- outcome{stdout, stderr, status}
		}()
		keep := func() string {
			name := filepath.Join(os.TempDir(), "sniff-mutated.pcapng")
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Error(err)
			}
			return name
		}
		select {
		case o := <-done:
			if o.status != exitDone && o.status != exitDamaged {
				t.Fatalf("%s, mutated to %s: exit status %d: %s", path, keep(), o.status, o.stderr)
			}
			if i := strings.Index(o.stdout, "internal_error"); i >= 0 {
				t.Fatalf("%s, mutated to %s: %s", path, keep(), o.stdout[i:min(i+300, len(o.stdout))])
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s, mutated to %s: reading does not end", path, keep())
		}
	}
}
