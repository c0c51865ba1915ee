package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sniff/record"
	"sniff/render"
)

// TestWrittenCaptureOfEveryMode: whichever way a connection came in, and
// whatever the proxy did about TLS on either leg, the file that it wrote is read
// as what it printed.
func TestWrittenCaptureOfEveryMode(t *testing.T) {
	world := newPKI(t)
	both, _ := localhost(t, world)
	name := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return "localhost:" + p }
	secureMail := func(t *testing.T, life time.Duration) string {
		cfg := &tls.Config{Certificates: []tls.Certificate{world.issue(t, "localhost", life)}}
		return name(listen(t, mailServer(cfg, nil)))
	}
	web := func(t *testing.T, secure bool) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s of %d bytes over %s", r.Method, len(b), r.Proto)
		}))
		t.Cleanup(s.Close)
		if !secure {
			s.Start()
			return s.Listener.Addr().String()
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{world.issue(t, "localhost", time.Hour)}}
		s.EnableHTTP2 = true
		s.StartTLS()
		return name(s.Listener.Addr().String())
	}
	speakMail := func(t *testing.T, l *lab, _ string) {
		c := l.dial()
		speak(t, c, true, "EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA", "Subject: hi\r\n\r\nhello\r\n.", "QUIT")
		c.Close()
	}
	startTLS := func(t *testing.T, l *lab, trust string) {
		needs(t, "swaks")
		host, port, _ := net.SplitHostPort(l.addr)
		// That it is told off is part of some cases.
		_ = exec.Command("swaks", "--tls", "--tls-verify", "--tls-ca-path", trust, "--server", host, "--port", port, "--from", "a@x.test", "--to", "b@y.test", "--helo", "me").Run()
	}
	withCurl := func(to string, args ...string) func(*testing.T, *lab, string) {
		return func(t *testing.T, l *lab, trust string) {
			needs(t, "curl")
			for i, a := range args {
				args[i] = strings.NewReplacer("PROXY", name(l.addr), "SERVER", to, "TRUST", trust).Replace(a)
			}
			curl(t, append([]string{"-4"}, args...)...)
		}
	}
	ftps := func(server, mode, secure, version string) func(*testing.T, *lab, string) {
		return func(t *testing.T, l *lab, trust string) {
			needs(t, "python3")
			host, port, _ := net.SplitHostPort(l.addr)
			if out, err := exec.Command(python(), "testdata/ftp_client.py", host, port, mode, secure, version, trust).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
	unreached := func(t *testing.T, l *lab, _ string) {
		if c, err := net.Dial("tcp", l.addr); err == nil {
			_, _ = io.ReadAll(c)
			c.Close()
		}
	}
	outOfReach := func(client, server string) func(*testing.T, *lab, string) {
		return func(t *testing.T, l *lab, _ string) {
			l.srv.unreached(accepted(t, client), &l.srv.cfg.Listeners[0], target{address: server},
				&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)})
			if s := l.session(); s.End != record.EndUnreached {
				t.Errorf("session with %s %s", s.Server, s.End)
			}
		}
	}
	plain := web(t, false)
	secret := web(t, true)
	explicit := vsftpd(t, "127.0.0.1", secureFTP(both, "force_anon_logins_ssl=YES", "force_anon_data_ssl=NO")...)
	implicit := vsftpd(t, "127.0.0.1", secureFTP(both, "implicit_ssl=YES")...)
	for _, c := range []struct {
		name string
		Listener
		kind record.Kind // that must have come of it
		use  func(t *testing.T, l *lab, trust string)
	}{
		{"STARTTLS", Listener{To: secureMail(t, time.Hour)}, record.KindSMTPMessage, startTLS},
		{"STARTTLS, expired upstream", Listener{To: secureMail(t, -time.Hour)}, record.KindSMTPExchange, startTLS},
		{"STARTTLS passed through", Listener{To: secureMail(t, time.Hour), TLS: Passthrough}, record.KindSMTPExchange, startTLS},
		{"STARTTLS stripped", Listener{To: secureMail(t, time.Hour), TLS: Strip}, record.KindSMTPMessage, speakMail},
		{"TLS required, none", Listener{To: secureMail(t, time.Hour), TLS: Require}, record.KindSMTPExchange, speakMail},
		{"TLS required, STARTTLS", Listener{To: secureMail(t, time.Hour), TLS: Require}, record.KindSMTPMessage, startTLS},
		{"SOCKS5", Listener{Mode: SOCKS}, record.KindHTTPExchange, withCurl(plain, "-x", "socks5h://PROXY", "-d", "abc", "http://SERVER/")},
		{"SOCKS4a, HTTPS", Listener{Mode: SOCKS}, record.KindHTTPExchange, withCurl(secret, "-x", "socks4a://PROXY", "--cacert", "TRUST", "-d", "abc", "https://SERVER/")},
		{"absolute URIs", Listener{Mode: HTTPForward}, record.KindHTTPExchange, withCurl(plain, "-x", "http://PROXY", "-d", "abc", "http://SERVER/", "http://SERVER/again")},
		{"CONNECT, HTTP/2", Listener{Mode: HTTPForward}, record.KindHTTPExchange, withCurl(secret, "-x", "http://PROXY", "--http2", "--cacert", "TRUST", "-d", "abc", "https://SERVER/", "https://SERVER/again")},
		{"HTTP/2", Listener{To: secret}, record.KindHTTPExchange, withCurl(secret, "--http2", "--cacert", "TRUST", "-d", "abc", "https://PROXY/", "https://PROXY/again")},
		{"HTTP/1.1 in TLS", Listener{To: secret}, record.KindHTTPExchange, withCurl(secret, "--http1.1", "--cacert", "TRUST", "-d", "abc", "https://PROXY/", "https://PROXY/again")},
		{"FTPS passive", Listener{To: explicit}, record.KindFTPTransfer, ftps(explicit, "passive", "private", "1.3")},
		{"FTPS active 1.2", Listener{To: explicit}, record.KindFTPTransfer, ftps(explicit, "active", "private", "1.2")},
		{"FTPS, data in the clear", Listener{To: explicit}, record.KindFTPTransfer, ftps(explicit, "passive", "clear", "1.3")},
		{"FTPS implicit", Listener{To: implicit}, record.KindFTPTransfer, ftps(implicit, "active", "implicit", "1.3")},
		{"FTPS stripped", Listener{To: name(explicit), TLS: Strip}, record.KindFTPTransfer, withCurl("", "ftp://PROXY/big.bin", "-o", "/dev/null", "ftp://PROXY/", "-o", "/dev/null")},
		{"refused", Listener{To: freeAddr(t, "127.0.0.1")}, record.KindSession, unreached},
		{"unknown name", Listener{To: "nowhere.invalid:25"}, record.KindSession, unreached},
		{"out of reach", Listener{To: plain}, record.KindAnomaly, outOfReach("127.0.0.1", "192.0.2.1:25")},
		{"out of reach, IPv6", Listener{To: plain}, record.KindAnomaly, outOfReach("::1", "[2001:db8::1]:25")},
		{"unknown name, SOCKS", Listener{Mode: SOCKS}, record.KindSession, func(t *testing.T, l *lab, _ string) {
			needs(t, "curl")
			if exec.Command("curl", "-sS", "-x", "socks5h://"+l.addr, "http://nowhere.invalid/").Run() == nil {
				t.Error("nowhere answered")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir() + "/traffic.pcapng"
			w, err := render.CreatePcapNG(path, render.Rotation{})
			if err != nil {
				t.Fatal(err)
			}
			authority, _ := newCA(t)
			c.Listen = "127.0.0.1:0"
			l := startLab(t, Config{CA: authority, Roots: world.pool, Tap: w, Listeners: []Listener{c.Listener}}, "")
			c.use(t, l, write(t, t.TempDir()+"/proxy.pem", authority.PEM()))
			l.session()
			l.srv.Shutdown(10 * time.Second)
			if err := l.engine.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			wait(l, func(r record.Record) bool { return r.Kind() == c.kind })
			// What two connections say at one time has no order: the end of a data
			// connection and the reply to it.
			live, read := comparable(t, l.all()), comparable(t, readCapture(t, path))
			slices.Sort(live)
			slices.Sort(read)
			diff(t, live, read)
		})
	}
}

// accepted is a connection that a client made to this host.
func accepted(t *testing.T, host string) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skip(err) // no IPv6 here
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// jammed is an address where calls are not answered: nobody takes them, and no
// more are kept. Once it is closed they are refused.
func jammed(t *testing.T) (addr string, closeIt func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeIt = sync.OnceFunc(func() { syscall.Close(fd) })
	t.Cleanup(closeIt)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	own, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr = fmt.Sprintf("127.0.0.1:%d", own.(*syscall.SockaddrInet4).Port)
	for range 20 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr, closeIt
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("calls that nobody takes are answered here")
	return "", nil
}

// TestDataConnectionStandsWhereItWasOpened: the client opens a data connection,
// the server refuses the file, and only then the proxy knows that it does not
// reach the server's end. The written capture has the connection before the
// refusal, as the records of the proxy do.
func TestDataConnectionStandsWhereItWasOpened(t *testing.T) {
	at, closeIt := jammed(t)
	server := listen(t, func(c *net.TCPConn) {
		fmt.Fprint(c, "220 files.test FTP\r\n")
		for in := bufio.NewReader(c); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
			case "PASV":
				fmt.Fprintf(c, "227 Entering Passive Mode (%s)\r\n", endpointText("PASV", netip.MustParseAddrPort(at)))
			case "RETR":
				time.Sleep(50 * time.Millisecond) // the proxy takes the client's call meanwhile
				fmt.Fprint(c, "550 no such file\r\n")
			default:
				fmt.Fprint(c, "230 in\r\n")
			}
		}
	})
	path := t.TempDir() + "/traffic.pcapng"
	w, err := render.CreatePcapNG(path, render.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	l := startLab(t, Config{Tap: w, Limits: Limits{Dial: time.Minute}}, server)
	c := l.dial()
	data := callFrom(t, "127.0.0.1", passive(t, c))
	fmt.Fprint(c, "RETR f\r\n")
	expect(t, c, "550")
	closeIt() // which the proxy hears when it calls again, after a second
	_, _ = io.ReadAll(data)
	c.Close()
	wait(l, func(s *record.Session) bool { return s.Protocol == "ftp" })
	wait(l, func(s *record.Session) bool { return s.End == record.EndRefused })
	l.srv.Shutdown(time.Minute)
	if err := errors.Join(l.engine.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	live, read := comparable(t, l.all()), comparable(t, readCapture(t, path))
	slices.Sort(live)
	slices.Sort(read)
	diff(t, live, read)
}
