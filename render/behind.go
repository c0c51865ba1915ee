package render

import (
	"os"
	"sync"
)

// behind writes a file on a goroutine of its own, so that a disk that is slow
// for a moment does not hold up who writes; who is too far ahead waits. Behind
// an error nothing more is written: a file must not go on behind a hole.
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
		if b.Err() == nil {
			if _, err := b.file.Write(p); err != nil {
				b.mu.Lock()
				b.err = err
				b.mu.Unlock()
			}
		}
		select {
		case b.free <- p:
		default:
		}
	}
}

// Write takes p over and returns an empty buffer in its place.
func (b *behind) Write(p []byte) []byte {
	var empty []byte
	select {
	case empty = <-b.free:
	default:
		empty = make([]byte, 0, cap(p))
	}
	b.queue <- p
	return empty[:0]
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
