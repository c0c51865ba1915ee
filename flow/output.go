package flow

import (
	"fmt"
	"sync"

	"sniff/record"
)

// maxQueued is how many records may wait for the output goroutine before the
// engine waits for it: enough to keep both busy, and few enough that what the
// records hold is still in the caches, and young, when it is written.
const maxQueued = 256

// output takes records to the sink, in the order in which they were put.
//
// Unless it is inline it has a goroutine, which also runs what was deferred:
// waiting there for a body's digest holds up later records, never the engine.
type output struct {
	sink   record.Sink
	inline bool
	done   chan struct{}

	mu      sync.Mutex
	ready   sync.Cond // queue is not empty, or closing
	room    sync.Cond // queue is below maxQueued
	queue   []item
	closing bool

	writing sync.Mutex // one writer at a time
	err     error      // the sink's first
}

// item is one record on its way. With finish set it is only the place that a
// deferred result keeps.
type item struct {
	record  record.Record
	finish  func(emit func(record.Record))
	outline *record.Outline // of the record's session
}

func (o *output) start(sink record.Sink, inline bool) {
	o.sink, o.inline = sink, inline
	if inline {
		return
	}
	o.ready.L, o.room.L = &o.mu, &o.mu
	o.done = make(chan struct{})
	go o.drain()
}

// stop waits until all records are written and returns the sink's first
// error. Calling it again does nothing more.
func (o *output) stop() error {
	if !o.inline {
		o.mu.Lock()
		o.closing = true
		o.ready.Signal()
		o.mu.Unlock()
		<-o.done
	}
	return o.Err()
}

// Err returns the first error of the sink. Nothing is written behind it.
func (o *output) Err() error {
	o.writing.Lock()
	defer o.writing.Unlock()
	return o.err
}

func (o *output) put(it item) {
	if o.inline {
		o.deliver(it)
		return
	}
	o.mu.Lock()
	for len(o.queue) >= maxQueued {
		o.room.Wait()
	}
	o.queue = append(o.queue, it)
	if len(o.queue) == 1 {
		o.ready.Signal()
	}
	o.mu.Unlock()
}

// drain is the output goroutine. It takes all that is queued at a time.
func (o *output) drain() {
	defer close(o.done)
	var batch []item
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closing {
			o.ready.Wait()
		}
		if len(o.queue) == 0 {
			o.mu.Unlock()
			return
		}
		batch, o.queue = o.queue, batch[:0]
		o.room.Broadcast()
		o.mu.Unlock()
		for i := range batch {
			o.deliver(batch[i])
			batch[i] = item{}
		}
	}
}

// deliver writes a record, or runs the deferred function that emits it.
func (o *output) deliver(it item) {
	if it.finish == nil {
		o.write(it.record, it.outline)
		return
	}
	head := it.record.Head()
	emit := func(r record.Record) {
		inherit(r, *head)
		o.write(r, it.outline)
	}
	defer func() {
		if v := recover(); v != nil {
			emit(&record.Anomaly{Code: codeInternal, Detail: fmt.Sprintf("%v at %s", v, panicPlace())})
		}
	}()
	it.finish(emit)
}

// inherit completes r's header from that of the record whose place it takes.
func inherit(r record.Record, head record.Header) {
	h := r.Head()
	if h.Time.IsZero() {
		*h = head
	} else {
		h.Session, h.Number, h.CommunityID = head.Session, head.Number, head.CommunityID
		h.Client, h.Server = head.Client, head.Server
		if h.Protocol == "" {
			h.Protocol = head.Protocol
		}
	}
	h.RecordKind = r.Kind()
}

// write lets the record tell its part of the session's outline and hands it
// to the sink. The session's own record comes last and takes the outline.
func (o *output) write(r record.Record, outline *record.Outline) {
	if outline != nil {
		if t, ok := r.(record.Teller); ok {
			t.Tell(outline)
		}
		if s, ok := r.(*record.Session); ok && s.What == "" {
			s.What = outline.String()
		}
	}
	o.writing.Lock()
	defer o.writing.Unlock()
	if o.sink == nil || o.err != nil {
		return
	}
	o.err = o.sink.Write(r)
}
