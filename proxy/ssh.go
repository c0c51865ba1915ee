package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// SSH is terminated on both legs. The way of a connection:
//
// The pumps relay the identification lines as they are, so each peer sees the
// other's (ssh.go). Behind them the proxy is a server to the client, with a
// host key of its own, and a client to the upstream, whose host key must be
// known (ssh_hostkey.go); both are golang.org/x/crypto/ssh. The client's
// attempts to log in are made at the upstream one by one, and the upstream's
// verdict is the answer (ssh_login.go, ssh_publickey.go, ssh_agent.go). Then channels and
// requests are passed on both ways (ssh_mux.go, ssh_channel.go).
//
// What is recorded: the session is given the client's leg as it stands on the
// wire. Its dissector reads that up to NEWKEYS, so the handshake record of the
// client's leg is the very one of a capture; what follows is counted only,
// because the proxy knows what the dissector would have to guess. The clear
// part of the upstream's leg goes into a nested stream, "upstream", and makes
// the second handshake record. ssh.auth, credential and ssh.channel are emitted
// by the proxy (ssh_record.go), SFTP is fed to its dissector channel by channel.

// SSH says how SSH is intercepted. Without a HostKey it passes through unread.
type SSH struct {
	// HostKey is what the proxy shows to clients.
	HostKey ssh.Signer
	// KnownHosts are the files with the keys of upstreams; those that do not
	// exist are skipped. AcceptNew adds keys of unknown upstreams to the first.
	KnownHosts []string
	AcceptNew  bool
	// Identities log in at upstreams that want a public key: a signature by
	// the client cannot be relayed, because it covers the id of its own leg.
	Identities []ssh.Signer
	// Agent lets the client's agent sign, if it is forwarded: see ssh_agent.go.
	Agent bool
	// Screens records what shells, and programs with a terminal, write; may be
	// nil.
	Screens record.Screens
}

// sshSight is what the first bytes of a direction say about SSH.
type sshSight uint8

const (
	sshUnseen sshSight = iota
	sshLines           // text of the server, behind which an identification may come
	sshNot
)

// maxSSHLines is how much text may stand before an identification.
const maxSSHLines = 16 << 10

// identification is what SSH begins with (RFC 4253, section 4.2).
var identification = []byte("SSH-")

// sniffSSH looks for an identification in the first bytes of a direction, and
// takes the connection over if there is one. done says that b was used.
func (p *pump) sniffSSH(b []byte) (done bool, err error) {
	if p.ssh == sshNot || p.r.srv.cfg.SSH.HostKey == nil || p.r.listener.TLS == Passthrough {
		return false, nil
	}
	if p.dir == dissect.ServerToClient && p.other().base.Load() > 0 {
		p.ssh = sshNot // the client has said something else
		return false, nil
	}
	whole := p.readLine(b)
	switch {
	case bytes.HasPrefix(whole, identification), p.dir == dissect.ServerToClient && bytes.Contains(whole, []byte("\nSSH-")):
		return true, p.r.takeSSH(p, bytes.Clone(whole))
	case p.dir == dissect.ServerToClient && mayPrecede(whole) && p.given+int64(len(whole)) < maxSSHLines:
		p.ssh = sshLines
	case whole[0] == tlsHandshake:
		return false, nil // SSH may be inside
	default:
		p.ssh = sshNot
	}
	if len(whole) == len(b) {
		return false, nil
	}
	sight := p.ssh
	p.ssh = sshNot // so that these bytes are not looked at again
	err = p.pass(whole)
	p.ssh = sight
	return true, err
}

// peekTime is how long the rest of what may be an identification is waited for:
// other protocols have answers that begin alike, such as PostgreSQL's lone "S".
const peekTime = 300 * time.Millisecond

// readLine reads on while b ends with what may be the beginning of an
// identification, so that it is recognised however it was cut.
func (p *pump) readLine(b []byte) []byte {
	buf := make([]byte, 512)
	for {
		line := b[bytes.LastIndexByte(b, '\n')+1:]
		if len(line) == 0 || len(line) >= len(identification) || !bytes.HasPrefix(identification, line) {
			return b
		}
		_ = p.source().SetReadDeadline(time.Now().Add(peekTime))
		var n int
		var err error
		if !p.parking.Load() {
			n, err = p.source().Read(buf)
			b = append(bytes.Clone(b), buf[:n]...)
		}
		_ = p.source().SetReadDeadline(time.Time{})
		if p.parking.Load() {
			// The other pump takes the connection over, and what was read with
			// it; its kick may have gone with the deadline.
			p.kick()
			return b
		}
		if err != nil {
			return b // the next read says it again
		}
	}
}

// mayPrecede reports whether text can stand before an identification: it is
// no greeting of another protocol.
func mayPrecede(b []byte) bool {
	for _, c := range b[:min(len(b), 512)] {
		if c < ' ' && c != '\r' && c != '\n' && c != '\t' && c != 0x1b || c == 0x7f {
			return false
		}
	}
	if len(b) >= 3 && b[0] >= '1' && b[0] <= '5' && b[1] >= '0' && b[1] <= '9' && b[2] >= '0' && b[2] <= '9' {
		return false // a reply code
	}
	return !bytes.HasPrefix(b, []byte("HTTP/"))
}

// takeSSH stops both pumps and carries the connection to its end. p is the
// calling pump, which stands already; b is what it read and nobody has yet.
func (r *relay) takeSSH(p *pump, b []byte) error {
	r.begin(false)
	p.behind = append(p.behind, b...)
	r.mu.Lock()
	taken := r.upgrading
	r.upgrading = true
	r.mu.Unlock()
	if taken {
		return nil // by the other pump, which will park this one
	}
	o := p.other()
	stands := o.park()
	r.mu.Lock()
	r.upgrading = false
	r.mu.Unlock()
	if !stands {
		// The other side has ended its direction before a word was said;
		// there will be no SSH, only what this side still says.
		p.ssh = sshNot
		b, p.behind = p.behind, nil
		return p.pass(b)
	}
	for _, q := range r.pumps {
		_ = q.source().SetDeadline(time.Time{})
	}
	r.serveSSH()
	// The implementation may still be about to say something, which is not the
	// dialogue's any more.
	r.mu.Lock()
	r.upgrading = true
	r.mu.Unlock()
	for _, q := range r.pumps {
		r.eof(q)
	}
	o.unpark(errRefused)
	return errRefused
}

// serveSSH carries an SSH connection from the identifications to its end, and
// notes how it ended.
func (r *relay) serveSSH() {
	client, server, err := r.identify()
	if err != nil {
		r.identifyFailed(err)
		return
	}
	for _, id := range [2]identified{client, server} {
		if !id.speaks2() {
			r.anomaly("proxy_ssh_version", id.dir, fmt.Sprintf("the %s identifies itself as %q; only SSH 2.0 can be intercepted", id.dir, id.version()))
			r.ended(record.EndReset, "")
			return
		}
	}
	newSSHRelay(r, client, server).run()
}

// identified is the identification of one side.
type identified struct {
	dir  dissect.Dir
	line []byte // with its end
	rest []byte // what was read behind it
}

// version is the line as it enters the key exchange.
func (i identified) version() string { return string(bytes.TrimRight(i.line, "\r\n")) }

func (i identified) speaks2() bool {
	v := i.version()
	return len(v) >= 8 && (v[:8] == "SSH-2.0-" || len(v) >= 9 && v[:9] == "SSH-1.99-")
}

// identify relays both sides' lines up to their identifications.
func (r *relay) identify() (client, server identified, err error) {
	deadline := time.Now().Add(r.srv.cfg.Limits.Handshake)
	for _, p := range r.pumps {
		_ = p.source().SetReadDeadline(deadline)
	}
	var ids [2]identified
	var errs [2]error
	var wg sync.WaitGroup
	for dir := range r.pumps {
		wg.Go(func() {
			ids[dir], errs[dir] = r.pumps[dir].identify()
			if errs[dir] != nil {
				r.pumps[1-dir].kick() // nothing will come of the other one
			}
		})
	}
	wg.Wait()
	for _, p := range r.pumps {
		_ = p.source().SetReadDeadline(time.Time{})
	}
	// The other one's timeout may be of our making; the cause comes first.
	switch {
	case errs[0] != nil && !isTimeout(errs[0]):
		err = errs[0]
	case errs[1] != nil && !isTimeout(errs[1]):
		err = errs[1]
	default:
		err = errors.Join(errs[0], errs[1])
	}
	return ids[0], ids[1], err
}

// identifyError says which side left before it had identified itself.
type identifyError struct {
	dir dissect.Dir
	err error
}

func (e *identifyError) Error() string { return e.err.Error() }
func (e *identifyError) Unwrap() error { return e.err }

var errLongIdentification = errors.New("proxy: no SSH identification within 16 KiB")

// identify relays lines of this direction up to and with the identification.
func (p *pump) identify() (identified, error) {
	id := identified{dir: p.dir}
	have := p.behind
	p.behind = nil
	total := 0
	buf := make([]byte, 4096)
	for {
		for len(have) > 0 {
			end := bytes.IndexByte(have, '\n') + 1
			if end == 0 {
				break
			}
			line := have[:end]
			have = have[end:]
			total += end
			p.r.data(p, line)
			if err := p.write(line); err != nil {
				return id, &identifyError{p.dir.Other(), err}
			}
			if bytes.HasPrefix(line, identification) {
				id.line, id.rest = bytes.Clone(line), bytes.Clone(have)
				return id, nil
			}
		}
		if total+len(have) > maxSSHLines {
			return id, &identifyError{p.dir, errLongIdentification}
		}
		n, err := p.source().Read(buf)
		have = append(have, buf[:n]...)
		if err != nil && n == 0 {
			if len(have) > 0 {
				p.r.data(p, have)
				_ = p.write(have)
			}
			return id, &identifyError{p.dir, err}
		}
		p.r.alive()
	}
}

// identifyFailed notes why it did not come to a key exchange.
func (r *relay) identifyFailed(err error) {
	var e *identifyError
	if !errors.As(err, &e) {
		r.ended(record.EndReset, "")
		return
	}
	switch {
	case errors.Is(err, io.EOF):
		r.ended(record.EndClosed, e.dir.String())
	case isTimeout(err):
		r.anomaly("proxy_ssh_silent", e.dir, fmt.Sprintf("the %s sent no SSH identification within %s", e.dir, r.srv.cfg.Limits.Handshake))
		r.ended(record.EndTimeout, "")
	case errors.Is(err, errLongIdentification):
		r.anomaly("proxy_ssh_identification", e.dir, fmt.Sprintf("the %s sent no SSH identification within its first %s", e.dir, record.Bytes(maxSSHLines)))
		r.ended(record.EndReset, "")
	default:
		r.ended(record.EndReset, e.dir.String())
	}
}
