package proxy

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/sftp"
	dissectssh "sniff/dissect/ssh"
	"sniff/flow"
	"sniff/record"
)

// sshBench is a proxy in front of an upstream, with the records that it made.
type sshBench struct {
	t       *testing.T
	proxy   *Server
	engine  *flow.Engine
	addr    string // of the proxy
	host    ssh.Signer
	bodies  func() // ends the workers that read contents
	mu      sync.Mutex
	records []record.Record
}

func newSSHKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startSSH puts a proxy in front of the upstream at to, whose host key it
// knows.
func startSSH(t *testing.T, to string, hostKey ssh.PublicKey, change func(*Config)) *sshBench {
	t.Helper()
	b := &sshBench{t: t, host: newSSHKey(t)}
	known := filepath.Join(t.TempDir(), "known_hosts")
	if hostKey != nil {
		if err := os.WriteFile(known, []byte(knownhosts.Line([]string{to}, hostKey)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bodies := content.New(content.Config{})
	b.bodies = sync.OnceFunc(func() { bodies.Close() })
	b.engine = flow.New(flow.Config{
		Protocols: []dissect.Protocol{dissectssh.Protocol(), sftp.Protocol(), sftp.SCP()},
		Content:   bodies,
		Sink: record.SinkFunc(func(r record.Record) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.records = append(b.records, r)
			return nil
		}),
	})
	cfg := Config{
		Listeners: []Listener{{Listen: "127.0.0.1:0", To: to}},
		Engine:    b.engine,
		SSH:       SSH{HostKey: b.host, KnownHosts: []string{known}},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.proxy, err = Start(cfg); err != nil {
		t.Fatal(err)
	}
	b.addr = b.proxy.Addrs()[0].String()
	t.Cleanup(func() {
		b.proxy.Shutdown(0)
		b.bodies()
	})
	return b
}

// stop ends the proxy when its connections have ended, and returns what it
// recorded.
func (b *sshBench) stop() []record.Record {
	b.t.Helper()
	b.proxy.Shutdown(time.Minute)
	if err := b.engine.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.bodies()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records
}

// client logs in through the proxy.
func (b *sshBench) client(user string, auth ...ssh.AuthMethod) (*ssh.Client, string, error) {
	b.t.Helper()
	var banner strings.Builder
	c, err := ssh.Dial("tcp", b.addr, &ssh.ClientConfig{
		User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(b.host.PublicKey()),
		BannerCallback: func(m string) error { banner.WriteString(m); return nil },
	})
	return c, banner.String(), err
}

// of returns the records of one type, in the order of their times: one connection
// may end before another that began earlier.
func of[R record.Record](all []record.Record) []R {
	var out []R
	for _, r := range all {
		if x, ok := r.(R); ok {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b R) int { return a.Head().Time.Compare(b.Head().Time) })
	return out
}

func anomalies(all []record.Record) string {
	var out []string
	for _, a := range of[*record.Anomaly](all) {
		out = append(out, a.Summary())
	}
	return strings.Join(out, "\n")
}

// sshUpstream is an SSH server in this process.
type sshUpstream struct {
	addr string
	key  ssh.Signer
	cfg  *ssh.ServerConfig
	// serve handles a connection behind the login; nil: sessions with the
	// commands of runCommand.
	serve  func(*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request)
	ln     net.Listener
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
	logins int
}

func startUpstream(t *testing.T, change func(*sshUpstream)) *sshUpstream {
	t.Helper()
	u := &sshUpstream{key: newSSHKey(t), cfg: &ssh.ServerConfig{ServerVersion: "SSH-2.0-Upstream_1.0 test"}}
	u.cfg.PasswordCallback = func(c ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if c.User() == "alice" && string(p) == "wonder" {
			return nil, nil
		}
		return nil, errors.New("no")
	}
	u.serve = serveSessions
	if change != nil {
		change(u)
	}
	u.cfg.AddHostKey(u.key)
	var err error
	if u.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.addr = u.ln.Addr().String()
	u.wg.Go(u.accept)
	t.Cleanup(u.close)
	return u
}

func (u *sshUpstream) accept() {
	for {
		c, err := u.ln.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.conns = append(u.conns, c)
		u.mu.Unlock()
		u.wg.Go(func() {
			defer c.Close()
			conn, chans, reqs, err := ssh.NewServerConn(c, u.cfg)
			if err != nil {
				return
			}
			u.mu.Lock()
			u.logins++
			u.mu.Unlock()
			u.serve(conn, chans, reqs)
		})
	}
}

func (u *sshUpstream) close() {
	u.ln.Close()
	u.mu.Lock()
	for _, c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.wg.Wait()
}

// serveSessions runs commands: see runCommand.
func serveSessions(conn *ssh.ServerConn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { ssh.DiscardRequests(reqs) })
	for nc := range chans {
		if nc.ChannelType() != "session" {
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions here")
			continue
		}
		c, requests, err := nc.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			for q := range requests {
				if q.Type != "exec" {
					_ = q.Reply(q.Type == "env", nil)
					continue
				}
				var m struct{ Command string }
				_ = ssh.Unmarshal(q.Payload, &m)
				_ = q.Reply(true, nil)
				wg.Go(func() { runCommand(c, m.Command) })
			}
		})
	}
}

// runCommand knows: "exit N", "cat", "out N" and "err N" (N bytes).
func runCommand(c ssh.Channel, command string) {
	var n int
	status := uint32(0)
	switch {
	case command == "cat":
		_, _ = io.Copy(c, c)
	case scan(command, "exit %d", &n):
		fmt.Fprint(c, "bye\n")
		status = uint32(n)
	case scan(command, "out %d", &n):
		_, _ = io.Copy(c, io.LimitReader(zeros{}, int64(n)))
	case scan(command, "err %d", &n):
		_, _ = io.Copy(c.Stderr(), io.LimitReader(zeros{}, int64(n)))
	default:
		status = 127
	}
	_ = c.CloseWrite()
	_, _ = c.SendRequest("exit-status", false, ssh.Marshal(struct{ S uint32 }{status}))
	_ = c.Close()
}

func scan(s, format string, n *int) bool {
	_, err := fmt.Sscanf(s, format, n)
	return err == nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for runtime.NumGoroutine() > before {
		select {
		case <-ctx.Done():
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		case <-time.After(20 * time.Millisecond):
		}
	}
}
