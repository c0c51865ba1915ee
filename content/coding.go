package content

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"sniff/record"
)

// bombFloor is how much decompression may yield before Limits.Ratio counts.
const bombFloor = 16 << 20

// contentDecoder returns a sink that undoes one of HTTP's content codings
// (RFC 9110, section 8.4.1) in front of next, or next itself with a problem if
// there is no such coding.
func contentDecoder(rd *reading, c *record.Content, coding string, next sink) sink {
	coding = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(coding)), "x-")
	switch coding {
	case "", "identity", "none":
		return next
	case "gzip", "deflate", "br", "zstd":
	default:
		c.Problem("coding_unknown")
		return next
	}
	undone(c, coding)
	d := &decompressor{rd: rd, c: c, coding: coding, next: next}
	d.resume, _ = iter.Pull(d.run)
	return d
}

// decompressor turns the pull of the decompression libraries into the push of
// a sink: the library runs in a coroutine that is resumed when there is input
// and rests when it has used it up.
type decompressor struct {
	rd     *reading
	c      *record.Content
	coding string
	next   sink

	resume func() (struct{}, bool)
	rest   func(struct{}) bool

	in    []byte
	wire  int64 // bytes taken by the library
	out   int64 // bytes passed on
	past  int64 // bytes counted only, once it was found a bomb
	ended bool  // no more input will come
	holed bool  // because of a hole
	over  bool  // the coroutine has returned
	whole bool  // it read the stream to its end
}

func (d *decompressor) write(p []byte) {
	if d.over || d.ended {
		return
	}
	d.in = p
	d.wake()
	d.in = nil
}

func (d *decompressor) wake() {
	if _, more := d.resume(); !more {
		d.over = true
	}
}

// gap ends decoding: what lies behind a hole cannot be read.
func (d *decompressor) gap(int64) {
	if d.ended {
		return
	}
	d.ended, d.holed = true, true
	if !d.over {
		d.wake()
	}
	if !d.whole {
		d.next.gap(-1)
	}
}

func (d *decompressor) close(complete bool) {
	if !d.ended {
		d.ended = true
		if !d.over {
			d.wake()
		}
	}
	d.next.close(complete && d.whole && !d.holed)
	d.c.Size += d.past
}

// Read fills p as long as there is input, resting in between, so that what
// the library is given does not depend on how the input was cut.
func (d *decompressor) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(d.in) == 0 {
			if d.ended {
				break
			}
			d.rest(struct{}{})
			continue
		}
		m := copy(p[n:], d.in)
		d.in = d.in[m:]
		n += m
	}
	d.wire += int64(n)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// run is the coroutine.
func (d *decompressor) run(rest func(struct{}) bool) {
	d.rest = rest
	pools := &d.rd.r.pools
	in := pools.readers.Get().(*bufio.Reader)
	in.Reset(d)
	buf := pools.buffers.Get().(*[32 << 10]byte)

	err := d.decode(in, buf[:])
	switch {
	case err == nil:
		d.whole = true
	case err == errLimit:
	case d.holed && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)):
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		d.c.Problem(d.coding + "_cut")
	default:
		d.c.Problem(d.coding + "_damaged")
	}
	in.Reset(nil)
	pools.readers.Put(in)
	pools.buffers.Put(buf)
}

// errLimit ends the decoding of a bomb.
var errLimit = errors.New("content: decoded size limit reached")

// decode finds out what the stream really is, and decodes it.
func (d *decompressor) decode(in *bufio.Reader, buf []byte) error {
	head, _ := in.Peek(4)
	var err error
	if len(head) == 0 {
		// An empty body has no coding to undo: servers label answers to HEAD
		// and 304 that way.
		return nil
	}
	pools := &d.rd.r.pools
	switch d.coding {
	case "gzip":
		if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			// Servers and proxies that decompress forget the label.
			d.c.Problem("gzip_missing")
			return d.copy(in, buf)
		}
		z, _ := pools.gzips.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		defer pools.gzips.Put(z)
		return d.gunzip(z, in, buf)
	case "deflate":
		// RFC 9110 means zlib by "deflate"; old Microsoft servers send the
		// bare deflate stream.
		if len(head) >= 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			z, _ := pools.zlibs.Get().(io.ReadCloser)
			if z == nil {
				z, err = zlib.NewReader(in)
			} else {
				err = z.(zlib.Resetter).Reset(in, nil)
			}
			if err != nil {
				return err
			}
			defer pools.zlibs.Put(z)
			err = d.copy(z, buf)
		} else {
			z, _ := pools.flates.Get().(io.ReadCloser)
			if z == nil {
				z = flate.NewReader(in)
			} else if err := z.(flate.Resetter).Reset(in, nil); err != nil {
				return err
			}
			defer pools.flates.Put(z)
			err = d.copy(z, buf)
		}
		if err == nil {
			d.trailing(in)
		}
		return err
	case "br":
		z, _ := pools.brs.Get().(*brotli.Reader)
		if z == nil {
			z = brotli.NewReader(in)
		} else if err := z.Reset(in); err != nil {
			return err
		}
		defer pools.brs.Put(z)
		return d.copy(z, buf)
	default:
		z, _ := pools.zstds.Get().(*zstd.Decoder)
		if z == nil {
			// RFC 9659, section 3: a window for HTTP is at most 8 MiB.
			z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		} else {
			err = z.Reset(in)
		}
		if err != nil {
			return err
		}
		defer pools.zstds.Put(z)
		return d.copy(z, buf)
	}
}

// gunzip reads all members of a gzip file (RFC 1952, section 2.2).
func (d *decompressor) gunzip(z *gzip.Reader, in *bufio.Reader, buf []byte) error {
	for {
		if err := z.Reset(in); err != nil {
			return err
		}
		z.Multistream(false)
		if err := d.copy(z, buf); err != nil {
			return err
		}
		next, _ := in.Peek(2)
		if len(next) == 0 {
			return nil
		}
		if len(next) < 2 || next[0] != 0x1f || next[1] != 0x8b {
			d.trailing(in)
			return nil
		}
	}
}

// trailing notes bytes behind the end of the stream.
func (d *decompressor) trailing(in *bufio.Reader) {
	if _, err := in.Peek(1); err == nil {
		d.c.Problem(d.coding + "_trailing")
	}
}

// copy passes on what z yields. Past the limits it only counts, and past the
// last of them it stops.
func (d *decompressor) copy(z io.Reader, buf []byte) error {
	limits := &d.rd.r.config.Limits
	for {
		n, err := z.Read(buf)
		d.rd.decoded += int64(n)
		switch {
		case n == 0:
		case d.past > 0:
			d.past += int64(n)
		case d.out > bombFloor && d.out/limits.Ratio > d.wire:
			d.c.Problem("bomb")
			d.c.Partial = true
			d.past += int64(n)
		default:
			d.out += int64(n)
			d.next.write(buf[:n])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if d.rd.decoded > limits.Decoded {
			d.c.Problem("bomb")
			return errLimit
		}
	}
}
