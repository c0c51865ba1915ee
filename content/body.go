package content

import (
	"slices"
	"sync"

	"sniff/record"
)

// body is both the Body that a carrier writes and its Result.
//
// The carrier's side copies bytes into chunks and queues them as events; the
// worker's side (run) takes them off the queue. A body is on the work channel
// at most once, so its events are processed in order by one worker at a time.
// A small body has one event: its end, with all its bytes.
type body struct {
	r    *Reader
	info Info
	fill *chunk // being filled by the carrier
	used bool   // something was queued for the workers already

	mu    sync.Mutex
	state state
	queue []event
	first [1]event // the queue of a small body

	// Below belongs to whoever runs the body.
	reading *reading
	content *record.Content
	loaded  []Loaded
	only    [1]Loaded // what loaded holds of a body that is no more than one leaf
	done    sync.WaitGroup
}

type state uint8

const (
	idle    state = iota // no worker has it
	waiting              // small and closed: whoever claims it may run it
	running              // on the work channel or in a worker
)

type event struct {
	kind  eventKind
	token bool   // it holds one of the reader's tokens
	whole bool   // of an end: the carrier saw all of the body
	chunk *chunk // nil: no bytes; those of an end are all that there are
	n     int64
}

type eventKind uint8

const (
	dataEvent eventKind = iota
	gapEvent
	closeEvent
)

// Open begins a body.
func (r *Reader) Open(info Info) Body {
	b := &body{r: r, info: info}
	b.queue = b.first[:0]
	b.done.Add(1)
	return b
}

func (b *body) Write(p []byte) {
	for len(p) > 0 {
		if b.fill == nil {
			b.fill = b.r.pools.chunk(b.used)
		}
		c := b.fill
		n := copy(c.buf[len(c.buf):cap(c.buf)], p)
		c.buf = c.buf[:len(c.buf)+n]
		p = p[n:]
		if len(c.buf) < cap(c.buf) {
			if b.r.pools.crowded() {
				b.flush()
			}
			return
		}
		if len(p) == 0 && cap(c.buf) == smallChunk {
			return // it may be a small body that is about to end
		}
		if big := b.r.pools.grow(c); big != nil {
			b.fill = big
			continue
		}
		b.fill = nil
		b.put(event{kind: dataEvent, chunk: c})
	}
}

func (b *body) Gap(n int64) {
	if n == 0 {
		return
	}
	b.flush()
	b.put(event{kind: gapEvent, n: n})
}

func (b *body) Close(complete bool) Result {
	end := event{kind: closeEvent, whole: complete}
	if b.used {
		b.flush()
		b.put(end)
		return b
	}
	if b.fill != nil && len(b.fill.buf) > smallChunk {
		b.flush()
		b.put(end)
		return b
	}
	end.chunk, b.fill = b.fill, nil
	b.queue = append(b.queue, end)
	b.mu.Lock()
	b.state = waiting
	b.mu.Unlock()
	b.r.small(b)
	return b
}

func (b *body) flush() {
	if c := b.fill; c != nil {
		b.fill = nil
		b.put(event{kind: dataEvent, chunk: c})
	}
}

// put queues an event and makes sure that a worker will see it.
func (b *body) put(e event) {
	if !b.used { // else a worker may be looking at it
		b.used = true
	}
	if e.chunk != nil && !b.r.inline {
		b.r.tokens <- struct{}{}
		e.token = true
	}
	b.mu.Lock()
	b.queue = append(b.queue, e)
	wake := b.state == idle
	b.state = running
	b.mu.Unlock()
	if wake {
		b.r.send(job{one: b})
	}
}

// claim takes a small body that nobody has run yet.
func (b *body) claim() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != waiting {
		return false
	}
	b.state = running
	return true
}

// run processes events until there are none.
func (b *body) run() {
	if b.used { // nobody need wait for a small body to digest with it
		b.r.pools.desk.Enter()
		defer b.r.pools.desk.Leave()
	}
	var spare []event
	for {
		b.mu.Lock()
		events := b.queue
		if len(events) == 0 {
			b.state = idle
			b.mu.Unlock()
			return
		}
		b.queue = spare[:0]
		b.mu.Unlock()
		for i, e := range events {
			b.process(e)
			events[i].chunk = nil
			if e.chunk != nil {
				b.r.pools.free(e.chunk)
			}
			if e.token {
				<-b.r.tokens
			}
			if e.kind == closeEvent {
				b.finish()
				return
			}
		}
		spare = events
	}
}

func (b *body) process(e event) {
	defer func() {
		if p := recover(); p != nil {
			b.r.fail(bug(p))
			b.reading.broken = true
			b.content.Problem("bug")
			b.content.Partial = true
		}
	}()
	if b.reading == nil {
		b.content = &record.Content{}
		b.reading = b.r.pools.readings.Get().(*reading)
		b.reading.r, b.reading.info, b.reading.root, b.reading.loaded = b.r, &b.info, b.content, b.only[:0]
		b.reading.open()
	}
	if b.reading.broken {
		return
	}
	switch e.kind {
	case dataEvent:
		b.reading.write(e.chunk.buf)
	case gapEvent:
		b.reading.gap(e.n)
	case closeEvent:
		if e.chunk != nil {
			b.reading.all(e.chunk.buf)
		}
		b.reading.close(e.whole)
	}
}

// finish makes the result known and lets go of everything else.
func (b *body) finish() {
	b.loaded = b.reading.loaded
	if b.reading.broken {
		// A parser that was not closed has made nothing of its body.
		b.loaded = slices.DeleteFunc(b.loaded, func(l Loaded) bool { return l.Value == nil })
	} else {
		b.reading.forget()
		b.r.pools.readings.Put(b.reading)
	}
	b.reading = nil
	b.queue = nil
	b.done.Done()
}

func (b *body) Wait() *record.Content {
	if b.claim() {
		b.run()
	}
	b.done.Wait()
	return b.content
}

func (b *body) Loaded() []Loaded {
	b.Wait()
	return b.loaded
}

// guard returns what is locked while a load's Pair runs.
func (b *body) guard(l Load) *sync.Mutex {
	for i, x := range b.r.config.Loads {
		if x == l {
			return &b.r.guards[i]
		}
	}
	return nil
}
