package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// TestStrip: the client speaks plaintext and is offered nothing else, the
// server speaks TLS, and everything comes through.
func TestStrip(t *testing.T) {
	world := newPKI(t)
	strip := func(t *testing.T, to string) *lab {
		return startLab(t, Config{Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: to, TLS: Strip}}}, "")
	}
	cert := &tls.Config{Certificates: []tls.Certificate{world.issue(t, "localhost", time.Hour)}}
	local := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return "localhost:" + p }

	t.Run("STARTTLS", func(t *testing.T) {
		h := &heard{}
		l := strip(t, local(listen(t, mailServer(cert, h.line))))
		c := l.dial()
		got := speak(t, c, true, "NOOP", "EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA", "Subject: hi\r\n\r\nhello\r\n.", "QUIT")
		c.Close()
		if strings.Contains(got, "STARTTLS") || !strings.Contains(got, "250-mail.test\r\n250 PIPELINING\r\n") || !strings.HasSuffix(got, "221 2.0.0 bye\r\n") {
			t.Errorf("the client got %q", got)
		}
		if got := h.String(); !strings.HasPrefix(got, "NOOP | EHLO me | STARTTLS | tls:EHLO me | tls:MAIL") {
			t.Errorf("the server heard %s", got)
		}
		if m := wait(l, func(*record.SMTPMessage) bool { return true }); m.TLS || m.Outcome != "delivered" {
			t.Errorf("message: %s, TLS %v", m.Summary(), m.TLS)
		}
		if a := l.anomaly(codeStripped); !strings.Contains(a.Detail, "not offered STARTTLS") {
			t.Error(a.Detail)
		}
		if s := l.session(); s.End != record.EndClosed {
			t.Errorf("session %s", s.End)
		}
	})
	t.Run("swaks, postmaster's HELO", func(t *testing.T) {
		needs(t, "swaks")
		h := &heard{}
		l := strip(t, local(listen(t, mailServer(cert, h.line))))
		host, port, _ := net.SplitHostPort(l.addr)
		out, err := exec.Command("swaks", "--protocol", "SMTP", "--server", host, "--port", port, "--from", "a@x.test", "--to", "b@y.test", "--helo", "me").CombinedOutput()
		if err != nil || !strings.Contains(h.String(), "EHLO me | STARTTLS | tls:HELO me") {
			t.Errorf("%v, the server heard %s\n%s", err, h, out)
		}
	})
	t.Run("implicit", func(t *testing.T) {
		web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %v", r.Method, b, r.TLS != nil)
		}))
		web.TLS = cert
		web.StartTLS()
		t.Cleanup(web.Close)
		l := strip(t, "tls://"+local(web.Listener.Addr().String()))
		answer, err := http.Post("http://"+l.addr+"/x", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if string(b) != "POST hello true" {
			t.Errorf("the server saw %q", b)
		}
		l.anomaly(codeStripped)
	})
	t.Run("big transfers", func(t *testing.T) {
		l := strip(t, "tls://"+local(listen(t, secureEcho(cert))))
		c := l.dial()
		data := randomBytes(3 << 20)
		go func() {
			_, _ = c.Write(data)
			_ = c.CloseWrite()
		}()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes came back: %v", len(got), len(data), err)
		}
	})
	for name, c := range map[string]struct {
		to    func() string
		lines []string
		want  string
		code  string
	}{
		"no STARTTLS": {func() string { return listen(t, mailServer(nil, nil)) }, []string{"EHLO me"}, "421 4.7.0 sniff proxy: the server offers no STARTTLS", codeUpstreamTLS},
		"certificate": {func() string {
			return local(listen(t, mailServer(&tls.Config{Certificates: []tls.Certificate{world.issue(t, "localhost", -time.Hour)}}, nil)))
		}, []string{"EHLO me", "MAIL FROM:<a@x.test>"}, "421 4.7.0 sniff proxy: upstream certificate expired on ", codeUpstreamCertificate},
		"no AUTH TLS": {func() string { return listen(t, mailServer(nil, nil)) }, []string{"USER a", "PASS b"}, "421 sniff proxy: the server's answer to AUTH TLS: 250", codeUpstreamTLS},
		"injection": {func() string {
			return listen(t, func(c *net.TCPConn) {
				fmt.Fprint(c, "220 mail.test ESMTP\r\n")
				_, _ = c.Read(make([]byte, 100))
				fmt.Fprint(c, "250-mail.test\r\n250 STARTTLS\r\n")
				_, _ = c.Read(make([]byte, 100))
				fmt.Fprint(c, "220 go ahead\r\n250 injected\r\n")
				_, _ = io.Copy(io.Discard, c)
			})
		}, []string{"EHLO me"}, "421 4.7.0 sniff proxy: the server said something in the clear behind its agreement", codeUpstreamTLS},
		"web without": {func() string { return listen(t, echo) }, []string{"GET / HTTP/1.1\r\nHost: h\r\n"}, "HTTP/1.1 502 Bad Gateway", codeUpstreamTLS},
		"web, certificate": {func() string {
			return "tls://" + local(listen(t, secureEcho(&tls.Config{Certificates: []tls.Certificate{world.issue(t, "localhost", -time.Hour)}})))
		}, []string{"GET / HTTP/1.1\r\nHost: h\r\n"}, "sniff proxy: upstream certificate expired on ", codeUpstreamCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			l := strip(t, c.to())
			conn := l.dial()
			greeted := !strings.HasPrefix(name, "web")
			if got := speak(t, conn, greeted, c.lines...); !strings.Contains(got, c.want) {
				t.Errorf("the client was told %q, want %q", got, c.want)
			}
			conn.Close()
			l.anomaly(c.code)
			l.session()
		})
	}
}

// TestStripFTP: curl and lftp in the clear with a vsftpd that wants TLS on both
// kinds of connections, resumed.
func TestStripFTP(t *testing.T) {
	needs(t, "curl", "lftp")
	world := newPKI(t)
	both, _ := localhost(t, world)
	explicit := vsftpd(t, "127.0.0.1", secureFTP(both, "force_anon_logins_ssl=YES", "force_anon_data_ssl=YES")...)
	implicit := vsftpd(t, "127.0.0.1", secureFTP(both, "implicit_ssl=YES", "force_anon_logins_ssl=YES", "force_anon_data_ssl=YES")...)
	_, port1, _ := net.SplitHostPort(explicit)
	_, port2, _ := net.SplitHostPort(implicit)
	l := startLab(t, Config{Roots: world.pool, Listeners: []Listener{
		{Listen: "127.0.0.1:0", To: "localhost:" + port1, TLS: Strip},
		{Listen: "127.0.0.1:0", To: "tls://localhost:" + port2, TLS: Strip},
	}}, "")
	dir := t.TempDir()
	want := randomBytes(2_000_000)
	write(t, dir+"/want", want)
	for i, at := range l.srv.Addrs() {
		url := "ftp://" + at.String()
		for name, cmd := range map[string]string{
			"passive": "curl -sS -m 30 -T WANT URL/incoming/a.bin && curl -sS -m 30 -o OUT URL/incoming/a.bin",
			"active":  "curl -sS -m 30 -P - -T WANT URL/incoming/b.bin && curl -sS -m 30 -P - -o OUT URL/incoming/b.bin",
			"lftp":    "lftp -c 'set net:timeout 10; set net:max-retries 1; open -u ftp,x URL; put WANT -o incoming/c.bin; get incoming/c.bin -o OUT'",
		} {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "got")
				said, err := exec.Command("timeout", "200", "sh", "-c", strings.NewReplacer("WANT", dir+"/want", "OUT", out, "URL", url).Replace(cmd)).CombinedOutput()
				if got := read(t, out); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v: %d of %d bytes\n%s", err, len(got), len(want), said)
				}
			})
		}
	}
	if a := wait(l, func(a *record.Anomaly) bool {
		return a.Code == codeStripped && strings.Contains(a.Detail, "taken out of the answer to FEAT")
	}); !strings.Contains(a.Detail, "AUTH TLS, PBSZ, PROT") {
		t.Error(a.Detail)
	}
	whole := 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.FTPTransfer:
			if r.Outcome == "complete" && r.Content != nil && r.Content.Size == int64(len(want)) {
				whole++
			}
		case *record.FTPExchange:
			if r.Command == "PBSZ" || r.Command == "PROT" {
				t.Errorf("the client said %s", r.Summary())
			}
		}
	}
	if whole != 12 {
		t.Errorf("%d whole transfers recorded, 12 made", whole)
	}
}

// read returns what a file holds, nothing if there is none.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}
