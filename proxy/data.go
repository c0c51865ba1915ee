package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

// ftpControl is what a relay keeps for an FTP control connection: the data
// connections that were announced and have not come yet.
type ftpControl struct {
	mu     sync.Mutex
	await  map[*dataConn]struct{}
	coming map[*dataConn]struct{} // the server calls, and the session does not know it yet
	closed bool
}

// maxAnnounced bounds the listeners of one control connection.
const maxAnnounced = 32

// acceptData is how long an announced data connection is waited for, takeCall
// how long it takes at most to take a call that has come.
const acceptData, takeCall = 60 * time.Second, time.Second

// expect is called by the session, from inside Data, when a peer has announced
// a data connection. The proxy listens in that peer's place, and the
// announcement is rewritten to name the proxy's endpoint. Where the firewall
// brings the client's connections here, it brings those to the server's
// announced endpoint too, so that nothing need be rewritten.
func (r *relay) expect(x *dissect.Expectation) {
	if r.ftp == nil {
		r.ftp = &ftpControl{await: map[*dataConn]struct{}{}, coming: map[*dataConn]struct{}{}}
	}
	control := [2]netip.AddrPort{addrPort(r.pumps[0].raw.RemoteAddr()), addrPort(r.pumps[1].raw.RemoteAddr())}
	announcer := control[x.Dir]
	if r.listener.Via != nil {
		if x.Dir == dissect.ClientToServer {
			r.later(codeDataListen, x.Dir, "the server cannot call back through the upstream proxy "+r.listener.Via.String()+"; passive mode works")
			return
		}
		if announcer = r.conn.Server; !resolved(net.JoinHostPort(r.host, "1")).IsValid() {
			announcer = x.Server // the name's address is not known here
		}
	}
	if x.Server.Addr() != announcer.Addr() && !r.srv.cfg.AllowForeignData {
		r.later(codeForeignData, x.Dir, fmt.Sprintf("the %s announced a data connection at %s, which is not its own address %s; using its own", x.Dir, x.Server, announcer.Addr()))
	}
	target := x.Server.String()
	switch {
	case r.srv.cfg.AllowForeignData:
	case r.listener.Via != nil:
		target = net.JoinHostPort(r.host, fmt.Sprint(x.Server.Port()))
	default:
		target = netip.AddrPortFrom(announcer.Addr(), x.Server.Port()).String()
	}
	d := &dataConn{
		control: r, target: target, announced: x.Server, dir: x.Dir, tls: x.TLS,
		caller: control[x.Dir.Other()].Addr(), ask: make(chan chan struct{}, 1), known: make(chan struct{}),
	}
	if !r.ftp.add(d) {
		r.later(codeDataListen, x.Dir, "too many data connections announced at a time")
		return
	}
	if r.listener.Mode == Transparent && x.Dir == dissect.ServerToClient {
		// Clients may take the address of the control connection instead.
		r.srv.announce(d, x.Server.String(), netip.AddrPortFrom(r.conn.Server.Addr(), x.Server.Port()).String())
		d.expiry = time.AfterFunc(acceptData, d.forget)
		return
	}
	if x.Form == "" || x.To <= x.From {
		// Nothing on the wire names it (a default port): it cannot be moved.
		d.forget()
		return
	}
	// We listen on the address by which the other side reaches us.
	other := r.pumps[x.Dir.Other()].raw
	local := addrPort(other.LocalAddr()).Addr()
	ln, err := net.Listen("tcp", net.JoinHostPort(local.String(), "0"))
	if err != nil {
		d.forget()
		r.later(codeDataListen, x.Dir, "cannot listen for the announced data connection: "+err.Error())
		return
	}
	d.ln, d.until = ln.(*net.TCPListener), time.Now().Add(acceptData)
	_ = d.ln.SetDeadline(d.until)
	own := addrPort(ln.Addr())
	switch {
	case r.listener.Mode == Transparent:
		r.srv.announce(d, own.String()) // the firewall may take that for one of the client's
	case r.listener.Mode != Reverse && x.Dir == dissect.ServerToClient:
		// The client asks the proxy for it, as for the control connection: at the
		// address of that, which is all that EPSV leaves it, or at the one announced.
		r.srv.announce(d, own.String(), netip.AddrPortFrom(r.conn.Server.Addr(), own.Port()).String(), net.JoinHostPort(r.host, fmt.Sprint(own.Port())))
	}
	text := endpointText(x.Form, own)
	p := r.pumps[x.Dir]
	p.rewrites = append(p.rewrites, rewrite{from: x.From, to: x.To, text: []byte(text)})
	if x.Dir == dissect.ClientToServer {
		r.ftp.mu.Lock()
		r.ftp.coming[d] = struct{}{}
		r.ftp.mu.Unlock()
	}
	r.srv.wg.Add(1)
	go d.serve()
}

func (f *ftpControl) add(d *dataConn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.await) >= maxAnnounced {
		return false
	}
	f.await[d] = struct{}{}
	return true
}

// close awaits nothing any more when the control connection has ended.
func (f *ftpControl) close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Collect(maps.Keys(f.await))
	f.mu.Unlock()
	for _, d := range all {
		d.forget()
	}
}

// forget ends the wait for a data connection, which came or will not.
func (d *dataConn) forget() {
	f := d.control.ftp
	f.mu.Lock()
	delete(f.await, d)
	f.mu.Unlock()
	d.control.srv.unannounce(d)
	if d.expiry != nil {
		d.expiry.Stop()
	}
	if d.ln != nil {
		d.ln.Close()
	}
}

// announce notes the endpoints, host:port, to which a data connection may go
// that the firewall brings here, or that the client asks the proxy for.
func (s *Server) announce(d *dataConn, at ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(at)
	at = slices.Compact(at)
	for _, ap := range at {
		s.awaited[ap] = append(s.awaited[ap], d)
	}
	d.at = at
}

func (s *Server) unannounce(d *dataConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ap := range d.at {
		rest := slices.DeleteFunc(s.awaited[ap], func(x *dataConn) bool { return x == d })
		if s.awaited[ap] = rest; len(rest) == 0 {
			delete(s.awaited, ap)
		}
	}
	d.at = nil
}

// claim returns the data connection that was announced at to, and which from
// should open; nil if there is none.
func (s *Server) claim(from netip.Addr, to string) *dataConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.awaited[to] {
		if d.caller == from || s.cfg.AllowForeignData {
			return d
		}
	}
	return nil
}

// endpointText writes an endpoint the way the announcement did.
func endpointText(form string, ap netip.AddrPort) string {
	switch form {
	case "EPSV":
		return fmt.Sprintf("|||%d|", ap.Port())
	case "EPRT":
		family := 1
		if ap.Addr().Is6() {
			family = 2
		}
		return fmt.Sprintf("|%d|%s|%d|", family, ap.Addr(), ap.Port())
	case "SPSV", "PORTONLY":
		return fmt.Sprint(ap.Port())
	case "LPRT", "LPSV":
		b := ap.Addr().AsSlice()
		family := 4
		if ap.Addr().Is6() {
			family = 6
		}
		parts := []string{fmt.Sprint(family), fmt.Sprint(len(b))}
		for _, x := range b {
			parts = append(parts, fmt.Sprint(x))
		}
		return strings.Join(append(parts, "2", fmt.Sprint(ap.Port()>>8), fmt.Sprint(ap.Port()&0xff)), ",")
	}
	a := ap.Addr().Unmap().As4()
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], ap.Port()>>8, ap.Port()&0xff)
}

// dataConn waits for one announced data connection and relays it.
type dataConn struct {
	control   *relay
	ln        *net.TCPListener // where it is waited for, if nobody brings it
	until     time.Time        // and how long
	at        []string         // where it may be claimed; Server.mu guards it
	expiry    *time.Timer
	target    string         // who listens: where we connect to
	announced netip.AddrPort // what was announced: how the session is found
	dir       dissect.Dir    // of the announcement
	caller    netip.Addr     // who should call us
	tls       bool

	ask   chan chan struct{} // whether somebody has called; the answer is its end
	known chan struct{}      // closed when the session knows of it, or nobody comes
	once  sync.Once
}

// meetCallers waits until the session knows the data connections that the
// server has called for so far: it may have sent a file and said so before the
// call was taken.
func (r *relay) meetCallers() {
	r.mu.Lock()
	f := r.ftp
	r.mu.Unlock()
	if f == nil {
		return
	}
	f.mu.Lock()
	coming := slices.Collect(maps.Keys(f.coming))
	f.mu.Unlock()
	for _, d := range coming {
		answer := make(chan struct{})
		select {
		case d.ask <- answer:
		default: // it was asked before, and had no time to answer
		}
		_ = d.ln.SetDeadline(time.Unix(1, 0))
		select {
		case <-answer:
		case <-d.known:
		case <-time.After(takeCall):
		}
	}
}

// isKnown frees who waits in meetCallers.
func (d *dataConn) isKnown() {
	d.once.Do(func() {
		f := d.control.ftp
		f.mu.Lock()
		delete(f.coming, d)
		f.mu.Unlock()
		close(d.known)
	})
}

func (d *dataConn) serve() {
	s := d.control.srv
	defer s.wg.Done()
	defer d.forget()
	defer d.isKnown()
	var answer chan struct{} // somebody asks
	for {
		if answer != nil && !pending(d.ln) {
			close(answer)
			answer = nil
		}
		c, err := d.ln.Accept()
		switch {
		case err == nil:
		case isTimeout(err) && time.Now().Before(d.until): // that of who asks
			select {
			case answer = <-d.ask:
			default:
			}
			_ = d.ln.SetDeadline(d.until)
			continue
		default:
			return // nobody called, or the control connection ended
		}
		from := addrPort(c.RemoteAddr()).Addr()
		if from == d.caller || s.cfg.AllowForeignData {
			defer s.track(c)()
			defer c.Close()
			d.carry(newLeg(c))
			return
		}
		d.control.anomaly(codeDataStranger, d.dir.Other(), fmt.Sprintf("%s called for a data connection that %s should open; refused", from, d.caller))
		abort(c)
	}
}

// asked relays the data connection that the client of a way in asked for.
func (d *dataConn) asked(c net.Conn, t target) {
	if t.connected(nil, nil) != nil {
		return
	}
	if len(t.early) > 0 {
		c = &prefixed{Conn: c, prefix: t.early}
	}
	d.carry(c)
}

// carry relays the data connection that came.
func (d *dataConn) carry(caller net.Conn) {
	s := d.control.srv
	d.forget()
	if d.control.listener.TLS == Require && !d.tls {
		d.control.anomaly(codeTLSRequired, d.dir.Other(), "TLS is required, and the data connection would be without; refused")
		d.isKnown()
		// Not before it was said why on the control connection: a reset while
		// the caller still connects would be all that it hears.
		_ = caller.SetReadDeadline(time.Now().Add(s.cfg.Limits.Handshake))
		_, _ = caller.Read(make([]byte, 1))
		abort(caller)
		return
	}
	conn := flow.Conn{Client: addrPort(caller.RemoteAddr()), Server: d.announced, Parent: d.control.sess, Via: d.control.listener.name(),
		TLS: d.tls && d.control.tls != nil, Oriented: true}
	// The session is there before the other side can be: that may send its file
	// and say that it is done, or that there is none, before the dial has returned.
	// Among the words of the control connection it has the same place in the tap.
	d.control.lock()
	conn.Start = s.cfg.Now()
	sess := s.cfg.Engine.Open(conn)
	var call record.TapCall
	if s.cfg.Tap != nil {
		call = s.cfg.Tap.Call(conn.Client, conn.Server, conn.Start, conn.Via)
	}
	d.control.unlock()
	d.isKnown()
	called, err := s.dial(d.control.listener, d.target)
	if err != nil {
		s.cfg.Log.Warn("upstream not reached", "client", caller.RemoteAddr(), "target", d.announced, "why", whyUnreached(err))
		s.closeUnreached(sess, conn, call, d.announced.String(), err)
		abort(caller)
		return
	}
	defer s.track(called)()
	defer called.Close()
	if st := d.control.stripped; st != nil && d.dir == dissect.ServerToClient {
		called = st.data(called)
	} else if st != nil {
		caller = st.data(caller)
	}

	// In the data session, too, the client is who calls. Where the server
	// calls (active mode), that is the FTP server's leg.
	r := s.newRelay(caller, called, d.control.listener, d.control.host)
	r.control, r.sess, r.conn = d.control, sess, conn
	if call != nil {
		r.tap = call.Answered(s.cfg.Now())
	}
	// Who announces is called: in active mode that is the FTP client.
	r.ftpClient = dissect.ClientToServer
	if d.dir == dissect.ClientToServer {
		r.ftpClient = dissect.ServerToClient
	}
	r.begin(conn.TLS)
	r.run()
}

// dataHandshakes does TLS on both legs of a data connection when the hello has
// come. The FTP client is the TLS client whoever called (RFC 4217, section 7),
// and both legs can resume the control connection's session.
func (r *relay) dataHandshakes() error {
	s := r.srv
	toClient, toServer := r.pumps[r.ftpClient], r.pumps[r.ftpClient.Other()]
	client, server := r.underTLS(toClient), r.underTLS(toServer)
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Limits.Handshake)
	defer cancel()
	up := tls.Client(server, r.control.tls.client)
	var upErr error
	down := tls.Server(client, &tls.Config{
		MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			upErr = up.HandshakeContext(ctx)
			return r.control.tls.server, upErr
		},
	})
	err := down.HandshakeContext(ctx)
	switch {
	case upErr != nil:
		r.anomaly(codeDataTLS, r.ftpClient.Other(), "TLS on the data connection to the server failed: "+whyNoTLS(upErr))
		return errRefused
	case err != nil:
		r.anomaly(codeDataTLS, r.ftpClient, "TLS on the data connection to the client failed: "+err.Error())
		return errRefused
	}
	state := down.ConnectionState()
	hs := &record.TLSHandshake{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	hs.Stamp(record.Stamp{Time: s.cfg.Now()}, dissect.ClientToServer)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sess.Intercepted(hs)
	r.sess.Emit(hs)
	toClient.restart(down, up, 0)
	toServer.restart(up, down, 0)
	r.upgrading = false
	return nil
}
