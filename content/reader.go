package content

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// Config sets up a Reader. The zero value digests with SHA-256, keeps
// nothing, stores nothing and knows no loads.
type Config struct {
	// Loads are asked in this order; the first that recognises a body has it.
	Loads []Load
	// SHA1 and MD5 ask for these digests beside SHA-256.
	SHA1, MD5 bool
	// Keep is how many decoded bytes of each leaf stay in record.Content.Kept.
	Keep int
	// URLs asks for the URLs in texts.
	URLs bool
	// Store takes copies of what is read; nil for none.
	Store Store
	// Workers is how many goroutines decode and digest; 0 means one more than
	// there are CPUs: while one waits to digest together with another, and the
	// carrier and whoever takes the results both wait for the same body, no CPU
	// is to be idle. Below 0 the carrier's goroutine does all the work itself.
	// It has no influence on results.
	Workers int

	Limits Limits
}

// Limits bound what one body may cost. Zero means the default; nothing can be
// made unlimited.
type Limits struct {
	// Depth is how deep multiparts and messages may lie in each other;
	// default 16.
	Depth int
	// Parts is how many parts of one body are read; default 1000.
	Parts int
	// Head is how many bytes of header fields one body may leave in its
	// records; default 1 MiB. A single head is read up to a quarter of it.
	Head int
	// Fields is how many header fields one message lists; default 1000.
	Fields int
	// Ratio is how many times bigger than its coding a body may get before
	// it is taken for a bomb, once it exceeds 16 MiB; default 250.
	Ratio int64
	// Decoded is how many bytes decompression may yield for one body; default
	// 4 GiB.
	Decoded int64
	// URLs is how many URLs are listed for one body; default 1000.
	URLs int
	// Queued is how many bytes may wait for the workers, over all bodies;
	// default 2 MiB. A carrier that writes faster waits.
	Queued int
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&l.Depth, 16)
	def(&l.Parts, 1000)
	def(&l.Head, 1<<20)
	def(&l.Fields, 1000)
	def(&l.URLs, 1000)
	def(&l.Queued, 2<<20)
	if l.Ratio <= 0 {
		l.Ratio = 250
	}
	if l.Decoded <= 0 {
		l.Decoded = 4 << 30
	}
	return l
}

// Reader opens bodies and reads them, the larger ones on worker goroutines.
// Open may be called from several goroutines; one Body belongs to one at a
// time.
type Reader struct {
	config Config
	guards []sync.Mutex // one for each load: see Load.Pair
	pools  pools
	inline bool

	work    chan job
	tokens  chan struct{} // one for each chunk that waits for a worker
	workers sync.WaitGroup

	// closing is held for reading by whoever sends to work.
	closing sync.RWMutex
	closed  bool

	mu    sync.Mutex
	batch []*body // small bodies that are closed but not read
	err   error
}

// job is one body with events to process, or several small ones.
type job struct {
	one  *body
	many []*body
}

// batchSize is how many small bodies are handed to a worker at once: a
// hand-off costs about as much as digesting a kilobyte.
const batchSize = 32

// New starts a Reader. Close ends its workers.
func New(config Config) *Reader {
	config.Limits = config.Limits.withDefaults()
	n := config.Workers
	if n == 0 {
		n = runtime.GOMAXPROCS(0) + 1
	}
	r := &Reader{
		config: config,
		guards: make([]sync.Mutex, len(config.Loads)),
		inline: n < 0,
		work:   make(chan job, 16),
		tokens: make(chan struct{}, max(2, config.Limits.Queued/bigChunk)),
	}
	r.pools.init(&r.config)
	for range n {
		r.workers.Go(r.worker)
	}
	return r
}

// Close reads what is still waiting and ends the workers. A body that is
// written to afterwards is read on its carrier's goroutine.
func (r *Reader) Close() error {
	r.flush()
	r.closing.Lock()
	again := r.closed
	r.closed = true
	r.closing.Unlock()
	if !again {
		close(r.work)
		r.workers.Wait()
	}
	return r.Err()
}

// Err returns the first error of the store, or a bug in a load or a decoder
// that was met while reading; the body it befell has the problem
// store_failed or bug.
func (r *Reader) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *Reader) worker() {
	for j := range r.work {
		if j.one != nil {
			j.one.run()
			continue
		}
		for _, b := range j.many {
			if b.claim() {
				b.run()
			}
		}
	}
}

// send hands a job to the workers, or does it here when there are none.
func (r *Reader) send(j job) {
	if !r.inline {
		r.closing.RLock()
		if !r.closed {
			r.work <- j
			r.closing.RUnlock()
			return
		}
		r.closing.RUnlock()
	}
	if j.one != nil {
		j.one.run()
	}
	for _, b := range j.many {
		if b.claim() {
			b.run()
		}
	}
}

// small takes a closed body that fits into its first chunk. It is read by a
// worker in a batch, or by whoever asks for its result first.
func (r *Reader) small(b *body) {
	if r.inline {
		if b.claim() {
			b.run()
		}
		return
	}
	r.mu.Lock()
	if r.batch == nil {
		r.batch = make([]*body, 0, batchSize)
	}
	r.batch = append(r.batch, b)
	full := len(r.batch) >= batchSize
	r.mu.Unlock()
	if full {
		r.flush()
	}
}

func (r *Reader) flush() {
	r.mu.Lock()
	many := r.batch
	r.batch = nil
	r.mu.Unlock()
	if len(many) > 0 {
		r.send(job{many: many})
	}
}

// bug turns a panic into an error with its place.
func bug(what any) error {
	return fmt.Errorf("content: bug: %v\n%s", what, debug.Stack())
}
