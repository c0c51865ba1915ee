package diagnose

import (
	"fmt"
	"time"

	"sniff/record"
)

// When a transfer is slow enough to ask why.
const (
	longTransfer  = time.Second
	crawlTransfer = 10 * time.Second // and below crawlRate
	crawlRate     = 50_000           // bytes a second
	lostShare     = 0.02             // of the bytes sent again
	badShare      = 0.1              // of a line that is bad however fast it is
	shortTransfer = 100 * time.Millisecond
	closedWindows = 3    // times that a receiver's buffer was full
	maxFTPLines   = 4096 // transfers and data connections remembered
)

// ftpLine joins each transfer with the packets of its data connection, to say
// what held it up: the line that lost packets, or the side that did not take
// them. The two records come in either order.
type ftpLine struct {
	transfers map[string]*record.FTPTransfer // by data session
	sessions  map[string]*record.Session
}

func newFTPLine() *ftpLine {
	return &ftpLine{transfers: map[string]*record.FTPTransfer{}, sessions: map[string]*record.Session{}}
}

func (o *ftpLine) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.FTPTransfer:
		if r.DataSession == "" || r.Bytes == 0 || r.Rate == 0 {
			return
		}
		if s := o.sessions[r.DataSession]; s != nil {
			delete(o.sessions, r.DataSession)
			judgeLine(r, s, rep)
		} else if len(o.transfers) < maxFTPLines {
			// Only what the title needs: listing and content are let go.
			t := *r
			t.Listing, t.Content = nil, nil
			o.transfers[r.DataSession] = &t
		}
	case *record.Session:
		if t := o.transfers[r.Session]; t != nil {
			delete(o.transfers, r.Session)
			judgeLine(t, r, rep)
		} else if r.Protocol == "ftp-data" && len(o.sessions) < maxFTPLines {
			o.sessions[r.Session] = r
		}
	}
}

func (o *ftpLine) End(*record.Session, *Reporter) {}

// judgeLine says what a transfer that took its time was waiting for.
func judgeLine(t *record.FTPTransfer, s *record.Session, rep *Reporter) {
	// What is sent again was seen once already: the last byte comes early, the
	// end of the connection when all has arrived.
	took := time.Duration(float64(t.Bytes) / float64(t.Rate) * float64(time.Second))
	took = max(took, min(s.Duration.Duration(), t.Duration.Duration()))
	rate := int64(float64(t.Bytes) / took.Seconds())
	sender, receiver := &s.ServerSide, &s.ClientSide
	from, to := s.Server.Addr(), s.Client.Addr()
	if sender.Bytes < receiver.Bytes {
		sender, receiver = receiver, sender
		from, to = to, from
	}
	if sender.Bytes == 0 {
		return
	}
	lost := float64(sender.Retransmitted) / float64(sender.Bytes)
	if took < longTransfer && (took < shortTransfer || lost < badShare) {
		return
	}
	crawls := took >= crawlTransfer && rate < crawlRate
	why := ""
	switch {
	case receiver.ZeroWindows >= closedWindows:
		why = fmt.Sprintf("%s, which received it, was %d times full and let %s wait", to, receiver.ZeroWindows, from)
	case lost >= lostShare:
		why = fmt.Sprintf("%s was lost on the way and had to be sent again (%.0f %%)", record.Bytes(sender.Retransmitted), 100*lost)
	case crawls:
		why = fmt.Sprintf("the line lost next to nothing and %s took what came, so %s had no more to send, or the delay of the line holds it up", to, from)
	default:
		return
	}
	f := rep.Raise("ftp.slow_transfer", fmt.Sprintf("%s moved %s in %s (%s/s): %s", subject(t), record.Bytes(t.Bytes), record.Seconds(took), record.Bytes(rate), why), t)
	f.Evidence = append(f.Evidence, Seen(s, record.Plain(fmt.Sprintf("%d packets from %s, %s sent again, %d zero windows from %s",
		sender.Packets, from, record.Bytes(sender.Retransmitted), receiver.ZeroWindows, to))))
}

// together makes one observer of several.
type together []Observer

func (os together) See(r record.Record, rep *Reporter) {
	for _, o := range os {
		o.See(r, rep)
	}
}

func (os together) End(s *record.Session, rep *Reporter) {
	for _, o := range os {
		o.End(s, rep)
	}
}
