package ftp_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/export"
	"sniff/record"
)

// digests reads files.sha256, which sha256sum wrote when the samples were
// recorded: of each sample, the files that were moved whole as they lay on the
// server.
func digests(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("files.sha256")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		digest, path, _ := strings.Cut(line, "  ")
		sample, _, ok := strings.Cut(path, "/")
		if !ok || len(digest) != 64 {
			t.Fatalf("files.sha256: %q", line)
		}
		of[sample] = append(of[sample], digest)
	}
	return of
}

// numbers is what seq prints.
func numbers(to int, end string) string {
	var b strings.Builder
	for i := 1; i <= to; i++ {
		fmt.Fprintf(&b, "%d%s", i, end)
	}
	return b.String()
}

// random is what openssl makes of zeros with the key 00 or 01.
func random(key byte, n int) string {
	block, err := aes.NewCipher(append([]byte{key}, make([]byte, 15)...))
	if err != nil {
		panic(err)
	}
	b := make([]byte, n)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(b, b)
	return string(b)
}

// What is in the samples beside whole files: beginnings (<) and ends (>) of
// files.
var parts = map[string][]string{
	"aborted":              {"<" + random(1, 400_000)},
	"proftpd-telnet-abort": {"<" + random(1, 400_000)},
	"file-shrank":          {"<" + random(1, 400_000)},
	"resumed":              {">" + random(0, 40_000)},
	"pure-ftpd-ftplib":     {">" + random(0, 40_000)},
	// What was sent to a server that could not keep it.
	"disk-full":             {"<" + numbers(5000, "\n")},
	"proftpd-disk-full":     {"<" + numbers(5000, "\n")},
	"pure-ftpd-disk-full":   {"<" + numbers(5000, "\n")},
	"pure-ftpd-quota":       {"<" + numbers(5000, "\n")},
	"ftps-data-without-tls": {"<" + strings.Repeat("in the clear\n", 10)},
	"data-empty":            {"<"},
}

// Every file of every sample, exported, is what the server had or got, byte for
// byte: all whole files and no others, and of a file that did not arrive whole
// its beginning or end.
func TestExportedFilesAreTheServers(t *testing.T) {
	whole := digests(t)
	for _, sample := range samples(t) {
		if sample == "listing-without-control" {
			continue // what it has is a listing, which nothing told
		}
		t.Run(sample, func(t *testing.T) {
			dir := t.TempDir()
			missing, left := slices.Clone(whole[sample]), slices.Clone(parts[sample])
			list, moved := exported(t, dir, sample)
			known := slices.Clone(whole[sample])
			for _, w := range list {
				for _, p := range w.Parts {
					known = append(known, p.SHA256)
				}
				if i := slices.Index(missing, w.SHA256); i >= 0 && !w.Partial {
					missing = slices.Delete(missing, i, i+1)
					continue
				}
				b, err := os.ReadFile(filepath.Join(dir, w.Path))
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(left, func(file string) bool { return isPart(file, string(b)) })
				if i < 0 {
					t.Errorf("%s (%d bytes, partial: %v) is no file of the server", w.Path, len(b), w.Partial)
					continue
				}
				left = slices.Delete(left, i, i+1)
			}
			for _, digest := range missing {
				t.Errorf("the file with digest %s was not exported", digest)
			}
			for _, file := range left {
				t.Errorf("a part of a file of %d bytes was not exported", len(file)-1)
			}
			for _, digest := range moved {
				if !slices.Contains(known, digest) {
					t.Errorf("a transfer is called complete, and its digest %s is of no file of the server", digest)
				}
			}
		})
	}
}

// exported exports the files of a sample. moved are the digests of those that
// one transfer moved whole, by its record.
func exported(t *testing.T, dir, sample string) (list []*export.Written, moved []string) {
	t.Helper()
	store, err := export.Open(dir, export.What{Files: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range read(t, true, store, sample) {
		if err := store.See(r); err != nil {
			t.Fatal(err)
		}
		if x, ok := r.(*record.FTPTransfer); ok && x.Outcome == record.TransferComplete && x.Direction != "listing" && x.Restart == 0 && x.Command != "APPE" && x.Content != nil {
			moved = append(moved, x.Content.SHA256)
		}
	}
	if err := store.Join(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(index) {
		w := &export.Written{}
		if err := json.Unmarshal(line, w); err != nil {
			t.Fatal(err)
		}
		list = append(list, w)
	}
	return list, moved
}

// isPart holds exported bytes against the beginning (<) or the end (>) of a file.
func isPart(file, b string) bool {
	if file[0] == '<' {
		return (len(b) > 0 || file == "<") && strings.HasPrefix(file[1:], b)
	}
	return len(b) > 0 && strings.HasSuffix(file, b)
}
