package capture

import (
	"container/heap"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"sync/atomic"
)

// inputs reads several inputs as one, by time. A file is opened when the
// time of its first packet is reached, so that the many files of a ring
// buffer are open one after the other and overlapping ones together.
type inputs struct {
	shared    *shared
	files     []*input // waiting, by the time of their first packet
	open      openInputs
	last      *input // delivered last; its packet is still in use
	single    *input // set instead of open when there is only one
	blockSize int

	read   atomic.Int64
	total  int64
	report func(done, total int64)
}

func newInputs(sh *shared, o Options, n int) *inputs {
	return &inputs{shared: sh, blockSize: blockSizeFor(o, n), report: o.Progress}
}

// progress is called with every block.
func (in *inputs) progress() {
	if in.report != nil {
		done := in.read.Load()
		if in.total > 0 {
			done = min(done, in.total)
		}
		in.report(done, in.total)
	}
}

// begin looks at the first packet of every input and sorts them.
func (in *inputs) begin() error {
	var total int64
	for _, f := range in.files {
		f.size = f.stat()
		if f.size < 0 {
			total = math.MinInt64 / 2
			continue
		}
		total += f.size
	}
	in.total = max(total, 0)

	if len(in.files) == 1 {
		in.single, in.files = in.files[0], nil
		return in.single.open()
	}
	report := in.report
	in.report = nil
	var refused []error
	for _, f := range in.files {
		if err := f.peek(); err != nil {
			refused = append(refused, err)
		}
	}
	in.report = report
	in.read.Store(0)
	if len(refused) == len(in.files) {
		return errors.Join(refused...)
	}
	slices.SortStableFunc(in.files, func(a, b *input) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return a.index - b.index
	})
	return nil
}

// stat returns the size on disk, or -1 when it is not known.
func (i *input) stat() int64 {
	var st os.FileInfo
	var err error
	switch f, ok := i.reader.(*os.File); {
	case ok:
		st, err = f.Stat()
	case i.reader != nil:
		return -1
	case i.name == stdinName:
		st, err = os.Stdin.Stat()
	default:
		st, err = os.Stat(i.name)
	}
	if err != nil {
		return 0 // it will be reported, and will not be read
	}
	if !st.Mode().IsRegular() {
		return -1
	}
	return st.Size()
}

// peek sets i.first. What has no first packet comes first: it may hold keys,
// and its damage is better said early. Only a failure to open is returned; it
// happens again, and is reported, when the input has its turn.
func (i *input) peek() error {
	i.first = math.MinInt64
	err := i.open()
	if err == nil {
		if i.damage = i.next(&i.pkt); i.damage == nil {
			i.first = i.pkt.ns
		}
		if i.name == stdinName {
			return nil // can be read only once: stays open
		}
		i.damage = nil
		i.close()
	}
	return err
}

// next delivers the oldest packet of all inputs.
func (in *inputs) next(p *packet) error {
	if f := in.single; f != nil {
		err := f.damage
		if err == nil {
			err = f.next(p)
		}
		if err != nil && f.damage == nil {
			f.damage = io.EOF
			in.finish()
		}
		return err
	}
	if f := in.last; f != nil {
		in.last = nil
		if err := f.next(&f.pkt); err != nil {
			heap.Remove(&in.open, 0)
			f.close()
			if err != io.EOF {
				return err
			}
		} else {
			heap.Fix(&in.open, 0)
		}
	}
	for len(in.files) > 0 && (len(in.open) == 0 || in.files[0].first <= in.open[0].pkt.ns) {
		f := in.files[0]
		in.files = in.files[1:]
		if err := f.resume(); err == io.EOF {
			f.close()
		} else if err != nil {
			f.close()
			return err
		} else {
			heap.Push(&in.open, f)
		}
	}
	if len(in.open) == 0 {
		in.finish()
		return io.EOF
	}
	in.last = in.open[0]
	*p = in.last.pkt
	return nil
}

// resume opens an input that was peeked at and reads its first packet.
func (i *input) resume() error {
	if i.stream != nil {
		return i.damage
	}
	if err := i.open(); err != nil {
		return err
	}
	return i.next(&i.pkt)
}

func (in *inputs) finish() {
	if in.report != nil && in.total > 0 {
		in.report(in.total, in.total)
	}
}

func (in *inputs) close() error {
	if in.single != nil {
		in.single.close()
		in.single.damage = io.EOF
	}
	for _, f := range in.open {
		f.close()
	}
	for _, f := range in.files {
		f.close()
	}
	in.open, in.files, in.last = nil, nil, nil
	return nil
}

// openInputs is a heap by time; equal times keep the order of the names.
type openInputs []*input

func (h openInputs) Len() int { return len(h) }
func (h openInputs) Less(a, b int) bool {
	if h[a].pkt.ns != h[b].pkt.ns {
		return h[a].pkt.ns < h[b].pkt.ns
	}
	return h[a].index < h[b].index
}
func (h openInputs) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *openInputs) Push(x any)   { *h = append(*h, x.(*input)) }
func (h *openInputs) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}
