package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sniff/record"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	b[0] = 1 // no TLS hello by chance
	return b
}

// TestBigTransfersBothWays sends several megabytes in both directions at a
// time, in large and odd writes; the far side echoes, so that both buffers
// fill up while neither direction may wait for the other.
func TestBigTransfersBothWays(t *testing.T) {
	l := startLab(t, Config{}, listen(t, echo))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			data := randomBytes(4<<20 + i)
			go func() {
				for rest, size := data, 1; len(rest) > 0; size = size*3%200_000 + 1 {
					n, err := c.Write(rest[:min(size, len(rest))])
					if err != nil {
						return
					}
					rest = rest[n:]
				}
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			time.Sleep(50 * time.Millisecond) // let everything fill up
			got, err := io.ReadAll(c)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
				t.Errorf("%d of %d bytes came back, err %v", len(got), len(data), err)
			}
		}()
	}
	wg.Wait()
	s := l.session()
	if s.End != record.EndClosed || s.EndedBy != "client" || s.ClientSide.Bytes < 4<<20 || s.ServerSide.Bytes != s.ClientSide.Bytes {
		t.Errorf("session %s by %s, %d and %d bytes", s.End, s.EndedBy, s.ClientSide.Bytes, s.ServerSide.Bytes)
	}
}

func TestHalfCloseIsRelayed(t *testing.T) {
	l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
		b, err := io.ReadAll(c) // returns only when the client's FIN came through
		fmt.Fprintf(c, "%d %v", len(b), err)
	}))
	c := l.dial()
	_, _ = c.Write(make([]byte, 1000))
	_ = c.CloseWrite()
	got, err := io.ReadAll(c)
	if string(got) != "1000 <nil>" || err != nil {
		t.Errorf("the server saw %q, %v", got, err)
	}
}

func TestResetIsRelayedAsReset(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 10))
			_ = c.SetLinger(0)
		}))
		c := l.dial()
		_, _ = c.Write([]byte("hello"))
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client read %v, want a reset", err)
		}
		if s := l.session(); s.End != record.EndReset || s.EndedBy != "server" {
			t.Errorf("session %s by %q", s.End, s.EndedBy)
		}
	})
	t.Run("client", func(t *testing.T) {
		saw := make(chan error, 1)
		l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
			_, err := io.ReadFull(c, make([]byte, 10))
			saw <- err
		}))
		c := l.dial()
		_, _ = c.Write([]byte("hello"))
		time.Sleep(20 * time.Millisecond)
		abort(c)
		if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server read %v, want a reset", err)
		}
		if s := l.session(); s.End != record.EndReset || s.EndedBy != "client" {
			t.Errorf("session %s by %q", s.End, s.EndedBy)
		}
	})
}

// TestResetBehindTheEnd: once both directions have ended, the connection was
// closed, whatever becomes of the last bytes on their way.
func TestResetBehindTheEnd(t *testing.T) {
	for _, c := range []struct {
		ends    []string
		end, by string
	}{
		{[]string{"client", "server"}, record.EndClosed, "client"},
		{[]string{"server", "client"}, record.EndClosed, "server"},
		{[]string{"client"}, record.EndReset, "server"},
		{[]string{"client", "client"}, record.EndReset, "server"},
	} {
		r := &relay{}
		for _, by := range c.ends {
			r.ended("", by)
		}
		r.ended(record.EndReset, "server")
		if end, by := r.verdict(); end != c.end || by != c.by {
			t.Errorf("behind the ends of %q: %s by %q, want %s by %q", c.ends, end, by, c.end, c.by)
		}
	}
}

// TestServerFirst: nothing may wait for the client's first byte.
func TestServerFirst(t *testing.T) {
	l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
		fmt.Fprint(c, "hello\n")
		_, _ = io.Copy(io.Discard, c)
	}))
	c := l.dial()
	b := make([]byte, 6)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestDialogueByteByByte: a dialogue typed by hand gives the records of one
// that came in whole lines.
func TestDialogueByteByByte(t *testing.T) {
	dialogue := []string{"EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA", "Subject: hi\r\n\r\nhello\r\n.", "QUIT"}
	var outcomes []string
	for _, chop := range []int{1, 1 << 10} {
		l := startLab(t, Config{}, listen(t, mailServer(nil, nil)))
		c := l.dial()
		expect(t, c, "220 ")
		for _, line := range dialogue {
			for b := []byte(line + "\r\n"); len(b) > 0; {
				n := min(chop, len(b))
				_, _ = c.Write(b[:n])
				b = b[n:]
			}
			expect(t, c, "")
		}
		c.Close()
		l.session()
		var out []string
		for _, r := range l.all() {
			if _, ok := r.(*record.Session); !ok {
				out = append(out, fmt.Sprint(r.Kind(), " ", r.Summary()))
			}
		}
		outcomes = append(outcomes, strings.Join(out, "\n"))
	}
	if outcomes[0] != outcomes[1] || !strings.Contains(outcomes[0], "smtp.message") {
		t.Errorf("byte by byte:\n%s\nin lines:\n%s", outcomes[0], outcomes[1])
	}
}

// expect reads one reply, which may have several lines, and holds that it
// begins with want.
func expect(t *testing.T, c net.Conn, want string) string {
	t.Helper()
	var reply []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("after %q: %v", reply, err)
		}
		reply = append(reply, b[0])
		lines := strings.Split(string(reply), "\r\n")
		if b[0] == '\n' && len(lines) > 1 && len(lines[len(lines)-2]) > 3 && lines[len(lines)-2][3] == ' ' {
			break
		}
	}
	if !strings.HasPrefix(string(reply), want) {
		t.Fatalf("reply %q, want %q", reply, want)
	}
	return string(reply)
}

func TestUnreachedUpstream(t *testing.T) {
	nobody := freeAddr(t, "127.0.0.1")
	l := startLab(t, Config{}, nobody)
	c, err := net.Dial("tcp", l.addr)
	if err == nil {
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
	if s := l.session(); s.End != record.EndRefused || s.Server.String() != nobody {
		t.Errorf("session %s of %s", s.End, s.Server)
	}
}

// TestUnknownName: a target whose name leads nowhere is told by name.
func TestUnknownName(t *testing.T) {
	l := startLab(t, Config{}, "nowhere.invalid:25")
	if c, err := net.Dial("tcp", l.addr); err == nil {
		_, _ = io.ReadAll(c)
		c.Close()
	}
	if a := l.anomaly(codeUnreached); !strings.Contains(a.Detail, "nowhere.invalid:25 was not reached") {
		t.Error(a.Detail)
	}
	if s := l.session(); s.Server.String() != "0.0.0.0:25" {
		t.Errorf("session with %s", s.Server)
	}
}

// TestRefusedByName: the address that the name came to is the one recorded.
func TestRefusedByName(t *testing.T) {
	nobody := freeAddr(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(nobody)
	l := startLab(t, Config{}, "localhost:"+port)
	if c, err := net.Dial("tcp", l.addr); err == nil {
		_, _ = io.ReadAll(c)
		c.Close()
	}
	if s := l.session(); s.End != record.EndRefused || !s.Server.Addr().IsLoopback() {
		t.Errorf("session with %s %s", s.Server, s.End)
	}
}

// TestUpstreamThatResetsAtOnce: an upstream that resets while it is dialled was
// reached, unlike one that does not answer.
func TestUpstreamThatResetsAtOnce(t *testing.T) {
	l := startLab(t, Config{}, listen(t, echo))
	listener := &l.srv.cfg.Listeners[0]
	for errno, want := range map[syscall.Errno]string{syscall.ECONNRESET: record.EndReset, syscall.ETIMEDOUT: record.EndUnanswered} {
		client, server := net.Pipe()
		defer client.Close()
		upstream := map[string]string{record.EndReset: "192.0.2.1:21", record.EndUnanswered: "192.0.2.2:21"}[want]
		l.srv.unreached(server, listener, target{address: upstream}, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)})
		s := wait(l, func(s *record.Session) bool { return s.Server.String() == upstream })
		if s.End != want {
			t.Errorf("%v: session %s, want %s", errno, s.End, want)
		}
	}
	unreached := 0
	for _, r := range l.all() {
		if a, ok := r.(*record.Anomaly); ok && a.Code == codeUnreached {
			unreached++
		}
	}
	if unreached != 1 {
		t.Errorf("%d upstreams said to be out of reach, want the one that did not answer", unreached)
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	const limit = 100 * time.Millisecond
	var passed atomic.Int64 // the clock goes as the test says
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	l := startLab(t, Config{Limits: Limits{Idle: limit}, Now: now}, listen(t, echo))
	c := l.dial()
	for range 5 { // not idle as long as something is said
		_, _ = c.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		passed.Add(int64(limit) * 2 / 3)
		time.Sleep(limit / 2) // the proxy looks at the clock meanwhile
	}
	passed.Add(int64(limit))
	if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("read %v, want the connection cut", err)
	}
	if s := l.session(); s.End != record.EndTimeout {
		t.Errorf("session %s", s.End)
	}
}

func TestLimits(t *testing.T) {
	t.Run("per client", func(t *testing.T) {
		log := &logged{}
		l := startLab(t, Config{Limits: Limits{PerClient: 2}, Log: slog.New(slog.NewTextHandler(log, nil))}, listen(t, echo))
		// A refused connection is reset as soon as it is accepted, which the
		// client may see as early as in its dial.
		open := func() error {
			c, err := net.Dial("tcp", l.addr)
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			_, _ = c.Write([]byte("x"))
			_, err = c.Read(make([]byte, 1))
			return err
		}
		if a, b, c := open(), open(), open(); a != nil || b != nil || c == nil {
			t.Errorf("three connections of one client: %v, %v, %v; want the third refused", a, b, c)
		}
		if st := l.srv.Stats(); st.Refused != 1 {
			t.Errorf("%d refused", st.Refused)
		}
		if want := "this client has 2 connections open, and no more may be (--max-per-client)"; !strings.Contains(log.String(), want) {
			t.Errorf("the log says %s", log)
		}
	})
	t.Run("in all", func(t *testing.T) {
		// Also of clients that do not say yet where they want to go.
		log := &logged{}
		l := startLab(t, Config{Limits: Limits{Connections: 2}, Log: slog.New(slog.NewTextHandler(log, nil)), Listeners: []Listener{{Mode: SOCKS, Listen: "127.0.0.1:0"}}}, "")
		for range 2 {
			l.dial()
		}
		for deadline := time.Now().Add(30 * time.Second); l.srv.Stats().Accepted < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		}
		if c, err := net.Dial("tcp", l.addr); err == nil {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the third was taken")
			}
			c.Close()
		}
		if want := "2 connections are open, and no more may be (--max-connections)"; l.srv.Stats().Refused != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("%d refused, the log says %s", l.srv.Stats().Refused, log)
		}
	})
	t.Run("allow", func(t *testing.T) {
		l := &Listener{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
		s := &Server{byClient: map[netip.Addr]int{}}
		setDefaults(&s.cfg)
		for addr, want := range map[string]bool{"192.0.2.7:1": true, "198.51.100.1:1": false, "127.0.0.1:1": true, "[::ffff:192.0.2.9]:1": true, "[2001:db8::1]:1": false} {
			c := addressed{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}
			if why := s.admit(c, l); (why == "") != want {
				t.Errorf("%s: %q", addr, why)
			}
		}
	})
	t.Run("never to itself", func(t *testing.T) {
		for _, listener := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
			l := startLab(t, Config{Listeners: []Listener{{Mode: SOCKS, Listen: listener}}}, "")
			port := l.srv.Addrs()[0].(*net.TCPAddr).Port
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte{5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, byte(port >> 8), byte(port)})
			got, _ := io.ReadAll(c)
			c.Close()
			if len(got) < 4 || got[3] != 2 {
				t.Errorf("%s: SOCKS answer % x, want not allowed (2)", listener, got)
			}
		}
	})
}

// addressed is a connection that only has a remote address.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.addr }

func TestShutdown(t *testing.T) {
	t.Run("lets finish", func(t *testing.T) {
		l := startLab(t, Config{}, listen(t, echo))
		c := l.dial()
		_, _ = c.Write([]byte("one"))
		_, _ = io.ReadFull(c, make([]byte, 3))
		stopped := make(chan struct{})
		go func() { l.srv.Shutdown(time.Minute); close(stopped) }()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			late, err := net.Dial("tcp", l.addr)
			if err != nil {
				break
			}
			late.Close()
			if time.Now().After(deadline) {
				t.Fatal("still accepts")
			}
		}
		_, _ = c.Write([]byte("two"))
		_ = c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "two" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		<-stopped
		if s := wait(l, func(s *record.Session) bool { return s.ClientSide.Bytes == 6 }); s.End != record.EndClosed {
			t.Errorf("session %s", s.End)
		}
	})
	t.Run("cuts when told to", func(t *testing.T) {
		l := startLab(t, Config{}, listen(t, echo))
		c := l.dial()
		_, _ = c.Write([]byte("one"))
		_, _ = io.ReadFull(c, make([]byte, 3))
		began := time.Now()
		time.AfterFunc(50*time.Millisecond, l.srv.Cut)
		l.srv.Shutdown(time.Hour)
		if d := time.Since(began); d > 20*time.Second || l.srv.Stats().Cut != 1 {
			t.Errorf("took %s and cut %d", d, l.srv.Stats().Cut)
		}
	})
	t.Run("cuts after grace", func(t *testing.T) {
		l := startLab(t, Config{}, listen(t, echo))
		c := l.dial()
		_, _ = c.Write([]byte("one"))
		_, _ = io.ReadFull(c, make([]byte, 3))
		began := time.Now()
		l.srv.Shutdown(50 * time.Millisecond)
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("took %s", d)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection goes on")
		}
		if s := l.session(); s.End != record.EndOpen {
			t.Errorf("session %s, want it open when the proxy stopped", s.End)
		}
	})
}

func TestForwardModes(t *testing.T) {
	web := listen(t, func(c *net.TCPConn) {
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		line, _, _ := bytes.Cut(b[:n], []byte("\r\n"))
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(line), line)
	})
	for name, c := range map[string]struct {
		mode    Mode
		hello   string
		request string
		want    []string
	}{
		"socks4":  {SOCKS, "\x04\x01PORT\x7f\x00\x00\x01me\x00", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", []string{"\x00\x5a", "GET /a HTTP/1.1"}},
		"socks4a": {SOCKS, "\x04\x01PORT\x00\x00\x00\x01me\x00localhost\x00", "GET /b HTTP/1.1\r\nHost: h\r\n\r\n", []string{"\x00\x5a", "GET /b HTTP/1.1"}},
		"socks5":  {SOCKS, "\x05\x01\x00\x05\x01\x00\x03\x09localhostPORT", "GET /c HTTP/1.1\r\nHost: h\r\n\r\n", []string{"\x05\x00\x05\x00", "GET /c HTTP/1.1"}},
		"connect": {HTTPForward, "CONNECT ADDR HTTP/1.1\r\nHost: ADDR\r\n\r\n", "GET /d HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 Connection established", "GET /d HTTP/1.1"}},
		"plain":   {HTTPForward, "", "GET http://ADDR/e?x=1 HTTP/1.1\r\nHost: ADDR\r\n\r\n", []string{"GET /e?x=1 HTTP/1.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t, Config{Listeners: []Listener{{Mode: c.mode, Listen: "127.0.0.1:0"}}}, "")
			port := netip.MustParseAddrPort(web).Port()
			fill := strings.NewReplacer("PORT", string([]byte{byte(port >> 8), byte(port)}), "ADDR", web)
			conn := l.dial()
			// All at once: the request comes in the segment of the dialogue.
			_, _ = io.WriteString(conn, fill.Replace(c.hello)+fill.Replace(c.request))
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Error(err)
			}
			for _, want := range c.want {
				if !bytes.Contains(got, []byte(want)) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			wait(l, func(x *record.HTTPExchange) bool { return x.Method == "GET" })
		})
	}
}

// TestForwardedBodiesAreNotTouched: a body may hold what looks like a request
// for a proxy.
func TestForwardedBodiesAreNotTouched(t *testing.T) {
	got := make(chan string, 1)
	web := listen(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c)
		got <- string(b)
	})
	l := startLab(t, Config{Listeners: []Listener{{Mode: HTTPForward, Listen: "127.0.0.1:0"}}}, "")
	const log = "GET http://elsewhere.test/ HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n"
	url := "http://" + web
	pieces := []string{
		"POST " + url + "/a HTTP/1.1\r\nHost: h\r\nProxy-Connection: keep-alive\r\nContent-Length: " + fmt.Sprint(len(log)) + "\r\n\r\n", log,
		"POST " + url + "/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n", len(log)), log, "\r\n0\r\n", "X-Sum: GET http://x HTTP/1.1\r\n\r\n",
		"GET " + url + "/c HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	c := l.dial()
	for _, p := range pieces {
		_, _ = io.WriteString(c, p)
		time.Sleep(5 * time.Millisecond) // a segment of its own
	}
	_, _ = io.WriteString(c, log) // another host: the connection ends
	want := strings.ReplaceAll(strings.Join(pieces, ""), url, "")
	want = strings.Replace(want, "Proxy-Connection: keep-alive\r\n", "", 1)
	if b := <-got; b != want {
		t.Errorf("the server got\n%s\nwant\n%s", b, want)
	}
}

// TestUrgentDataStaysInTheStream: FTP clients send the end of ABOR as urgent
// data, which must come through in its place.
func TestUrgentDataStaysInTheStream(t *testing.T) {
	got := make(chan string, 1)
	l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
		b := make([]byte, 6)
		_, _ = io.ReadFull(c, b)
		got <- string(b)
	}))
	c := l.dial()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("ABOR\r\n"), syscall.MSG_OOB, nil) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("no urgent data here: %v", err)
	}
	select {
	case b := <-got:
		if b != "ABOR\r\n" {
			t.Errorf("%q came", b)
		}
	case <-time.After(time.Minute):
		t.Error("the urgent byte did not come")
	}
}
