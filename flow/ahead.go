package flow

import (
	"slices"
	"sort"
	"time"
)

// block is a stretch of one direction that cannot be delivered yet, because
// bytes before it are missing or because it answers bytes of the other
// direction that are.
type block struct {
	seq    uint32
	n      uint32 // how long it is
	ack    uint32 // what it acknowledges, valid with acked
	acked  bool
	cut    bool // the capture does not hold its bytes (snap length)
	time   time.Time
	packet uint64
	buf    []byte // n bytes, nil when cut; its capacity is a size of blockPool
}

func (b *block) end() uint32 { return b.seq + b.n }

// ahead holds the blocks of one direction in order of sequence; they do not
// overlap.
type ahead struct {
	blocks []*block
	cost   int // memory charged for them
}

// find returns the index of the first block that ends behind seq.
func (a *ahead) find(seq uint32) int {
	return sort.Search(len(a.blocks), func(i int) bool { return int32(a.blocks[i].end()-seq) > 0 })
}

func (a *ahead) insert(i int, b *block) {
	a.blocks = slices.Insert(a.blocks, i, b)
	a.cost += b.cost()
}

// drop forgets the first n blocks, which the caller gave back to the pool.
func (a *ahead) drop(n int) {
	left := copy(a.blocks, a.blocks[n:])
	clear(a.blocks[left:])
	a.blocks = a.blocks[:left]
}

// blockOverhead is what a block costs beside its bytes.
const blockOverhead = 128

func (b *block) cost() int { return blockOverhead + cap(b.buf) }

// blockSizes are the sizes of buffers. A segment that is longer gets a buffer
// of its own, which is not pooled.
var blockSizes = [...]int{0, 256, 2048, 16 << 10, 64 << 10}

// blockPool keeps blocks for reuse, each size apart. What it keeps is bounded
// by what was in use at one time, which the engine bounds.
type blockPool struct {
	free  [len(blockSizes)][]*block
	inUse int // cost of all blocks that are out
}

func blockClass(n int) int {
	for i, size := range blockSizes {
		if n <= size {
			return i
		}
	}
	return -1
}

// get returns a block with a copy of p.
func (bp *blockPool) get(p []byte) *block {
	var b *block
	switch c := blockClass(len(p)); {
	case c < 0:
		b = &block{buf: make([]byte, 0, len(p))}
	case len(bp.free[c]) > 0:
		last := len(bp.free[c]) - 1
		b, bp.free[c] = bp.free[c][last], bp.free[c][:last]
	default:
		b = &block{}
		if blockSizes[c] > 0 {
			b.buf = make([]byte, 0, blockSizes[c])
		}
	}
	b.buf = append(b.buf[:0], p...)
	bp.inUse += b.cost()
	return b
}

func (bp *blockPool) put(b *block) {
	bp.inUse -= b.cost()
	if c := blockClass(cap(b.buf)); c >= 0 && cap(b.buf) == blockSizes[c] {
		*b = block{buf: b.buf[:0]}
		bp.free[c] = append(bp.free[c], b)
	}
}
