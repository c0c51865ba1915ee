package capture

import (
	"fmt"
	"io"
	"sync"
)

const (
	// headroom is room in front of each block, into which the rest of the
	// block before is copied, so that a packet across two blocks is one slice.
	headroom = 64 << 10
	// blocksAhead is how many blocks an input has.
	blocksAhead = 4
)

// stream is an input that is read, and decompressed, ahead by a goroutine of
// its own into few big blocks that are used again and again. It hands out
// slices of the blocks; nothing is copied but what crosses their border.
type stream struct {
	data []byte // read and not yet consumed, in one piece
	off  int64  // offset of data in the input
	err  error  // what ended the input; set when data is all there is

	cur    *block
	joined []byte // holds data that is larger than the headroom
	full   chan *block
	free   chan *block
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	progress func()
}

// block holds input in buf[headroom:end], and the error that came after it.
type block struct {
	buf []byte
	end int
	err error
}

// newStream starts to read r ahead. With eager, each block is handed over as
// it comes, for inputs that are written while they are read. The goroutine
// calls release when it is done with r.
func newStream(r io.Reader, blockSize int, eager bool, release, progress func()) *stream {
	s := &stream{
		full:     make(chan *block, blocksAhead),
		free:     make(chan *block, blocksAhead),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
		progress: progress,
	}
	go s.readAhead(r, blockSize, eager, release)
	return s
}

// readAhead is the goroutine of a stream. It makes the blocks as it needs
// them: a small file never has more than one.
func (s *stream) readAhead(r io.Reader, blockSize int, eager bool, release func()) {
	defer release()
	defer close(s.done)
	defer close(s.full)
	for made := 0; ; {
		var b *block
		select {
		case b = <-s.free:
		default:
			if made < blocksAhead {
				made++
				b = &block{buf: make([]byte, headroom+blockSize)}
				break
			}
			select {
			case b = <-s.free:
			case <-s.stop:
				return
			}
		}
		b.fill(r, eager)
		select {
		case s.full <- b:
		case <-s.stop:
			return
		}
		if b.err != nil {
			return
		}
	}
}

// fill reads into b. A decompressor that panics on hostile input ends the
// input, not the program.
func (b *block) fill(r io.Reader, eager bool) {
	b.end, b.err = headroom, nil
	defer func() {
		if p := recover(); p != nil {
			b.err = fmt.Errorf("decompression failed: %v", p)
		}
	}()
	for empty := 0; b.end < len(b.buf) && b.err == nil; {
		n, err := r.Read(b.buf[b.end:])
		b.end += n
		b.err = err
		if n > 0 && eager {
			return
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			b.err = io.ErrNoProgress
		}
	}
}

// need makes at least n bytes available in s.data. When it returns false the
// input ended before, s.err says how, and s.data is the rest.
func (s *stream) need(n int) bool {
	return len(s.data) >= n || s.more(n)
}

func (s *stream) more(n int) bool {
	for len(s.data) < n {
		if s.err != nil {
			return false
		}
		b, ok := <-s.full
		if !ok {
			s.err = io.ErrClosedPipe
			return false
		}
		s.err = b.err // before the block is given back
		rest := s.data
		if len(rest) <= headroom {
			start := headroom - len(rest)
			copy(b.buf[start:], rest)
			s.data = b.buf[start:b.end]
			s.release()
			s.cur = b
		} else {
			s.joined = append(s.joined[:0], rest...)
			s.joined = append(s.joined, b.buf[headroom:b.end]...)
			s.data = s.joined
			s.release()
			s.free <- b
		}
		if s.progress != nil {
			s.progress()
		}
	}
	return true
}

// release gives the current block back. There are never more blocks than free
// has room for, so it does not wait.
func (s *stream) release() {
	if s.cur != nil {
		s.free <- s.cur
		s.cur = nil
	}
}

// skip consumes n bytes that are in s.data.
func (s *stream) skip(n int) {
	s.data = s.data[n:]
	s.off += int64(n)
}

// discard consumes n bytes, which may be more than fit into memory.
func (s *stream) discard(n int64) bool {
	for n > 0 {
		if !s.need(1) {
			return false
		}
		k := int(min(n, int64(len(s.data))))
		s.skip(k)
		n -= int64(k)
	}
	return true
}

// close stops the goroutine; with wait it also waits for it, which takes that
// its reader returns.
func (s *stream) close(wait bool) {
	s.once.Do(func() { close(s.stop) })
	if wait {
		<-s.done
	}
}
