package proxy

import (
	"bufio"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/record"
)

// TestSSHCiphers: a client that can do AES-GCM gets it, although it would
// rather have another one; a client that cannot gets what it can.
func TestSSHCiphers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ciphers []string
		want    string
	}{
		{"of many", []string{ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES256GCM}, ssh.CipherAES256GCM},
		{"without AES-GCM", []string{ssh.CipherChaCha20Poly1305}, ssh.CipherChaCha20Poly1305},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := startUpstream(t, nil)
			b := startSSH(t, u.addr, u.key.PublicKey(), nil)
			c, err := ssh.Dial("tcp", b.addr, &ssh.ClientConfig{
				Config: ssh.Config{Ciphers: tt.ciphers}, User: "alice", Auth: []ssh.AuthMethod{ssh.Password("wonder")},
				HostKeyCallback: ssh.FixedHostKey(b.host.PublicKey()),
			})
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			hs := of[*record.SSHHandshake](b.stop())
			i := slices.IndexFunc(hs, func(h *record.SSHHandshake) bool { return h.Substream == record.ClientLeg })
			if i < 0 || hs[i].Negotiated == nil || hs[i].Negotiated.CipherC2S != tt.want || hs[i].Negotiated.CipherS2C != tt.want {
				t.Errorf("handshakes %+v, want the client's with %s both ways", hs, tt.want)
			}
		})
	}
}

// TestSSHResetBeforeKeyExchange: a client that resets the connection while the
// proxy waits for its KEXINIT has reset it.
func TestSSHResetBeforeKeyExchange(t *testing.T) {
	u := startUpstream(t, nil)
	b := startSSH(t, u.addr, u.key.PublicKey(), nil)
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte("SSH-2.0-Short_1.0\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
	ses := of[*record.Session](b.stop())
	if len(ses) == 0 || ses[0].End != record.EndReset || ses[0].EndedBy != "client" {
		t.Errorf("%d sessions, the first ended as %q by %q, want it reset by the client", len(ses), ses[0].End, ses[0].EndedBy)
	}
}
