package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"sniff/dissect"
	tlslayer "sniff/dissect/tls"
	"sniff/record"
)

// legs is the TLS of both legs of a control connection; data connections
// reuse its settings and sessions.
type legs struct {
	serverName string
	// sessions resume upstream sessions on data connections. Servers that
	// demand it (vsftpd require_ssl_reuse) are satisfied when control and data
	// share one cache under one name that is not empty.
	sessions tls.ClientSessionCache
	client   *tls.Config
	// server has ticket keys of its own, so that clients that require it can
	// resume their control connection's session on data connections.
	server *tls.Config
	// asked: the upstream wants a client's certificate; shown is what it gets.
	asked atomic.Bool
	shown *tls.Certificate
	// from and fromServer are the offsets at which it began: a client that says
	// nothing behind it has looked at the certificate and left.
	from, fromServer int64
}

// intercepts reports whether this relay reads inside TLS.
func (r *relay) intercepts() bool {
	return r.srv.cfg.CA != nil && r.listener.TLS != Passthrough
}

// first looks at the first bytes of a direction: a TLS hello changes how the
// connection is carried. done says that the bytes were taken.
func (p *pump) first(b []byte) (done bool, err error) {
	if done, err := p.sniffSSH(b); done || err != nil || p.given > 0 {
		return done, err
	}
	implicit := p.dir == dissect.ClientToServer && b[0] == tlsHandshake && p.r.intercepts()
	p.r.begin(implicit)
	if implicit && p.r.conn.TLS {
		p.behind = append(p.behind, b...)
		return true, p.r.upgrade(p)
	}
	return false, nil
}

// upgrade stops both pumps, does both handshakes, and lets the pumps go on
// with the plaintext. p is the calling pump, which stands already.
func (r *relay) upgrade(p *pump) error {
	o := p.other()
	if !o.park() {
		return errRefused
	}
	handshakes := r.handshakes
	if r.control != nil {
		handshakes = r.dataHandshakes
	}
	err := handshakes()
	o.unpark(err)
	return err
}

// handshakes does the upstream's handshake inside the client's: the client's
// hello says which name and protocols to ask the upstream for, the upstream's
// certificate what to show the client.
func (r *relay) handshakes() error {
	cp, sp := r.pumps[dissect.ClientToServer], r.pumps[dissect.ServerToClient]
	client, up := r.underTLS(cp), r.underTLS(sp)
	deadline := time.Now().Add(r.srv.cfg.Limits.Handshake)
	_ = client.SetDeadline(deadline)
	_ = up.SetDeadline(deadline)

	h := &handshake{r: r, upstream: up}
	inner := tls.Server(client, &tls.Config{
		MinVersion:         tls.VersionTLS10,
		KeyLogWriter:       r.srv.cfg.KeyLog,
		GetConfigForClient: h.forClient,
	})
	ctx, cancel := context.WithDeadline(r.srv.ctx, deadline)
	defer cancel()
	err := inner.HandshakeContext(ctx)
	if p, ok := underneath(client).(*prefixed); ok {
		if code, alerted := p.alert(); err != nil && alerted {
			err = fmt.Errorf("remote error: %w", tls.AlertError(code))
		}
		p.shaking, p.tail = false, nil
	}
	if h.err != nil || err != nil {
		why := r.tlsFailed(h, err)
		if err == nil {
			r.explain(inner, h.record(inner.ConnectionState()), why)
		}
		return errRefused
	}
	_ = client.SetDeadline(time.Time{})
	_ = up.SetDeadline(time.Time{})
	hs, toServer := h.record(inner.ConnectionState()), h.recordUpstream()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tls = h.legs
	r.sess.Emit(toServer)
	r.sess.Intercepted(hs)
	r.sess.Emit(hs)
	if r.tap != nil {
		r.tap.Comment(fmt.Sprintf("%s, %s with the client, %s, %s with the server: plaintext from here on", hs.Version, hs.Cipher, toServer.Version, toServer.Cipher))
	}
	// Offsets count the plaintext of the same dialogue from here on.
	cp.restart(inner, h.up, r.sess.Consumed(cp.dir))
	sp.restart(h.up, inner, r.sess.Consumed(sp.dir))
	r.tls.from, r.tls.fromServer = cp.given, sp.given
	r.upgrading = false
	return nil
}

// underTLS returns the connection that a handshake reads the source of p
// from. What came behind the end of the clear dialogue is the handshake's; what
// came before it and was not forwarded will not be: it is plaintext that must
// not get into the encrypted session, and the session reported it.
func (r *relay) underTLS(p *pump) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	cut := min(max(r.sess.Consumed(p.dir)-p.base.Load(), 0), int64(len(p.pending)))
	if lag := p.base.Load() + cut - p.tapped; lag > 0 {
		r.record(p, p.pending[cut-lag:cut], p.now())
	}
	prefix := append(bytes.Clone(p.pending[cut:]), p.behind...)
	p.pending, p.behind, p.rewrites = nil, nil, nil
	var c net.Conn = &prefixed{Conn: p.source(), prefix: prefix, shaking: p.dir == dissect.ClientToServer && r.control == nil}
	if r.mayClear() {
		c = &records{Conn: c, mayEnd: r.mayEnd}
	}
	return c
}

// handshake is the upstream's handshake, run when the client's hello is known.
type handshake struct {
	r        *relay
	upstream net.Conn
	up       *tls.Conn
	legs     *legs
	hello    *tls.ClientHelloInfo
	verify   error // why the upstream's certificate does not verify
	err      error
}

func (h *handshake) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	cfg := &h.r.srv.cfg
	h.hello = hello
	name := hello.ServerName
	if name == "" {
		name = h.r.host
	}
	if name == "" {
		name = h.r.conn.Server.Addr().String()
	}
	server := &tls.Config{MinVersion: tls.VersionTLS10, KeyLogWriter: cfg.KeyLog}
	var leaf *x509.Certificate
	if h.err = h.callUpstream(name, hello.SupportedProtos); h.err == nil {
		state := h.up.ConnectionState()
		leaf = state.PeerCertificates[0]
		if state.NegotiatedProtocol != "" {
			server.NextProtos = []string{state.NegotiatedProtocol}
		}
	} else if slices.Contains(hello.SupportedProtos, "http/1.1") {
		server.NextProtos = []string{"http/1.1"} // for the answer that says why
	}
	// Without an upstream the client's handshake is done all the same: it is
	// inside of TLS that the client can be told the reason.
	cert, err := cfg.CA.Leaf(leaf, name, cfg.Now())
	if err != nil {
		h.err = errors.Join(h.err, err)
		return nil, h.err
	}
	server.Certificates = []tls.Certificate{*cert}
	var ticketKey [32]byte
	_, _ = rand.Read(ticketKey[:]) // never fails
	server.SetSessionTicketKeys([][32]byte{ticketKey})
	if h.err == nil {
		h.legs.server = server
	}
	return server, nil
}

// callUpstream does the upstream's handshake.
func (h *handshake) callUpstream(name string, protocols []string) error {
	cfg := &h.r.srv.cfg
	l := &legs{serverName: name, sessions: tls.NewLRUClientSessionCache(16), shown: h.r.listener.ClientCert}
	h.legs = l
	l.client = &tls.Config{
		ServerName:         name,
		NextProtos:         protocols,
		MinVersion:         tls.VersionTLS10,
		KeyLogWriter:       cfg.KeyLog,
		ClientSessionCache: l.sessions,
		// Verified below, so that the reason can be told and --upstream-verify
		// can decide.
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return h.checkUpstream(cs, name) },
	}
	// Whatever authorities the server names: the user has chosen it.
	l.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		l.asked.Store(true)
		if l.shown == nil {
			return new(tls.Certificate), nil
		}
		return l.shown, nil
	}
	h.up = tls.Client(h.upstream, l.client)
	ctx, cancel := context.WithTimeout(h.r.srv.ctx, cfg.Limits.Handshake)
	defer cancel()
	if err := h.up.HandshakeContext(ctx); err != nil {
		return err
	}
	if h.verify = h.judge(h.up.ConnectionState(), name); h.verify != nil {
		h.r.anomaly(codeUpstreamUnverified, dissect.ServerToClient, "upstream "+certificateProblem(h.verify, name, cfg.Now()))
	}
	return nil
}

// checkUpstream refuses a certificate that does not verify, when that is to be
// refused. It also runs for each data connection.
func (h *handshake) checkUpstream(cs tls.ConnectionState, name string) error {
	if h.r.srv.cfg.Verify != VerifyOn {
		return nil
	}
	if err := h.judge(cs, name); err != nil {
		return certificateError{err, certificateProblem(err, name, h.r.srv.cfg.Now())}
	}
	return nil
}

// certificateError says that it is the certificate why there is no TLS.
type certificateError struct {
	err error
	why string
}

func (e certificateError) Error() string { return e.why }
func (e certificateError) Unwrap() error { return e.err }

// judge verifies the upstream's certificate for the name that the client
// asked for.
func (h *handshake) judge(cs tls.ConnectionState, name string) error {
	if h.r.srv.cfg.Verify == VerifyOff {
		return nil
	}
	inter := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		inter.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: h.r.srv.cfg.Roots, Intermediates: inter, DNSName: name, CurrentTime: h.r.srv.cfg.Now(),
	})
	return err
}

// record describes the client's leg.
func (h *handshake) record(client tls.ConnectionState) *record.TLSHandshake {
	hs := &record.TLSHandshake{
		Version:    tls.VersionName(client.Version),
		Cipher:     tls.CipherSuiteName(client.CipherSuite),
		ServerName: h.hello.ServerName,
		ALPN:       client.NegotiatedProtocol,
	}
	hs.Stamp(record.Stamp{Time: h.r.srv.cfg.Now()}, dissect.ClientToServer)
	return hs
}

// recordUpstream describes the server's leg.
func (h *handshake) recordUpstream() *record.TLSHandshake {
	server := h.up.ConnectionState()
	hs := &record.TLSHandshake{
		Version:    tls.VersionName(server.Version),
		Cipher:     tls.CipherSuiteName(server.CipherSuite),
		ServerName: server.ServerName,
		ALPN:       server.NegotiatedProtocol,
	}
	for _, c := range server.PeerCertificates {
		hs.Certificates = append(hs.Certificates, tlslayer.Certificates(c.Raw)...)
	}
	hs.Stamp(record.Stamp{Time: h.r.srv.cfg.Now()}, dissect.ServerToClient)
	hs.Substream = record.UpstreamLeg
	return hs
}

// tlsFailed records why there is no TLS session, and returns it.
func (r *relay) tlsFailed(h *handshake, clientErr error) (why string) {
	if h.err != nil {
		code := codeUpstreamTLS
		code, why = h.upstreamProblem(h.err)
		r.anomaly(code, dissect.ServerToClient, why)
	}
	if clientErr == nil {
		return why
	}
	alert, _ := alertOf(clientErr)
	switch {
	case h.hello == nil:
		r.anomaly(codeClientTLS, dissect.ClientToServer, "no TLS hello came from the client: "+clientErr.Error())
	case distrusts(alert):
		r.anomaly(codeClientDistrust, dissect.ClientToServer, whyDistrust(alert))
	case h.err == nil:
		r.anomaly(codeClientTLS, dissect.ClientToServer, "TLS handshake with the client failed: "+clientErr.Error())
	}
	return why
}

// upstreamProblem says why there is no TLS with the upstream.
func (h *handshake) upstreamProblem(err error) (code, why string) {
	var cert certificateError
	if errors.As(err, &cert) {
		return codeUpstreamCertificate, "upstream " + cert.why
	}
	return codeUpstreamTLS, "TLS handshake with the upstream failed: " + whyNoTLS(err) + h.legs.aboutCertificate()
}

// checkPinned looks at a client that left before it said a word: it accepted
// the certificate for TLS, and then did not like it.
func (r *relay) checkPinned(end, by string) {
	p := r.pumps[dissect.ClientToServer]
	if r.tls == nil || r.control != nil || p.given != r.tls.from || by != dissect.ClientToServer.String() {
		return
	}
	if end != record.EndClosed && end != record.EndReset {
		return
	}
	r.anomaly(codeClientPinned, dissect.ClientToServer, "the client left right after the TLS handshake without a word, as clients do that have the server's certificate or key pinned")
}

// anomaly records something that the proxy itself did or saw.
func (r *relay) anomaly(code string, dir dissect.Dir, detail string) {
	a := &record.Anomaly{Code: code, Detail: detail}
	a.Stamp(record.Stamp{Time: r.srv.cfg.Now()}, dir)
	r.lock()
	r.mu.Unlock()
	r.sess.Emit(a)
	level := slog.LevelWarn
	if code == codeStripped {
		level = slog.LevelInfo // it was asked for
	}
	attrs := []any{"code", code, "client", r.conn.Client, "server", r.conn.Server}
	if hint := logHints[code]; hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	r.srv.cfg.Log.Log(r.srv.ctx, level, detail, attrs...)
}
