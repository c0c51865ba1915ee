// Package proxy stands between a client and a server that its user owns or may
// test, relays what they say, and feeds it to the same engine as a capture
// does: same sessions, same dissectors, same records.
//
// The way of a connection: a listener accepts it and finds out where it wants
// to go (listener.go and one file per way in), a relay dials the upstream at
// once and runs one pump per direction (relay.go, pump.go). A pump reads,
// gives the bytes to the session, and forwards what the session does not hold
// back. The session follows the dialogue; when it asks for an upgrade (STARTTLS,
// AUTH TLS) both pumps stop at that byte and the relay does both handshakes
// (tls.go). FTP's data connections are announced by the session and relayed by
// data.go. SSH is recognised by its identification and terminated on both legs
// (ssh.go says how, and what is recorded of it).
//
// What is relayed can be held or changed in one place for each kind: the
// dialogue of a control connection in relay.rewritten and pump.limit, the bytes
// of a data connection in pump.pass, those of an SSH channel in sshChannel.copy.
// In each, dissectors and tap have the bytes before they are forwarded, but for
// HTTP messages that can be nothing but ordinary ones (ahead.go).
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sniff/flow"
	"sniff/proxy/ca"
	"sniff/record"
)

// TLSMode says what a listener does about TLS.
type TLSMode string

const (
	// Intercept terminates TLS on both legs and reads the plaintext.
	Intercept TLSMode = "intercept"
	// Passthrough relays TLS unread.
	Passthrough TLSMode = "passthrough"
	// Strip speaks TLS to the upstream and none to the client (strip.go).
	Strip TLSMode = "strip"
	// Require intercepts, and refuses what is said without TLS (require.go).
	Require TLSMode = "require"
)

// Verify says what to do about upstream certificates that do not verify.
type Verify string

const (
	VerifyOn     Verify = "on"     // refuse, and say why on both legs
	VerifyReport Verify = "report" // go on, and record it
	VerifyOff    Verify = "off"    // do not look
)

// Mode is how a listener learns where a connection wants to go.
type Mode string

const (
	Reverse     Mode = "reverse"     // always to the same place
	SOCKS       Mode = "socks"       // SOCKS4, 4a and 5
	HTTPForward Mode = "http"        // CONNECT, and absolute URIs
	Transparent Mode = "transparent" // redirected by the firewall (Linux)
)

// Listener is one way in.
type Listener struct {
	Mode   Mode
	Listen string // host:port
	To     string // host:port, for Reverse
	TLS    TLSMode
	// ProxyProtocolIn expects a PROXY protocol header from the caller,
	// ProxyProtocolOut (1 or 2) sends one to the upstream.
	ProxyProtocolIn  bool
	ProxyProtocolOut int
	// Allow names the clients that may connect when it is not bound to
	// loopback; loopback clients always may.
	Allow []netip.Prefix
	// Via reaches upstreams through a further proxy; nil connects directly.
	Via *Via
	// ClientCert is shown to upstreams that ask for one; may be nil.
	ClientCert *tls.Certificate
}

// Config sets up a Server. The zero value of every limit means its default.
type Config struct {
	Listeners []Listener
	Engine    *flow.Engine
	// CA mints the certificates shown to clients; without it TLS passes
	// through unread.
	CA *ca.Authority
	// Roots verify upstream certificates; nil means the system's.
	Roots  *x509.CertPool
	Verify Verify
	// SSH sets up how SSH is intercepted.
	SSH SSH
	// KeyLog gets the TLS secrets of both legs, NSS format.
	KeyLog io.Writer
	// Tap gets every byte as the applications saw it; may be nil.
	Tap record.Tap
	// AllowForeignData lets FTP data connections go to and come from addresses
	// that are not the control connection's peers.
	AllowForeignData bool
	Log              *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	Limits Limits
}

// Limits bound what the proxy takes on.
type Limits struct {
	// Connections at a time, and of these from one client address; default
	// 10,000 and 1,000.
	Connections, PerClient int
	// Idle ends a connection over which nothing came for that long; default
	// 1 hour. Handshake bounds TLS handshakes and the dialogue of the way in;
	// default 30 seconds. Dial bounds connecting; default 30 seconds.
	Idle, Handshake, Dial time.Duration
}

// Server is a running proxy.
type Server struct {
	cfg       Config
	listeners []net.Listener
	// transparent: the firewall brings connections here, to one listener at least.
	transparent bool
	ctx         context.Context
	cancel      context.CancelFunc
	wg          sync.WaitGroup // accept loops and connections

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	open     int                     // clients
	byClient map[netip.Addr]int      // of these
	own      map[netip.AddrPort]bool // addresses of our listeners
	callers  map[ends]bool           // what the firewall brought
	calling  map[ends]bool           // our connections to upstreams, where it might bring them
	awaited  map[string][]*dataConn  // by host:port as clients ask for them
	stats    Stats

	knownHosts sync.Mutex // one connection at a time adds a host key

	later later
	huge  atomic.Int32 // pumps with a huge buffer
}

// Stats counts what the server did.
type Stats struct {
	Accepted, Refused, Active uint64
	// Cut is how many clients were cut off when the server stopped.
	Cut                      int
	ClientBytes, ServerBytes int64
}

// Start opens all listeners. The server runs until Shutdown.
func Start(cfg Config) (*Server, error) {
	if cfg.Engine == nil {
		return nil, errors.New("proxy: no engine")
	}
	setDefaults(&cfg)
	for _, l := range cfg.Listeners {
		if l.TLS == Require && cfg.CA == nil {
			return nil, fmt.Errorf("proxy: listener %s requires TLS, and there is no authority to intercept it with", l.name())
		}
	}
	s := &Server{cfg: cfg, conns: map[net.Conn]struct{}{}, byClient: map[netip.Addr]int{}, own: map[netip.AddrPort]bool{},
		callers: map[ends]bool{}, calling: map[ends]bool{}, awaited: map[string][]*dataConn{}, later: later{some: make(chan struct{}, 1), done: make(chan struct{})}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.readAhead()
	for i := range cfg.Listeners {
		s.transparent = s.transparent || cfg.Listeners[i].Mode == Transparent
	}
	for i := range cfg.Listeners {
		if err := s.listen(&cfg.Listeners[i]); err != nil {
			s.Shutdown(0)
			return nil, err
		}
	}
	return s, nil
}

func setDefaults(c *Config) {
	if c.Verify == "" {
		c.Verify = VerifyOn
	}
	if c.Now == nil {
		// Without the monotonic reading: times must compare as they are written.
		c.Now = func() time.Time { return time.Now().Round(0) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &c.Limits
	l.Connections = positive(l.Connections, 10_000)
	l.PerClient = positive(l.PerClient, 1_000)
	l.Idle = positive(l.Idle, time.Hour)
	l.Handshake = positive(l.Handshake, 30*time.Second)
	l.Dial = positive(l.Dial, 30*time.Second)
}

func positive[T ~int | ~int64](v, or T) T {
	if v <= 0 {
		return or
	}
	return v
}

// Addrs returns the addresses of the listeners, in the order of the config.
func (s *Server) Addrs() []net.Addr {
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Active = uint64(len(s.conns))
	return st
}

// Shutdown stops accepting, lets open connections finish for grace or until Cut,
// cuts what is left, and waits for all goroutines.
func (s *Server) Shutdown(grace time.Duration) {
	for _, l := range s.listeners {
		l.Close()
	}
	done := make(chan struct{})
	go s.waitAll(done)
	select {
	case <-done:
	case <-time.After(grace):
	case <-s.ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	s.stats.Cut += s.open
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	<-done
	<-s.later.done
}

// Cut ends the grace of a Shutdown.
func (s *Server) Cut() { s.cancel() }

func (s *Server) waitAll(done chan<- struct{}) {
	s.wg.Wait()
	close(done)
}

// track registers a connection so that Shutdown can cut it; the returned
// function takes it out again.
func (s *Server) track(c net.Conn) func() {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		c.Close()
	}
	return func() {
		s.mu.Lock()
		delete(s.conns, c)
		delete(s.calling, endsOf(c))
		s.mu.Unlock()
	}
}

// addrPort returns the address of one end of a connection, IPv4 unmapped.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

func (l *Listener) name() string {
	name := fmt.Sprintf("%s %s", l.Mode, l.Listen)
	if l.Mode == Reverse {
		name = fmt.Sprintf("%s to %s", l.Listen, l.To)
	}
	if l.Via != nil {
		name += " via " + l.Via.String()
	}
	return name
}
