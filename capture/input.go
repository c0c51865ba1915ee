package capture

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// stdinName is how standard input is asked for.
const stdinName = "-"

// OpenFiles reads captures as one sequence in time order. A name can be a
// pattern; "-" is standard input. Inputs that cannot be opened or are no
// captures become a *Damage from Next, unless there is nothing else to read.
func OpenFiles(names []string, o Options) (*Reader, error) {
	expanded, err := expand(names)
	if err != nil {
		return nil, err
	}
	sh := &shared{}
	r, err := newReader(nil, sh, o)
	if err != nil {
		return nil, err
	}
	in := newInputs(sh, o, len(expanded))
	for _, name := range expanded {
		in.files = append(in.files, &input{name: name, index: len(in.files), inputs: in})
	}
	if err := in.begin(); err != nil {
		in.close()
		return nil, err
	}
	r.in = in
	return r, nil
}

// NewReader reads one capture from r; name stands for it in errors. Nothing is
// closed but what NewReader itself made.
func NewReader(src io.Reader, name string, o Options) (*Reader, error) {
	sh := &shared{}
	r, err := newReader(nil, sh, o)
	if err != nil {
		return nil, err
	}
	in := newInputs(sh, o, 1)
	in.files = []*input{{name: name, inputs: in, reader: src}}
	if err := in.begin(); err != nil {
		in.close()
		return nil, err
	}
	r.in = in
	return r, nil
}

// expand resolves patterns that the shell did not, and drops names that are
// given twice: reading a file twice would double all that it holds.
func expand(names []string) ([]string, error) {
	var out []string
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, name := range names {
		if name != stdinName && strings.ContainsAny(name, "*?[") {
			if _, err := os.Lstat(name); err != nil {
				found, err := filepath.Glob(name)
				if err != nil {
					return nil, &Damage{File: name, Err: err}
				}
				if len(found) == 0 {
					return nil, &Damage{File: name, Err: errors.New("no file matches")}
				}
				for _, f := range found {
					add(f)
				}
				continue
			}
		}
		add(name)
	}
	if len(out) == 0 {
		return nil, errors.New("capture: no input")
	}
	return out, nil
}

// input is one capture, from name to packets.
type input struct {
	name   string
	index  int
	inputs *inputs
	reader io.Reader // set: read this instead of opening the name

	file    *os.File // only when it was opened here
	stream  *stream
	format  fileFormat
	packets uint64 // read so far
	damage  error  // why the input cannot go on

	first int64  // time of the first packet, to sort by
	pkt   packet // the packet that is next; of open inputs
	size  int64
}

// open makes an input readable; it may be closed and opened again.
func (i *input) open() error {
	src := i.reader
	switch {
	case src != nil:
	case i.name == stdinName:
		src = os.Stdin
	default:
		f, err := os.Open(i.name)
		if err != nil {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err // the name is in Damage
			}
			return i.damaged(err)
		}
		i.file, src = f, f
	}
	eager := true
	if f, ok := src.(*os.File); ok {
		if st, err := f.Stat(); err == nil {
			if st.IsDir() {
				i.close()
				return i.damaged(errors.New("is a directory"))
			}
			eager = !st.Mode().IsRegular()
		}
	}
	plain, compressed, closeZ, err := decompress(&countingReader{r: src, n: &i.inputs.read})
	if err != nil {
		closeZ()
		i.close()
		return i.damaged(err)
	}
	i.stream = newStream(plain, i.inputs.blockSize, eager && !compressed, closeZ, i.inputs.progress)
	i.packets = 0
	i.format, err = openFormat(i.stream, i.inputs.shared)
	if err != nil {
		err = i.damaged(err)
		i.close()
		return err
	}
	return nil
}

func (i *input) displayName() string {
	if i.name == stdinName && i.reader == nil {
		return "standard input"
	}
	return i.name
}

func (i *input) damaged(err error) error {
	d := &Damage{File: i.displayName(), Err: err}
	if i.format != nil {
		d.Packet = i.packets + 1
		d.Offset = i.stream.off
	}
	return d
}

func (i *input) next(p *packet) error {
	err := i.format.next(p)
	if err == nil {
		i.packets++
		return nil
	}
	if err == io.EOF {
		return err
	}
	return i.damaged(err)
}

func (i *input) close() {
	if i.file != nil {
		i.file.Close()
	}
	if i.stream != nil {
		// Only a file of our own is certain to let go of a read.
		i.stream.close(i.file != nil)
	}
	i.file, i.stream, i.format = nil, nil, nil
}

// countingReader counts what is read off the disk, for progress.
type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// blockSizeFor keeps the memory of many inputs, which may all be open at a
// time, near that of a few.
func blockSizeFor(o Options, inputs int) int {
	size := o.ReadAhead
	if size <= 0 {
		size = defaultReadAhead
	}
	if inputs > 8 {
		size = min(size, max(minReadAhead, size*8/inputs))
	}
	return max(size, 4096)
}
