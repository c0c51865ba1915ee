package ftp

import (
	"net/netip"

	"sniff/dissect"
	"sniff/record"
)

// Opaque is told of commands and replies in TLS without keys. Where data
// connections will be cannot be read then; those that come between the two
// hosts and are in TLS themselves are most likely theirs.
func (s *session) Opaque(dir dissect.Dir, n int64) {
	if s.hidden {
		return
	}
	s.hidden = true
	s.env.Expect(dissect.Expectation{
		Server: netip.AddrPortFrom(s.serverAddr(), 0), Client: s.clientAddr(), Protocol: dataProtocol,
		New: s.hiddenConn,
	})
}

// hiddenConn takes a connection that is most likely the session's. One in the
// clear can be read as one whose control connection is in no input.
func (s *session) hiddenConn(env dissect.Env) dissect.Dissector {
	if env.TLS() == nil && !env.Conn().TLS {
		return &alone{env: env, control: s}
	}
	return &hiddenData{s: s, env: env}
}

// hiddenCommand is the reason why no more is known of a transfer.
const hiddenCommand = "its command went by in TLS that could not be read"

// hiddenData counts what a data connection carries whose command and content
// are hidden.
type hiddenData struct {
	s   *session
	env dissect.Env

	begun  bool
	opener dissect.Dir // who sent the first unreadable bytes
	shaken bool        // and the other side has answered
	bytes  [2]int64
	first  [2]record.Stamp
	last   record.Stamp
}

func (d *hiddenData) Consume(_ dissect.Dir, b []byte) (int, dissect.Action, error) {
	return len(b), dissect.Continue, nil
}

func (d *hiddenData) Gap(dissect.Dir, int64) {}
func (d *hiddenData) EOF(dissect.Dir)        {}

// Opaque counts. In TLS 1.3 the handshake ends in records like those of the
// data: what the server sends before the client's first one, and that one.
func (d *hiddenData) Opaque(dir dissect.Dir, n int64) {
	at := d.env.At(0)
	if hs := d.env.TLS(); !d.shaken && (hs == nil || hs.Version == "TLS 1.3") {
		if !d.begun {
			d.begun, d.opener = true, dir
		}
		d.shaken = dir != d.opener
		return
	}
	if d.bytes[dir] == 0 {
		d.first[dir] = at
	}
	d.bytes[dir] += n
	d.last = at
}

// maxAlert is more than alerts take, which is all that the receiver of a file
// sends.
const maxAlert = 8

// Closed reports the connection as the transfer that it most likely was.
func (d *hiddenData) Closed(end, by string) {
	conn := d.env.Conn()
	r := &record.FTPTransfer{
		Outcome: record.TransferUnknown, Reason: hiddenCommand,
		Hidden: true, Protected: true, Inferred: record.InferredByHosts,
		Active:      conn.Client.Addr().Unmap() == d.s.serverAddr(),
		DataSession: conn.Session, DataFrom: conn.Client, DataTo: conn.Server, DataEnd: end, EndedBy: by,
	}
	toServer, toClient := dissect.ClientToServer, dissect.ServerToClient
	if r.Active {
		r.EndedBy = otherSide(by)
		toServer, toClient = toClient, toServer
	}
	if hs := d.env.TLS(); hs != nil {
		r.TLSVersion, r.TLSResumed = hs.Version, hs.Resumed
		if hs.ResumedFrom == d.s.env.Conn().Session {
			r.Inferred = record.InferredByResumption
		}
	}
	// A server hands out session tickets while it receives a file, a client
	// sends nothing but alerts.
	dir := toClient
	switch {
	case d.bytes[toServer] > maxAlert:
		dir, r.Direction = toServer, "upload"
	case d.bytes[toClient] > maxAlert:
		r.Direction = "download"
	}
	r.Bytes = d.bytes[dir]
	if took := d.last.Time.Sub(d.first[dir].Time); took > 0 && r.Bytes > 0 {
		r.Duration = record.Seconds(took)
		r.Rate = int64(float64(r.Bytes) / took.Seconds())
	}
	env := d.s.env
	if d.s.closed {
		env, r.Control = d.env, d.s.env.Conn().Session
	}
	r.Stamp(d.first[dir], dir)
	if r.Time.IsZero() {
		r.Stamp(d.env.At(0), dir)
	}
	env.Emit(r)
}
