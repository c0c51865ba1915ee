package diagnose

import (
	"fmt"
	"time"

	"sniff/record"
)

// maxHidden is how many sessions in unreadable TLS are remembered.
const maxHidden = 4096

// ftpHidden finds what can be said of an FTP session that went on in TLS
// without keys: of the connections that were most likely its data, sizes and
// times are in the clear.
type ftpHidden struct {
	controls []*record.Session
	data     map[string]*hiddenData // by control session
}

type hiddenData struct {
	connections int
	bytes       int64
	took        time.Duration
	evidence    []record.Evidence
}

func (o *ftpHidden) See(r record.Record, _ *Reporter) {
	switch r := r.(type) {
	case *record.Session:
		if r.Protocol == "ftp" && r.TLS == "opaque" && len(o.controls) < maxHidden {
			o.controls = append(o.controls, r)
		}
	case *record.FTPTransfer:
		if r.Inferred != "" {
			o.moved(r)
		}
	}
}

func (o *ftpHidden) moved(t *record.FTPTransfer) {
	id := t.Control
	if id == "" {
		id = t.Session
	}
	d := o.data[id]
	if d == nil {
		if len(o.data) >= maxHidden {
			return
		}
		if o.data == nil {
			o.data = make(map[string]*hiddenData)
		}
		d = &hiddenData{}
		o.data[id] = d
	}
	d.connections++
	d.bytes += t.Bytes
	d.took += t.Duration.Duration()
	if len(d.evidence) < 8 {
		way := t.Direction
		if way == "" {
			way = "nothing"
		}
		d.evidence = append(d.evidence, Seen(t, record.Plain(fmt.Sprintf("%s to %s: %s, %s in %s, by %s",
			t.DataFrom, t.DataTo, way, record.Bytes(t.Bytes), t.Duration, t.Inferred))))
	}
}

func (o *ftpHidden) End(_ *record.Session, rep *Reporter) {
	for _, c := range o.controls {
		behind := "behind AUTH TLS"
		if c.Inferred != "" {
			behind = "in TLS"
		}
		title := fmt.Sprintf("what %s and %s said %s could not be read", c.Client.Addr(), c.Server, behind)
		d := o.data[c.Session]
		if d == nil {
			rep.Raise("ftp.hidden", title, c)
			continue
		}
		connections := "1 connection"
		if d.connections > 1 {
			connections = fmt.Sprintf("%d connections", d.connections)
		}
		title += fmt.Sprintf("; %s between them carried %s in %s, most likely its data", connections, record.Bytes(d.bytes), record.Seconds(d.took))
		f := rep.Raise("ftp.hidden", title, c)
		f.Evidence = append(f.Evidence, d.evidence...)
	}
}
