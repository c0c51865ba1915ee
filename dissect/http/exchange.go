package http

import (
	"slices"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// exchange is a request and its response under way.
type exchange struct {
	rec      *record.HTTPExchange
	own      record.HTTPExchange // what rec points to: one allocation for both
	bodies   content.Exchange    // what is carried, for the loads
	done     [2]bool
	damaged  [2]bool // bytes are missing or the message was cut
	answered bool    // its final response has begun
	lost     bool    // stands for a request that was not captured
	secrets  []*record.Credential
	simple   bool   // HTTP/0.9
	upgrade  string // protocol that the client offered to switch to
	held     bool   // the client is held behind it
}

// result is what became of the body in dir; nil as long as there is none.
func (x *exchange) result(dir dissect.Dir) *content.Result {
	if dir == dissect.ClientToServer {
		return &x.bodies.Request
	}
	return &x.bodies.Response
}

// unseen stands for a request that was not captured.
func unseen() *exchange {
	x := &exchange{lost: true}
	x.rec = &x.own
	x.done[dissect.ClientToServer] = true
	return x
}

// push puts a new request at the end of the queue.
func (d *dissector) push(x *exchange) {
	for len(d.queue) > 0 && !d.pipelines && (d.doubt || d.queue[0].lost) {
		// A client that never pipelines has had its answer, seen or not.
		d.abandon()
	}
	if len(d.queue) == 0 {
		d.doubt = x.lost
	} else if !x.lost {
		d.pipelines, x.rec.Pipelined = true, true
	}
	if len(d.queue) >= maxQueue {
		d.abandon()
	}
	d.queue = append(d.queue, x)
}

// pop takes the request that the next final response answers.
func (d *dissector) pop() *exchange {
	x := d.queue[0]
	d.queue = slices.Delete(d.queue, 0, 1) // most often it was the only one
	x.answered = true
	return x
}

// abandon gives up waiting for the answer to the oldest request.
func (d *dissector) abandon() {
	x := d.pop()
	x.done[dissect.ServerToClient] = true
	d.settle(x)
}

// settle reports an exchange when both of its messages have ended.
func (d *dissector) settle(x *exchange) {
	if !x.done[0] || !x.done[1] {
		return
	}
	if x.lost && x.rec.Status == 0 {
		return
	}
	d.emit(x)
}

func (d *dissector) emit(x *exchange) {
	r := x.rec
	d.count++
	r.Sequence = d.count
	switch {
	case r.Method == "":
		r.State = record.HTTPNoRequest
	case x.damaged[0]:
		r.State = record.HTTPRequestCut
	case r.Status == 0 && x.bodies.Response == nil && r.ResponseEnd.IsZero():
		r.State = record.HTTPNoResponse
	case x.damaged[1]:
		r.State = record.HTTPResponseCut
	default:
		r.State = record.HTTPComplete
	}
	if r.Method != "" {
		r.Sending = record.Between(r.Time, r.RequestEnd)
		r.Waiting = record.Between(r.RequestEnd, r.Answer.Time)
		r.Latency = record.Between(r.Time, r.ResponseEnd)
	}
	r.Receiving = record.Between(r.Answer.Time, r.ResponseEnd)
	d.judge(x)
	if x.bodies.Request == nil && x.bodies.Response == nil {
		d.env.Emit(r)
		for _, c := range x.secrets {
			d.env.Emit(c)
		}
		return
	}
	d.env.Defer(r, x.finish)
}

// finish writes the exchange when its bodies have been read.
func (x *exchange) finish(emit func(record.Record)) {
	r := x.rec
	if x.bodies.Request != nil {
		r.Request = x.bodies.Request.Wait()
	}
	if x.bodies.Response != nil {
		r.Response = x.bodies.Response.Wait()
	}
	for _, res := range [...]content.Result{x.bodies.Request, x.bodies.Response} {
		if res == nil || r.Carries != "" {
			continue
		}
		if l := res.Loaded(); len(l) > 0 {
			r.Carries = l[0].Load.Name()
		}
	}
	emit(r)
	for _, c := range x.secrets {
		emit(c)
	}
	x.bodies.Carrier = r
	content.Pair(&x.bodies, emit)
	x.bodies, x.secrets = content.Exchange{}, nil // the record may be kept
}

// url makes the target absolute: RFC 9112, section 3.3.
func url(method, target, host string, secure bool) string {
	switch {
	case target == "":
		return ""
	case method == "CONNECT":
		return target
	case strings.Contains(target, "://"):
		return record.FormText(target).String()
	case host == "":
		return record.FormText(target).String()
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	if target == "*" {
		target = ""
	}
	return record.FormText(scheme + host + target).String()
}
