package diagnose

import (
	"fmt"
	"strings"
	"time"

	"sniff/record"
)

// clockSlack is how far clocks may differ before it is said.
const clockSlack = 5 * time.Minute

// clocks are how far the clocks of both sides are ahead of the capture's, as
// far as one call tells: the client's by the Created of its request, the
// server's by the Date of its answer.
type clocks struct {
	client, server       time.Duration
	hasClient, hasServer bool
	created, date        string
}

// lastDate is a Date, and when it is; the answers of one second have the same one.
type lastDate struct {
	text string
	at   time.Time
	ok   bool
}

// read reads a Date.
func (d *lastDate) read(text string) (time.Time, bool) {
	if d.text != text {
		at, err := time.Parse(time.RFC1123, text)
		*d = lastDate{text, at, err == nil}
	}
	return d.at, d.ok
}

// readClocks reads the clocks of a call; x is the exchange that carried it, nil
// when it was not seen.
func (o *soapObserver) readClocks(c *record.SOAPCall, x *record.HTTPExchange) clocks {
	var k clocks
	if m := c.Request; m != nil && m.Security != nil {
		k.created = createdIn(m.Security)
		if t, err := time.Parse(time.RFC3339, k.created); err == nil {
			k.client, k.hasClient = t.Sub(c.Time), true
		}
	}
	if x == nil || x.Answer.Time.IsZero() {
		return k
	}
	for _, f := range x.ResponseHeaders {
		switch {
		case strings.EqualFold(f.Name, "Age"):
			k.hasServer = false
			return k // a stored answer has the date of its making
		case strings.EqualFold(f.Name, "Date"):
			k.date = f.Value.String()
			if t, ok := o.dated.read(k.date); ok {
				k.server, k.hasServer = t.Sub(x.Answer.Time), true
			}
		}
	}
	return k
}

// createdIn returns when a message says that it was made.
func createdIn(s *record.SOAPSecurity) string {
	if s.Created != "" {
		return s.Created
	}
	return s.TokenCreated
}

// judge reports clocks that differ by more than a receiver would put up with.
func (k *clocks) judge(c *record.SOAPCall, x *record.HTTPExchange, rep *Reporter) {
	apart := (k.client - k.server).Abs()
	switch {
	case !k.hasServer:
	case k.hasClient && apart > clockSlack:
		rep.Raise("soap.clock", fmt.Sprintf("the clocks of %s and %s are %s apart: the client's %s, the server's %s", c.Client.Addr(), c.Server.Addr(), record.Seconds(apart.Round(time.Minute)), aheadText(k.client), aheadText(k.server)),
			c, record.Plain("Created "+k.created), record.Plain("Date: "+k.date))
	case !k.hasClient && k.server.Abs() > clockSlack:
		f := rep.Raise("soap.clock", fmt.Sprintf("the clock of %s %s", c.Server.Addr(), aheadText(k.server)), x, record.Plain("Date: "+k.date))
		f.Severity = record.SeverityNotice
	}
}

// aheadText compares a clock with the capture's.
func aheadText(d time.Duration) string {
	switch {
	case d > clockSlack:
		return "is " + record.Seconds(d.Round(time.Minute)).String() + " ahead of the capture's"
	case d < -clockSlack:
		return "is " + record.Seconds(-d.Round(time.Minute)).String() + " behind the capture's"
	}
	return "agrees with the capture's"
}
