// Package digest is SHA-256 (FIPS 180-4) for goroutines that digest different
// messages at the same time.
//
// SHA-256 is a chain: each step waits for the one before it, and the SHA
// extensions of x86 spend most of their time waiting. Where a processor has
// them, two goroutines that both have bytes to digest therefore meet: one of
// them digests both messages in turn, instruction by instruction, in little
// more time than its own would have taken, while the other waits. All else is
// left to crypto/sha256, which keeps the state between two writes.
package digest

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

const (
	// parkMin is how many bytes, at least, a goroutine waits with for another:
	// going to sleep and being woken takes as long as digesting 2 KB.
	parkMin = 16 << 10
	// joinMin is how many bytes, at least, one that comes along must have.
	joinMin = 2 << 10
)

// Desk is where the goroutines meet. The zero value is ready.
type Desk struct {
	mu      sync.Mutex
	busy    int     // goroutines that entered and do not wait
	waiting *SHA256 // one whose goroutine waits, at most
}

// Enter says that the calling goroutine is about to digest now and then. Until
// it calls Leave it must not wait for another that has entered, except inside
// SHA256.Write. A goroutine that has not entered digests alone.
func (k *Desk) Enter() {
	k.mu.Lock()
	k.busy++
	k.mu.Unlock()
}

// Leave takes Enter back.
func (k *Desk) Leave() {
	k.mu.Lock()
	k.busy--
	if k.busy == 0 && k.waiting != nil {
		k.wake(k.waiting) // nobody will come: it must go on alone
		k.waiting = nil
	}
	k.mu.Unlock()
}

// wake ends the waiting of d's goroutine.
func (k *Desk) wake(d *SHA256) {
	k.busy++
	d.woken <- struct{}{}
}

// SHA256 is a hash.Hash for one message at a time.
type SHA256 struct {
	hash.Hash // the state, but for what happens inside together
	desk      *Desk
	n         uint64 // bytes of the message so far

	// While its goroutine is inside together.
	left  []byte // whole blocks, not digested yet
	state [8]uint32
	saved []byte // Hash's encoding of the state; nil while Hash itself is right
	buf   [128]byte
	woken chan struct{}
}

// New returns a digest whose writers may meet others at this desk.
func (k *Desk) New() *SHA256 {
	return &SHA256{Hash: sha256.New(), desk: k, woken: make(chan struct{}, 1)}
}

// Reset begins another message.
func (d *SHA256) Reset() {
	d.Hash.Reset()
	d.n = 0
}

// Write takes the next bytes; it never fails.
func (d *SHA256) Write(p []byte) (int, error) {
	size := len(p)
	if both && size >= joinMin {
		if over := int(d.n % sha256.BlockSize); over != 0 {
			head := sha256.BlockSize - over
			d.Hash.Write(p[:head])
			d.n += uint64(head)
			p = p[head:]
		}
		whole := len(p) / sha256.BlockSize * sha256.BlockSize
		d.left = p[:whole]
		d.desk.together(d)
		p = p[whole-len(d.left):]
		d.left = nil
	}
	d.Hash.Write(p)
	d.n += uint64(len(p))
	return size, nil
}

// together digests of d.left what can be digested together with others. All of
// d but woken belongs to the goroutine that has taken it from k.waiting.
func (k *Desk) together(d *SHA256) {
	k.mu.Lock()
	for len(d.left) >= joinMin {
		other := k.waiting
		if other == nil {
			if k.busy < 2 || len(d.left) < parkMin {
				break
			}
			d.load()
			k.waiting = d
			k.busy--
			k.mu.Unlock()
			<-d.woken
			k.mu.Lock()
			continue
		}
		k.waiting = nil
		k.mu.Unlock()
		d.load()
		n := min(len(d.left), len(other.left)) / sha256.BlockSize
		blocks(&d.state, &other.state, &d.left[0], &other.left[0], n)
		d.took(n)
		other.took(n)
		k.mu.Lock()
		if k.waiting == nil && len(other.left) >= parkMin && len(d.left) < joinMin {
			k.waiting = other // for the next one
		} else {
			k.wake(other)
		}
	}
	k.mu.Unlock()
	d.store()
}

// took moves past n blocks that were digested.
func (d *SHA256) took(n int) {
	d.left = d.left[n*sha256.BlockSize:]
	d.n += uint64(n) * sha256.BlockSize
}

// The encoding that crypto/sha256 gives to its state: a mark, the eight words,
// a block of bytes that are not digested yet, and the length.
const (
	wordsAt  = 4
	lengthAt = wordsAt + sha256.Size + sha256.BlockSize
)

// load takes the state out of Hash, once.
func (d *SHA256) load() {
	if d.saved != nil {
		return
	}
	// Neither fails: they are of the same type.
	d.saved, _ = d.Hash.(encoding.BinaryAppender).AppendBinary(d.buf[:0])
	for i := range d.state {
		d.state[i] = binary.BigEndian.Uint32(d.saved[wordsAt+4*i:])
	}
}

// store puts the state back if it was taken out.
func (d *SHA256) store() {
	if d.saved == nil {
		return
	}
	for i, w := range d.state {
		binary.BigEndian.PutUint32(d.saved[wordsAt+4*i:], w)
	}
	binary.BigEndian.PutUint64(d.saved[lengthAt:], d.n)
	if err := d.Hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(d.saved); err != nil {
		panic("digest: " + err.Error())
	}
	d.saved = nil
}
