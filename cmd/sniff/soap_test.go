package main

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSOAPStatistics counts the calls of a sample per operation.
func TestSOAPStatistics(t *testing.T) {
	fixedKey(t)
	out, stderr, status := sniff(t, nil, "soap", "../../samples/soap/soap11.pcapng")
	if status != exitDone || stderr != "" {
		t.Fatalf("exit status %d, %s", status, stderr)
	}
	for _, want := range [][]string{{"GetQuote", "3", "2", "0"}, {"History", "1", "0", "0"}} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 4 && slices.Equal(f[:4], want)
		}) {
			t.Errorf("no line begins with %q:\n%s", want, out)
		}
	}
}

// TestCurlMasks prints a call with a password, masked unless it is revealed,
// in words that a shell takes.
func TestCurlMasks(t *testing.T) {
	fixedKey(t)
	const file = "../../samples/soap/username-token.pcapng"
	masked, _, status := sniff(t, nil, "soap", "--curl", "1", file)
	if status != exitDone || strings.Contains(masked, "secret1") || !strings.Contains(masked, ">***</wsse:Password>") {
		t.Errorf("exit status %d:\n%s", status, masked)
	}
	shown, _, _ := sniff(t, nil, "soap", "--curl", "1", "--reveal", file)
	if !strings.Contains(shown, ">secret1</wsse:Password>") {
		t.Errorf("--reveal does not show the password:\n%s", shown)
	}
	if err := exec.Command("sh", "-n", "-c", shown).Run(); err != nil {
		t.Errorf("a shell does not take it: %v\n%s", err, shown)
	}
	if _, stderr, status := sniff(t, nil, "soap", "--curl", "9", file); status != exitUsage || !strings.Contains(stderr, "there is no call 9: 1 were seen") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
}

// TestHistogram holds the quantiles against those of the sorted list.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []time.Duration{50 * time.Microsecond, time.Second, 1000 * time.Hour} {
		var h histogram
		var all []time.Duration
		for range 5000 {
			d := time.Duration(rng.Int64N(int64(spread))) + 1
			h.add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := all[max(int(q*float64(len(all)))-1, 0)]
			if off := (h.quantile(q) - want).Abs(); float64(off) > 0.035*float64(want)+1000 {
				t.Errorf("spread %v: quantile %v is %v, want %v", spread, q, h.quantile(q), want)
			}
		}
	}
}
