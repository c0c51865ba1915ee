package ftp

import (
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// transfer is a file or listing from its command to its report.
type transfer struct {
	s       *session
	x       *exchange
	rec     *record.FTPTransfer
	ch      *channel
	conn    *dataConn
	load    *load // what came over the data connection; nil when nothing did
	begun   bool
	replied bool // no more replies will come
	ended   bool // no more data will come
	aborted bool // ABOR was sent before it was done
	emitted bool
	final   record.Stamp
}

// startTransfer makes the transfer of a command.
func (s *session) startTransfer(x *exchange) {
	t := &transfer{s: s, x: x, rec: &record.FTPTransfer{Command: x.rec.Command, Direction: direction(x.verb)}}
	t.rec.Stamp(x.at, dissect.ClientToServer)
	x.transfer = t
	s.running = append(s.running, t)
	if t.ch = s.take(); t.ch == nil {
		return
	}
	t.rec.Setup, t.rec.Active, t.rec.Endpoint = t.ch.form, t.ch.active, t.ch.at.at
	t.ch.transfer = t
	if t.ch.conn != nil {
		t.attach(t.ch.conn)
	}
}

func direction(v verb) string {
	switch {
	case v&upload != 0:
		return "upload"
	case v&listing != 0:
		return "listing"
	}
	return "download"
}

// begin takes what the state says about the transfer. It happens at the first
// reply or the first byte of data, whichever comes first: by then the answers
// to the commands in front of it are in.
func (t *transfer) begin() {
	if t.begun {
		return
	}
	t.begun = true
	st := &t.s.state
	r := t.rec
	name := t.x.arg
	if t.x.verb&listing != 0 {
		name = listingName(name)
	}
	r.Path = record.Lossless(st.path(name))
	if r.Command == "STOU" && name == "" {
		r.Path = ""
	}
	r.User = record.Lossless(st.user)
	r.Mode, r.Type, r.Structure = st.mode, st.kind, st.structure
	if r.Structure == "F" {
		r.Structure = ""
	}
	r.Protected = st.private
	if r.Direction == "listing" {
		return
	}
	r.Restart, st.restart = st.restart, 0
	if r.Direction == "upload" {
		if r.Command == "APPE" {
			r.AppendTo = t.s.sizes[r.Path].size
		}
		delete(t.s.sizes, r.Path) // it will be another one
		if st.allo > 0 {
			// ALLO is about what will be sent, the restart point left out.
			r.Announced, r.Source = st.allo+r.Restart, "ALLO"
		}
		st.allo = 0
	} else if a, ok := t.s.sizes[r.Path]; ok && !strings.HasPrefix(r.Type, "A") {
		r.Announced, r.Source = a.size, a.source
	}
}

// opening takes a preliminary reply (RFC 959, section 4.2: 125 and 150).
func (s *session) opening(x *exchange, r *reply) {
	t := x.transfer
	if t == nil {
		return
	}
	t.rec.Opening = r.rec.Code
	if n, ok := openingSize(&r.rec); ok && t.rec.Source == "" && t.rec.Direction == "download" {
		t.rec.Announced, t.rec.Source = n, "reply"
	}
	t.unique(r)
}

func (t *transfer) unique(r *reply) {
	if t.rec.Command != "STOU" {
		return
	}
	if name := uniqueName(&r.rec); name != "" {
		t.rec.Path = join(record.Lossless(t.s.state.cwd), name)
	}
}

// completed takes the last reply.
func (t *transfer) completed(r *reply) {
	t.rec.Completion, t.rec.Reply = r.rec.Code, r.rec.Text()
	t.final = r.at
	t.unique(r)
	if t.refused() && t.load == nil {
		// The connection stays open for the next transfer.
		if t.ch != nil {
			t.ch.transfer = nil
		}
		if t.conn != nil {
			t.conn.transfer = nil
			t.conn = nil
		}
	}
}

// refused reports whether the server would not even begin. 425 is about the
// connection, not the file.
func (t *transfer) refused() bool {
	return t.rec.Completion >= 400 && t.rec.Opening == 0 && t.rec.Completion != 425
}

// attach gives the transfer its data connection.
func (t *transfer) attach(d *dataConn) {
	t.conn, d.transfer = d, t
	conn := d.env.Conn()
	t.rec.DataSession, t.rec.DataFrom, t.rec.DataTo = conn.Session, conn.Client, conn.Server
	if d.load != nil {
		t.load = d.load
	}
	if !d.open() {
		t.dataEnded(d, d.end, d.endedBy)
	}
}

// violation reports what is wrong with the transfer's data connection where its
// command stands, unless the control connection is over.
func (t *transfer) violation(code, detail string) {
	if t.s.closed {
		return
	}
	t.s.violation(code, dissect.ClientToServer, t.x.at, fmt.Sprintf("%s: %s to %s for %s", detail, t.rec.DataFrom, t.rec.DataTo, t.rec.Command))
}

// dataEnded closes the data side.
func (t *transfer) dataEnded(d *dataConn, end, by string) {
	if t.emitted {
		return // what was emitted is not changed any more
	}
	t.ended = true
	t.load = d.load
	t.rec.DataEnd, t.rec.EndedBy = end, by
	if t.s.closed {
		t.rec.Control = t.s.env.Conn().Session
		t.emit(d.env)
		return
	}
	t.tryEmit()
}

// tryEmit reports the transfer once both sides of it are done.
func (t *transfer) tryEmit() {
	if t.replied && (t.conn == nil || t.ended) {
		t.emit(t.s.env)
	}
}

// orphaned is called when the control connection is over. Data may go on
// without it; then the data connection reports.
func (t *transfer) orphaned() {
	if t.conn == nil || t.ended {
		t.emit(t.s.env)
	}
}

// emit reports the transfer. The digest may still be at work: the record
// keeps its place, and is filled in when that is done.
func (t *transfer) emit(env dissect.Env) {
	if t.emitted {
		return
	}
	t.emitted = true
	t.s.forget(t)
	t.begin()
	r, l := t.rec, t.load
	if t.conn != nil {
		if hs := t.conn.env.TLS(); hs != nil {
			r.TLSVersion, r.TLSResumed = hs.Version, hs.Resumed
		}
	}
	if t.ch != nil {
		r.Endpoint = t.ch.at.at
	}
	end := t.final.Time
	if l != nil {
		r.Bytes = l.bytes
		if l.wire != l.bytes {
			r.WireBytes = l.wire
		}
		r.FirstByte = record.Between(t.x.at.Time, l.first.Time)
		if d := l.last.Time.Sub(l.first.Time); d > 0 {
			r.Rate = int64(float64(l.bytes) / d.Seconds())
		}
		if l.last.Time.After(end) {
			end = l.last.Time
		}
		r.Hidden = l.hidden
		r.LineEnds = l.ends.result()
		r.Listing, r.Entries = l.list.result()
	}
	r.Duration = record.Between(t.x.at.Time, end)
	t.judge(l)
	if l == nil || l.result == nil {
		env.Emit(r)
		return
	}
	result, deflated := l.result, l.deflated
	env.Defer(r, func(emit func(record.Record)) {
		r.Content = result.Wait()
		if deflated && r.Content != nil {
			r.Bytes = r.Content.Size
		}
		emit(r)
	})
}

// judge says how the transfer ended.
func (t *transfer) judge(l *load) {
	r := t.rec
	set := func(outcome, reason string) { r.Outcome, r.Reason = outcome, reason }
	reply := fmt.Sprintf("%d %s", r.Completion, r.Reply)
	moved := l != nil && l.wire > 0
	missing := l != nil && (l.missing != 0 || l.hidden)
	want := r.Expected()
	// Some servers announce what is left rather than the whole.
	arrived := l != nil && !missing && !l.deflated && want >= 0 &&
		(l.bytes == want || r.Source == "reply" && l.bytes == r.Announced)
	lacks := l != nil && !missing && !l.deflated && want >= 0 && !arrived && l.bytes < want && !strings.HasPrefix(r.Type, "A")

	switch {
	case r.Outcome != "":
	case failed(r.DataEnd):
		set(record.TransferUnopened, "the data connection was "+r.DataEnd)
	case r.Completion == 425:
		set(record.TransferUnopened, reply)
	case t.refused():
		set(record.TransferRefused, reply)
	case r.Completion == 421 && arrived:
		set(record.TransferComplete, "") // it is about the control connection
	case r.Completion == 426 && !t.gaveUp() || t.aborted && r.Completion >= 400 || t.aborted && !arrived && r.Completion/100 != 2:
		set(record.TransferAborted, t.abortReason(reply))
	case t.aborted && lacks:
		set(record.TransferAborted, "ABOR after "+record.Bytes(r.Bytes))
	case r.Completion >= 400 && lacks && l.bytes > 0:
		set(record.TransferShort, fmt.Sprintf("%d of %d bytes, %s", l.bytes, want, reply))
	case r.Completion >= 400:
		set(record.TransferShort, reply)
	case lacks && r.DataEnd != record.EndOpen:
		set(record.TransferShort, fmt.Sprintf("%d of %d bytes", l.bytes, want))
	case l != nil && l.broken:
		set(record.TransferShort, "the data connection ended inside of a block")
	case r.DataEnd == record.EndReset && !arrived:
		set(record.TransferShort, "the data connection was reset"+byWhom(r.EndedBy))
	case r.DataSession == "":
		if r.Completion == 0 {
			set(record.TransferUnknown, "neither a reply nor a data connection was seen")
		} else {
			set(record.TransferUnknown, "no data connection was seen, the server said "+reply)
		}
	case r.Completion == 0 && !arrived:
		set(record.TransferUnknown, "the server's last reply was not seen")
	case r.DataEnd == record.EndOpen || r.DataEnd == record.EndEvicted || r.DataEnd == record.EndTimeout:
		if arrived {
			set(record.TransferComplete, "")
		} else {
			set(record.TransferUnknown, "the end of the data connection was not seen")
		}
	case !moved && want > 0 && l == nil:
		set(record.TransferShort, "the data connection carried nothing")
	default:
		set(record.TransferComplete, "")
	}
}

// gaveUp reports whether it was the server that ended a download by itself: it
// says 426, which is meant for clients that close the connection, also when it
// cannot read the file any more.
func (t *transfer) gaveUp() bool {
	return !t.aborted && t.rec.Direction != "upload" && t.rec.DataEnd == record.EndClosed && t.rec.EndedBy == "server"
}

// otherSide turns the roles of a connection around.
func otherSide(side string) string {
	switch side {
	case "client":
		return "server"
	case "server":
		return "client"
	}
	return side
}

// byWhom names who ended a connection, where that is known.
func byWhom(side string) string {
	if side == "" {
		return ""
	}
	return " by the " + side
}

func (t *transfer) abortReason(reply string) string {
	if t.rec.Completion != 0 {
		return reply
	}
	return "ABOR, and no last reply was seen"
}
