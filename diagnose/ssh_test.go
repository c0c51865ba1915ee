package diagnose

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"sniff/record"
)

const (
	edKey  = "AAAAC3NzaC1lZDI1NTE5AAAAILZgG16GXMVK8EHcYLK+UACGGDACTGNZytullX/bJrVC"
	edSum  = "SHA256:UHB8cmxxd8j22aZI49qqcOyGtnWoYIYz5OhaXBTv4vw"
	edKey2 = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
)

// run gives records to a watcher and returns the findings by code.
func run(families []Family, records ...record.Record) map[string]*record.Finding {
	found := map[string]*record.Finding{}
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			found[f.Code] = f
		}
		return nil
	}), families)
	open := map[string]*record.Session{}
	for _, r := range records {
		h := r.Head()
		open[h.Session] = &record.Session{Header: *h, End: record.EndClosed}
		if _, ok := r.(*record.Session); ok {
			delete(open, h.Session)
		}
		if err := w.Write(r); err != nil {
			panic(err)
		}
	}
	for _, s := range open {
		if err := w.Write(s); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return found
}

func sshHeader(n int) record.Header {
	return record.Header{
		Session: fmt.Sprint("s", n), Time: time.Unix(int64(1700000000+n), 0).UTC(),
		Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("192.0.2.20:22"),
	}
}

func healthy(n int) *record.SSHHandshake {
	return &record.SSHHandshake{
		Header: sshHeader(n), Outcome: "encrypted", Terrapin: "protected", StrictKex: true,
		ClientID:  &record.SSHIdentification{Software: "OpenSSH", Release: "10.0p1", Banner: "OpenSSH_10.0p1"},
		ServerID:  &record.SSHIdentification{Software: "OpenSSH", Release: "10.0p1", Banner: "OpenSSH_10.0p1"},
		ClientKex: &record.SSHKexInit{Kex: []string{"mlkem768x25519-sha256"}},
		ServerKex: &record.SSHKexInit{Kex: []string{"mlkem768x25519-sha256"}},
		Negotiated: &record.SSHNegotiated{
			Kex: "mlkem768x25519-sha256", HostKey: "ssh-ed25519", CipherC2S: "aes256-gcm@openssh.com", CipherS2C: "aes256-gcm@openssh.com",
			MACC2S: "implicit", MACS2C: "implicit", CompressionC2S: "none", CompressionS2C: "none",
		},
		HostKey: &record.SSHHostKey{Type: "ED25519", Algorithm: "ssh-ed25519", Bits: 256, SHA256: edSum, Key: edKey},
	}
}

func TestSSHHealthyRaisesNothing(t *testing.T) {
	h := healthy(1)
	if found := run([]Family{sshFamily()}, h, &record.Session{Header: h.Header, End: record.EndClosed}); len(found) > 0 {
		t.Errorf("findings of a healthy session: %v", found)
	}
}

func TestSSHRules(t *testing.T) {
	for _, c := range []struct {
		code   string
		title  string
		change func(h *record.SSHHandshake)
	}{
		{"ssh.weak_algorithm", "3des-cbc", func(h *record.SSHHandshake) { h.Negotiated.CipherC2S = "3des-cbc" }},
		{"ssh.terrapin", "Terrapin", func(h *record.SSHHandshake) { h.Terrapin = "exposed" }},
		{"ssh.weak_host_key", "1024 bits", func(h *record.SSHHandshake) { h.HostKey.Type, h.HostKey.Bits = "RSA", 1024 }},
		{"ssh.small_prime", "1024 bits", func(h *record.SSHHandshake) { h.Exchange = &record.SSHExchange{Family: "dh-gex", Bits: 1024} }},
		{"ssh.no_common_algorithm", "key exchange method", func(h *record.SSHHandshake) {
			h.Outcome, h.NoCommon = "no_common_algorithm", []string{"kex"}
		}},
		{"ssh.weak_offered", "192.0.2.20:22 also offers 3des-cbc", func(h *record.SSHHandshake) {
			h.Negotiated.HostKey, h.ServerKex.HostKey, h.ServerKex.CipherS2C = "ssh-dss", []string{"ssh-dss"}, []string{"3des-cbc"}
		}},
		{"ssh.version_in_range", "regreSSHion", func(h *record.SSHHandshake) { h.ServerID.Release = "9.3p1" }},
		{"ssh.certificate_invalid", "users", func(h *record.SSHHandshake) { h.HostKey.Certificate = &record.SSHCertificate{KeyID: "x"} }},
		{"ssh.closed_at_once", "MaxStartups", func(h *record.SSHHandshake) {
			h.Outcome, h.ServerID, h.ServerLines = "closed", nil, []string{"Exceeded MaxStartups"}
		}},
		{"ssh.handshake_closed", "kexinit", func(h *record.SSHHandshake) { h.Outcome, h.Reached = "closed", "kexinit" }},
		{"ssh.ssh1", "SSH-1", func(h *record.SSHHandshake) { h.Outcome = "ssh1" }},
	} {
		h := healthy(1)
		c.change(h)
		f := run([]Family{sshFamily()}, h, &record.Session{Header: h.Header, End: record.EndClosed, EndedBy: "server"})[c.code]
		if f == nil || !strings.Contains(f.Title, c.title) {
			t.Errorf("%s: finding %v, want one with %q", c.code, f, c.title)
		}
	}
}

// TestSSHByProxy: what a proxy could not do is said as such, and explains what
// came of it; nobody else is blamed.
func TestSSHByProxy(t *testing.T) {
	for anomaly, want := range map[string]string{
		"proxy_ssh_host_key_unknown": "ssh.proxy_host_key",
		"proxy_ssh_host_key_changed": "ssh.proxy_host_key",
		"proxy_ssh_host_key_revoked": "ssh.proxy_host_key",
		"proxy_ssh_known_hosts":      "ssh.proxy_host_key",
		"proxy_ssh_publickey":        "ssh.proxy_publickey",
		"proxy_ssh_client_left":      "ssh.proxy_client_left",
		"proxy_ssh_upstream":         "ssh.proxy_failed",
	} {
		h := healthy(1)
		h.Outcome, h.Reached = "closed", "new_keys"
		auth := &record.SSHAuth{Header: h.Header, User: "alice", Result: "refused", Method: "publickey", Failures: 1}
		found := run([]Family{sshFamily()}, &record.Anomaly{Header: h.Header, Code: anomaly, Detail: "why"}, h, auth, &record.Session{Header: h.Header, End: record.EndReset})
		if f := found[want]; f == nil || f.Title != "why" {
			t.Errorf("%s: finding %v, want %s", anomaly, f, want)
		}
		if f := found["ssh.handshake_closed"]; f != nil && want != "ssh.proxy_publickey" {
			t.Errorf("%s: also %q", anomaly, f.Title)
		}
		if f := found["ssh.login_refused"]; f != nil && f.Cause == "" && want != "ssh.proxy_client_left" {
			t.Errorf("%s does not explain %q", anomaly, f.Title)
		}
	}
}

// TestSSHNoCommonSaysTheWayIn: of what the server offers, the best.
func TestSSHNoCommonSaysTheWayIn(t *testing.T) {
	h := healthy(1)
	h.Outcome, h.NoCommon = "no_common_algorithm", []string{"kex", "cipher_c2s", "cipher_s2c"}
	h.ServerKex.Kex = []string{"diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"}
	h.ServerKex.CipherC2S, h.ServerKex.CipherS2C = []string{"arcfour", "aes128-cbc"}, []string{"arcfour", "aes128-cbc"}
	f := run([]Family{sshFamily()}, h)["ssh.no_common_algorithm"]
	if want := "ssh -o KexAlgorithms=+diffie-hellman-group14-sha1 -o Ciphers=+aes128-cbc"; f == nil || !strings.HasSuffix(f.Advice, want) {
		t.Errorf("%+v, want the advice %s", f, want)
	}
}

// TestSSHVersionsInRange holds the ends of the ranges of advisories.
func TestSSHVersionsInRange(t *testing.T) {
	for _, c := range []struct {
		software, release string
		want              string
	}{
		{"OpenSSH", "4.3p2", "CVE-2024-6387"},
		{"OpenSSH", "8.4p1", ""},
		{"OpenSSH", "8.5p1", "CVE-2024-6387"},
		{"OpenSSH", "9.8p1", "CVE-2025-26466"},
		{"OpenSSH", "9.9p1", "CVE-2025-26466"},
		{"OpenSSH", "9.9p2", ""},
		{"OpenSSH", "10.0p1", ""},
		{"libssh", "0.8.3", "CVE-2018-10933"},
		{"libssh", "0.8.4", ""},
		{"libssh", "0.10.6", ""},
		{"Erlang ssh", "4.15.3.11", "CVE-2025-32433"},
		{"Erlang ssh", "4.15.3.12", ""},
		{"Erlang ssh", "5.1.4.7", "CVE-2025-32433"},
		{"Erlang ssh", "5.1.4.8", ""},
		{"Erlang ssh", "5.2.9", "CVE-2025-32433"},
		{"Erlang ssh", "5.2.10", ""},
	} {
		h := healthy(1)
		h.ServerID = &record.SSHIdentification{Software: c.software, Release: c.release, Banner: c.software + c.release}
		got := ""
		if f := run([]Family{sshFamily()}, h)["ssh.version_in_range"]; f != nil {
			got = f.Reference
		}
		if got != c.want {
			t.Errorf("%s %s is in the range of %q, want %q", c.software, c.release, got, c.want)
		}
	}
}

func TestSSHRepairedPackageIsNotInRange(t *testing.T) {
	h := healthy(1)
	h.ServerID = &record.SSHIdentification{Software: "OpenSSH", Release: "9.2p1", OS: "Debian 12", Package: "2+deb12u10", Banner: "OpenSSH_9.2p1"}
	if f := run([]Family{sshFamily()}, h)["ssh.version_in_range"]; f != nil {
		t.Errorf("a repaired package: %s", f.Title)
	}
}

func TestSSHStalledByMTU(t *testing.T) {
	h := healthy(1)
	h.Outcome, h.Reached = "closed", "kexinit"
	s := &record.Session{Header: h.Header, End: record.EndTimeout, Duration: record.Seconds(time.Minute)}
	s.ClientSide.Retransmitted = 4344
	if f := run([]Family{sshFamily()}, h, s)["ssh.handshake_stalled"]; f == nil {
		t.Error("a large packet that is sent again in vain is no finding")
	}
}

func TestSSHBruteForceIsOneFinding(t *testing.T) {
	var records []record.Record
	for i := range 25 {
		h := healthy(i)
		records = append(records, h,
			&record.SSHAuth{Header: h.Header, Inferred: true, Result: "refused", Method: "password", Failures: 3, Confidence: record.ConfidenceHigh},
			&record.Session{Header: h.Header, End: record.EndClosed})
	}
	h := healthy(99)
	records = append(records, h,
		&record.SSHAuth{Header: h.Header, Inferred: true, Result: "accepted", Method: "password", Confidence: record.ConfidenceHigh},
		&record.Session{Header: h.Header, End: record.EndClosed})
	found := run([]Family{sshFamily()}, records...)
	f := found["ssh.brute_force"]
	if f == nil || !strings.Contains(f.Title, "25 connections") || !strings.Contains(f.Title, "75 attempts") {
		t.Errorf("brute force: %v", f)
	}
	if found["ssh.brute_force_succeeded"] == nil {
		t.Error("the login behind it is no finding")
	}
}

func TestSSHKeysOverSessions(t *testing.T) {
	a, b, c := healthy(1), healthy(2), healthy(3)
	b.HostKey.SHA256 = "SHA256:other"
	c.Server = netip.MustParseAddrPort("192.0.2.30:22")
	found := run([]Family{sshFamily()}, a, b, c)
	if f := found["ssh.host_key_differs"]; f == nil || !strings.Contains(f.Title, "SHA256:other") || !strings.Contains(f.Title, edSum) {
		t.Errorf("differing keys: %v", f)
	}
	if f := found["ssh.host_key_shared"]; f == nil || !strings.Contains(f.Title, "192.0.2.20, 192.0.2.30") {
		t.Errorf("shared key: %v", f)
	}
}

func TestKnownHosts(t *testing.T) {
	for _, c := range []struct{ name, file, code string }{
		{"known", "192.0.2.20 ssh-ed25519 " + edKey, ""},
		{"known under a name", "server.example ssh-ed25519 " + edKey, ""},
		{"known by a wildcard", "192.0.2.* ssh-ed25519 " + edKey, ""},
		{"known by a hashed name", knownhosts.HashHostname("192.0.2.20") + " ssh-ed25519 " + edKey, ""},
		{"changed under a hashed name", knownhosts.HashHostname("192.0.2.20") + " ssh-ed25519 " + edKey2, "ssh.host_key_changed"},
		{"not this host", "!192.0.2.20,192.0.2.* ssh-ed25519 " + edKey2, "ssh.host_key_unknown"},
		{"changed", "192.0.2.20 ssh-ed25519 " + edKey2, "ssh.host_key_changed"},
		{"unknown", "192.0.2.99 ssh-ed25519 " + edKey2, "ssh.host_key_unknown"},
		{"revoked", "@revoked * ssh-ed25519 " + edKey, "ssh.host_key_revoked"},
		{"another port", "[192.0.2.20]:2222 ssh-ed25519 " + edKey2, "ssh.host_key_unknown"},
	} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(file, []byte(c.file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := LoadKnownHosts(file)
		if err != nil {
			t.Fatal(err)
		}
		found := run([]Family{KnownHostsFamily(k)}, healthy(1))
		if c.code == "" && len(found) > 0 || c.code != "" && found[c.code] == nil {
			t.Errorf("%s: findings %v, want %q", c.name, found, c.code)
		}
	}
	certified := healthy(1)
	certified.HostKey.Certificate = &record.SSHCertificate{KeyID: "server", Host: true, CASHA256: fingerprint(t, edKey2)}
	for file, code := range map[string]string{
		"@cert-authority * ssh-ed25519 " + edKey2: "",
		"@revoked * ssh-ed25519 " + edKey2:        "ssh.host_key_revoked",
		"192.0.2.99 ssh-ed25519 " + edKey2:        "ssh.host_key_unknown",
	} {
		name := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(name, []byte(file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := LoadKnownHosts(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := run([]Family{KnownHostsFamily(k)}, certified); code == "" && len(found) > 0 || code != "" && found[code] == nil {
			t.Errorf("a certificate with %s: findings %v, want %q", file, found, code)
		}
	}
	if got, want := KnownHostsLine(healthy(1)), "192.0.2.20 ssh-ed25519 "+edKey; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
}

// TestSSHProxyLegs: what the proxy negotiates with one side is not laid at the
// other's door, and its own host key is nobody's.
func TestSSHProxyLegs(t *testing.T) {
	const own = "SHA256:own"
	legs := func(n int) (client, upstream *record.SSHHandshake) {
		client, upstream = healthy(n), healthy(n)
		client.Substream, upstream.Substream = record.ClientLeg, record.UpstreamLeg
		client.HostKey.SHA256 = own
		return client, upstream
	}
	client, upstream := legs(1)
	client.Negotiated.CipherC2S, client.Terrapin = "aes128-cbc", "exposed"
	upstream.ServerKex.CipherC2S = []string{"3des-cbc"}
	upstream.ServerID.Release = "9.3p1"
	client.ServerID = upstream.ServerID
	other, beyond := legs(2)
	other.Server = netip.MustParseAddrPort("192.0.2.30:22")
	beyond.Server = other.Server
	beyond.HostKey.SHA256 = "SHA256:other"
	found := run([]Family{sshFamily()}, client, upstream, other, beyond)
	for code, title := range map[string]string{
		"ssh.weak_algorithm":   "192.0.2.10 with the proxy in front of 192.0.2.20:22 uses aes128-cbc",
		"ssh.terrapin":         "192.0.2.10 with the proxy in front of 192.0.2.20:22 is open",
		"ssh.weak_offered":     "192.0.2.20:22 also offers 3des-cbc",
		"ssh.version_in_range": "OpenSSH_10.0p1 on 192.0.2.20:22",
	} {
		if f := found[code]; f == nil || !strings.HasPrefix(f.Title, title) {
			t.Errorf("%s: %v, want %q", code, f, title)
		}
		delete(found, code)
	}
	for code, f := range found {
		t.Errorf("%s: %s", code, f.Title)
	}

	client, upstream = legs(1)
	upstream.Outcome, upstream.NoCommon = "no_common_algorithm", []string{"kex"}
	if f := run([]Family{sshFamily()}, client, upstream)["ssh.no_common_algorithm"]; f == nil || !strings.HasPrefix(f.Title, "the proxy and OpenSSH_10.0p1 have no common") {
		t.Errorf("no common algorithm upstream: %v", f)
	}

	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte("192.0.2.20 ssh-ed25519 "+edKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := LoadKnownHosts(file)
	if err != nil {
		t.Fatal(err)
	}
	client, upstream = legs(1)
	client.HostKey.Key = edKey2
	for code, f := range run([]Family{KnownHostsFamily(k)}, client, upstream) {
		t.Errorf("%s: %s", code, f.Title)
	}
	if line := KnownHostsLine(client); line != "" {
		t.Errorf("known_hosts line of the proxy's key: %s", line)
	}
}

func fingerprint(t *testing.T, key string) string {
	t.Helper()
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte("ssh-ed25519 " + key))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(public)
}

func TestGradeSSH(t *testing.T) {
	for _, c := range []struct {
		list, name string
		want       Level
	}{
		{"kex", "diffie-hellman-group1-sha1", Broken},
		{"kex", "diffie-hellman-group14-sha1", Weak},
		{"kex", "diffie-hellman-group14-sha256", Fine},
		{"kex", "diffie-hellman-group18-sha512", Fine},
		{"kex", "curve25519-sha256@libssh.org", Fine},
		{"kex", "gss-group1-sha1-toWM5Slw5Ew8Mqkay+al2g==", Broken},
		{"kex", "sntrup761x25519-sha512@openssh.com", PostQuantum},
		{"kex", "mlkem1024nistp384-sha384", PostQuantum},
		{"kex", "something", Unknown},
		{"host_key", "ssh-rsa", Weak},
		{"host_key", "rsa-sha2-512", Fine},
		{"host_key", "ssh-dss", Broken},
		{"cipher", "aes128-cbc", Weak},
		{"cipher", "arcfour", Broken},
		{"cipher", "aes256-ctr", Fine},
		{"mac", "hmac-sha1-etm@openssh.com", Deprecated},
		{"mac", "hmac-md5-96", Weak},
		{"mac", "umac-128-etm@openssh.com", Fine},
	} {
		if got := GradeSSH(c.list, c.name); got.Level != c.want {
			t.Errorf("%s %s is %s, want %s", c.list, c.name, got.Level, c.want)
		}
	}
}

// TestSSHCourse wants what goes wrong on the way found, beside what the
// algorithms give away.
func TestSSHCourse(t *testing.T) {
	at := sshHeader(1).Time
	handshake := func(change func(*record.SSHHandshake)) record.Record {
		h := healthy(1)
		change(h)
		return h
	}
	for want, r := range map[string]record.Record{
		"ssh.disconnected": handshake(func(h *record.SSHHandshake) {
			h.Disconnect = &record.SSHDisconnect{By: "server", Reason: "too_many_connections"}
		}),
		"ssh.version_mismatch": handshake(func(h *record.SSHHandshake) {
			h.Outcome, h.ClientID.Version, h.ServerID.Version = "version_mismatch", "2.0", "1.5"
		}),
		"ssh.slow_identification": handshake(func(h *record.SSHHandshake) {
			h.Phases = []record.SSHPhase{{Name: "connect", Time: at}, {Name: "identification", By: "server", Time: at.Add(8 * time.Second)}}
		}),
		"ssh.strict_kex_violated": &record.Anomaly{Header: sshHeader(1), Code: "ssh_strict_kex", Detail: "an IGNORE during the key exchange"},
		"ssh.reverse_session":     &record.SSHChannel{Header: sshHeader(1), Reverse: "keystrokes come from the server"},
		"ssh.slow_login":          &record.SSHAuth{Header: sshHeader(1), Attempts: []record.SSHAuthAttempt{{Answer: record.Seconds(9 * time.Second)}}},
	} {
		if found := run([]Family{sshFamily()}, healthy(1), r); found[want] == nil {
			t.Errorf("no %s, but %v", want, found)
		}
	}
	if found := run([]Family{sshFamily()}, healthy(1)); len(found) > 0 {
		t.Errorf("a healthy connection: %v", found)
	}
}
