package diagnose

import (
	"strings"
	"testing"

	"sniff/record"
)

func TestSSHPolicy(t *testing.T) {
	old := func(h *record.SSHHandshake) {
		h.ServerKex.Kex = []string{"diffie-hellman-group14-sha1", "gss-group14-sha1-ab/cd=="}
		h.ServerKex.CipherS2C = []string{"aes128-ctr", "aes128-cbc"}
		h.Negotiated.CipherC2S = "aes128-cbc"
		h.HostKey.Type, h.HostKey.Bits = "RSA", 2048
		h.Exchange = &record.SSHExchange{Family: "dh", Bits: 2048}
	}
	for _, c := range []struct{ name, policy, code, title string }{
		{"forbidden and used", "forbidden: {cipher: ['*-cbc']}", "ssh.policy_forbidden", "aes128-cbc"},
		{"forbidden and offered", "forbidden: {kex: ['*-sha1']}", "ssh.policy_offered", "diffie-hellman-group14-sha1"},
		{"a slash in a name", "forbidden: {kex: ['gss-*']}", "ssh.policy_offered", "ab/cd"},
		{"required", "name: baseline\nrequired: {kex: [mlkem768x25519-sha256]}", "ssh.policy_required", "baseline requires"},
		{"strict kex", "strict_kex: true", "ssh.policy_required", "strict key exchange"},
		{"host key", "minimum_bits: {rsa: 3072}", "ssh.policy_key_size", "2048 bits"},
		{"prime", "minimum_bits: {dh: 3072}", "ssh.policy_key_size", "prime of 2048 bits"},
		{"kept", "forbidden: {cipher: ['arcfour*']}\nrequired: {cipher: [aes128-ctr]}\nminimum_bits: {rsa: 2048}", "", ""},
	} {
		p, err := ParseSSHPolicy([]byte(c.policy))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		h := healthy(1)
		old(h)
		found := run([]Family{SSHPolicyFamily(p)}, h)
		if c.code == "" {
			if len(found) > 0 {
				t.Errorf("%s: %v", c.name, found)
			}
			continue
		}
		if f := found[c.code]; f == nil || !strings.Contains(f.Title, c.title) {
			t.Errorf("%s: findings %v, want %s with %q", c.name, found, c.code, c.title)
		}
	}
}

func TestSSHPolicyRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"forbiden: {kex: [x]}", "forbidden: {ciphers: [x]}", "forbidden: {kex: ['[']}", "minimum_bits: {rsa: -1}", "name: x", ""} {
		if _, err := ParseSSHPolicy([]byte(text)); err == nil {
			t.Errorf("%q is taken for a policy", text)
		}
	}
}
