package ftp

import (
	"bytes"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"time"

	"sniff/dissect/internal/line"
	"sniff/record"
)

// Limits on a listing.
const (
	maxListingLine     = 4 << 10
	maxListingDeflated = 128 << 10 // compressed bytes kept
	maxListingInflated = 1 << 20
)

// listParser takes a directory listing apart, line by line as it comes.
type listParser struct {
	format   string // LIST, NLST or MLSD; "" where it is not known
	deflated bool
	packed   []byte // a deflated listing, until it is whole
	rest     []byte // unfinished line
	split    line.Splitter
	skip     bool // in the tail of an over-long line, or behind a gap
	total    int
	odd      int // lines that are no entries
	entries  []record.FileEntry
}

func (p *listParser) write(b []byte) {
	if p.deflated {
		p.packed = append(p.packed, b[:min(len(b), maxListingDeflated-len(p.packed))]...)
		return
	}
	p.feed(b)
}

// feed reads whole lines of b and keeps what remains.
func (p *listParser) feed(b []byte) {
	p.split.Max = maxListingLine
	if len(p.rest) > 0 {
		b = append(p.rest, b...)
	}
	for {
		text, end, n := p.split.Next(b)
		if n == 0 {
			break
		}
		b = b[n:]
		skip := p.skip
		p.skip = end == line.Long
		if !skip && !p.skip {
			p.line(text)
		}
	}
	p.rest = append(p.rest[:0], b...)
}

// gap drops the line that was cut; the next whole one may be a tail, too.
func (p *listParser) gap() {
	p.rest = p.rest[:0]
	p.split.Reset()
	p.skip = true
	p.deflated, p.packed = false, nil
}

// close reads what is left.
func (p *listParser) close() {
	if p == nil {
		return
	}
	if p.deflated {
		p.deflated = false
		if z, err := zlib.NewReader(bytes.NewReader(p.packed)); err == nil {
			// A damaged or cut stream still gives the lines in front of the
			// damage; content says that it is damaged.
			plain, _ := io.ReadAll(io.LimitReader(z, maxListingInflated))
			p.feed(plain)
		}
		p.packed = nil
	}
	if len(p.rest) > 0 && !p.skip {
		p.line(p.rest)
		p.rest = nil
	}
}

func (p *listParser) result() ([]record.FileEntry, int) {
	if p == nil {
		return nil, 0
	}
	return p.entries, p.total
}

// line keeps the entry of one line, whatever its format is.
func (p *listParser) line(b []byte) {
	s := strings.TrimRight(record.Lossless(string(b)), "\r")
	if s == "" {
		return
	}
	var e record.FileEntry
	ok := true
	switch {
	case p.format == "NLST":
		e = record.FileEntry{Name: s, Type: "file", Size: -1}
	case p.format == "MLSD":
		e, ok = parseFacts(s)
	case p.format == "":
		e, ok = parseAny(s)
	default:
		e, ok = parseList(s)
	}
	if !ok {
		if !strings.HasPrefix(s, "total ") {
			p.odd++
		}
		return
	}
	p.total++
	if len(p.entries) < maxListing {
		p.entries = append(p.entries, e)
	}
}

// parseAny reads a line of a listing whose command is not known.
func parseAny(s string) (record.FileEntry, bool) {
	if e, ok := parseFacts(s); ok && e.Type != "other" {
		return e, true
	}
	return parseList(s)
}

// parseList reads a line of LIST, whose format no RFC fixes.
func parseList(s string) (record.FileEntry, bool) {
	switch {
	case strings.HasPrefix(s, "+"):
		return parseEPLF(s)
	case digit(s[0]):
		return parseDOS(s)
	}
	return parseUnix(s)
}

// parseFacts reads "fact=value;...; name" (RFC 3659, section 7.2).
func parseFacts(s string) (record.FileEntry, bool) {
	facts, name, ok := strings.Cut(s, " ")
	if !ok || name == "" || facts != "" && !strings.Contains(facts, "=") {
		return record.FileEntry{}, false
	}
	e := record.FileEntry{Name: name, Type: "other", Size: -1}
	for _, f := range strings.Split(facts, ";") {
		key, value, _ := strings.Cut(f, "=")
		switch strings.ToLower(key) {
		case "type":
			switch v := strings.ToLower(value); {
			case v == "file":
				e.Type = "file"
			case v == "dir" || v == "cdir" || v == "pdir":
				e.Type = "dir"
			case strings.HasPrefix(v, "os.unix=slink") || strings.HasPrefix(v, "os.unix=symlink"):
				e.Type = "link"
				_, e.Target, _ = strings.Cut(value, ":")
			}
		case "size":
			e.Size = leadingNumber(value)
		case "modify":
			e.Modified = factTime(value)
		case "perm":
			if e.Perm == "" {
				e.Perm = value
			}
		case "unix.mode":
			e.Perm = value
		case "unix.owner", "unix.ownername":
			e.Owner = value
		case "unix.group", "unix.groupname":
			e.Group = value
		}
	}
	return e, true
}

// factTime turns YYYYMMDDHHMMSS[.sss], which is UTC, into RFC 3339.
func factTime(s string) string {
	whole, _, _ := strings.Cut(s, ".")
	if t, err := time.Parse("20060102150405", whole); err == nil {
		return t.Format(time.RFC3339)
	}
	return s
}

// parseEPLF reads the Easily Parsed LIST Format of publicfile and others:
// "+facts,\tname".
func parseEPLF(s string) (record.FileEntry, bool) {
	facts, name, ok := strings.Cut(s[1:], "\t")
	if !ok || name == "" {
		return record.FileEntry{}, false
	}
	e := record.FileEntry{Name: name, Type: "other", Size: -1}
	for _, f := range strings.Split(facts, ",") {
		switch {
		case f == "r":
			e.Type = "file"
		case f == "/":
			e.Type = "dir"
		case strings.HasPrefix(f, "s"):
			e.Size = leadingNumber(f[1:])
		case strings.HasPrefix(f, "m"):
			if n, err := strconv.ParseInt(f[1:], 10, 64); err == nil && n >= 0 && n < 1<<40 {
				e.Modified = time.Unix(n, 0).UTC().Format(time.RFC3339)
			}
		case strings.HasPrefix(f, "up"):
			e.Perm = f[2:]
		}
	}
	return e, true
}

// parseDOS reads what IIS writes: "01-23-20  03:45PM  <DIR>  name".
func parseDOS(s string) (record.FileEntry, bool) {
	date, rest := word(s)
	clock, rest := word(rest)
	size, name := word(rest)
	if strings.Count(date, "-")+strings.Count(date, "/") != 2 || !strings.Contains(clock, ":") || name == "" {
		return record.FileEntry{}, false
	}
	e := record.FileEntry{Name: name, Type: "file", Size: -1, Modified: date + " " + clock}
	switch {
	case size == "<DIR>":
		e.Type = "dir"
	case strings.HasPrefix(size, "<"):
		e.Type = "link"
	default:
		if e.Size = leadingNumber(strings.ReplaceAll(size, ",", "")); e.Size < 0 {
			return record.FileEntry{}, false
		}
	}
	return e, true
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec"

// parseUnix reads what "ls -l" writes, with or without a group, and with a
// date in either form. The name is all behind the date.
func parseUnix(s string) (record.FileEntry, bool) {
	perm, rest := word(s)
	if len(perm) < 10 || !strings.ContainsRune("-dlbcpsD", rune(perm[0])) || strings.Trim(perm[1:10], "rwxsStTlL-") != "" {
		return record.FileEntry{}, false
	}
	e := record.FileEntry{Type: "other", Size: -1, Perm: perm}
	switch perm[0] {
	case '-':
		e.Type = "file"
	case 'd':
		e.Type = "dir"
	case 'l':
		e.Type = "link"
	}
	var before []string
	for len(before) < 7 && rest != "" {
		var w string
		w, rest = word(rest)
		if len(w) == 3 && strings.Contains(months, strings.ToLower(w)) {
			day, r := word(rest)
			clock, name := lastWord(r)
			return aroundDate(e, before, w+" "+day+" "+clock, name)
		}
		if len(w) == 10 && w[4] == '-' && w[7] == '-' {
			clock, name := lastWord(rest)
			return aroundDate(e, before, w+" "+clock, name)
		}
		before = append(before, w)
	}
	return record.FileEntry{}, false
}

// aroundDate fills in what stands around the date: links, owner, group and size in
// front of it, the name behind it.
func aroundDate(e record.FileEntry, before []string, modified, name string) (record.FileEntry, bool) {
	if name == "" {
		return record.FileEntry{}, false
	}
	e.Name, e.Modified = name, modified
	if n := len(before); n > 0 {
		e.Size = leadingNumber(before[n-1])
		if n > 2 {
			e.Owner = before[1]
		}
		if n > 3 {
			e.Group = before[2]
		}
	}
	if e.Type == "link" {
		if file, target, ok := strings.Cut(name, " -> "); ok {
			e.Name, e.Target = file, target
		}
	}
	return e, true
}

// word cuts the first word off, and the blanks around it.
func word(s string) (first, rest string) {
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// lastWord cuts a word off and one blank behind it: a name may begin with
// blanks.
func lastWord(s string) (w, rest string) {
	w, rest, _ = strings.Cut(strings.TrimLeft(s, " "), " ")
	return w, rest
}
