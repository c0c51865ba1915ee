package render

import (
	"os"
	"sync"
)

// behind writes a file on a goroutine of its own, so that a disk that is slow
// for a moment does not hold up who writes; who is too far ahead waits.
type behind struct {
	file  *os.File
	queue chan []byte
	free  chan []byte
	done  chan struct{}

	mu  sync.Mutex
	err error // the first
}

// maxBehind is how many writes may wait.
const maxBehind = 16

func newBehind(f *os.File) *behind {
	b := &behind{file: f, queue: make(chan []byte, maxBehind), free: make(chan []byte, maxBehind), done: make(chan struct{})}
	go b.run()
	return b
}

func (b *behind) run() {
	defer close(b.done)
	for p := range b.queue {
		if _, err := b.file.Write(p); err != nil {
			b.mu.Lock()
			if b.err == nil {
				b.err = err
			}
			b.mu.Unlock()
		}
		select {
		case b.free <- p:
		default:
		}
	}
}

// Write takes a copy of p, and reports an error that an earlier one met.
func (b *behind) Write(p []byte) (int, error) {
	if err := b.Err(); err != nil {
		return 0, err
	}
	var c []byte
	select {
	case c = <-b.free:
	default:
	}
	b.queue <- append(c[:0], p...)
	return len(p), nil
}

// Err returns the first error.
func (b *behind) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Close writes what waits and reports the first error.
func (b *behind) Close() error {
	close(b.queue)
	<-b.done
	if err := b.file.Close(); err != nil && b.err == nil {
		b.err = err
	}
	return b.err
}
