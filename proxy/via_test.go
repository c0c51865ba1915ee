package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sniff/record"
)

func TestParseVia(t *testing.T) {
	for s, want := range map[string]string{
		"socks5://127.0.0.1:1080":            "socks5://127.0.0.1:1080",
		"socks5h://u:secret@host.test:1080":  "socks5h://u:xxxxx@host.test:1080",
		"http://u:secret@[2001:db8::1]:3128": "http://u:xxxxx@[2001:db8::1]:3128",
		"ftp://host:1":                       "the scheme is none of",
		"socks5://host":                      "write it like",
		"http://u:secret@host:3128/path":     "write it like",
		"http://u:secret@host:%zz":           "no URL",
	} {
		v, err := ParseVia(s)
		got := fmt.Sprint(err)
		if err == nil {
			got = v.String()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

// logged keeps what the proxy logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestVia reaches servers through other proxies, which want a password: names
// are theirs to look up.
func TestVia(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, addr string) string{
		"socks5": func(t *testing.T, addr string) string {
			needs(t, "microsocks")
			host, port, _ := net.SplitHostPort(addr)
			startProcess(t, addr, "microsocks", "-i", host, "-p", port, "-u", "me", "-P", "secret")
			return "socks5://"
		},
		"http": func(t *testing.T, addr string) string {
			needs(t, "tinyproxy")
			host, port, _ := net.SplitHostPort(addr)
			conf := write(t, t.TempDir()+"/tinyproxy.conf", fmt.Appendf(nil, "Port %s\nListen %s\nBasicAuth me secret\nMaxClients 20\nTimeout 60\n", port, host))
			startProcess(t, addr, "tinyproxy", "-d", "-c", conf)
			return "http://"
		},
	} {
		t.Run(name, func(t *testing.T) {
			between := freeAddr(t, "127.0.0.1")
			scheme := start(t, between)
			via := func(user string) *Via {
				v, err := ParseVia(scheme + user + between)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			log := &logged{}
			port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
			nobody := freeAddr(t, "127.0.0.1")
			mail := port(listen(t, mailServer(nil, nil)))
			l := startLab(t, Config{Log: slog.New(slog.NewTextHandler(log, nil)), Listeners: []Listener{
				{Listen: "127.0.0.1:0", To: "localhost:" + mail, Via: via("me:secret@")},
				{Listen: "127.0.0.1:0", To: listen(t, echo), Via: via("me:wrong@")},
				{Mode: SOCKS, Listen: "127.0.0.1:0", Via: via("me:secret@")},
			}}, "")
			c := l.dial()
			expect(t, c, "220")
			sendMail(t, c)
			c.Close()
			if m := wait(l, func(*record.SMTPMessage) bool { return true }); m.Outcome != "delivered" || m.Head().Server.String() != "0.0.0.0:"+mail {
				t.Errorf("message: %s with %s, want the port of the server and not the one of the proxy between", m.Summary(), m.Head().Server)
			}
			if refused, err := net.Dial("tcp", l.srv.Addrs()[1].String()); err == nil {
				if _, err := io.ReadAll(refused); err == nil {
					t.Error("the connection with a wrong password was not cut")
				}
				refused.Close()
			}
			out, err := exec.Command("curl", "-sS", "-m", "100", "-x", "socks5h://"+l.srv.Addrs()[2].String(), "http://"+nobody).CombinedOutput()
			if err == nil {
				t.Errorf("a port that nobody listens on answered %s", out)
			}
			if said := log.String(); !strings.Contains(said, "upstream proxy "+scheme+"me:xxxxx@") || strings.Contains(said, "wrong") || strings.Contains(said, "secret") {
				t.Errorf("the log says: %s", said)
			}
		})
	}
}

// TestFTPVia: passive data connections go the way of the control connection.
func TestFTPVia(t *testing.T) {
	needs(t, "microsocks", "curl")
	server := vsftpd(t, "127.0.0.1")
	between := freeAddr(t, "127.0.0.1")
	host, port, _ := net.SplitHostPort(between)
	startProcess(t, between, "microsocks", "-i", host, "-p", port)
	via, err := ParseVia("socks5://" + between)
	if err != nil {
		t.Fatal(err)
	}
	_, ftpPort, _ := net.SplitHostPort(server)
	l := startLab(t, Config{Listeners: []Listener{{Listen: "127.0.0.1:0", To: "localhost:" + ftpPort, Via: via}}}, "")
	get := func(addr string, more ...string) []byte {
		out, err := exec.Command("curl", append(more, "-sS", "-m", "100", "ftp://"+addr+"/big.bin")...).Output()
		if err != nil {
			t.Errorf("curl %q: %v", more, err)
		}
		return out
	}
	direct := get(server)
	for _, more := range [][]string{nil, {"--disable-epsv"}} {
		if through := get(l.addr, more...); !bytes.Equal(direct, through) || len(direct) == 0 {
			t.Errorf("%q: %d bytes directly, %d through two proxies", more, len(direct), len(through))
		}
	}
	wait(l, func(x *record.FTPTransfer) bool { return x.Outcome == "complete" })
	l.none(codeForeignData)
}

// TestWrongWayIn: a client whose setting for a proxy is of the other kind is let
// go at once, and the log says which kind it speaks. A further proxy that is not
// there is not taken for an upstream that refuses.
func TestWrongWayIn(t *testing.T) {
	log := &logged{}
	nobody := freeAddr(t, "127.0.0.1")
	via, err := ParseVia("socks5://" + nobody)
	if err != nil {
		t.Fatal(err)
	}
	l := startLab(t, Config{Log: slog.New(slog.NewTextHandler(log, nil)), Listeners: []Listener{
		{Listen: "127.0.0.1:0", Mode: SOCKS}, {Listen: "127.0.0.1:0", Mode: HTTPForward}, {Listen: "127.0.0.1:0", To: "192.0.2.1:25", Via: via},
	}}, "")
	for i, said := range []string{"GET http://a.test/ HTTP/1.1\r\n\r\n", "\x05\x01\x00", "x"} {
		c, err := net.Dial("tcp", l.srv.Addrs()[i].String())
		if i == 2 && errors.Is(err, syscall.ECONNRESET) {
			continue // nothing need be said to be let go: it was, before the call returned
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, said)
		if got, _ := io.ReadAll(c); len(got) > 0 {
			t.Errorf("listener %d answered %q", i, got)
		}
		c.Close()
	}
	a := l.anomaly(codeUnreached)
	for _, want := range []string{"the client speaks HTTP; --mode http is the way in", "the client speaks SOCKS; --mode socks is the way in"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log)
		}
	}
	if want := "192.0.2.1:25 was not reached: upstream proxy socks5://" + nobody + " was not reached: connection refused"; a.Detail != want {
		t.Errorf("recorded %q, want %q", a.Detail, want)
	}
	if s := l.session(); s.End != record.EndUnanswered {
		t.Errorf("the session ended %s", s.End)
	}
}

// TestFTPBesideTheProxy: the server is at another address than the proxy. Clients
// of SOCKS and CONNECT ask for the data connection at the server's address or
// name, whatever was announced, and it is the one that was announced.
func TestFTPBesideTheProxy(t *testing.T) {
	needs(t, "curl")
	server := vsftpd(t, "127.0.0.2")
	named := vsftpd(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(named)
	named = "localhost:" + port
	for _, c := range []struct {
		name string
		mode Mode
		args []string // PROXY is the address of the proxy
	}{
		{"EPSV", SOCKS, []string{"-x", "socks5://PROXY", "ftp://" + server}},
		{"PASV", SOCKS, []string{"-x", "socks5://PROXY", "--disable-epsv", "ftp://" + server}},
		{"PASV, the address announced", SOCKS, []string{"-x", "socks5://PROXY", "--disable-epsv", "--no-ftp-skip-pasv-ip", "ftp://" + server}},
		{"SOCKS4", SOCKS, []string{"-x", "socks4://PROXY", "ftp://" + server}},
		{"by name", SOCKS, []string{"-x", "socks5h://PROXY", "ftp://" + named}},
		{"CONNECT", HTTPForward, []string{"-p", "-x", "http://PROXY", "ftp://" + server}},
		{"CONNECT by name", HTTPForward, []string{"-p", "-x", "http://PROXY", "ftp://" + named}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := startLab(t, Config{Listeners: []Listener{{Mode: c.mode, Listen: "127.0.0.1:0"}}}, "")
			args := slices.Clone(c.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "PROXY", l.addr)
			}
			args[len(args)-1] += "/big.bin"
			if got := curl(t, args...); len(got) != 3_000_000 {
				t.Errorf("%d bytes came", len(got))
			}
			if x := wait(l, func(*record.FTPTransfer) bool { return true }); x.Outcome != "complete" || x.Bytes != 3_000_000 {
				t.Errorf("recorded: %s", x.Summary())
			}
			wait(l, func(s *record.Session) bool { return s.Protocol == "ftp" })
			wait(l, func(s *record.Session) bool { return s.Protocol != "ftp" }) // the data
			sessions := 0
			for _, r := range l.all() {
				if _, ok := r.(*record.Session); ok {
					sessions++
				}
			}
			if sessions != 2 {
				t.Errorf("%d sessions, want the control connection and one for the data", sessions)
			}
		})
	}
}

// TestFTPOverIPv6: data connections over IPv6 come through the ways in and out
// that name an address of their own.
func TestFTPOverIPv6(t *testing.T) {
	needs(t, "microsocks", "curl")
	if six, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		six.Close()
	}
	server := vsftpd(t, "::1")
	between := freeAddr(t, "::1")
	_, port, _ := net.SplitHostPort(between)
	startProcess(t, between, "microsocks", "-i", "::1", "-p", port)
	via, err := ParseVia("socks5://" + between)
	if err != nil {
		t.Fatal(err)
	}
	direct := curl(t, "ftp://"+server+"/big.bin")
	if len(direct) == 0 {
		t.Fatal("nothing came directly")
	}
	for _, way := range []struct {
		name string
		Listener
		curl func(addr string) []string
	}{
		{"reverse", Listener{To: server}, func(a string) []string { return []string{"ftp://" + a + "/big.bin"} }},
		{"reverse, active", Listener{To: server}, func(a string) []string { return []string{"-P", "-", "ftp://" + a + "/big.bin"} }},
		{"SOCKS5", Listener{Mode: SOCKS}, func(a string) []string { return []string{"-x", "socks5h://" + a, "ftp://" + server + "/big.bin"} }},
		{"CONNECT", Listener{Mode: HTTPForward}, func(a string) []string { return []string{"-p", "-x", "http://" + a, "ftp://" + server + "/big.bin"} }},
		{"via", Listener{To: server, Via: via}, func(a string) []string { return []string{"ftp://" + a + "/big.bin"} }},
	} {
		t.Run(way.name, func(t *testing.T) {
			way.Listen = "[::1]:0"
			l := startLab(t, Config{Listeners: []Listener{way.Listener}}, "")
			if through := curl(t, way.curl(l.addr)...); through != direct {
				t.Errorf("%d bytes directly, %d through the proxy", len(direct), len(through))
			}
			x := wait(l, func(*record.FTPTransfer) bool { return true })
			if x.Outcome != "complete" || x.Bytes != int64(len(direct)) || !x.Head().Server.Addr().Is6() {
				t.Errorf("recorded: %s with %s", x.Summary(), x.Head().Server)
			}
			l.none(codeForeignData)
		})
	}
}

// TestViaIPv6: a further proxy over IPv6 is asked for addresses of IPv6.
func TestViaIPv6(t *testing.T) {
	needs(t, "microsocks", "tinyproxy")
	six, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	defer six.Close()
	go func() {
		for {
			c, err := six.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 six\r\n")
			c.Close()
		}
	}()
	socks, http := freeAddr(t, "::1"), freeAddr(t, "::1")
	_, socksPort, _ := net.SplitHostPort(socks)
	_, httpPort, _ := net.SplitHostPort(http)
	startProcess(t, socks, "microsocks", "-i", "::1", "-p", socksPort)
	conf := write(t, t.TempDir()+"/tinyproxy.conf", fmt.Appendf(nil, "Port %s\nListen ::1\nMaxClients 20\nTimeout 60\n", httpPort))
	startProcess(t, http, "tinyproxy", "-d", "-c", conf)
	to := six.Addr().String()
	for _, url := range []string{"socks5://" + socks, "http://" + http} {
		via, err := ParseVia(url)
		if err != nil {
			t.Fatal(err)
		}
		l := startLab(t, Config{Listeners: []Listener{{Listen: "[::1]:0", To: to, Via: via}}}, "")
		c := l.dial()
		expect(t, c, "220 six")
		c.Close()
		if s := l.session(); !s.Client.Addr().Is6() || s.Server.String() != to {
			t.Errorf("%s via %s: a session of %s with %s", to, url, s.Client, s.Server)
		}
	}
}
