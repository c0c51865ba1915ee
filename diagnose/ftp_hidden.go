package diagnose

import (
	"fmt"
	"slices"
	"time"

	"sniff/record"
)

// maxHidden is how many sessions in unreadable TLS are remembered.
const maxHidden = 4096

// ftpHidden finds what can be said of an FTP session that went on in TLS
// without keys: the connections between the same two hosts while it lasted are
// most likely its data connections, and their sizes and times are in the clear.
type ftpHidden struct {
	controls []*record.Session
	others   []*record.Session
}

func (o *ftpHidden) See(r record.Record, _ *Reporter) {
	s, ok := r.(*record.Session)
	switch {
	case !ok || s.TLS != "opaque":
	case s.Protocol == "ftp":
		if len(o.controls) < maxHidden {
			o.controls = append(o.controls, s)
		}
	case s.Protocol == "tls" && s.Parent == "":
		if len(o.others) < maxHidden {
			o.others = append(o.others, s)
		}
	}
}

func (o *ftpHidden) End(_ *record.Session, rep *Reporter) {
	slices.SortStableFunc(o.others, func(a, b *record.Session) int { return a.Time.Compare(b.Time) })
	for _, c := range o.controls {
		var bytes int64
		var took time.Duration
		var data []*record.Session
		for _, s := range o.others {
			if !within(s, c) {
				continue
			}
			data = append(data, s)
			bytes += s.ClientSide.Bytes + s.ServerSide.Bytes
			took += s.Duration.Duration()
		}
		title := fmt.Sprintf("what %s and %s said behind AUTH TLS could not be read", c.Client.Addr(), c.Server)
		switch len(data) {
		case 0:
		case 1:
			title += fmt.Sprintf("; 1 TLS connection between them carried %s in %s, most likely its data", record.Bytes(bytes), record.Seconds(took))
		default:
			title += fmt.Sprintf("; %d TLS connections between them carried %s in %s, most likely its data", len(data), record.Bytes(bytes), record.Seconds(took))
		}
		f := rep.Raise("ftp.hidden", title, c)
		for _, s := range data[:min(len(data), 8)] {
			f.Evidence = append(f.Evidence, Seen(s, record.Plain(fmt.Sprintf("%s to %s: %s from the caller, %s back, in %s",
				s.Client, s.Server, record.Bytes(s.ClientSide.Bytes), record.Bytes(s.ServerSide.Bytes), s.Duration))))
		}
	}
}

// within reports whether s connects the two hosts of c, on ports that data
// connections use, while c lasted.
func within(s, c *record.Session) bool {
	passive := s.Client.Addr() == c.Client.Addr() && s.Server.Addr() == c.Server.Addr()
	active := s.Client.Addr() == c.Server.Addr() && s.Server.Addr() == c.Client.Addr()
	if !passive && !active || s.Server.Port() < 1024 {
		return false
	}
	return !s.Time.Before(c.Time) && !s.Time.After(c.Time.Add(c.Duration.Duration()))
}
