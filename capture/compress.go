package capture

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxWrappings is how many compressions may lie around each other.
	maxWrappings = 4
	// maxWindow bounds what a compressed file may ask for as its window.
	maxWindow = 128 << 20
	// magicLen is how much of the input tells its compression.
	magicLen = 6
)

// codings are the compressions that are known by their first bytes.
var codings = [...]struct {
	name  string
	magic string
	open  func(io.Reader) (io.Reader, func(), error)
}{
	{"gzip", "\x1f\x8b", func(r io.Reader) (io.Reader, func(), error) {
		z, err := gzip.NewReader(r)
		return z, nil, err
	}},
	{"zstd", "\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, func(), error) {
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}},
	{"lz4", "\x04\x22\x4d\x18", func(r io.Reader) (io.Reader, func(), error) {
		return lz4.NewReader(r), nil, nil
	}},
	{"lz4", "\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, func(), error) {
		return lz4.NewReader(r), nil, nil
	}},
	{"xz", "\xfd7zXZ\x00", openXZ},
	{"bzip2", "BZh", func(r io.Reader) (io.Reader, func(), error) {
		return bzip2.NewReader(r), nil, nil
	}},
}

// decompress undoes the compressions around r, whatever they are. It returns
// the plain input, whether there was any, and what to call at the end.
func decompress(r io.Reader) (plain io.Reader, compressed bool, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for i := len(closers) - 1; i >= 0; i-- {
			closers[i]()
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decompression failed: %v", p)
		}
	}()
wrappings:
	for depth := 0; ; depth++ {
		var first [magicLen]byte
		n, err := io.ReadFull(r, first[:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, compressed, closeAll, err
		}
		r = io.MultiReader(bytes.NewReader(first[:n]), r)
		for _, c := range codings {
			if !bytes.HasPrefix(first[:n], []byte(c.magic)) {
				continue
			}
			if depth == maxWrappings {
				return nil, compressed, closeAll, fmt.Errorf("compressed more than %d times", maxWrappings)
			}
			z, closer, err := c.open(bufio.NewReaderSize(r, 256<<10))
			if err != nil {
				return nil, compressed, closeAll, fmt.Errorf("%s: %w", c.name, noEOF(err))
			}
			if closer != nil {
				closers = append(closers, closer)
			}
			r = &namedReader{name: c.name, r: z}
			compressed = true
			continue wrappings
		}
		return r, compressed, closeAll, nil
	}
}

// namedReader says which compression is at fault.
type namedReader struct {
	name string
	r    io.Reader
}

func (n *namedReader) Read(b []byte) (int, error) {
	k, err := n.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", n.name, err)
	}
	return k, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
