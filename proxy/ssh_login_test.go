package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/record"
)

func TestSSHPassword(t *testing.T) {
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	c, _, err := b.client("alice", ssh.Password("wonder"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.ServerVersion()); got != "SSH-2.0-Upstream_1.0 test" {
		t.Errorf("the client sees the server as %q", got)
	}
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s.Stdout = &out
	err = s.Run("exit 3")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 3 || out.String() != "bye\n" {
		t.Errorf("exit 3: %v, output %q", err, out.String())
	}
	c.Close()

	all := b.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	hs := of[*record.SSHHandshake](all)
	if len(hs) != 2 {
		t.Fatalf("%d handshakes, want one for each leg", len(hs))
	}
	legs := map[string]*record.SSHHandshake{hs[0].Substream: hs[0], hs[1].Substream: hs[1]}
	for stream, key := range map[string]ssh.Signer{record.ClientLeg: b.host, record.UpstreamLeg: u.key} {
		h := legs[stream]
		if h == nil || h.Outcome != "encrypted" || h.HostKey == nil || h.HostKey.SHA256 != ssh.FingerprintSHA256(key.PublicKey()) {
			t.Errorf("handshake of stream %q: %+v, want one with the key %s", stream, h, ssh.FingerprintSHA256(key.PublicKey()))
		}
	}
	auth := of[*record.SSHAuth](all)
	if len(auth) != 1 || auth[0].Result != "accepted" || auth[0].User != "alice" || auth[0].Method != "password" || auth[0].Inferred {
		t.Errorf("auth: %+v", auth)
	}
	creds := of[*record.Credential](all)
	if len(creds) != 1 || creds[0].Account != "alice" || creds[0].Secret.Clear() != "wonder" || creds[0].Worked != "yes" || creds[0].Exposure != record.ExposureHidden {
		t.Errorf("credentials: %+v", creds)
	}
	ch := of[*record.SSHChannel](all)
	if len(ch) != 1 || ch[0].Command.String() != "exit 3" || ch[0].ExitStatus == nil || *ch[0].ExitStatus != 3 || ch[0].ServerBytes != 4 || ch[0].What != "exec" {
		t.Errorf("channels: %+v", ch)
	}
	ses := of[*record.Session](all)
	if len(ses) != 1 || ses[0].Protocol != "ssh" || ses[0].End != record.EndClosed || ses[0].EndedBy != "client" || ses[0].ServerSide.Bytes < 1000 {
		t.Errorf("session: %+v", ses[0])
	}
}

func TestSSHWrongPassword(t *testing.T) {
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	if _, _, err := b.client("alice", ssh.Password("wrong")); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("a wrong password: %v", err)
	}
	all := b.stop()
	auth := of[*record.SSHAuth](all)
	if len(auth) != 1 || auth[0].Result != "refused" || auth[0].Failures != 1 {
		t.Errorf("auth: %+v", auth)
	}
	creds := of[*record.Credential](all)
	if len(creds) != 1 || creds[0].Worked != "no" {
		t.Errorf("credentials: %+v", creds)
	}
	if u.logins != 0 {
		t.Error("the upstream let somebody in")
	}
}

// otp asks for a password and, in a second round, for a code.
func otp(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	a, err := ask("", "First", []string{"Password: "}, []bool{false})
	if err != nil || a[0] != "wonder" {
		return nil, errors.New("no")
	}
	if a, err = ask("", "Second", []string{"Name: ", "Code: "}, []bool{true, false}); err != nil || a[0] != "rabbit" || a[1] != "123456" {
		return nil, errors.New("no")
	}
	_, err = ask("", "Welcome", nil, nil)
	return nil, err
}

func answering(code string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		var out []string
		for _, q := range questions {
			out = append(out, map[string]string{"Password: ": "wonder", "Name: ": "rabbit", "Code: ": code}[q])
		}
		return out, nil
	})
}

func TestSSHKeyboardInteractive(t *testing.T) {
	for code, want := range map[string]string{"123456": "accepted", "000000": "refused"} {
		u := startUpstream(t, func(u *sshUpstream) {
			u.cfg.PasswordCallback = nil
			u.cfg.KeyboardInteractiveCallback = otp
		})
		b := startSSH(t, u.addr, u.key.PublicKey(), nil)
		c, _, err := b.client("alice", answering(code))
		if (err == nil) != (want == "accepted") {
			t.Errorf("code %s: %v", code, err)
		}
		if err == nil {
			c.Close()
		}
		all := b.stop()
		auth := of[*record.SSHAuth](all)
		if len(auth) != 1 || auth[0].Result != want || auth[0].Attempts[1].Reason != "Password:, Name:, Code:" {
			t.Errorf("code %s: auth %+v", code, auth)
		}
		var secrets []string
		for _, c := range of[*record.Credential](all) {
			secrets = append(secrets, c.Secret.Clear())
		}
		if got := strings.Join(secrets, " "); got != "wonder "+code {
			t.Errorf("code %s: secrets %q", code, got)
		}
	}
}

func TestSSHPartialSuccess(t *testing.T) {
	u := startUpstream(t, func(u *sshUpstream) {
		u.cfg.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			if string(p) != "wonder" {
				return nil, errors.New("no")
			}
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: otp}}
		}
	})
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	if _, _, err := b.client("alice", ssh.Password("wonder")); err == nil {
		t.Error("half a login was enough")
	}
	c, _, err := b.client("alice", ssh.Password("wonder"), answering("123456"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	auth := of[*record.SSHAuth](b.stop())
	if len(auth) != 2 || auth[0].Result != "refused" {
		t.Fatalf("auth: %+v", auth)
	}
	var results []string
	for _, a := range auth[1].Attempts {
		results = append(results, a.Method+" "+a.Result)
	}
	if got := strings.Join(results, ", "); got != "none refused, password partial, keyboard-interactive accepted" {
		t.Errorf("attempts: %s", got)
	}
}

func TestSSHHostKeys(t *testing.T) {
	u := startUpstream(t, nil)
	refused := func(b *sshBench, code string) {
		t.Helper()
		_, banner, err := b.client("alice", ssh.Password("wonder"))
		if err == nil || !strings.Contains(banner, "host key") {
			t.Errorf("%s: %v, banner %q", code, err, banner)
		}
		if a := anomalies(b.stop()); !strings.HasPrefix(a, code+": ") || strings.Contains(a, "\n") {
			t.Errorf("anomalies %q, want %s", a, code)
		}
	}
	refused(startSSH(t, u.addr, newSSHKey(t).PublicKey(), nil), "proxy_ssh_host_key_changed")
	refused(startSSH(t, u.addr, newSSHKey(t).PublicKey(), func(c *Config) { c.SSH.AcceptNew = true }), "proxy_ssh_host_key_changed")
	refused(startSSH(t, u.addr, nil, nil), "proxy_ssh_host_key_unknown")
	if u.logins != 0 {
		t.Error("the password went to an upstream that nobody knows")
	}

	var known string
	b := startSSH(t, u.addr, nil, func(c *Config) { c.SSH.AcceptNew, known = true, c.SSH.KnownHosts[0] })
	for range 2 {
		c, _, err := b.client("alice", ssh.Password("wonder"))
		if err != nil {
			t.Fatalf("a new host key: %v", err)
		}
		c.Close()
	}
	text, err := os.ReadFile(known)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("known_hosts: %q, %v", text, err)
	}
}

// TestSSHPublicKey: a client gets in by a key only if the upstream wants that
// very key, the client has proved it, and the proxy has a key to log in with.
func TestSSHPublicKey(t *testing.T) {
	alice, proxys, stranger := newSSHKey(t), newSSHKey(t), newSSHKey(t)
	wants := func(keys ...ssh.Signer) func(u *sshUpstream) {
		return func(u *sshUpstream) {
			u.cfg.PasswordCallback = nil
			u.cfg.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				for _, k := range keys {
					if bytes.Equal(k.PublicKey().Marshal(), key.Marshal()) {
						return nil, nil
					}
				}
				return nil, errors.New("no")
			}
		}
	}
	for _, c := range []struct {
		name       string
		upstream   []ssh.Signer
		identities []ssh.Signer
		client     []ssh.Signer
		in         bool
		code       string
	}{
		{"the same key", []ssh.Signer{alice}, []ssh.Signer{alice}, []ssh.Signer{alice}, true, ""},
		{"the proxy's key for the client's", []ssh.Signer{alice, proxys}, []ssh.Signer{proxys}, []ssh.Signer{alice}, true, ""},
		{"a stranger's key first", []ssh.Signer{alice}, []ssh.Signer{alice}, []ssh.Signer{stranger, alice}, true, ""},
		{"a stranger alone", []ssh.Signer{alice}, []ssh.Signer{alice}, []ssh.Signer{stranger}, false, ""},
		{"no identity", []ssh.Signer{alice}, nil, []ssh.Signer{alice}, false, "proxy_ssh_publickey"},
		{"an identity that is not wanted", []ssh.Signer{alice}, []ssh.Signer{proxys}, []ssh.Signer{alice}, false, "proxy_ssh_publickey"},
		{"a public key without its private one", []ssh.Signer{alice}, []ssh.Signer{alice}, []ssh.Signer{forger{alice, stranger}}, false, ""},
	} {
		u := startUpstream(t, wants(c.upstream...))
		b := startSSH(t, u.addr, u.key.PublicKey(), func(cfg *Config) { cfg.SSH.Identities = c.identities })
		client, banner, err := b.client("alice", ssh.PublicKeys(c.client...))
		if (err == nil) != c.in {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			client.Close()
		}
		all := b.stop()
		a := anomalies(all)
		if c.code != "" && (!strings.HasPrefix(a, c.code+": ") || !strings.Contains(banner, "sniff: ")) {
			t.Errorf("%s: anomalies %q, banner %q", c.name, a, banner)
		}
		if c.code == "" && c.in && a != "" {
			t.Errorf("%s: anomalies %q", c.name, a)
		}
		if !c.in && u.logins > 0 {
			t.Errorf("%s: the upstream let somebody in", c.name)
		}
	}
}

// forger shows one key and signs with another.
type forger struct{ shown, key ssh.Signer }

func (f forger) PublicKey() ssh.PublicKey { return f.shown.PublicKey() }
func (f forger) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return f.key.Sign(rand, data)
}

// TestSSHCut: identifications are recognised however they are cut, and behind
// lines that come before them.
func TestSSHCut(t *testing.T) {
	u := startUpstream(t, nil)
	// A server in front of the upstream that says a line first, and everything
	// up to its identification byte by byte.
	front := listen(t, func(c *net.TCPConn) {
		up, err := net.Dial("tcp", u.addr)
		if err != nil {
			return
		}
		defer up.Close()
		go func() {
			_, _ = io.Copy(up, c)
			up.(*net.TCPConn).CloseWrite()
		}()
		head := make([]byte, 20)
		if _, err := io.ReadFull(up, head); err != nil {
			return
		}
		for _, x := range append([]byte("Authorised use only\r\n"), head...) {
			_, _ = c.Write([]byte{x})
			time.Sleep(time.Millisecond)
		}
		_, _ = io.Copy(c, up)
	})
	b := startSSH(t, front, u.key.PublicKey(), nil)
	slow, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, chans, reqs, err := ssh.NewClientConn(&trickle{Conn: slow, left: 16}, b.addr, &ssh.ClientConfig{
		User: "alice", Auth: []ssh.AuthMethod{ssh.Password("wonder")}, HostKeyCallback: ssh.FixedHostKey(b.host.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	ssh.NewClient(conn, chans, reqs).Close()
	all := b.stop()
	hs := of[*record.SSHHandshake](all)
	if len(hs) != 2 {
		t.Fatalf("%d handshakes; anomalies: %s", len(hs), anomalies(all))
	}
	for _, h := range hs {
		if h.Substream == record.ClientLeg && fmt.Sprint(h.ServerLines) != "[Authorised use only]" {
			t.Errorf("lines before the identification: %q", h.ServerLines)
		}
	}
}

// trickle writes its first bytes one by one.
type trickle struct {
	net.Conn
	left int
}

func (c *trickle) Write(b []byte) (int, error) {
	n := min(c.left, len(b))
	for i := range n {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		c.left--
		time.Sleep(time.Millisecond)
	}
	m, err := c.Conn.Write(b[n:])
	return n + m, err
}

// TestSSHLookalike: other protocols are not held up by what begins like an
// identification.
func TestSSHLookalike(t *testing.T) {
	u := listen(t, func(c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			return
		}
		fmt.Fprint(c, "S")
		_, _ = io.Copy(c, c)
	})
	b := startSSH(t, u, nil, nil)
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	for _, step := range [][2]string{{"\x00\x00\x00\x08\x04\xd2\x16\x2f", "S"}, {"SS", "SS"}, {"SSH-no", "SSH-no"}} {
		fmt.Fprint(c, step[0])
		got := make([]byte, len(step[1]))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != step[1] {
			t.Fatalf("after %q came %q: %v", step[0], got, err)
		}
	}
}
