package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sniff/record"
)

// heard keeps what a server was told.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) line(s string, secure bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if secure {
		s = "tls:" + s
	}
	h.lines = append(h.lines, s)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, " | ")
}

// hooked is a connection with other ways to read and write.
type hooked struct {
	net.Conn
	write func([]byte) (int, error)
	read  func([]byte) (int, error)
}

func (h hooked) Write(b []byte) (int, error) {
	if h.write != nil {
		return h.write(b)
	}
	return h.Conn.Write(b)
}

func (h hooked) Read(b []byte) (int, error) {
	if h.read != nil {
		return h.read(b)
	}
	return h.Conn.Read(b)
}

// tlsLab is a proxy with an authority in front of a server with a certificate.
func tlsLab(t *testing.T, cfg Config, cert func(*pki) tls.Certificate, serve func(*tls.Config) func(*net.TCPConn)) (*lab, *x509.CertPool) {
	t.Helper()
	world := newPKI(t)
	authority, trust := newCA(t)
	cfg.CA, cfg.Roots = authority, world.pool
	server := &tls.Config{Certificates: []tls.Certificate{cert(world)}, NextProtos: []string{"h2", "http/1.1"}}
	return startLab(t, cfg, listen(t, serve(server))), trust
}

func good(t *testing.T) func(*pki) tls.Certificate {
	return func(p *pki) tls.Certificate { return p.issue(t, "mail.test", time.Hour) }
}

func mail(h *heard) func(*tls.Config) func(*net.TCPConn) {
	return func(cfg *tls.Config) func(*net.TCPConn) {
		cfg.NextProtos = nil
		return mailServer(cfg, h.line)
	}
}

// secureEcho echoes inside TLS that begins with the connection.
func secureEcho(cfg *tls.Config) func(*net.TCPConn) {
	return func(raw *net.TCPConn) {
		c := tls.Server(raw, cfg)
		_, _ = io.Copy(c, c)
		_ = c.CloseWrite()
	}
}

// sendMail sends a message over a connection that has said its greeting.
func sendMail(t *testing.T, c net.Conn) {
	t.Helper()
	for _, line := range []string{"EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA", "Subject: hi\r\n\r\nhello\r\n.", "QUIT"} {
		if _, err := io.WriteString(c, line+"\r\n"); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "")
	}
}

func TestSTARTTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			h := &heard{}
			l, trust := tlsLab(t, Config{}, good(t), mail(h))
			c := l.dial()
			expect(t, c, "220 mail.test ESMTP")
			fmt.Fprint(c, "EHLO me\r\n")
			if r := expect(t, c, "250-mail.test"); !strings.Contains(r, "STARTTLS") {
				t.Fatalf("%q offers no STARTTLS", r)
			}
			fmt.Fprint(c, "STARTTLS\r\n")
			expect(t, c, "220 2.0.0 go ahead")
			s := tls.Client(c, &tls.Config{ServerName: "mail.test", RootCAs: trust, MinVersion: version, MaxVersion: version})
			sendMail(t, s)
			s.Close()
			hs := wait(l, func(hs *record.TLSHandshake) bool { return hs.Substream == "" })
			if hs.Version != tls.VersionName(version) || hs.ServerName != "mail.test" {
				t.Errorf("handshake %s for %q", hs.Version, hs.ServerName)
			}
			m := wait(l, func(*record.SMTPMessage) bool { return true })
			if !m.TLS {
				t.Errorf("message %s: not recorded as sent in TLS", m.Summary())
			}
			if got := h.String(); !strings.Contains(got, "EHLO me | STARTTLS | tls:EHLO me | tls:MAIL FROM") {
				t.Errorf("the server heard %s", got)
			}
			if s := l.session(); s.Protocol != "smtp" || s.End != record.EndClosed || s.TLS != "read" {
				t.Errorf("session %s, %s, TLS %q", s.Protocol, s.End, s.TLS)
			}
			l.none("starttls_injection")
		})
	}
}

// small makes a hello that is short, so that the tests which cut it at every
// byte have fewer cuts to make.
func small(trust *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: "mail.test", RootCAs: trust, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// only is small with one version of TLS.
func only(version uint16, trust *x509.CertPool) *tls.Config {
	c := small(trust)
	c.MinVersion, c.MaxVersion = version, version
	return c
}

// TestHelloSplitAtEveryByte after STARTTLS, and from the first byte.
func TestHelloSplitAtEveryByte(t *testing.T) {
	run := func(t *testing.T, l *lab, cfg *tls.Config, open func(net.Conn), use func(*tls.Conn)) {
		length := 1 << 20
		step := 1
		if testing.Short() {
			step = 16
		}
		for cut := 1; cut < length; cut += step {
			raw, err := net.Dial("tcp", l.addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.SetDeadline(time.Now().Add(time.Minute))
			open(raw)
			first := true
			c := tls.Client(hooked{Conn: raw, write: func(b []byte) (int, error) {
				if !first {
					return raw.Write(b)
				}
				first, length = false, len(b)
				n, err := raw.Write(b[:cut])
				if err != nil {
					return n, err
				}
				time.Sleep(500 * time.Microsecond)
				m, err := raw.Write(b[cut:])
				return n + m, err
			}}, cfg)
			if err := c.Handshake(); err != nil {
				t.Fatalf("cut at byte %d of %d: %v", cut, length, err)
			}
			use(c)
			c.Close()
		}
		if length < 100 || length > 2000 {
			t.Errorf("the hello is %d bytes long", length)
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run("STARTTLS, "+tls.VersionName(version), func(t *testing.T) {
			h := &heard{}
			l, trust := tlsLab(t, Config{}, good(t), mail(h))
			run(t, l, only(version, trust), func(raw net.Conn) {
				expect(t, raw, "220")
				fmt.Fprint(raw, "STARTTLS\r\n")
				expect(t, raw, "220")
			}, func(c *tls.Conn) {
				fmt.Fprint(c, "QUIT\r\n")
				expect(t, c, "221")
			})
			if got := h.String(); strings.Contains(got, " | QUIT") {
				t.Errorf("heard in the clear: %s", got)
			}
		})
		t.Run("implicit, "+tls.VersionName(version), func(t *testing.T) {
			l, trust := tlsLab(t, Config{}, good(t), secureEcho)
			run(t, l, only(version, trust), func(net.Conn) {}, func(c *tls.Conn) {
				fmt.Fprint(c, "x")
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestHelloInTheSegmentOfSTARTTLS, whole or in part.
func TestHelloInTheSegmentOfSTARTTLS(t *testing.T) {
	h := &heard{}
	l, trust := tlsLab(t, Config{}, good(t), mail(h))
	for i, cut := range []int{-1, 0, 1, 5, 6, 100, -1, 0, 1, 5, 6, 100} {
		version := uint16(tls.VersionTLS12)
		if i >= 6 {
			version = tls.VersionTLS13
		}
		raw := l.dial()
		expect(t, raw, "220")
		first, answered := true, false
		c := tls.Client(hooked{Conn: raw, write: func(b []byte) (int, error) {
			if !first {
				return raw.Write(b)
			}
			first = false
			n := cut
			if n < 0 {
				n = len(b)
			}
			_, err := raw.Write(append([]byte("STARTTLS\r\n"), b[:n]...))
			if err == nil && n < len(b) {
				time.Sleep(5 * time.Millisecond)
				_, err = raw.Write(b[n:])
			}
			return len(b), err
		}, read: func(b []byte) (int, error) {
			if !answered {
				answered = true
				expect(t, raw, "220 2.0.0")
			}
			return raw.Read(b)
		}}, only(version, trust))
		if err := c.Handshake(); err != nil {
			t.Fatalf("%s, %d bytes of the hello behind STARTTLS: %v", tls.VersionName(version), cut, err)
		}
		sendMail(t, c)
		c.Close()
	}
	l.none("starttls_injection")
}

// TestPlaintextBehindSTARTTLS is reported, and does not get into the encrypted
// session (CVE-2011-0411).
func TestPlaintextBehindSTARTTLS(t *testing.T) {
	for _, together := range []bool{true, false} {
		h := &heard{}
		l, trust := tlsLab(t, Config{}, good(t), mail(h))
		raw := l.dial()
		expect(t, raw, "220")
		if together {
			fmt.Fprint(raw, "STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
		} else {
			fmt.Fprint(raw, "STARTTLS\r\n")
			fmt.Fprint(raw, "MAIL FROM:<evil@x.test>\r\n")
		}
		expect(t, raw, "220 2.0.0")
		c := tls.Client(raw, small(trust))
		err := c.Handshake()
		if together && err != nil {
			t.Fatal(err)
		}
		if err == nil {
			fmt.Fprint(c, "QUIT\r\n")
			expect(t, c, "221")
			if a := l.anomaly("starttls_injection"); !strings.Contains(a.Detail, "MAIL") {
				t.Errorf("anomaly: %s", a.Detail)
			}
		}
		if got := h.String(); strings.Contains(got, "evil") {
			t.Errorf("the server heard %s", got)
		}
		c.Close()
	}
}

// TestServerPlaintextBehindItsYes must not reach the client as if it had come
// encrypted.
func TestServerPlaintextBehindItsYes(t *testing.T) {
	l, trust := tlsLab(t, Config{}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
		return func(c *net.TCPConn) {
			fmt.Fprint(c, "220 mail.test ESMTP\r\n")
			_, _ = c.Read(make([]byte, 100))
			fmt.Fprint(c, "220 go ahead\r\n250 injected\r\n")
			s := tls.Server(c, cfg)
			_ = s.Handshake()
		}
	})
	raw := l.dial()
	expect(t, raw, "220")
	fmt.Fprint(raw, "STARTTLS\r\n")
	expect(t, raw, "220 go ahead")
	c := tls.Client(raw, small(trust))
	fmt.Fprint(c, "EHLO me\r\n")
	expect(t, c, "421 4.7.0 sniff proxy: TLS handshake with the upstream failed")
	raw.Close()
	l.anomaly("proxy_upstream_tls")
}

func TestSTARTTLSRefused(t *testing.T) {
	h := &heard{}
	l := startLab(t, Config{}, listen(t, mailServer(nil, h.line)))
	raw := l.dial()
	expect(t, raw, "220")
	fmt.Fprint(raw, "STARTTLS\r\n")
	expect(t, raw, "502")
	sendMail(t, raw)
	if got := h.String(); !strings.Contains(got, "STARTTLS | EHLO me") {
		t.Errorf("heard %s", got)
	}
}

// TestImplicitTLS mirrors the name and the application protocol.
func TestImplicitTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l, trust := tlsLab(t, Config{}, good(t), secureEcho)
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: trust, MaxVersion: version, NextProtos: []string{"http/1.1"}})
		data := randomBytes(1 << 20)
		go func() {
			_, _ = c.Write(data)
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d of %d bytes came back: %v", len(got), len(data), err)
		}
		state := c.ConnectionState()
		if state.NegotiatedProtocol != "http/1.1" || state.Version != version {
			t.Errorf("ALPN %q, version %x", state.NegotiatedProtocol, state.Version)
		}
		if names := state.PeerCertificates[0].DNSNames; len(names) != 1 || names[0] != "mail.test" {
			t.Errorf("certificate for %v", names)
		}
		if s := l.session(); s.TLS != "read" || s.End != record.EndClosed || s.ClientSide.Bytes != 1<<20 {
			t.Errorf("session %s, TLS %q, %d bytes", s.End, s.TLS, s.ClientSide.Bytes)
		}
	}
}

// TestTruncatedTLS: a peer that closes without saying the end of TLS looks the
// same through the proxy, so that a truncation attack is still seen as one.
func TestTruncatedTLS(t *testing.T) {
	l, trust := tlsLab(t, Config{}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
		return func(raw *net.TCPConn) {
			s := tls.Server(raw, cfg)
			_, _ = s.Read(make([]byte, 1))
			_, _ = s.Write([]byte("half of it"))
			_ = raw.CloseWrite()
			_, _ = io.Copy(io.Discard, raw)
		}
	})
	raw := l.dial()
	var wire []byte
	c := tls.Client(hooked{Conn: raw, read: func(b []byte) (int, error) {
		n, err := raw.Read(b)
		wire = append(wire, b[:n]...)
		return n, err
	}}, &tls.Config{ServerName: "mail.test", RootCAs: trust, MaxVersion: tls.VersionTLS12})
	fmt.Fprint(c, "x")
	if got, _ := io.ReadAll(c); string(got) != "half of it" {
		t.Errorf("%q came", got)
	}
	c.Close()
	last := byte(0)
	for len(wire) > 5 {
		last = wire[0]
		wire = wire[5+int(wire[3])<<8+int(wire[4]):]
	}
	if last != 0x17 {
		t.Errorf("the last record is of type %#x, want data: an alert would say that nothing is missing", last)
	}
}

// TestAlertAboutTheEnd: what OpenSSL says to a client that just closes the
// connection is no trouble with TLS, and no reset.
func TestAlertAboutTheEnd(t *testing.T) {
	needs(t, "openssl")
	world := newPKI(t)
	both, _ := localhost(t, world)
	authority, trust := newCA(t)
	addr := freeAddr(t, "127.0.0.1")
	startProcess(t, addr, "openssl", "s_server", "-accept", addr, "-cert", both, "-key", both, "-rev", "-quiet")
	l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: addr}}}, "")
	raw := l.dial()
	c := tls.Client(raw, &tls.Config{ServerName: "localhost", RootCAs: trust})
	fmt.Fprint(c, "abc\n")
	if got, err := bufio.NewReader(c).ReadString('\n'); got != "cba\n" {
		t.Fatalf("%q, %v", got, err)
	}
	_ = raw.CloseWrite()
	_, _ = io.Copy(io.Discard, raw)
	if s := l.session(); s.End != record.EndClosed || s.EndedBy != "client" {
		t.Errorf("the session ended by %s of the %s", s.End, s.EndedBy)
	}
	l.none(codeUpstreamTLS)
}
