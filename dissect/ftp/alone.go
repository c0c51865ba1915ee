package ftp

import (
	"bytes"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// dataPort is where a server's active data connections come from (RFC 959,
// section 8).
const dataPort = 20

// DataProtocol returns the entry for data connections whose control connection
// was not captured. Data that is announced never gets here.
func DataProtocol() dissect.Protocol {
	return dissect.Protocol{
		Name:  dataProtocol,
		From:  []uint16{dataPort},
		Probe: probeData,
		New:   newAlone,
	}
}

// probeData takes what is surely FTP data: a stream of one direction that comes
// from port 20, or that is nothing but a listing. Anything else that a file
// holds looks like anything. It says yes at the end only: until then the
// announcement may still come.
func probeData(in *dissect.Input) dissect.Verdict {
	said := in.Server
	if len(in.Client) > 0 {
		said = in.Client
	}
	switch {
	case len(in.Client) > 0 && len(in.Server) > 0, in.ALPN != "", in.Midstream:
		return dissect.Reject
	case !in.Hint && !allListing(said):
		return dissect.Reject
	case !in.Final:
		return dissect.More
	case len(said) == 0 || !in.Hint && bytes.IndexByte(said, '\n') < 0:
		return dissect.Reject
	}
	return dissect.Accept
}

// allListing reports whether every whole line of b is one of a listing, with
// the line end that the protocol demands: what ls prints elsewhere ends with LF.
func allListing(b []byte) bool {
	for first := true; len(b) > 0; first = false {
		l, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			return len(l) <= maxListingLine
		}
		b = rest
		text, ok := bytes.CutSuffix(l, []byte{'\r'})
		if !ok || len(text) == 0 {
			return false
		}
		s := string(text)
		if first && strings.HasPrefix(s, "total ") {
			continue
		}
		if _, ok := parseAny(s); !ok {
			return false
		}
	}
	return true
}

// alone reads a data connection of which nothing else is known.
type alone struct {
	env     dissect.Env
	control *session // that it most likely belongs to; nil: none
	load    *load
}

func newAlone(env dissect.Env) dissect.Dissector { return &alone{env: env} }

func (d *alone) begin(dir dissect.Dir) *load {
	if d.load == nil {
		at := d.env.At(0)
		d.load = &load{dir: dir, first: at, last: at, list: &listParser{}}
		d.load.body = d.env.Body(content.Info{
			Carrier: dataProtocol, Session: d.env.Conn().Session, Role: content.File, Stamp: at, Dir: dir,
		})
	}
	return d.load
}

func (d *alone) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	l := d.begin(dir)
	if dir == l.dir {
		l.wire += int64(len(b))
		l.last = d.env.At(len(b) - 1)
		l.write(b)
	}
	return len(b), dissect.Continue, nil
}

func (d *alone) Gap(dir dissect.Dir, n int64) {
	l := d.begin(dir)
	if dir != l.dir {
		return
	}
	if n < 0 || l.missing < 0 {
		l.missing = -1
	} else {
		l.missing += n
	}
	l.list.gap()
	l.body.Gap(n)
}

func (d *alone) EOF(dissect.Dir) {}

// Closed reports what came.
func (d *alone) Closed(end, by string) {
	l := d.load
	if l == nil {
		return
	}
	l.result = l.body.Close(end == record.EndClosed && l.missing == 0)
	l.list.close()
	conn := d.env.Conn()
	r := &record.FTPTransfer{
		Outcome: record.TransferUnknown, Reason: "its control connection is in no input",
		Active: conn.Client.Port() == dataPort, Bytes: l.bytes,
		DataSession: conn.Session, DataFrom: conn.Client, DataTo: conn.Server, DataEnd: end, EndedBy: by,
	}
	if s := d.control; s != nil {
		r.Reason, r.Inferred, r.Control = hiddenCommand, record.InferredByHosts, s.env.Conn().Session
		r.Active = conn.Client.Addr().Unmap() == s.serverAddr()
	}
	if r.Active {
		r.EndedBy = otherSide(by)
	}
	switch {
	case l.list.total > 0 && l.list.odd == 0:
		r.Direction = "listing"
		r.Listing, r.Entries = l.list.result()
	case (l.dir == dissect.ClientToServer) == r.Active:
		r.Direction = "download"
	default:
		r.Direction = "upload"
	}
	if d := l.last.Time.Sub(l.first.Time); d > 0 {
		r.Duration = record.Seconds(d)
		r.Rate = int64(float64(l.bytes) / d.Seconds())
	}
	r.Stamp(l.first, l.dir)
	result := l.result
	d.env.Defer(r, func(emit func(record.Record)) {
		r.Content = result.Wait()
		emit(r)
	})
}
