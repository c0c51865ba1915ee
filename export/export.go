// Package export writes what was carried to disk: messages, files,
// attachments, envelopes, bodies.
//
// Names from the traffic are never used as paths. Every artefact is named by
// its digest with a cleaned file name behind it, inside one folder that is
// opened as an os.Root: nothing can be written outside of it, nothing that
// exists is overwritten. What has holes says so in its name (".partial") and
// in the metadata beside it; holes are left out, not filled with zeros. The
// parts of a file that was moved in several transfers become one (join.go).
package export

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"sniff/content"
	"sniff/record"
)

// What says which artefacts are wanted.
type What struct {
	Mail        bool // messages as .eml
	Attachments bool // parts of messages that have a name
	Files       bool // FTP and SFTP transfers
	LocalText   bool // with the line ends of this machine where FTP moved them as text
	SOAP        bool // XML bodies of HTTP and mail
	Bodies      bool // all other HTTP bodies

	Certificates bool // of TLS; they come by AddChain
}

// Dir is a content.Store that writes into one folder.
type Dir struct {
	// Chosen says of which sessions, and what they carried, artefacts are
	// wanted; nil: all. It has seen the input before.
	Chosen *Choice

	root *os.Root
	want What
	temp atomic.Int64

	mu      sync.Mutex
	folders map[string]*os.Root
	written map[string]*Written
	index   *os.File // of a Dir without an end
	err     error

	controls map[string]netip.AddrPort // servers of FTP control sessions
	parts    []part
	ledger   *ledger
}

// Open makes the folder if there is none.
func Open(dir string, want What) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Dir{root: root, want: want, folders: map[string]*os.Root{}, written: map[string]*Written{}, controls: map[string]netip.AddrPort{}, ledger: newLedger()}, nil
}

// OpenLive is Open for a program that runs on: index.jsonl, which may be there
// already, gets its line whenever an artefact is stored, one each time that the
// same bytes come, and nothing of it is kept in memory.
func OpenLive(dir string, want What) (*Dir, error) {
	d, err := Open(dir, want)
	if err != nil {
		return nil, err
	}
	d.index, err = d.root.OpenFile("index.jsonl", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(err, d.root.Close())
	}
	return d, nil
}

// Create implements content.Store.
func (d *Dir) Create(info *content.Info, c *record.Content, form content.Form) content.Artefact {
	folder := d.folder(info, c, form)
	if folder == "" || !d.Chosen.wants(info.Session) {
		return nil
	}
	a := &artefact{dir: d, info: *info, content: c, folder: folder}
	if d.want.LocalText && info.Text && runtime.GOOS != "windows" {
		a.convert = newConverter()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a.root, a.err = d.sub(folder)
	return a
}

// sub returns one of the folders inside, which it makes if there is none. The
// lock is held.
func (d *Dir) sub(folder string) (*os.Root, error) {
	if r := d.folders[folder]; r != nil {
		return r, nil
	}
	if err := d.root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	r, err := d.root.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	d.folders[folder] = r
	return r, nil
}

// reserve gives an artefact its name. It is not fresh when the same bytes are
// there under the same name already; then they are counted.
func (d *Dir) reserve(folder string, w *Written) (name string, fresh bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reserveLocked(folder, w)
}

func (d *Dir) reserveLocked(folder string, w *Written) (name string, fresh bool, err error) {
	stem := folder + "/" + w.SHA256[:min(16, len(w.SHA256))]
	if clean := CleanName(w.Name); clean != "" && folder != "mail" {
		stem += "-" + clean
	}
	ext := map[string]string{"mail": ".eml", "soap": ".xml"}[folder]
	if w.Partial {
		stem += ".partial"
	}
	stem = strings.TrimSuffix(stem, ext)
	name = stem + ext
	for n := 2; ; n++ {
		if err := d.recallName(name); err != nil {
			return "", false, err
		}
		old := d.written[name]
		if old == nil {
			break
		}
		// The same bytes with holes elsewhere are something else.
		if slices.Equal(old.holes, w.holes) && slices.Equal(old.Gaps, w.Gaps) {
			old.Times++
			return name, false, nil
		}
		name = fmt.Sprintf("%s-%d%s", stem, n, ext)
	}
	w.Path = name
	if d.index == nil {
		d.written[name] = w
	}
	return name, true, nil
}

// folder sorts an artefact; "" is not wanted.
func (d *Dir) folder(info *content.Info, c *record.Content, form content.Form) string {
	switch {
	case form == content.Raw:
		if d.want.Mail {
			return "mail"
		}
	case info.Role == content.Listing:
	case info.Carrier == "ftp-data" || info.Carrier == "sftp":
		if d.want.Files {
			return "files"
		}
	case info.Carrier == "ssh": // what commands print
	case isXML(c):
		if d.want.SOAP {
			return "soap"
		}
	case d.want.SOAP && isPart(info, c):
		return "parts"
	case info.Carrier == "http":
		if d.want.Bodies {
			return "http"
		}
	case c.Name != "":
		if d.want.Attachments {
			return "attachments"
		}
	}
	return ""
}

// isPart reports whether a body is a part that came with an envelope and can be
// referred to from it: MTOM, SOAP with Attachments.
func isPart(info *content.Info, c *record.Content) bool {
	return info.Carrier == "http" && c.Path != "" && c.ID != ""
}

func isXML(c *record.Content) bool {
	for _, t := range []string{c.MediaType, c.Detected} {
		if strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml") {
			return true
		}
	}
	return false
}

// Listed is an artefact in the list of what was written.
type Listed struct {
	Path, SHA256 string
	Note         string // what is not plain about it
	line         []byte // of the index
}

// Each calls f for everything that was written, by path, and returns the first
// error.
func (d *Dir) Each(f func(Listed) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var open []*Written
	for _, w := range d.written {
		open = append(open, w)
	}
	slices.SortFunc(open, func(a, b *Written) int { return strings.Compare(a.Path, b.Path) })
	until := func(path string) error {
		for len(open) > 0 && (path == "" || open[0].Path < path) {
			w := open[0]
			open = open[1:]
			line, err := w.line()
			if err == nil {
				err = f(Listed{Path: w.Path, SHA256: w.SHA256, Note: w.Note(), line: line})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := d.ledger.each(func(l Listed) error { return cmp.Or(until(l.Path), f(l)) })
	return cmp.Or(err, until(""), d.err)
}

// Close writes index.jsonl, one line per artefact, and closes the folder.
func (d *Dir) Close() error {
	var err error
	if d.index == nil {
		err = d.writeIndex()
	}
	err = errors.Join(err, d.ledger.close(d.root))
	for _, r := range d.folders {
		err = errors.Join(err, r.Close())
	}
	if d.index != nil {
		err = errors.Join(err, d.err, d.index.Close())
	}
	return errors.Join(err, d.root.Close())
}

func (d *Dir) writeIndex() error {
	var file *os.File
	var out *bufio.Writer
	err := d.Each(func(l Listed) (err error) {
		if file == nil {
			if file, err = d.create("index.jsonl"); err != nil {
				return err
			}
			out = bufio.NewWriter(file)
		}
		_, err = out.Write(l.line)
		return err
	})
	if file == nil {
		return err
	}
	return errors.Join(err, out.Flush(), file.Close())
}

// note writes an artefact's line of the index of a Dir without an end.
func (d *Dir) note(w *Written) error {
	if d.index == nil {
		return nil
	}
	line, err := w.line()
	if err == nil {
		_, err = d.index.Write(line)
	}
	return err
}

// create makes a file that must not exist yet; when it does, a number is put in
// front of its ending.
func (d *Dir) create(name string) (*os.File, error) {
	ext := path.Ext(name)
	for i := 0; ; i++ {
		n := name
		if i > 0 {
			n = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
		}
		f, err := d.root.OpenFile(n, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) && i < 10_000 {
			continue
		}
		return f, err
	}
}

var escaped = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// CleanName makes the last element of a path from the traffic fit for a file
// name: letters, digits, dot, dash and underscore, no leading dot, at most 60
// bytes. The original stands in the metadata.
func CleanName(name string) string {
	// Bytes that are no UTF-8 stand as \xNN, which is no path.
	name = escaped.ReplaceAllString(name, "_")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)), r == '.', r == '-', r == '_':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return strings.TrimLeft(b.String(), ".")
}
