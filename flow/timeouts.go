package flow

import (
	"fmt"
	"slices"
	"time"

	"sniff/record"
)

const (
	// lingerTime is how long the end of a connection is held open for what
	// is still under way.
	lingerTime = 5 * time.Second
	// tombTime is how long stray packets behind the end are recognised.
	tombTime = time.Minute
)

// clock is the engine's idea of now: capture time, in Unix nanoseconds, that
// never goes back. One packet with a time from the future does not make
// everything expire: it takes two to leap a day.
type clock struct {
	now    int64
	seen   int64 // time of the latest segment, or now if that is later
	due    int64 // no timer is due before
	leaped bool  // the latest segment lay more than a day ahead
	runs   bool
}

const leap = int64(24 * time.Hour)

// at moves the clock to the time of a segment.
func (c *clock) at(t int64) {
	if !c.runs {
		c.runs, c.now = true, t
	}
	if t > c.now && t-c.now > leap && !c.leaped {
		c.leaped = true
	} else {
		c.leaped = false
		c.now = max(c.now, t)
	}
	c.seen = max(c.now, t)
}

// timers are the queues of what waits for a time. All that stand in one wait
// equally long, so the first is due first. A connection that was active since
// it was queued goes to the end when it comes to the front: no queue is
// touched when a segment arrives.
type timers struct {
	active    queue // connections, for Limits.Idle; in the order in which they are evicted
	lingering queue // connections that have ended, for lingerTime
	surely    queue // connections with a hole that both sides have passed, for sureTime
	holes     queue // connections with any other hole, for holeTime

	knocking queue // attempts, for Limits.HalfOpenIdle
	knocked  queue // attempts that have ended, for lingerTime
}

func (e *Engine) enqueue(q *queue, c *tcpConn, after time.Duration) {
	c.queued = e.now
	q.push(c.id)
	e.wake(after)
}

func (e *Engine) wake(after time.Duration) { e.due = min(e.due, e.now+int64(after)) }

// watch sets the timer for the holes of c.
func (e *Engine) watch(c *tcpConn, open, sure bool) {
	if !open {
		e.surely.remove(c.id)
		e.holes.remove(c.id)
		return
	}
	to, from, after := &e.holes, &e.surely, holeTime
	if sure {
		to, from, after = &e.surely, &e.holes, sureTime
	}
	if !to.has(c.id) {
		from.remove(c.id)
		c.holeSince = e.now
		to.push(c.id)
		e.wake(after)
	}
}

func (e *Engine) enqueueAttempt(id int32) {
	a := e.attempt(id)
	a.queued = e.now
	switch {
	case a.end == knockRefused || a.end == knockReset:
		e.knocked.push(id)
		e.wake(lingerTime)
	default:
		e.knocking.push(id)
		e.wake(e.cfg.Limits.HalfOpenIdle)
	}
}

// requeueAttempt moves an attempt when its end became known.
func (e *Engine) requeueAttempt(id int32) {
	a := e.attempt(id)
	if ended := a.end == knockRefused || a.end == knockReset; ended != e.knocked.has(id) {
		e.unqueueAttempt(id)
		e.enqueueAttempt(id)
	}
}

func (e *Engine) unqueueAttempt(id int32) {
	e.knocking.remove(id)
	e.knocked.remove(id)
}

// expire does what is due.
func (e *Engine) expire() {
	next := int64(1<<63 - 1)
	e.expireHoles(&e.surely, sureTime, false, &next)
	e.expireHoles(&e.holes, holeTime, true, &next)
	e.expireConns(&e.lingering, lingerTime, "", &next)
	e.expireConns(&e.active, e.cfg.Limits.Idle, record.EndTimeout, &next)
	e.expireAttempts(&e.knocked, lingerTime, &next)
	e.expireAttempts(&e.knocking, e.cfg.Limits.HalfOpenIdle, &next)
	e.expireTombs(&next)
	e.due = next
}

func (e *Engine) expireHoles(q *queue, after time.Duration, force bool, next *int64) {
	for q.n > 0 {
		c := e.conns[q.first]
		if due := c.holeSince + int64(after); due > e.now {
			*next = min(*next, due)
			return
		}
		q.remove(c.id)
		e.overdue(c, force)
		e.conclude(c)
	}
}

func (e *Engine) expireConns(q *queue, after time.Duration, end string, next *int64) {
	for q.n > 0 {
		c := e.conns[q.first]
		if due := c.queued + int64(after); due > e.now {
			*next = min(*next, due)
			return
		}
		if q == &e.active && c.last+int64(after) > e.now {
			e.requeue(c)
			continue
		}
		e.closeConn(c, end)
	}
}

// requeue puts a connection that was active behind those that were not looked
// at yet.
func (e *Engine) requeue(c *tcpConn) {
	e.active.remove(c.id)
	c.queued = min(c.last, e.now)
	if last := e.active.last; last != 0 {
		c.queued = max(c.queued, e.conns[last].queued)
	}
	e.active.push(c.id)
}

func (e *Engine) expireAttempts(q *queue, after time.Duration, next *int64) {
	for q.n > 0 {
		id := q.first
		a := e.attempt(id)
		if due := a.queued + int64(after); due > e.now {
			*next = min(*next, due)
			return
		}
		switch {
		case q == &e.knocking && a.seen+int64(after) > e.now:
			q.remove(id)
			a.queued = min(a.seen, e.now)
			if last := q.last; last != 0 {
				a.queued = max(a.queued, e.attempt(last).queued)
			}
			q.push(id)
		default:
			e.finishAttempt(id, record.EndTimeout)
		}
	}
}

func (e *Engine) expireTombs(next *int64) {
	for t := e.graves.oldest(); t != nil; t = e.graves.oldest() {
		if due := t.buried + int64(tombTime); due > e.now {
			*next = min(*next, due)
			return
		}
		e.graves.forget()
	}
}

// evictOne gives up the connection that was silent for longest, or about so.
func (e *Engine) evictOne() {
	if e.lingering.n > 0 {
		e.closeConn(e.conns[e.lingering.first], "")
		return
	}
	for range e.active.n {
		c := e.conns[e.active.first]
		if c.last <= c.queued {
			break
		}
		e.requeue(c)
	}
	e.counts.connections++
	e.closeConn(e.conns[e.active.first], record.EndEvicted)
}

// closeAll ends everything at the end of the input, in the order in which it
// began.
func (e *Engine) closeAll() {
	e.closing = true
	type open struct {
		number uint64
		id     int32
	}
	var all []open
	for id := e.active.first; id != 0; id = e.active.links[id].next {
		all = append(all, open{e.conns[id].number, id})
	}
	for id := e.lingering.first; id != 0; id = e.lingering.links[id].next {
		all = append(all, open{e.conns[id].number, id})
	}
	attempts := func() {
		for _, q := range []*queue{&e.knocking, &e.knocked} {
			for id := q.first; id != 0; id = q.links[id].next {
				all = append(all, open{e.attempt(id).number, -id})
			}
		}
	}
	attempts()
	for len(all) > 0 {
		slices.SortFunc(all, func(a, b open) int { return int(int64(a.number) - int64(b.number)) })
		for _, o := range all {
			if o.id > 0 {
				e.closeConn(e.conns[o.id], "")
			} else {
				e.finishAttempt(-o.id, "")
			}
		}
		// The end of a connection may leave a new SYN on its ports behind.
		all = all[:0]
		attempts()
	}
}

// tally counts what was not read, or given up, over the whole input.
type tally struct {
	badChecksums uint64
	attempts     uint64
	connections  uint64
}

// anomalies says what was counted.
func (t *tally) anomalies(at record.Stamp, emit func(record.Record)) {
	say := func(code string, n uint64, detail string) {
		if n > 0 {
			a := &record.Anomaly{Code: code, Detail: fmt.Sprintf(detail, n)}
			a.RecordKind, a.Time, a.Packet = a.Kind(), at.Time, at.Packet
			emit(a)
		}
	}
	say("tcp_bad_checksum", t.badChecksums, "%d segments with a wrong checksum were ignored")
	say("attempts_evicted", t.attempts, "%d connection attempts without data were given up to stay within the limit of half-open connections; they are not listed")
	say("connections_evicted", t.connections, "%d connections were given up to stay within the limit of connections; what followed on them was read as new")
}
