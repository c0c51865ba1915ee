package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sniff/record"
)

// hashFiles collects the digests that --hashcat writes. hashcat takes one
// format a file, so there is one file for each.
type hashFiles struct {
	path  string
	lines map[int][]string // by hashcat's number of the format
}

// check refuses a target that cannot be written before anything is read.
func (h *hashFiles) check() error {
	dir := filepath.Dir(h.path)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return usageError{fmt.Errorf("--hashcat: %s is not a folder", dir)}
	}
	ext := filepath.Ext(h.path)
	there, err := filepath.Glob(escapeGlob(strings.TrimSuffix(h.path, ext)) + ".[0-9]*" + escapeGlob(ext))
	if err != nil {
		return usageError{fmt.Errorf("--hashcat: %w", err)}
	}
	if len(there) > 0 {
		return h.exists(there[0])
	}
	return nil
}

func (h *hashFiles) exists(path string) error {
	return usageError{hinted{fmt.Errorf("--hashcat: %s exists already", path), "name another file; nothing is overwritten"}}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// add keeps a credential's digest, each once.
func (h *hashFiles) add(c *record.Credential) {
	line := c.Hash.Clear()
	// A line end inside of a name would make two lines of it.
	if c.HashMode == 0 || line == "" || strings.ContainsAny(line, "\r\n") {
		return
	}
	if !slices.Contains(h.lines[c.HashMode], line) {
		h.lines[c.HashMode] = append(h.lines[c.HashMode], line)
	}
}

// write makes the files and says what they are.
func (h *hashFiles) write(note func(string, ...any)) error {
	if len(h.lines) == 0 {
		note("no digests for hashcat were seen; nothing was written")
		return nil
	}
	for _, mode := range slices.Sorted(maps.Keys(h.lines)) {
		ext := filepath.Ext(h.path)
		path := fmt.Sprintf("%s.%d%s", strings.TrimSuffix(h.path, ext), mode, ext)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return h.exists(path)
		}
		if err != nil {
			return usageError{err}
		}
		_, err = f.WriteString(strings.Join(h.lines[mode], "\n") + "\n")
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		note("wrote %d to %s: hashcat -m %d", len(h.lines[mode]), path, mode)
	}
	return nil
}
