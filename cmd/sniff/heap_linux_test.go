package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestHugePagesForBigInputs(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages for the asking")
	}
	// asked counts mappings with MADV_HUGEPAGE (proc_pid_smaps(5), "hg").
	asked := func() int {
		maps, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		return len(regexp.MustCompile(`(?m)^VmFlags:.* hg\b`).FindAll(maps, -1))
	}
	file := filepath.Join(t.TempDir(), "big.pcap")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := asked()
	useHugePages([]string{file})
	if n := asked(); n != before {
		t.Errorf("a small input changed the heap: %d mappings with huge pages, before %d", n, before)
	}
	if err := os.Truncate(file, hugeFrom); err != nil {
		t.Fatal(err)
	}
	useHugePages([]string{file})
	if asked() <= before {
		t.Error("no huge pages for a big input")
	}
}
