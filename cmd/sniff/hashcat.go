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

	digests map[string]int // lines of mode 11400 by account and realm
	worked  map[string]bool
	same    int            // digests left out, as one of the same account and realm is there
	without map[string]int // crackable ones that none of the formats holds, by mechanism
}

func newHashFiles(path string) *hashFiles {
	return &hashFiles{path: path, lines: map[int][]string{}, digests: map[string]int{}, worked: map[string]bool{}, without: map[string]int{}}
}

// Formats of hashcat that need a word more.
const (
	hashSIP   = 11400 // SIP's digests, which are HTTP's
	hashToken = 120   // sha1($salt.$pass), the salt in hexadecimal
)

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
		if c.Exposure == record.ExposureCrackable {
			h.without[c.Mechanism]++
		}
		return
	}
	if slices.Contains(h.lines[c.HashMode], line) {
		return
	}
	if c.HashMode == hashSIP && h.again(c, line) {
		return
	}
	h.lines[c.HashMode] = append(h.lines[c.HashMode], line)
}

// again reports whether there is a digest of the same account and realm
// already. HTTP makes one with each request, and of those in a file hashcat
// tries one only. One that worked is worth more than one that did not.
func (h *hashFiles) again(c *record.Credential, line string) bool {
	key := c.Account + "\x00" + c.Realm
	at, there := h.digests[key]
	if !there {
		h.digests[key] = len(h.lines[hashSIP])
		h.worked[key] = c.Worked == "yes"
		return false
	}
	h.same++
	if c.Worked == "yes" && !h.worked[key] {
		h.lines[hashSIP][at], h.worked[key] = line, true
	}
	return true
}

// write makes the files and says what they are.
func (h *hashFiles) write(note func(string, ...any)) error {
	if len(h.lines) == 0 {
		note("no digests for hashcat were seen; nothing was written")
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
		more := ""
		if mode == hashToken {
			more = " --hex-salt"
		}
		note("wrote %d to %s: hashcat -m %d%s", len(h.lines[mode]), path, mode, more)
	}
	if h.same > 0 {
		note("left out %d HTTP digests of accounts that are there already: hashcat tries one of an account and realm", h.same)
	}
	for _, mechanism := range slices.Sorted(maps.Keys(h.without)) {
		note("left out %d of %s: none of the formats holds it", h.without[mechanism], mechanism)
	}
	return nil
}
