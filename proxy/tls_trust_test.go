package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestUpstreamCertificates(t *testing.T) {
	expired := func(t *testing.T) func(*pki) tls.Certificate {
		return func(p *pki) tls.Certificate { return p.issue(t, "mail.test", -time.Hour) }
	}
	wrong := func(t *testing.T) func(*pki) tls.Certificate {
		return func(p *pki) tls.Certificate { return p.issue(t, "other.test", time.Hour) }
	}
	unknown := func(t *testing.T) func(*pki) tls.Certificate {
		return func(*pki) tls.Certificate { return newPKI(t).issue(t, "mail.test", time.Hour) }
	}
	for name, c := range map[string]struct {
		cert func(*testing.T) func(*pki) tls.Certificate
		why  string
	}{"expired": {expired, "expired"}, "wrong name": {wrong, "other.test"}, "unknown authority": {unknown, "unknown authority"}} {
		for _, verify := range []Verify{VerifyOn, VerifyReport, VerifyOff} {
			t.Run(name+" "+string(verify), func(t *testing.T) {
				reason := make(chan error, 1)
				l, trust := tlsLab(t, Config{Verify: verify}, c.cert(t), func(cfg *tls.Config) func(*net.TCPConn) {
					return func(raw *net.TCPConn) {
						s := tls.Server(raw, cfg)
						err := s.Handshake()
						if err == nil {
							_, err = s.Read(make([]byte, 1))
						}
						reason <- err
						_, _ = s.Write([]byte("y"))
					}
				})
				s := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: trust})
				_, err := s.Write([]byte("x\n"))
				if err == nil {
					_, err = s.Read(make([]byte, 1))
				}
				served := <-reason
				s.Close()
				if verify == VerifyOn {
					a := l.anomaly("proxy_upstream_certificate")
					if err == nil || !strings.Contains(a.Detail, c.why) {
						t.Errorf("client: %v; record: %s", err, a.Detail)
					}
					if served == nil || !strings.Contains(served.Error(), "certificate") {
						t.Errorf("the server was told %v, want an alert about its certificate", served)
					}
					return
				}
				if err != nil || served != nil {
					t.Errorf("client: %v, server: %v", err, served)
				}
				if verify == VerifyReport {
					if a := l.anomaly("proxy_upstream_unverified"); !strings.Contains(a.Detail, c.why) {
						t.Errorf("record: %s", a.Detail)
					}
				} else {
					l.none("proxy_upstream_unverified")
				}
			})
		}
	}
}

func TestClientThatDoesNotTrustTheAuthority(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l, _ := tlsLab(t, Config{}, good(t), secureEcho)
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: newPKI(t).pool, MaxVersion: version})
		if err := c.Handshake(); err == nil {
			t.Error("handshake succeeded")
		}
		if a := l.anomaly("proxy_client_distrust"); !strings.Contains(a.Detail, "does not trust") {
			t.Error(a.Detail)
		}
	}
}

// TestPassthrough relays TLS unread: the client sees the server's certificate.
func TestPassthrough(t *testing.T) {
	world := newPKI(t)
	authority, _ := newCA(t)
	h := &heard{}
	server := mailServer(&tls.Config{Certificates: []tls.Certificate{world.issue(t, "mail.test", time.Hour)}}, h.line)
	l := startLab(t, Config{CA: authority, Listeners: []Listener{{Listen: "127.0.0.1:0", To: listen(t, server), TLS: Passthrough}}}, "")
	raw := l.dial()
	expect(t, raw, "220")
	fmt.Fprint(raw, "STARTTLS\r\n")
	expect(t, raw, "220")
	c := tls.Client(raw, &tls.Config{ServerName: "mail.test", RootCAs: world.pool})
	sendMail(t, c)
	c.Close()
	if s := l.session(); s.TLS != "opaque" {
		t.Errorf("TLS %q", s.TLS)
	}
	if !strings.Contains(h.String(), "tls:MAIL") {
		t.Errorf("heard %s", h)
	}
}

// TestLogHints: what is logged with something to do about it says what, in the
// line itself.
func TestLogHints(t *testing.T) {
	say := func(l *lab, roots *x509.CertPool) {
		c := tls.Client(l.dial(), &tls.Config{ServerName: "mail.test", RootCAs: roots})
		_, _ = io.WriteString(c, "x\n")
		_, _ = io.ReadAll(c)
		c.Close()
	}
	cases := map[string]struct {
		cert func(*pki) tls.Certificate
		use  func(l *lab, trust *x509.CertPool)
		hint string
	}{
		codeClientDistrust: {good(t), func(l *lab, _ *x509.CertPool) { say(l, x509.NewCertPool()) },
			"sniff ca export prints the authority that the client must be given"},
		codeUpstreamCertificate: {func(*pki) tls.Certificate { return newPKI(t).issue(t, "mail.test", time.Hour) }, say,
			"--upstream-ca names its authority, --upstream-verify report goes on all the same"},
	}
	for code := range logHints {
		if _, ok := cases[code]; !ok {
			t.Errorf("the hint of %s is not tested", code)
		}
	}
	for code, c := range cases {
		log := &logged{}
		l, trust := tlsLab(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))}, c.cert, secureEcho)
		c.use(l, trust)
		l.anomaly(code)
		l.srv.Shutdown(time.Second)
		found := false
		for line := range strings.Lines(log.String()) {
			found = found || strings.Contains(line, "code="+code+" ") && strings.Contains(line, "hint=\""+c.hint+"\"")
		}
		if !found {
			t.Errorf("%s: no line with the hint %q in\n%s", code, c.hint, log)
		}
	}
}
