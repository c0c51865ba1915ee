package ssh

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/content"
	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

// spoken is what one side wrote in one go.
type spoken struct {
	dir dissect.Dir
	b   []byte
}

// tap is the client's connection; it notes what passes, and the random bytes
// that the client draws, in which its private values are.
type tap struct {
	net.Conn
	mu    sync.Mutex
	said  []spoken
	drawn [][]byte
}

func (c *tap) note(dir dissect.Dir, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, spoken{dir, bytes.Clone(b)})
}

func (c *tap) Write(b []byte) (int, error) {
	c.note(dissect.ClientToServer, b)
	return c.Conn.Write(b)
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.note(dissect.ServerToClient, b[:n])
	}
	return n, err
}

type drawer struct{ c *tap }

func (d drawer) Read(b []byte) (int, error) {
	n, err := rand.Read(b)
	d.c.mu.Lock()
	d.c.drawn = append(d.c.drawn, bytes.Clone(b[:n]))
	d.c.mu.Unlock()
	return n, err
}

const (
	testOutput = "uid=1000(alice)\n"
	testErrors = "warning: nothing\n"
)

var bulk60K = bytes.Repeat([]byte("0123456789abcdef"), 60<<10/16)

// serve plays an SSH server with one password and one key for one connection.
func serve(t *testing.T, l net.Listener, config *ssh.ServerConfig) {
	nc, err := l.Accept()
	if err != nil {
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for nch := range channels {
		if nch.ChannelType() != "session" {
			nch.Reject(ssh.Prohibited, "no tunnels")
			continue
		}
		ch, reqs, err := nch.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range reqs {
				r.Reply(true, nil)
				if r.Type != "exec" {
					continue
				}
				if strings.Contains(string(r.Payload), "bulk") {
					ch.Write(bulk60K)
				}
				io.WriteString(ch, testOutput)
				io.WriteString(ch.Stderr(), testErrors)
				ch.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{3}))
				ch.Close()
			}
		}()
	}
}

// converse runs a client against serve and returns what passed.
func converse(t *testing.T, client, server ssh.Config, talk func(c *ssh.Client)) *tap {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	sc := &ssh.ServerConfig{Config: server, MaxAuthTries: 6, PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if string(p) != "secret1" {
			return nil, fmt.Errorf("wrong")
		}
		return nil, nil
	}}
	sc.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() { defer close(done); serve(t, l, sc) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := &tap{Conn: nc}
	client.Rand = drawer{c}
	passwords := []string{"wrong", "secret1"}
	conn, channels, requests, err := ssh.NewClientConn(c, "server.example:22", &ssh.ClientConfig{
		Config: client, User: "alice", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			p := passwords[0]
			passwords = passwords[1:]
			return p, nil
		}), 3)},
	})
	if err != nil {
		t.Fatal(err)
	}
	cl := ssh.NewClient(conn, channels, requests)
	talk(cl)
	cl.Close()
	<-done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c
}

// keyLog finds the private values among the random bytes: those whose public
// value the client sent. One line is made for each of its KEXINITs, whose
// cookies are drawn too.
func (c *tap) keyLog(t *testing.T, shared bool) *KeyLog {
	t.Helper()
	var sent, received []byte
	for _, s := range c.said {
		if s.dir == dissect.ClientToServer {
			sent = append(sent, s.b...)
		} else {
			received = append(received, s.b...)
		}
	}
	var text strings.Builder
	text.WriteString("# a comment\n\n")
	var cookies [][]byte
	line := func(kind string, key []byte) {
		for _, cookie := range cookies {
			fmt.Fprintf(&text, "%x %s%X\n", cookie, kind, key)
		}
		cookies = nil
	}
	for _, b := range c.drawn {
		switch len(b) {
		case 16:
			cookies = append(cookies, b) // of a KEXINIT, or padding of that size
		case 32:
			if shared && bytes.Contains(sent, b25519(b)) {
				// KEX_ECDH_REPLY: the key, then the server's value as a string of 32 bytes, then the signature.
				at := bytes.Index(received, []byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"))
				public := received[at+4+11+4+32+4:][:32]
				line("SHARED_SECRET ", agree25519(t, b, public))
			} else {
				line("PRIVATE_KEY ", b)
			}
		case 256:
			p := pi(2048, 1918, 124476)
			if public := new(big.Int).Exp(big.NewInt(2), new(big.Int).SetBytes(b), p); bytes.Contains(sent, public.Bytes()) {
				line("", b)
			}
		}
	}
	log, err := ReadKeyLog(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func b25519(private []byte) []byte {
	k, err := ecdh.X25519().NewPrivateKey(private)
	if err != nil {
		return nil
	}
	return k.PublicKey().Bytes()
}

func agree25519(t *testing.T, private, public []byte) []byte {
	k, err := ecdh.X25519().NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.ECDH(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decrypted gives what passed to the dissector, in pieces of the given size
// (0: as it was), and returns the records.
func decrypted(t *testing.T, said []spoken, log *KeyLog, piece int) []record.Record {
	t.Helper()
	var records []record.Record
	keyer := record.NewKeyer([]byte("test"))
	bodies := content.New(content.Config{Keep: 1 << 10})
	defer bodies.Close()
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{Config{Keys: log}.Protocol()}, Inline: true, Secrets: keyer, Content: bodies,
		Sink: record.SinkFunc(func(r record.Record) error { records = append(records, r); return nil }),
	})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := e.Open(flow.Conn{
		Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("192.0.2.20:22"), Start: now, Oriented: true,
	})
	for i, m := range said {
		now = now.Add(time.Millisecond)
		for b := m.b; len(b) > 0; {
			n := len(b)
			if piece > 0 {
				n = min(n, piece)
			}
			s.Data(m.dir, b[:n], record.Stamp{Time: now, Packet: uint64(i + 1)})
			b = b[n:]
		}
	}
	s.Close(record.EndClosed, "client", record.Stamp{Time: now})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return records
}

func pick[T record.Record](records []record.Record) (found []T) {
	for _, r := range records {
		if x, ok := r.(T); ok {
			found = append(found, x)
		}
	}
	return found
}

func hexSum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// wantSession checks the login and one command.
func wantSession(t *testing.T, records []record.Record, output []byte) {
	t.Helper()
	for _, a := range pick[*record.Anomaly](records) {
		t.Errorf("anomaly: %s", a.Summary())
	}
	auths := pick[*record.SSHAuth](records)
	if len(auths) != 1 {
		t.Fatalf("%d logins, want one", len(auths))
	}
	a := auths[0]
	if a.Inferred || a.Confidence != record.ConfidenceCertain || a.User != "alice" || a.Result != "accepted" || a.Method != "password" || a.Failures != 1 || len(a.Attempts) != 3 {
		t.Errorf("login %+v", a)
	}
	creds := pick[*record.Credential](records)
	if len(creds) != 2 || creds[0].Worked != "no" || creds[1].Worked != "yes" || creds[1].Secret.Clear() != "secret1" || creds[1].Exposure != record.ExposureHidden {
		t.Errorf("credentials %v", creds)
	}
	channels := pick[*record.SSHChannel](records)
	if len(channels) == 0 {
		t.Fatal("no channel")
	}
	c := channels[0]
	if c.Inferred || c.What != "exec" || c.ExitStatus == nil || *c.ExitStatus != 3 || c.Env == nil || c.Env[0] != "LANG=C" {
		t.Errorf("channel %+v", c)
	}
	if c.Output == nil || c.Output.SHA256 != hexSum(output) || c.Output.Partial {
		t.Errorf("output %+v, want the digest of %d bytes", c.Output, len(output))
	}
	if c.Errors == nil || string(c.Errors.Kept) != testErrors {
		t.Errorf("errors %+v", c.Errors)
	}
}

func command(t *testing.T, line string) func(*ssh.Client) {
	return func(c *ssh.Client) {
		s, err := c.NewSession()
		if err != nil {
			t.Error(err)
			return
		}
		s.Setenv("LANG", "C")
		s.Run(line)
	}
}

func TestDecryptEveryCipher(t *testing.T) {
	for _, c := range []struct{ cipher, mac, kex string }{
		{"aes128-gcm@openssh.com", "", "curve25519-sha256"},
		{"aes256-gcm@openssh.com", "", "diffie-hellman-group14-sha256"},
		{"chacha20-poly1305@openssh.com", "", "curve25519-sha256@libssh.org"},
		{"aes128-ctr", "hmac-sha2-256", "curve25519-sha256"},
		{"aes192-ctr", "hmac-sha2-512", "diffie-hellman-group14-sha1"},
		{"aes256-ctr", "hmac-sha2-256-etm@openssh.com", "curve25519-sha256"},
		{"aes256-ctr", "hmac-sha2-512-etm@openssh.com", "curve25519-sha256"},
		{"aes128-cbc", "hmac-sha1", "curve25519-sha256"},
		{"3des-cbc", "hmac-sha1-96", "diffie-hellman-group14-sha1"},
	} {
		t.Run(c.cipher+" "+c.mac+" "+c.kex, func(t *testing.T) {
			config := ssh.Config{Ciphers: []string{c.cipher}, KeyExchanges: []string{c.kex}}
			if c.mac != "" {
				config.MACs = []string{c.mac}
			}
			talk := converse(t, config, config, command(t, "bulk"))
			log := talk.keyLog(t, false)
			want := append(bytes.Clone(bulk60K), testOutput...)
			wantSession(t, decrypted(t, talk.said, log, 0), want)
			wantSession(t, decrypted(t, talk.said, log, 7), want)
		})
	}
}

func TestDecryptWithSharedSecret(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"aes128-gcm@openssh.com"}, KeyExchanges: []string{"curve25519-sha256"}}
	talk := converse(t, config, config, command(t, "id"))
	wantSession(t, decrypted(t, talk.said, talk.keyLog(t, true), 0), []byte(testOutput))
}

func TestDecryptAcrossRenewedKeys(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"aes128-gcm@openssh.com"}, KeyExchanges: []string{"curve25519-sha256"}, RekeyThreshold: 16 << 10}
	talk := converse(t, config, config, func(c *ssh.Client) {
		// The first command's data makes the renewal due, which may come late.
		for range 3 {
			command(t, "bulk")(c)
		}
	})
	records := decrypted(t, talk.said, talk.keyLog(t, false), 0)
	want := append(bytes.Clone(bulk60K), testOutput...)
	wantSession(t, records, want)
	channels := pick[*record.SSHChannel](records)
	if len(channels) != 3 || channels[2].Output.SHA256 != hexSum(want) {
		t.Fatalf("%d channels, want three with the same output", len(channels))
	}
	if channels[2].Rekeys < 1 {
		t.Error("no renewed key exchange, want some")
	}
}

func TestDecryptEndsAtDamage(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"aes128-gcm@openssh.com"}, KeyExchanges: []string{"curve25519-sha256"}}
	talk := converse(t, config, config, command(t, "bulk"))
	log := talk.keyLog(t, false)
	for i := len(talk.said) - 1; ; i-- {
		// A byte inside of the bulk data.
		if s := talk.said[i]; s.dir == dissect.ServerToClient && len(s.b) > 2000 {
			s.b[len(s.b)/2] ^= 1
			break
		}
	}
	records := decrypted(t, talk.said, log, 0)
	failures := 0
	for _, a := range pick[*record.Anomaly](records) {
		if a.Code == "ssh_mac_failure" {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("%d MAC failures are told, want one", failures)
	}
	c := pick[*record.SSHChannel](records)
	if len(c) != 1 || c[0].Output == nil || !c[0].Output.Partial || !strings.Contains(c[0].Reason, "only up to") {
		t.Errorf("the channel does not say that it is cut: %+v", c)
	}
}

func TestOtherKeysChangeNothing(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"aes128-gcm@openssh.com"}, KeyExchanges: []string{"curve25519-sha256"}}
	talk := converse(t, config, config, command(t, "id"))
	log, err := ReadKeyLog(strings.NewReader(strings.Repeat("ab", 16) + " SHARED_SECRET 1234\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := pick[*record.SSHAuth](decrypted(t, talk.said, log, 0))
	if len(a) != 1 || !a[0].Inferred {
		t.Errorf("login %+v, want an inferred one", a)
	}
}

func TestKeyLogRefusesWhatItCannotRead(t *testing.T) {
	for _, text := range []string{"xx", "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff OTHER 00", "00112233445566778899aabbccddeeff SHARED_SECRET xy",
		"0011 SHARED_SECRET 00"} {
		if _, err := ReadKeyLog(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for a key log", text)
		}
	}
}
