package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"strings"
	"sync"

	"sniff/content"
	"sniff/record"
)

const (
	// firstBuffer is how much of an artefact is gathered before its file is
	// opened. A smaller one is written when its name is known, under it.
	firstBuffer = 16 << 10
	// maxHoles is how many holes of an artefact are placed. With more of them
	// it cannot be joined with others.
	maxHoles = 4096
)

var buffers = sync.Pool{New: func() any { return new([firstBuffer]byte) }}

// artefact is one file on its way to disk. Its name comes from its digest: a
// large one is written under a temporary name first.
type artefact struct {
	dir     *Dir
	info    content.Info
	content *record.Content
	folder  string
	convert *toLocal // nil: line ends stay as they are

	root   *os.Root // of the folder
	buffer *[firstBuffer]byte
	size   int64 // bytes written, those in the buffer included
	file   *os.File
	temp   string
	err    error

	at      int64 // offset in what was carried
	holes   []record.Range
	missing int64
	vague   bool // holes of unknown size or too many: offsets are not known
}

// toLocal turns CR LF into LF as the bytes go by, and digests what comes out.
type toLocal struct {
	cr  bool // a CR waits for what follows it
	sum hash.Hash
	out []byte
}

func (c *toLocal) convert(p []byte) []byte {
	c.out = c.out[:0]
	for _, b := range p {
		if c.cr && b != '\n' {
			c.out = append(c.out, '\r')
		}
		if c.cr = b == '\r'; !c.cr {
			c.out = append(c.out, b)
		}
	}
	c.sum.Write(c.out)
	return c.out
}

// rest returns a CR that nothing followed.
func (c *toLocal) rest() []byte {
	if !c.cr {
		return nil
	}
	c.cr = false
	c.sum.Write([]byte{'\r'})
	return []byte{'\r'}
}

// Write takes the next bytes.
func (a *artefact) Write(p []byte) (int, error) {
	a.at += int64(len(p))
	if a.convert == nil {
		return len(p), a.write(p)
	}
	return len(p), a.write(a.convert.convert(p))
}

func (a *artefact) write(p []byte) error {
	if a.err != nil {
		return a.err
	}
	if a.file == nil {
		if a.size+int64(len(p)) <= firstBuffer {
			if a.buffer == nil {
				a.buffer = buffers.Get().(*[firstBuffer]byte)
			}
			copy(a.buffer[a.size:], p)
			a.size += int64(len(p))
			return nil
		}
		if a.err = a.open(); a.err != nil {
			return a.err
		}
	}
	n, err := a.file.Write(p)
	a.size += int64(n)
	a.err = err
	return err
}

// open begins the temporary file with what was gathered.
func (a *artefact) open() error {
	a.temp = fmt.Sprintf(".unfinished-%d-%d", os.Getpid(), a.dir.temp.Add(1))
	f, err := a.root.OpenFile(a.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	a.file = f
	_, err = f.Write(a.gathered())
	a.letGo()
	return err
}

func (a *artefact) gathered() []byte {
	if a.buffer == nil {
		return nil
	}
	return a.buffer[:a.size]
}

func (a *artefact) letGo() {
	if a.buffer != nil {
		buffers.Put(a.buffer)
		a.buffer = nil
	}
}

// Gap leaves a hole out and remembers where it was.
func (a *artefact) Gap(n int64) error {
	if a.convert != nil {
		if err := a.write(a.convert.rest()); err != nil {
			return err
		}
	}
	if n < 0 || len(a.holes) >= maxHoles {
		a.vague = true
	}
	if n > 0 {
		a.missing += n
		a.holes = append(a.holes, record.Range{From: a.at, To: a.at + n})
		a.at += n
	}
	return a.err
}

// Close gives the file its name and returns it.
func (a *artefact) Close() (string, error) {
	defer a.letGo()
	if a.convert != nil && a.err == nil {
		a.err = a.write(a.convert.rest())
	}
	if a.err != nil {
		return "", errors.Join(a.err, a.discard())
	}
	if !a.dir.Chosen.wantsItem(a.info.Session, a.content.SHA256) {
		return "", a.discard()
	}
	w := a.describe()
	name, fresh, err := a.dir.reserve(a.folder, w)
	switch {
	case err != nil:
		return "", errors.Join(err, a.discard())
	case !fresh:
		return name, a.discard()
	case a.file == nil:
		a.err = a.writeAt(strings.TrimPrefix(name, a.folder+"/"))
	default:
		err := a.file.Close()
		a.file = nil
		a.err = errors.Join(err, settle(a.root, a.temp, strings.TrimPrefix(name, a.folder+"/")))
	}
	if a.err != nil {
		return "", a.err
	}
	return name, a.dir.note(w)
}

// describe makes the artefact's metadata.
func (a *artefact) describe() *Written {
	c := a.content
	w := &Written{
		SHA256: c.SHA256, Size: a.size, Partial: c.Partial || a.missing > 0, Missing: a.missing, Gaps: c.Gaps,
		Name: c.Name, ID: c.ID, Type: c.MediaType, Carrier: a.info.Carrier, Session: a.info.Session, Packet: a.info.Stamp.Packet, Times: 1,
		holes: a.holes, vague: a.vague,
	}
	if a.convert != nil {
		w.Received, w.SHA256, w.vague = c.SHA256, hex.EncodeToString(a.convert.sum.Sum(nil)), true
	}
	return w
}

// writeAt writes what was gathered under its name.
func (a *artefact) writeAt(name string) error {
	f, err := a.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // from an earlier run: the same bytes have the same name
	}
	if err != nil {
		return err
	}
	_, err = f.Write(a.gathered())
	return errors.Join(err, f.Close())
}

// discard removes the temporary file.
func (a *artefact) discard() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return errors.Join(err, a.root.Remove(a.temp))
}

// settle gives a temporary file its name. Link refuses to replace what is
// there from an earlier run; Rename would not.
func settle(root *os.Root, temp, name string) error {
	if err := root.Link(temp, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return errors.Join(err, root.Remove(temp))
	}
	return root.Remove(temp)
}

func newConverter() *toLocal { return &toLocal{sum: sha256.New()} }
