package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// python is the system's, which has the packages that were installed with it.
func python() string {
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

// kept returns the messages that the server of testdata/smtp_server.py took.
func kept(t *testing.T, folder string) string {
	t.Helper()
	names, _ := filepath.Glob(folder + "/*.eml")
	var all []string
	for _, n := range names {
		b, _ := os.ReadFile(n)
		all = append(all, string(b))
		os.Remove(n)
	}
	sort.Strings(all)
	return strings.Join(all, "\n=====\n")
}

// TestMailIsTheSame sends mail with Python's smtplib, which verifies strictly,
// directly and through the proxy.
func TestMailIsTheSame(t *testing.T) {
	needs(t, "python3")
	if err := exec.Command(python(), "-c", "import aiosmtpd").Run(); err != nil {
		t.Skip("Python has no aiosmtpd")
	}
	for _, c := range []struct{ mode, version string }{
		{"plain", "-"}, {"starttls", "1.2"}, {"starttls", "1.3"}, {"implicit", "1.2"}, {"implicit", "1.3"},
	} {
		t.Run(c.mode+" "+c.version, func(t *testing.T) {
			world := newPKI(t)
			both, worldCA := localhost(t, world)
			folder := t.TempDir()
			addr := freeAddr(t, "127.0.0.1")
			_, port, _ := net.SplitHostPort(addr)
			mode := c.mode
			if mode == "plain" {
				mode = "starttls"
			}
			startProcess(t, addr, python(), "testdata/smtp_server.py", port, mode, both, folder)
			authority, _ := newCA(t)
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: "localhost:" + port}}}, "")
			_, proxied, _ := net.SplitHostPort(l.addr)
			trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
			run := func(port, ca string) string {
				out, err := exec.Command(python(), "testdata/smtp_client.py", port, c.mode, c.version, ca).CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				return string(out) + kept(t, folder)
			}
			if direct, through := run(port, worldCA), run(proxied, trust); direct != through {
				t.Errorf("direct:\n%.3000s\nthrough the proxy:\n%.3000s", direct, through)
			}
			l.session()
			messages := 0
			for _, r := range l.all() {
				switch r := r.(type) {
				case *record.SMTPMessage:
					messages++
					if r.TLS != (c.mode != "plain") {
						t.Errorf("message recorded with TLS %v", r.TLS)
					}
				case *record.Anomaly:
					t.Errorf("%s: %s", r.Code, r.Detail)
				}
			}
			if messages != 3 {
				t.Errorf("%d messages recorded, 3 were sent", messages)
			}
		})
	}
}

func TestSwaks(t *testing.T) {
	needs(t, "swaks")
	for name, args := range map[string][]string{"plain": nil, "STARTTLS": {"--tls"}} {
		t.Run(name, func(t *testing.T) {
			h := &heard{}
			l, _ := tlsLab(t, Config{Verify: VerifyReport}, good(t), mail(h))
			host, port, _ := net.SplitHostPort(l.addr)
			args := append([]string{"--server", host, "--port", port, "--from", "a@x.test", "--to", "b@y.test", "--helo", "me", "--body", "hi"}, args...)
			out, err := exec.Command("swaks", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if m := wait(l, func(*record.SMTPMessage) bool { return true }); m.TLS != (name == "STARTTLS") {
				t.Errorf("message: %s, TLS %v", m.Summary(), m.TLS)
			}
		})
	}
}

// TestCurlHTTP fetches over HTTP/1.1 and HTTP/2, in the clear and in TLS,
// through every way in.
func TestCurlHTTP(t *testing.T) {
	needs(t, "curl")
	world := newPKI(t)
	both, _ := localhost(t, world)
	pair, err := tls.LoadX509KeyPair(both, both)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		n, _ := fmt.Fprint(w, strings.Repeat("x", 100_000))
		fmt.Fprintf(w, " %d %s %s %s", n, r.Method, r.URL, r.Proto)
	}
	clear := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(clear.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	secure.EnableHTTP2 = true
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	authority, _ := newCA(t)
	trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
	port := func(addr net.Addr) string { _, p, _ := net.SplitHostPort(addr.String()); return p }
	l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{
		{Listen: "127.0.0.1:0", To: clear.Listener.Addr().String()},
		{Listen: "127.0.0.1:0", To: secure.Listener.Addr().String()},
		{Mode: SOCKS, Listen: "127.0.0.1:0"},
		{Mode: HTTPForward, Listen: "127.0.0.1:0"},
	}}, "")
	at := l.srv.Addrs()
	plainURL, secureURL := "http://localhost:"+port(clear.Listener.Addr()), "https://localhost:"+port(secure.Listener.Addr())
	socks, forward := "socks5h://"+at[2].String(), "http://"+at[3].String()
	for name, c := range map[string]struct {
		args  []string
		proto string
	}{
		"reverse":          {[]string{"http://localhost:" + port(at[0]) + "/p1"}, "HTTP/1.1"},
		"reverse TLS 1.1":  {[]string{"--http1.1", "https://localhost:" + port(at[1]) + "/p2"}, "HTTP/1.1"},
		"reverse TLS h2":   {[]string{"--http2", "https://localhost:" + port(at[1]) + "/p3"}, "HTTP/2.0"},
		"socks":            {[]string{"-x", socks, plainURL + "/p4"}, "HTTP/1.1"},
		"socks4a":          {[]string{"-x", "socks4a://" + at[2].String(), plainURL + "/p5"}, "HTTP/1.1"},
		"socks TLS h2":     {[]string{"-x", socks, secureURL + "/p6"}, "HTTP/2.0"},
		"connect TLS h2":   {[]string{"-x", forward, secureURL + "/p7"}, "HTTP/2.0"},
		"connect plain":    {[]string{"-p", "-x", forward, plainURL + "/p8"}, "HTTP/1.1"},
		"forward":          {[]string{"-x", forward, plainURL + "/p9"}, "HTTP/1.1"},
		"forward, several": {[]string{"-x", forward, "-d", "GET http://x HTTP/1.1", plainURL + "/pa", plainURL + "/pb"}, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			out, err := exec.Command("curl", append([]string{"-sS", "-4", "-m", "100", "--cacert", trust}, c.args...)...).CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), c.proto) || !strings.HasPrefix(string(out), "xxxx") {
				t.Errorf("%v: ...%s", err, out[max(0, len(out)-200):])
			}
			url := c.args[len(c.args)-1]
			path := url[strings.LastIndex(url, "/"):]
			x := wait(l, func(x *record.HTTPExchange) bool { return strings.HasSuffix(x.Target.String(), path) })
			if x.Status != 200 {
				t.Errorf("recorded: %s", x.Summary())
			}
		})
	}
}

// TestStrictOpenSSL: OpenSSL's strict checks of RFC 5280 have nothing to say
// against the proxy's certificates.
func TestStrictOpenSSL(t *testing.T) {
	needs(t, "openssl")
	h := &heard{}
	world := newPKI(t)
	authority, _ := newCA(t)
	server := listen(t, mailServer(&tls.Config{Certificates: []tls.Certificate{world.issue(t, "mail.test", time.Hour)}}, h.line))
	l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: server}}}, "")
	trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.Command("openssl", "s_client", "-connect", l.addr, "-starttls", "smtp", version, "-servername", "mail.test", "-verify_hostname", "mail.test",
			"-x509_strict", "-verify_return_error", "-CAfile", trust, "-purpose", "sslserver", "-crlf", "-quiet")
		cmd.Stdin = strings.NewReader("QUIT\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "221 2.0.0 bye") {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
}
