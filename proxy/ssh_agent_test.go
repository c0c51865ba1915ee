package proxy

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sniff/record"
)

// TestSSHAgent: the client's agent signs for the upstream if it is forwarded;
// without it the client hears why nothing comes of its session.
func TestSSHAgent(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	for _, forward := range []bool{true, false} {
		u := startUpstream(t, func(u *sshUpstream) {
			u.cfg.PasswordCallback = nil
			u.cfg.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if bytes.Equal(key.Marshal(), alice.PublicKey().Marshal()) {
					return nil, nil
				}
				return nil, errors.New("no")
			}
		})
		b := startSSH(t, u.addr, u.key.PublicKey(), func(c *Config) { c.SSH.Agent = true })
		if _, _, err := b.client("alice", ssh.PublicKeys(newSSHKey(t))); err == nil {
			t.Error("a key that the upstream does not want was enough")
		}
		c, _, err := b.client("alice", ssh.PublicKeys(alice))
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		s.Stdout, s.Stderr = &out, &errs
		if forward {
			if err := agent.ForwardToAgent(c, ring); err != nil {
				t.Fatal(err)
			}
			if err := agent.RequestAgentForwarding(s); err != nil {
				t.Fatal(err)
			}
		}
		err = s.Run("exit 3")
		var exit *ssh.ExitError
		if forward && (!errors.As(err, &exit) || exit.ExitStatus() != 3 || out.String() != "bye\n") {
			t.Errorf("exit 3: %v, output %q, errors %q", err, out.String(), errs.String())
		}
		if !forward && (err == nil || u.logins > 0) {
			t.Errorf("without an agent: %v, %d logins", err, u.logins)
		}
		c.Close()
		all := b.stop()
		auth := of[*record.SSHAuth](all)
		want := map[bool]string{true: "accepted", false: "refused"}[forward]
		if len(auth) != 2 || auth[1].Result != want {
			t.Errorf("forwarded %v: auth %+v", forward, auth)
		}
		if a := anomalies(all); forward != (a == "") || !forward && !strings.Contains(a, "ssh -A") {
			t.Errorf("forwarded %v: anomalies %q", forward, a)
		}
	}
}

// TestOpenSSHAgent: the agent is forwarded to the proxy, and on to the upstream.
func TestOpenSSHAgent(t *testing.T) {
	o := startOpenSSH(t, func(c *Config) { c.SSH.Identities, c.SSH.Agent = nil, true })
	needsSSH(t, "ssh-add")
	socket := o.serveKeys()
	run := func(forward, command string) (stdout, stderr []byte, err error) {
		// The first value of an option counts.
		args := append([]string{"-o", "IdentityAgent=" + socket, forward}, o.options(o.user+"@127.0.0.1", command)...)
		return o.run(nil, "ssh", args...)
	}
	out, errs, err := run("-A", "ssh-add -l; exit 3")
	if exitCode(err) != 3 || !strings.Contains(string(out), "alice's") {
		t.Errorf("ssh -A: %v, output %q, errors %q", err, out, errs)
	}
	if _, errs, err := run("-a", "true"); err == nil || !strings.Contains(string(errs), "ssh -A") {
		t.Errorf("ssh -a: %v, errors %q", err, errs)
	}
	o.stop()
}
