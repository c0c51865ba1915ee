package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// speak says lines one by one and returns all answers until the end.
func speak(t *testing.T, c net.Conn, greeted bool, lines ...string) string {
	t.Helper()
	in := bufio.NewReader(c)
	var out strings.Builder
	read := func() bool {
		for {
			line, err := in.ReadString('\n')
			out.WriteString(line)
			if err != nil {
				return false
			}
			if len(line) > 3 && line[3] == ' ' {
				return true
			}
		}
	}
	if greeted && !read() {
		return out.String()
	}
	for _, l := range lines {
		fmt.Fprint(c, l+"\r\n")
		if !read() {
			break
		}
	}
	rest, _ := io.ReadAll(in)
	return out.String() + string(rest)
}

// TestRefusedServerIsExplained: a client whose server is not good enough is
// told why in the words of its protocol, inside TLS, and the session has it.
func TestRefusedServerIsExplained(t *testing.T) {
	expired := func(p *pki) tls.Certificate { return p.issue(t, "mail.test", -time.Hour) }
	want := "sniff proxy: upstream certificate expired on " + time.Now().Add(-time.Hour).UTC().Format(time.DateOnly)
	t.Run("smtp", func(t *testing.T) {
		h := &heard{}
		l, trust := tlsLab(t, Config{}, expired, mail(h))
		raw := l.dial()
		expect(t, raw, "220")
		fmt.Fprint(raw, "STARTTLS\r\n")
		expect(t, raw, "220")
		if got := speak(t, tls.Client(raw, small(trust)), false, "EHLO me", "AUTH PLAIN AGEAYg=="); !strings.HasPrefix(got, "421 4.7.0 "+want) {
			t.Errorf("the client was told %q", got)
		}
		x := wait(l, func(x *record.SMTPExchange) bool { return x.Reply != nil && x.Reply.Code == 421 })
		if x.Verb != "EHLO" {
			t.Errorf("recorded: %s", x.Summary())
		}
		if got := h.String(); strings.Contains(got, "tls:") {
			t.Errorf("the server heard %s", got)
		}
		if s := l.session(); s.TLS != "read" || s.End != record.EndClosed {
			t.Errorf("session %s, TLS %q", s.End, s.TLS)
		}
	})
	t.Run("http", func(t *testing.T) {
		l, trust := tlsLab(t, Config{}, expired, secureEcho)
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{ServerName: "mail.test", RootCAs: trust},
			ForceAttemptHTTP2: true,
		}}
		defer client.CloseIdleConnections()
		answer, err := client.Get("https://" + l.addr + "/x")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != 502 || string(b) != want+"\n" {
			t.Errorf("%d %q", answer.StatusCode, b)
		}
		if x := wait(l, func(x *record.HTTPExchange) bool { return true }); x.Status != 502 {
			t.Errorf("recorded: %s", x.Summary())
		}
	})
}

func TestCertificateProblems(t *testing.T) {
	p, now := newPKI(t), time.Now()
	check := func(c tls.Certificate, roots *x509.CertPool, at time.Time, want string) {
		t.Helper()
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "mail.test", CurrentTime: at})
		if got := certificateProblem(err, "mail.test", at); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check(p.issue(t, "mail.test", -time.Hour), p.pool, now, "expired on ")
	check(p.issue(t, "mail.test", time.Hour), p.pool, now.Add(-24*time.Hour), "is not valid before ")
	check(p.issue(t, "other.test", time.Hour), p.pool, now, "is for other.test, not for mail.test")
	check(p.issue(t, "mail.test", time.Hour), newPKI(t).pool, now, "signed by an unknown authority: CN=test authority")
}

// TestPinningClientIsTold: curl with another key pinned does the handshake and
// leaves.
func TestPinningClientIsTold(t *testing.T) {
	needs(t, "curl")
	l, _ := tlsLab(t, Config{}, good(t), secureEcho)
	_, port, _ := net.SplitHostPort(l.addr)
	out, err := exec.Command("curl", "-sS", "-k", "-m", "100", "--pinnedpubkey", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"--connect-to", "mail.test:443:127.0.0.1:"+port, "https://mail.test/").CombinedOutput()
	if err == nil {
		t.Fatalf("curl went on: %s", out)
	}
	if a := l.anomaly(codeClientPinned); !strings.Contains(a.Detail, "pinned") {
		t.Error(a.Detail)
	}
}

// TestRequire: a login or a message without TLS is refused with the reason and
// reaches nobody; with TLS everything goes its way.
func TestRequire(t *testing.T) {
	lab := func(t *testing.T, h *heard, cfg func(*tls.Config) *tls.Config) (*lab, *x509.CertPool) {
		world := newPKI(t)
		authority, trust := newCA(t)
		server := mailServer(cfg(&tls.Config{Certificates: []tls.Certificate{world.issue(t, "mail.test", time.Hour)}}), h.line)
		return startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: listen(t, server), TLS: Require}}}, ""), trust
	}
	with := func(c *tls.Config) *tls.Config { return c }
	without := func(*tls.Config) *tls.Config { return nil }
	t.Run("with TLS", func(t *testing.T) {
		h := &heard{}
		l, trust := lab(t, h, with)
		c := l.dial()
		expect(t, c, "220")
		fmt.Fprint(c, "STARTTLS\r\n")
		expect(t, c, "220")
		s := tls.Client(c, small(trust))
		sendMail(t, s)
		s.Close()
		l.session()
		l.none(codeTLSRequired)
	})
	for name, c := range map[string]struct {
		offer  func(*tls.Config) *tls.Config
		lines  []string
		want   string
		unsaid string
	}{
		"mail":              {with, []string{"EHLO me", "MAIL FROM:<a@x.test>"}, "530 5.7.0 sniff proxy: TLS is required", "MAIL"},
		"login":             {with, []string{"AUTH PLAIN AGEAYg=="}, "530 5.7.0 sniff proxy: TLS is required", "AUTH"},
		"pipelined":         {with, []string{"STARTTLS\r\nMAIL FROM:<a@x.test>"}, "530 5.7.0 sniff proxy: TLS is required", "STARTTLS"},
		"server without":    {without, []string{"EHLO me", "MAIL FROM:<a@x.test>"}, "421 4.7.0 sniff proxy: TLS is required, and the server offers no STARTTLS\r\n", "MAIL"},
		"server refuses":    {without, []string{"STARTTLS", "MAIL FROM:<a@x.test>"}, "421 4.7.0 sniff proxy: TLS is required, and the server refuses STARTTLS: 502 5.5.1 no TLS here\r\n", "MAIL"},
		"file transfer":     {with, []string{"USER a"}, "530 sniff proxy: TLS is required", "USER"},
		"web":               {with, []string{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nsecret"}, "HTTP/1.1 426 Upgrade Required", "POST"},
		"something unknown": {with, []string{"\x00\x01secret"}, "", "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{}
			l, _ := lab(t, h, c.offer)
			conn := l.dial()
			if got := speak(t, conn, true, c.lines...); !strings.Contains(got, c.want) {
				t.Errorf("the client was told %q, want %q", got, c.want)
			}
			conn.Close()
			l.anomaly(codeTLSRequired)
			l.session()
			if got := h.String(); strings.Contains(got, c.unsaid) {
				t.Errorf("the server heard %s", got)
			}
		})
	}
	t.Run("while TLS begins", func(t *testing.T) {
		// The server's yes to STARTTLS is on its way: the word is the handshake's,
		// which will not take it.
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		r := (&Server{}).newRelay(a, b, &Listener{TLS: Require}, "")
		r.begun.Do(func() {})
		r.upgrading = true
		p := r.pumps[record.ClientToServer]
		if err := r.deny(p, []byte("MAIL FROM:<a@x.test>\r\n"), "why"); err != nil || string(p.behind) != "MAIL FROM:<a@x.test>\r\n" {
			t.Errorf("left for the handshake: %q, %v", p.behind, err)
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		h := &heard{}
		l, _ := lab(t, h, with)
		conn := l.dial()
		expect(t, conn, "220")
		for _, b := range []byte("MAIL FROM:<a@x.test>\r\n") {
			_, _ = conn.Write([]byte{b})
			time.Sleep(time.Millisecond)
		}
		expect(t, conn, "530 5.7.0")
		conn.Close()
		l.session()
		if got := h.String(); got != "" {
			t.Errorf("the server heard %s", got)
		}
	})
	t.Run("server that speaks otherwise", func(t *testing.T) {
		authority, _ := newCA(t)
		l := startLab(t, Config{CA: authority, Listeners: []Listener{{Listen: "127.0.0.1:0", To: listen(t, func(c *net.TCPConn) {
			fmt.Fprint(c, "\x0a5.7.42-mysql")
			_, _ = io.Copy(io.Discard, c)
		}), TLS: Require}}}, "")
		if got, _ := io.ReadAll(l.dial()); len(got) > 0 {
			t.Errorf("the client got %q", got)
		}
		l.anomaly(codeTLSRequired)
	})
}

// TestOpenSSLDoesNotTrust: OpenSSL sends its alert in the clear, which is not
// taken for damage.
func TestOpenSSLDoesNotTrust(t *testing.T) {
	needs(t, "curl")
	for _, version := range []string{"1.2", "1.3"} {
		l, _ := tlsLab(t, Config{}, good(t), secureEcho)
		_, port, _ := net.SplitHostPort(l.addr)
		out, err := exec.Command("curl", "-sS", "-m", "100", "--tlsv"+version, "--tls-max", version, "--connect-to", "mail.test:443:127.0.0.1:"+port, "https://mail.test/").CombinedOutput()
		if err == nil {
			t.Fatalf("curl went on: %s", out)
		}
		if a := l.anomaly(codeClientDistrust); !strings.Contains(a.Detail, "unknown certificate authority") {
			t.Error(a.Detail)
		}
	}
}
