package diagnose

import (
	"fmt"

	"sniff/record"
)

// soapWhole sees the calls of all sessions: a client that tries again does so
// over a new connection.
type soapWhole struct {
	failed map[request]*record.SOAPCall
	order  []request // keys of failed, the oldest at next
	next   int
}

// request is what is the same when a call is sent again.
type request struct{ endpoint, sha256 string }

// maxFailed bounds the calls that are remembered to see them repeated.
const maxFailed = 1024

func (o *soapWhole) See(r record.Record, rep *Reporter) {
	if c, ok := r.(*record.SOAPCall); ok {
		o.repeated(c, rep)
	}
}

// repeated finds calls that are sent again, byte for byte, after a failure.
func (o *soapWhole) repeated(c *record.SOAPCall, rep *Reporter) {
	if c.Request == nil || c.Request.Content == nil || c.Request.Content.SHA256 == "" || c.Request.Partial {
		return
	}
	key := request{c.Endpoint, c.Request.Content.SHA256}
	if before := o.failed[key]; before != nil {
		after := record.Between(before.Time, c.Time)
		f := rep.Raise("soap.repeated", fmt.Sprintf("%s was sent again %s after the first time (%s)", c.Name(), after, before.Summary()), c)
		if len(f.Evidence) == 1 {
			f.Evidence = append(f.Evidence, Seen(before, record.Plain(before.Summary())))
		}
		return
	}
	if !c.Unanswered && c.Status < 500 || c.Fault != nil && has([]string{c.Fault.Code}, "Client", "Sender") {
		return
	}
	if len(o.order) < maxFailed {
		o.order = append(o.order, key)
	} else {
		delete(o.failed, o.order[o.next])
		o.order[o.next] = key
		o.next = (o.next + 1) % maxFailed
	}
	o.failed[key] = c
}

func (o *soapWhole) End(*record.Session, *Reporter) {}
