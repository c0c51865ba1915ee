// Package export writes what was carried to disk: messages, files,
// attachments, envelopes, bodies.
//
// Names from the traffic are never used as paths. Every artefact is named by
// its digest with a cleaned file name behind it, inside one folder that is
// opened as an os.Root: nothing can be written outside of it, nothing that
// exists is overwritten. What has holes says so in its name (".partial") and
// in the metadata beside it; holes are left out, not filled with zeros.
package export

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	SOAP        bool // XML bodies of HTTP and mail
	Bodies      bool // all other HTTP bodies

	Certificates bool // of TLS; they come by AddChain
}

// Dir is a content.Store that writes into one folder.
type Dir struct {
	root *os.Root
	want What
	temp atomic.Int64

	mu      sync.Mutex
	written map[string]*Written
	index   *os.File // of a Dir without an end
	err     error
}

// Written is one artefact on disk.
type Written struct {
	Path    string         `json:"path"`
	SHA256  string         `json:"sha256"`
	Size    int64          `json:"size"`
	Partial bool           `json:"partial,omitempty"`
	Missing int64          `json:"missing,omitempty"`
	Gaps    []record.Range `json:"gaps,omitempty"`
	Name    string         `json:"name,omitempty"`
	Type    string         `json:"media_type,omitempty"`
	Carrier string         `json:"carrier"`
	Session string         `json:"session"`
	Packet  uint64         `json:"packet,omitempty"`
	Times   int            `json:"times"`

	// Of certificates: who showed it, and the fingerprints of the chain that
	// it came first in, in the order sent. SHA256 is the certificate's
	// fingerprint, not that of the PEM file.
	By    string   `json:"by,omitempty"`
	Chain []string `json:"chain,omitempty"`
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
	return &Dir{root: root, want: want, written: map[string]*Written{}}, nil
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
	if folder == "" {
		return nil
	}
	a := &artefact{dir: d, info: *info, content: c, folder: folder}
	a.open()
	return a
}

// folder sorts an artefact; "" is not wanted.
func (d *Dir) folder(info *content.Info, c *record.Content, form content.Form) string {
	switch {
	case form == content.Raw:
		if d.want.Mail {
			return "mail"
		}
	case info.Carrier == "ftp-data" || info.Carrier == "ftp" || info.Carrier == "sftp" || info.Carrier == "ssh":
		if d.want.Files && c.Name != "" {
			return "files"
		}
	case isXML(c):
		if d.want.SOAP {
			return "soap"
		}
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

func isXML(c *record.Content) bool {
	for _, t := range []string{c.MediaType, c.Detected} {
		if strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml") {
			return true
		}
	}
	return false
}

// List returns what was written, by path, and the first error.
func (d *Dir) List() ([]*Written, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*Written
	for _, w := range d.written {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *Written) int { return strings.Compare(a.Path, b.Path) })
	return out, d.err
}

// Close writes index.jsonl, one line per artefact, and closes the folder.
func (d *Dir) Close() error {
	list, err := d.List()
	if d.index != nil {
		return errors.Join(err, d.index.Close(), d.root.Close())
	}
	var b bytes.Buffer
	for _, w := range list {
		line, e := w.line()
		if e != nil {
			return e
		}
		b.Write(line)
	}
	if len(list) > 0 {
		err = errors.Join(err, d.writeNew("index.jsonl", b.Bytes()))
	}
	return errors.Join(err, d.root.Close())
}

// line is the artefact's line of the index.
func (w *Written) line() ([]byte, error) {
	b, err := json.Marshal(w)
	return append(b, '\n'), err
}

// writeNew writes a file that must not exist yet; when it does, a number is
// put in front of its ending.
func (d *Dir) writeNew(name string, b []byte) error {
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
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		return errors.Join(err, f.Close())
	}
}

// artefact is one file while it is written under a temporary name: its real
// one comes from its digest.
type artefact struct {
	dir     *Dir
	info    content.Info
	content *record.Content
	folder  string
	temp    string
	file    *os.File
	err     error
	missing int64
}

func (a *artefact) open() {
	if a.err = a.dir.root.Mkdir(a.folder, 0o700); errors.Is(a.err, fs.ErrExist) {
		a.err = nil
	}
	if a.err == nil {
		a.temp = fmt.Sprintf("%s/.unfinished-%d-%d", a.folder, os.Getpid(), a.dir.temp.Add(1))
		a.file, a.err = a.dir.root.OpenFile(a.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
}

func (a *artefact) Write(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.file.Write(p)
}

func (a *artefact) Gap(n int64) error {
	a.missing += max(n, 0)
	return a.err
}

// Close gives the file its name and returns it.
func (a *artefact) Close() (string, error) {
	if a.file == nil {
		return "", a.err
	}
	size, serr := a.file.Seek(0, 1)
	if err := errors.Join(serr, a.file.Close()); err != nil {
		return "", err
	}
	c := a.content
	digest := c.SHA256
	if digest == "" {
		digest = hex.EncodeToString([]byte(a.temp))
	}
	partial := c.Partial || a.missing > 0
	name := a.folder + "/" + digest[:min(16, len(digest))]
	if clean := CleanName(c.Name); clean != "" && a.folder != "mail" {
		name += "-" + clean
	}
	ext := map[string]string{"mail": ".eml", "soap": ".xml"}[a.folder]
	if partial {
		name += ".partial"
	}
	if !strings.HasSuffix(name, ext) {
		name += ext
	}
	d := a.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.written[name]; w != nil {
		// The same bytes under the same name again.
		w.Times++
		return name, d.root.Remove(a.temp)
	}
	// Link refuses to replace what is there; Rename would not.
	if err := d.root.Link(a.temp, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", errors.Join(err, d.root.Remove(a.temp))
	}
	if err := d.root.Remove(a.temp); err != nil {
		return "", err
	}
	w := &Written{
		Path: name, SHA256: c.SHA256, Size: size, Partial: partial, Missing: a.missing, Gaps: c.Gaps,
		Name: c.Name, Type: c.MediaType, Carrier: a.info.Carrier, Session: a.info.Session, Packet: a.info.Stamp.Packet, Times: 1,
	}
	if d.index == nil {
		d.written[name] = w
		return name, nil
	}
	line, err := w.line()
	if err == nil {
		_, err = d.index.Write(line)
	}
	return name, err
}

// CleanName makes the last element of a path from the traffic fit for a file
// name: letters, digits, dot, dash and underscore, no leading dot, at most 60
// bytes. The original stands in the metadata.
func CleanName(name string) string {
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
