package content

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"sync"
	"sync/atomic"

	"sniff/content/digest"
)

// A body begins with a small chunk, so that many short bodies can be open at
// once, and goes on with big ones, so that hand-offs are few.
const (
	smallChunk = 8 << 10
	bigChunk   = 64 << 10
	// mostBig is how many big chunks may exist at once; with more open bodies
	// than that, the others make do with small ones.
	mostBig = 256
	// mostSmall is how many small chunks may be waiting to be filled: 64 MiB of
	// them. With more, what is written is handed to the workers at once.
	mostSmall = 8 << 10
)

type chunk struct{ buf []byte }

// pools are what a Reader uses again and again.
type pools struct {
	smalls, bigs sync.Pool
	big, small   atomic.Int64

	readings, leaves, sums, firsts   sync.Pool
	base64s, readers, buffers        sync.Pool
	gzips, zlibs, flates, brs, zstds sync.Pool

	desk      digest.Desk // where the workers digest
	sha1, md5 bool        // are digested too
}

func (p *pools) init(config *Config) {
	p.smalls.New = func() any { return &chunk{buf: make([]byte, 0, smallChunk)} }
	p.bigs.New = func() any { return &chunk{buf: make([]byte, 0, bigChunk)} }
	p.readers.New = func() any { return bufio.NewReaderSize(nil, 4096) }
	p.buffers.New = func() any { return new([32 << 10]byte) }
	p.base64s.New = func() any { return new(base64Block) }
	p.readings.New = func() any { return new(reading) }
	p.leaves.New = func() any { return new(leaf) }
	p.firsts.New = func() any { return new([firstBytes]byte) }
	p.sums.New = func() any { return p.newSums() }
	p.sha1, p.md5 = config.SHA1, config.MD5
}

func (p *pools) newSums() *sums {
	s := &sums{sha256: p.desk.New()}
	if p.sha1 {
		s.sha1 = sha1.New()
	}
	if p.md5 {
		s.md5 = md5.New()
	}
	return s
}

// chunk returns an empty chunk, a big one if wanted and to be had.
func (p *pools) chunk(big bool) *chunk {
	if big {
		if c := p.takeBig(); c != nil {
			return c
		}
	}
	p.small.Add(1)
	return p.smalls.Get().(*chunk)
}

// crowded reports whether chunks must not wait to be filled.
func (p *pools) crowded() bool { return p.small.Load() > mostSmall }

// grow returns a big chunk that begins with what the small chunk c holds, and
// frees c; nil if c is big or no big one is to be had.
func (p *pools) grow(c *chunk) *chunk {
	if cap(c.buf) != smallChunk {
		return nil
	}
	big := p.takeBig()
	if big != nil {
		big.buf = append(big.buf, c.buf...)
		p.free(c)
	}
	return big
}

func (p *pools) takeBig() *chunk {
	if p.big.Add(1) > mostBig {
		p.big.Add(-1)
		return nil
	}
	return p.bigs.Get().(*chunk)
}

func (p *pools) free(c *chunk) {
	c.buf = c.buf[:0]
	if cap(c.buf) == smallChunk {
		p.small.Add(-1)
		p.smalls.Put(c)
		return
	}
	p.big.Add(-1)
	p.bigs.Put(c)
}
