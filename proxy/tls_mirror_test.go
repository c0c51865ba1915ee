package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// TestClientCertificate is shown to a server that wants one; without, the
// client hears why.
func TestClientCertificate(t *testing.T) {
	for _, have := range []bool{true, false} {
		people := newPKI(t)
		var cfg Config
		if have {
			c := people.issue(t, "alice", time.Hour)
			cfg.Listeners = []Listener{{Listen: "127.0.0.1:0", ClientCert: &c}}
		}
		l, trust := tlsLab(t, cfg, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
			cfg.ClientAuth, cfg.ClientCAs, cfg.NextProtos = tls.RequireAnyClientCert, people.pool, nil
			return func(raw *net.TCPConn) {
				s := tls.Server(raw, cfg)
				if s.Handshake() == nil {
					fmt.Fprintf(s, "hello %s", s.ConnectionState().PeerCertificates[0].Subject.CommonName)
					_ = s.CloseWrite()
				}
				_, _ = io.Copy(io.Discard, raw)
			}
		})
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: trust})
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: mail.test\r\n\r\n")
		got, _ := io.ReadAll(c)
		c.Close()
		want := "hello alice"
		if !have {
			want = "it asked for a client's certificate, and the proxy was given none (--client-cert)"
			l.anomaly(codeUpstreamTLS)
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("with a certificate %v: the client read %q, want %q", have, got, want)
		}
	}
}

// TestAlertBeforeReset: a server that misses the certificate and hangs up at
// once, so that what the client says meets a reset, is heard all the same.
func TestAlertBeforeReset(t *testing.T) {
	l, trust := tlsLab(t, Config{}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
		cfg.ClientAuth, cfg.NextProtos = tls.RequireAnyClientCert, nil
		return func(raw *net.TCPConn) {
			_ = tls.Server(raw, cfg).Handshake()
			_ = raw.SetLinger(0)
		}
	})
	const want = "it asked for a client's certificate, and the proxy was given none (--client-cert)"
	for i := range 20 {
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: trust})
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: mail.test\r\n\r\n")
		got, err := io.ReadAll(c)
		c.Close()
		if !strings.Contains(string(got), want) {
			t.Fatalf("connection %d: the client read %q, %v", i+1, got, err)
		}
	}
}

// TestKeyLogHasBothLegs: what the proxy writes is what the client's and the
// server's own key logs have.
func TestKeyLogHasBothLegs(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ours, client, server := &logged{}, &logged{}, &logged{}
		l, trust := tlsLab(t, Config{KeyLog: ours}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
			cfg.KeyLogWriter = server
			return secureEcho(cfg)
		})
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: trust, MaxVersion: version, KeyLogWriter: client})
		fmt.Fprint(c, "x")
		_, _ = c.Read(make([]byte, 1))
		c.Close()
		l.session()
		for who, log := range map[string]*logged{"client": client, "server": server} {
			for line := range strings.Lines(log.String()) {
				if !strings.Contains(ours.String(), line) {
					t.Errorf("%s: the %s's key log has a line that the proxy's lacks: %.60s", tls.VersionName(version), who, line)
				}
			}
		}
		if client.String() == "" || client.String() == server.String() {
			t.Error("the legs are not two")
		}
	}
}

// TestBothLegsAreRecorded: what each peer agreed on with the proxy may differ,
// and is told of each, the server's with the certificate that the client does
// not see.
func TestBothLegsAreRecorded(t *testing.T) {
	for _, mode := range []TLSMode{Intercept, Strip} {
		l, trust := tlsLab(t, Config{Verify: VerifyOff, Listeners: []Listener{{Listen: "127.0.0.1:0", TLS: mode}}}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
			cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
			return mail(new(heard))(cfg)
		})
		c := l.dial()
		expect(t, c, "220")
		fmt.Fprint(c, "EHLO me\r\n")
		expect(t, c, "250")
		if mode == Intercept {
			fmt.Fprint(c, "STARTTLS\r\n")
			expect(t, c, "220")
			s := tls.Client(c, &tls.Config{ServerName: "mail.test", RootCAs: trust, MinVersion: tls.VersionTLS13})
			sendMail(t, s)
			s.Close()
			if hs := wait(l, func(hs *record.TLSHandshake) bool { return hs.Substream == "" }); hs.Version != "TLS 1.3" {
				t.Errorf("with the client: %s", hs.Summary())
			}
		}
		c.Close()
		hs := wait(l, func(hs *record.TLSHandshake) bool { return hs.Substream == record.UpstreamLeg })
		if hs.Version != "TLS 1.2" || hs.Cipher != "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" || hs.Leaf() == nil || len(hs.Leaf().Names) != 1 || hs.Leaf().Names[0] != "mail.test" {
			t.Errorf("%s: with the server: %s %q", mode, hs.Summary(), hs.Describe())
		}
		if lines := hs.Lines(); !strings.HasPrefix(lines[0].Text.String(), "upstream leg, TLS handshake: TLS 1.2") {
			t.Errorf("%s: shown as %q", mode, lines[0].Text)
		}
		l.session()
	}
}

// TestNamesAndProtocolsAreMirrored: the server is asked for what the client
// asked for, and the client gets what the server chose.
func TestNamesAndProtocolsAreMirrored(t *testing.T) {
	hellos := make(chan *tls.ClientHelloInfo, 1)
	l, trust := tlsLab(t, Config{Verify: VerifyOff}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
		cfg.NextProtos = []string{"two"}
		cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hellos <- h
			return nil, nil
		}
		return secureEcho(cfg)
	})
	c := tls.Client(l.dial(), &tls.Config{ServerName: "shop.test", RootCAs: trust, NextProtos: []string{"one", "two", "three"}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	h := <-hellos
	if h.ServerName != "shop.test" || strings.Join(h.SupportedProtos, " ") != "one two three" {
		t.Errorf("the server was asked for %q with %q", h.ServerName, h.SupportedProtos)
	}
	if p := c.ConnectionState().NegotiatedProtocol; p != "two" {
		t.Errorf("the client got %q", p)
	}
	c.Close()
}
