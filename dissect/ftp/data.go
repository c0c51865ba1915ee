package ftp

import (
	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// dataConn is the dissector of one data connection. It takes every byte as it
// comes; what the bytes mean, the control session says.
type dataConn struct {
	env      dissect.Env
	ch       *channel
	transfer *transfer
	load     *load
	end      string // how it ended; "" while it is open
	endedBy  string // client or server of the control connection
	ended    [2]bool
	whole    bool   // the file had ended when the connection was reset
	fins     int    // directions that have ended
	finBy    string // who ended first, in terms of this connection
	resetBy  string // who reset it, likewise; "" if nobody did
}

// load is what one transfer brought over a data connection.
type load struct {
	body     content.Body
	result   content.Result
	dir      dissect.Dir
	first    record.Stamp
	last     record.Stamp
	wire     int64 // bytes on the connection
	bytes    int64 // bytes of the file
	missing  int64 // bytes that the capture lacks; -1 when unknown how many
	hidden   bool
	deflated bool
	broken   bool // it ended inside of a block
	wrongWay bool
	mode     blocks
	list     *listParser
	ends     *lineEnds
}

func (d *dataConn) open() bool { return d.end == "" }

// Consume takes all of b.
func (d *dataConn) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	l := d.begin(dir)
	if dir != l.dir {
		if !l.wrongWay {
			l.wrongWay = true
			d.env.Violation(dissect.Violation{
				Code: "ftp_data_wrong_way", Dir: dir, Stamp: d.env.At(0),
				Detail: "data against the direction of the transfer",
			})
			if t := d.transfer; t != nil && b[0] == tlsHandshake {
				t.violation("ftp_data_unexpected_tls", "TLS begins on the data connection, for which PROT P was not agreed")
			}
		}
		return len(b), dissect.Continue, nil
	}
	if l.wire == 0 {
		l.first = d.env.At(0)
		if t := d.transfer; t != nil && t.rec.Protected && l.missing == 0 && d.lacksTLS() && !d.env.Conn().Midstream {
			t.violation("ftp_data_not_tls", "the data connection is in the clear although PROT P was agreed")
		}
	}
	l.last = d.env.At(len(b) - 1)
	if l.mode.kind == stream {
		l.wire += int64(len(b))
		l.write(b)
		return len(b), dissect.Continue, nil
	}
	n, ended := l.mode.decode(b, l.write)
	l.wire += int64(n)
	if ended {
		d.finish(true)
		if t := d.transfer; t != nil {
			d.transfer = nil
			t.dataEnded(d, record.EndClosed, "")
		}
		d.load = nil
	}
	return n, dissect.Continue, nil
}

// lacksTLS reports whether the data goes without TLS beside a control connection
// that is in TLS. Where that is in the clear, although PROT P was agreed, the
// capture has the plaintext of both: it was taken behind what ends TLS.
func (d *dataConn) lacksTLS() bool {
	control := d.ch.s.env
	hs := control.TLS()
	inTLS := control.Conn().TLS || hs != nil && hs.Version != ""
	return inTLS && d.env.TLS() == nil && !d.env.Conn().TLS
}

// way is the direction of the transfer's bytes; without a transfer that of the
// first ones.
func (d *dataConn) way(first dissect.Dir) dissect.Dir {
	switch {
	case d.transfer == nil:
		return first
	case (d.transfer.rec.Direction == "upload") != d.ch.active:
		return dissect.ClientToServer
	}
	return dissect.ServerToClient
}

// begin makes the load when the first byte comes.
func (d *dataConn) begin(dir dissect.Dir) *load {
	if d.load != nil && d.load.body != nil {
		return d.load
	}
	l := &load{dir: d.way(dir)}
	d.load = l
	info := content.Info{Carrier: dataProtocol, Session: d.env.Conn().Session, Role: content.File, Stamp: d.env.At(0)}
	mode := d.ch.s.state.mode
	if t := d.transfer; t != nil {
		t.begin()
		t.load = l
		mode = t.rec.Mode
		info.Name = t.rec.Path
		if t.rec.Direction == "listing" {
			l.list = &listParser{format: t.rec.Command}
			info.Role = content.Listing
		} else if len(t.rec.Type) > 0 && t.rec.Type[0] == 'A' {
			l.ends = &lineEnds{}
			info.Text = true
		}
	}
	switch mode {
	case "B":
		l.mode.kind = block
	case "C":
		l.mode.kind = compressed
	case "Z":
		l.deflated = true
		info.Codings = []string{"deflate"}
		if l.list != nil {
			l.list.deflated = true
		}
	}
	info.Dir = l.dir
	l.body = d.env.Body(info)
	return l
}

// write takes bytes of the file.
func (l *load) write(b []byte) {
	l.bytes += int64(len(b))
	l.body.Write(b)
	if l.list != nil {
		l.list.write(b)
	}
	if l.ends != nil {
		l.ends.write(b)
	}
}

// Gap keeps the hole. Bytes inside of TLS that could not be read come as one.
func (d *dataConn) Gap(dir dissect.Dir, n int64) {
	l := d.begin(dir)
	if dir != l.dir {
		return
	}
	at := d.env.At(0)
	if l.first.Time.IsZero() {
		l.first = at
	}
	l.last = at
	if n < 0 || l.missing < 0 {
		l.missing = -1
	} else {
		l.missing += n
	}
	l.mode.gap()
	if l.list != nil {
		l.list.gap()
	}
	l.body.Gap(n)
}

// Opaque counts bytes in TLS that could not be read.
func (d *dataConn) Opaque(dir dissect.Dir, n int64) {
	if d.load == nil {
		d.load = &load{dir: d.way(dir), hidden: true, first: d.env.At(0)}
		if t := d.transfer; t != nil {
			t.begin()
			t.load = d.load
		}
	}
	l := d.load
	l.hidden = true
	if dir == l.dir {
		l.bytes += max(n, 0)
		l.wire = l.bytes
		l.last = d.env.At(0)
	}
}

// EOF is no end yet: Closed says whether it was a good one.
func (d *dataConn) EOF(dir dissect.Dir) {
	d.ended[dir] = true
	if d.fins++; d.fins == 1 {
		d.finBy = dir.String()
	}
}

// Reset says that the EOFs to come are none that the peers agreed on. Behind the
// last byte of a file a reset harms nothing: clients close a connection on which
// the server's end of TLS is still to come.
func (d *dataConn) Reset(by string) {
	dir := d.way(dissect.ServerToClient)
	if d.load != nil {
		dir = d.load.dir
	}
	if d.whole = d.ended[dir]; !d.whole {
		d.resetBy = by
	}
}

// drained reports whether both directions have ended although Closed was
// not called yet: connections linger a while. Called from within the control
// session only, where it cannot be the EOFs in front of a Closed.
func (d *dataConn) drained() bool { return d.fins == 2 && d.open() }

// Closed ends the transfer.
func (d *dataConn) Closed(end, by string) {
	if d.end != "" {
		return // the control session has settled it
	}
	if end == record.EndReset && d.whole {
		end, by = record.EndClosed, d.finBy
	}
	d.end = end
	d.endedBy = by
	if d.ch.active {
		d.endedBy = otherSide(by)
	}
	if d.ch.conn != d {
		return
	}
	good := end == record.EndClosed || end == record.EndHalfClosed
	if d.load == nil && good && d.transfer != nil {
		d.transfer.begin()
		if d.transfer.rec.Protected && d.lacksTLS() {
			d.load = &load{hidden: true}
		} else {
			d.begin(dissect.ServerToClient) // an empty file
		}
	}
	if d.load != nil {
		d.finish(good && !d.load.mode.inside())
	}
	switch {
	case d.transfer != nil:
		d.transfer.dataEnded(d, end, d.endedBy)
	case d.load != nil && d.load.wire > 0:
		d.emitAlone()
	case failed(end):
		d.ch.emitUnopened("the data connection was " + end)
	}
}

// failed reports whether a connection never came about.
func failed(end string) bool {
	return end == record.EndRefused || end == record.EndUnanswered || end == record.EndUnreached
}

// silent reports whether nothing was heard on the connection yet, which goes
// for one that nobody has answered.
func (d *dataConn) silent() bool { return d.open() && d.load == nil && d.fins == 0 }

// finish closes the body.
func (d *dataConn) finish(complete bool) {
	l := d.load
	if l.result != nil || l.body == nil {
		return
	}
	l.broken = l.mode.inside()
	l.result = l.body.Close(complete && l.missing == 0)
	l.list.close()
}

// emitAlone reports data whose command was never seen: it was lost from the
// capture, or the connection is a stranger's.
func (d *dataConn) emitAlone() {
	conn := d.env.Conn()
	l := d.load
	r := &record.FTPTransfer{
		Outcome: record.TransferUnknown, Reason: "the command that it belongs to was not seen",
		Bytes: l.bytes, Setup: d.ch.form, Active: d.ch.active, Endpoint: d.ch.at.at,
		DataSession: conn.Session, DataFrom: conn.Client, DataTo: conn.Server,
		DataEnd: d.end, EndedBy: d.endedBy, Direction: "download",
	}
	if (l.dir == dissect.ClientToServer) != d.ch.active {
		r.Direction = "upload"
	}
	env := d.env
	if s := d.ch.s; s.closed {
		r.Stamp(l.first, l.dir)
		r.Control = s.env.Conn().Session
	} else {
		env = s.env
		r.Stamp(d.ch.asked, d.ch.dir)
		r.User, r.Protected = record.Lossless(s.state.user), s.state.private
	}
	result := l.result
	if result == nil {
		r.Hidden = l.hidden
		env.Emit(r)
		return
	}
	env.Defer(r, func(emit func(record.Record)) {
		r.Content = result.Wait()
		emit(r)
	})
}

// lineEnds counts line ends in an ASCII transfer.
type lineEnds struct {
	n  record.LineEnds
	cr bool // the last byte was a CR
}

func (e *lineEnds) write(b []byte) {
	for _, c := range b {
		switch {
		case c == '\n' && e.cr:
			e.n.CRLF++
		case c == '\n':
			e.n.LF++
		case e.cr:
			e.n.CR++
		}
		if c == 0 {
			e.n.NUL++
		}
		e.cr = c == '\r'
	}
}

func (e *lineEnds) result() *record.LineEnds {
	if e == nil {
		return nil
	}
	n := e.n
	if e.cr {
		n.CR++
	}
	return &n
}
