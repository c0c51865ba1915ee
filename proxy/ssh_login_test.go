package proxy

import (
	"bytes"
	"errors"
	"strings"
	"testing"

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
	for stream, key := range map[string]ssh.Signer{"": b.host, "upstream": u.key} {
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
