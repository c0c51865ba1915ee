package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/record"
)

// TestSSHBulk: streams that share a window do not stall each other, also when
// one of them is not read for a while.
func TestSSHBulk(t *testing.T) {
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	c, _, err := b.client("alice", ssh.Password("wonder"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 50 << 20
	for _, way := range []string{"out", "err"} {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs counter
		s.Stdout, s.Stderr = &out, &errs
		if err := s.Run(fmt.Sprintf("%s %d", way, size)); err != nil || out.n+errs.n != size {
			t.Errorf("%s: %v, %d and %d bytes", way, err, out.n, errs.n)
		}
	}
}

type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

func TestSSHManyChannels(t *testing.T) {
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	c, _, err := b.client("alice", ssh.Password("wonder"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const n = 100
	for i := range n {
		wg.Go(func() {
			s, err := c.NewSession()
			if err != nil {
				t.Error(err)
				return
			}
			said := bytes.Repeat([]byte{byte(i)}, 10_000+i)
			s.Stdin = bytes.NewReader(said)
			if out, err := s.Output("cat"); err != nil || !bytes.Equal(out, said) {
				t.Errorf("channel %d: %v, %d bytes of %d", i, err, len(out), len(said))
			}
		})
	}
	wg.Wait()
	c.Close()
	if got := len(of[*record.SSHChannel](b.stop())); got != n {
		t.Errorf("%d records of channels, want %d", got, n)
	}
}

// TestSSHRequests: requests of any name are passed on both ways, with their
// answers, in order; those about host keys are not.
func TestSSHRequests(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, s)
	}
	fromServer := make(chan string, 3)
	u := startUpstream(t, func(u *sshUpstream) {
		u.serve = func(conn *ssh.ServerConn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() {
				_, _, _ = conn.SendRequest("hostkeys-00@openssh.com", false, []byte("keys"))
				ok, data, err := conn.SendRequest("ask@example.com", true, []byte("client"))
				fromServer <- fmt.Sprint(ok, " ", string(data), " ", err)
				_, _, err = conn.OpenChannel("odd@example.com", []byte("extra"))
				fromServer <- fmt.Sprint(err)
			})
			wg.Go(func() {
				for q := range reqs {
					note(fmt.Sprintf("global %s %q %v", q.Type, q.Payload, q.WantReply))
					_ = q.Reply(q.Type == "yes@example.com", []byte("answer"))
				}
			})
			for nc := range chans {
				c, requests, err := nc.Accept()
				if err != nil {
					return
				}
				wg.Go(func() {
					for q := range requests {
						note(fmt.Sprintf("channel %s %q %v", q.Type, q.Payload, q.WantReply))
						_ = q.Reply(q.Type != "no@example.com", nil)
					}
					c.Close()
				})
			}
		}
	})
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	raw, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, chans, reqs, err := ssh.NewClientConn(raw, b.addr, &ssh.ClientConfig{
		User: "alice", Auth: []ssh.AuthMethod{ssh.Password("wonder")}, HostKeyCallback: ssh.FixedHostKey(b.host.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for q := range reqs {
			if q.Type != "ask@example.com" {
				t.Errorf("the client was asked %s", q.Type)
			}
			_ = q.Reply(true, append([]byte("to "), q.Payload...))
		}
	}()
	go func() {
		for nc := range chans {
			_ = nc.Reject(ssh.Prohibited, nc.ChannelType()+" "+string(nc.ExtraData()))
		}
	}()
	if got := <-fromServer; got != "true to client <nil>" {
		t.Errorf("the server's request was answered %q", got)
	}
	if got := <-fromServer; !strings.Contains(got, "odd@example.com extra") || !strings.Contains(got, "prohibited") {
		t.Errorf("the server's channel was answered %q", got)
	}
	for _, want := range []bool{true, false} {
		ok, data, err := conn.SendRequest(map[bool]string{true: "yes@example.com", false: "no@example.com"}[want], true, []byte("x"))
		if ok != want || string(data) != "answer" || err != nil {
			t.Errorf("a global request: %v %q %v, want %v", ok, data, err, want)
		}
	}
	if ok, _, _ := conn.SendRequest("hostkeys-prove-00@openssh.com", true, nil); ok {
		t.Error("the upstream's host keys were proved to the client")
	}
	c, requests, err := conn.OpenChannel("odd@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	for i := range 20 {
		name := []string{"a@example.com", "no@example.com"}[i%2]
		if ok, err := c.SendRequest(name, i%4 < 2, fmt.Append(nil, i)); err != nil || ok != (i%4 == 0) {
			t.Errorf("request %d: %v %v", i, ok, err)
		}
	}
	c.Close()
	conn.Close()
	if a := anomalies(b.stop()); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	u.ln.Close()
	u.wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	want := []string{`global yes@example.com "x" true`, `global no@example.com "x" true`}
	for i := range 20 {
		want = append(want, fmt.Sprintf("channel %s \"%d\" %v", []string{"a@example.com", "no@example.com"}[i%2], i, i%4 < 2))
	}
	if got := strings.Join(heard, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the upstream heard\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestSSHCuts: connections that are cut at any time leave nothing behind.
func TestSSHCuts(t *testing.T) {
	before := runtime.NumGoroutine()
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	// Cut while nothing, an identification or half of a key exchange was said.
	for _, said := range []string{"", "SS", "SSH-2.0-cut\r\n", "SSH-2.0-cut\r\n\x00\x00\x01", "SSH-1.5-old\r\n", "not SSH at all\r\n"} {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, said)
		if said == "SSH-1.5-old\r\n" {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Error("an SSH-1 client is left waiting")
			}
		}
		c.Close()
	}
	// Cut by either side in the middle of a stream.
	for i := range 10 {
		raw, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn, chans, reqs, err := ssh.NewClientConn(raw, b.addr, &ssh.ClientConfig{
			User: "alice", Auth: []ssh.AuthMethod{ssh.Password("wonder")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		if err != nil {
			t.Fatal(err)
		}
		c := ssh.NewClient(conn, chans, reqs)
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(fmt.Sprintf("out %d", 1<<30)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			abort(raw)
		} else {
			u.mu.Lock()
			abort(u.conns[len(u.conns)-1])
			u.mu.Unlock()
			_ = raw.SetReadDeadline(time.Now().Add(time.Minute))
			if err := c.Wait(); isTimeout(err) {
				t.Error("the client does not hear that the upstream is gone")
			}
		}
		c.Close()
	}
	all := b.stop()
	u.close()
	settled(t, before)
	ses := of[*record.Session](all)
	if len(ses) != 16 {
		t.Errorf("%d sessions, want 16", len(ses))
	}
	resets := map[string]int{}
	for _, s := range ses {
		if s.End == record.EndReset && s.ServerSide.Bytes > 3000 {
			resets[s.EndedBy]++
		}
	}
	if resets["client"] != 5 || resets["server"] != 5 {
		t.Errorf("resets by side: %v, want 5 each", resets)
		for _, s := range ses {
			t.Logf("%s by %s after %s", s.End, s.EndedBy, s.Duration)
		}
	}
	if a := anomalies(all); !strings.Contains(a, "proxy_ssh_version: ") {
		t.Errorf("anomalies: %s", a)
	}
}

// TestSSHLastWords: what the upstream said before it went away arrives.
func TestSSHLastWords(t *testing.T) {
	const size = 1 << 20
	u := startUpstream(t, func(u *sshUpstream) {
		u.serve = func(conn *ssh.ServerConn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
			go ssh.DiscardRequests(reqs)
			nc, ok := <-chans
			if !ok {
				return
			}
			c, requests, err := nc.Accept()
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			_, _ = c.Write(make([]byte, size))
			u.mu.Lock()
			closeWrite(u.conns[0])
			u.mu.Unlock()
			_ = conn.Wait()
		}
	})
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	c, _, err := b.client("alice", ssh.Password("wonder"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, requests, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	total := 0
	for err = nil; err != io.EOF; {
		var n int
		// An error on the way is about the window, which nobody needs any more.
		n, err = ch.Read(make([]byte, 32<<10))
		total += n
	}
	if total != size {
		t.Errorf("%d bytes arrived, want %d", total, size)
	}
}
