package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sniff/dissect"
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
	minted   *tls.Certificate
}

// intercepts reports whether this relay reads inside TLS.
func (r *relay) intercepts() bool {
	return r.srv.cfg.CA != nil && r.listener.TLS != Passthrough
}

// first looks at the first bytes of a direction: a TLS hello
// changes how the connection is carried. done says that the bytes were taken.
func (p *pump) first(b []byte) (done bool, err error) {
	implicit := p.dir == dissect.ClientToServer && b[0] == 0x16 && p.r.intercepts()
	p.r.begin(implicit)
	if implicit && p.r.conn.TLS {
		p.pending = append(p.pending, b...)
		p.given = int64(len(b))
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
	err := r.handshakes()
	o.unpark(err)
	return err
}

// handshakes does the upstream's handshake inside the client's: the client's
// hello says which name and protocols to ask the upstream for, the upstream's
// certificate what to show the client.
func (r *relay) handshakes() error {
	cp, sp := r.pumps[dissect.ClientToServer], r.pumps[dissect.ServerToClient]
	// What the client sent behind its command is a hello, or plaintext that
	// must not get into the encrypted session; the session reports it.
	var hello []byte
	if len(cp.pending) > 0 && cp.pending[0] == 0x16 {
		hello = bytes.Clone(cp.pending)
	}
	cp.drop()
	sp.drop()
	client := &prefixed{Conn: cp.source(), prefix: hello}
	up := sp.source()
	deadline := time.Now().Add(r.srv.cfg.Limits.Handshake)
	_ = client.Conn.SetDeadline(deadline)
	_ = up.SetDeadline(deadline)

	h := &handshake{r: r, upstream: up}
	inner := tls.Server(client, &tls.Config{
		MinVersion:         tls.VersionTLS10,
		KeyLogWriter:       r.srv.cfg.KeyLog,
		GetConfigForClient: h.forClient,
	})
	err := inner.Handshake()
	if h.err == nil && err == nil {
		_ = client.Conn.SetDeadline(time.Time{})
		_ = up.SetDeadline(time.Time{})
		r.tls = h.legs
		cp.raw, sp.raw = rawConn(client.Conn), rawConn(up)
		cp.swap(inner, h.up)
		sp.swap(h.up, inner)
		hs := h.record(inner.ConnectionState())
		r.sess.Intercepted(hs)
		r.sess.Emit(hs)
		if r.tap != nil {
			r.mu.Lock()
			r.tap.Comment(fmt.Sprintf("%s, %s: plaintext from here on", hs.Version, hs.Cipher))
			r.mu.Unlock()
		}
		return nil
	}
	r.tlsFailed(h, err)
	return errRefused
}

// drop forgets pending bytes: they were given to the session and will not be
// forwarded.
func (p *pump) drop() {
	p.pending = nil
	p.rewrites = nil
	p.waiting.Store(false)
}

func (p *pump) swap(src, dst net.Conn) {
	p.src.Store(&src)
	p.dst.Store(&dst)
	// Offsets count the plaintext of the same dialogue from here on.
	p.given = p.r.sess.Consumed(p.dir)
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
	l := &legs{serverName: hello.ServerName, sessions: tls.NewLRUClientSessionCache(16)}
	if l.serverName == "" {
		l.serverName = h.r.host
	}
	if l.serverName == "" {
		l.serverName = h.r.conn.Server.Addr().String()
	}
	l.client = &tls.Config{
		ServerName:         l.serverName,
		NextProtos:         hello.SupportedProtos,
		MinVersion:         tls.VersionTLS10,
		KeyLogWriter:       cfg.KeyLog,
		ClientSessionCache: l.sessions,
		// Verified below, so that the reason can be told and --upstream-verify
		// can decide.
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return h.checkUpstream(cs, l.serverName) },
	}
	if cfg.ClientCert != nil {
		l.client.Certificates = []tls.Certificate{*cfg.ClientCert}
	}
	h.up = tls.Client(h.upstream, l.client)
	ctx, cancel := context.WithTimeout(h.r.srv.ctx, cfg.Limits.Handshake)
	defer cancel()
	if err := h.up.HandshakeContext(ctx); err != nil {
		h.err = err
		return nil, err
	}
	state := h.up.ConnectionState()
	cert, err := cfg.CA.Leaf(state.PeerCertificates[0], l.serverName, cfg.Now())
	if err != nil {
		h.err = err
		return nil, err
	}
	l.minted = cert
	h.legs = l
	server := &tls.Config{
		Certificates: []tls.Certificate{*cert},
		MinVersion:   tls.VersionTLS10,
		KeyLogWriter: cfg.KeyLog,
	}
	if state.NegotiatedProtocol != "" {
		server.NextProtos = []string{state.NegotiatedProtocol}
	}
	return server, nil
}

// checkUpstream verifies the upstream's certificate for the name that the
// client asked for.
func (h *handshake) checkUpstream(cs tls.ConnectionState, name string) error {
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
	h.verify = err
	if err == nil || h.r.srv.cfg.Verify == VerifyReport {
		return nil
	}
	return err
}

// record describes the client leg and what differs on the upstream leg.
func (h *handshake) record(client tls.ConnectionState) *record.TLSHandshake {
	hs := &record.TLSHandshake{
		Version:    tls.VersionName(client.Version),
		Cipher:     tls.CipherSuiteName(client.CipherSuite),
		ServerName: h.hello.ServerName,
		ALPN:       client.NegotiatedProtocol,
	}
	hs.Stamp(record.Stamp{Time: h.r.srv.cfg.Now()}, dissect.ClientToServer)
	if h.verify != nil {
		h.r.anomaly("proxy_upstream_unverified", dissect.ServerToClient, "upstream certificate: "+h.verify.Error())
	}
	return hs
}

// tlsFailed records why there is no TLS session; both legs are closed.
func (r *relay) tlsFailed(h *handshake, clientErr error) {
	switch {
	case h.err != nil:
		var cert *tls.CertificateVerificationError
		if errors.As(h.err, &cert) || h.verify != nil {
			r.anomaly("proxy_upstream_certificate", dissect.ServerToClient, "upstream certificate refused: "+reason(h.verify, h.err))
			return
		}
		r.anomaly("proxy_upstream_tls", dissect.ServerToClient, "TLS handshake with the upstream failed: "+h.err.Error())
	case h.hello == nil:
		r.anomaly("proxy_client_tls", dissect.ClientToServer, "no TLS hello came from the client: "+clientErr.Error())
	case strings.Contains(clientErr.Error(), "unknown certificate") || strings.Contains(clientErr.Error(), "bad certificate"):
		r.anomaly("proxy_client_distrust", dissect.ClientToServer, "the client does not trust the proxy's CA, or has the server's certificate pinned: "+clientErr.Error())
	default:
		r.anomaly("proxy_client_tls", dissect.ClientToServer, "TLS handshake with the client failed: "+clientErr.Error())
	}
}

func reason(errs ...error) string {
	for _, e := range errs {
		if e != nil {
			return e.Error()
		}
	}
	return "unknown"
}

// anomaly records something that the proxy itself did or saw.
func (r *relay) anomaly(code string, dir dissect.Dir, detail string) {
	a := &record.Anomaly{Code: code, Detail: detail}
	a.Stamp(record.Stamp{Time: r.srv.cfg.Now()}, dir)
	r.sess.Emit(a)
	r.srv.cfg.Log.Warn(detail, "code", code, "client", r.conn.Client, "server", r.conn.Server)
}

// prefixed is a connection whose first bytes were read already.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (c *prefixed) Read(b []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(b, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

func (c *prefixed) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return c.Conn.Close()
}

// rawConn returns the socket under wrappers, for resets.
func rawConn(c net.Conn) net.Conn {
	for {
		switch w := c.(type) {
		case *prefixed:
			c = w.Conn
		case *tls.Conn:
			c = w.NetConn()
		default:
			return c
		}
	}
}
