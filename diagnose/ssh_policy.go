package diagnose

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"sniff/record"
)

// SSHPolicy says which algorithms a server has to offer and which it must not.
// Names may hold * and ?.
//
//	name: baseline 2026
//	required:
//	  kex: [mlkem768x25519-sha256]
//	forbidden:
//	  kex: ["*-sha1"]
//	  cipher: ["*-cbc", "arcfour*"]
//	minimum_bits:
//	  rsa: 3072
//	  dh: 3072
//	strict_kex: true
type SSHPolicy struct {
	Name      string             `yaml:"name"`
	Required  SSHPolicyLists     `yaml:"required"`
	Forbidden SSHPolicyLists     `yaml:"forbidden"`
	Minimum   SSHPolicyKeyLength `yaml:"minimum_bits"`
	StrictKex bool               `yaml:"strict_kex"`
}

// SSHPolicyLists are names or patterns by kind of algorithm.
type SSHPolicyLists struct {
	Kex         []string `yaml:"kex"`
	HostKey     []string `yaml:"host_key"`
	Cipher      []string `yaml:"cipher"`
	MAC         []string `yaml:"mac"`
	Compression []string `yaml:"compression"`
}

// SSHPolicyKeyLength are least sizes: of host keys by type, and of the prime
// of a Diffie-Hellman exchange.
type SSHPolicyKeyLength struct {
	RSA   int `yaml:"rsa"`
	DSA   int `yaml:"dsa"`
	ECDSA int `yaml:"ecdsa"`
	DH    int `yaml:"dh"`
}

// LoadSSHPolicy reads a policy. What it does not know is an error: a rule that
// is misspelt would else be one that always holds.
func LoadSSHPolicy(file string) (*SSHPolicy, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p, err := ParseSSHPolicy(b)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", file, err)
	}
	return p, nil
}

// ParseSSHPolicy reads the text of a policy.
func ParseSSHPolicy(b []byte) (*SSHPolicy, error) {
	var p SSHPolicy
	if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
		return nil, err
	}
	if p.Name == "" {
		p.Name = "policy"
	}
	rules := 0
	for _, lists := range [...]SSHPolicyLists{p.Required, p.Forbidden} {
		for _, l := range lists.byKind() {
			for _, pattern := range l.patterns {
				if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
					return nil, fmt.Errorf("%s: %q is no pattern", l.kind, pattern)
				}
				rules++
			}
		}
	}
	m := p.Minimum
	for _, bits := range []int{m.RSA, m.DSA, m.ECDSA, m.DH} {
		if bits < 0 {
			return nil, fmt.Errorf("minimum_bits: %d is no size", bits)
		}
		rules += min(bits, 1)
	}
	if rules == 0 && !p.StrictKex {
		return nil, fmt.Errorf("it has no rule")
	}
	return &p, nil
}

type kindPatterns struct {
	kind     string
	patterns []string
}

func (l SSHPolicyLists) byKind() []kindPatterns {
	return []kindPatterns{{"kex", l.Kex}, {"host_key", l.HostKey}, {"cipher", l.Cipher}, {"mac", l.MAC}, {"compression", l.Compression}}
}

// SSHPolicyFamily checks every handshake against a policy.
func SSHPolicyFamily(p *SSHPolicy) Family {
	return Family{Name: "ssh", Codes: sshCodes(), Session: func() Observer { return &policyObserver{p} }}
}

type policyObserver struct{ policy *SSHPolicy }

func (o *policyObserver) See(r record.Record, rep *Reporter) {
	if h, ok := r.(*record.SSHHandshake); ok {
		o.policy.judge(h, rep)
	}
}

func (*policyObserver) End(*record.Session, *Reporter) {}

func (p *SSHPolicy) judge(h *record.SSHHandshake, rep *Reporter) {
	client, server := sshPeers(&h.Header)
	for _, f := range p.Forbidden.byKind() {
		if len(f.patterns) == 0 {
			continue
		}
		used, offered := sshUsed(h.Negotiated, f.kind), sshOfferedOf(h.ServerKex, f.kind)
		for _, name := range used {
			if matches(f.patterns, name) {
				rep.Raise("ssh.policy_forbidden", fmt.Sprintf("%s with %s uses %s, which %s forbids", client, server, name, p.Name), h,
					record.Plain("negotiated "+name))
			}
		}
		var bad []string
		for _, name := range offered {
			if matches(f.patterns, name) && !slices.Contains(used, name) {
				bad = append(bad, name)
			}
		}
		if len(bad) > 0 {
			rep.Raise("ssh.policy_offered", fmt.Sprintf("%s offers %s, which %s forbids", server, names(bad), p.Name), h,
				record.Plain("offered "+strings.Join(bad, ", ")))
		}
	}
	for _, r := range p.Required.byKind() {
		offered := sshOfferedOf(h.ServerKex, r.kind)
		for _, pattern := range r.patterns {
			if h.ServerKex != nil && !slices.ContainsFunc(offered, func(n string) bool { return match(pattern, n) }) {
				rep.Raise("ssh.policy_required", fmt.Sprintf("%s does not offer %s, which %s requires", server, pattern, p.Name), h,
					record.Plain("offered "+strings.Join(offered, ", ")))
			}
		}
	}
	if p.StrictKex && h.ServerKex != nil && !h.ServerKex.Strict {
		rep.Raise("ssh.policy_required", fmt.Sprintf("%s does not offer strict key exchange, which %s requires", server, p.Name), h)
	}
	if k := h.HostKey; k != nil && k.Bits > 0 {
		least := map[string]int{"RSA": p.Minimum.RSA, "DSA": p.Minimum.DSA, "ECDSA": p.Minimum.ECDSA}[k.Type]
		if k.Bits < least {
			rep.Raise("ssh.policy_key_size", fmt.Sprintf("%s shows a host key %s of %d bits, %s wants %d", server, k.Type, k.Bits, p.Name, least), h, record.Plain(k.SHA256))
		}
	}
	if x := h.Exchange; x != nil && strings.HasPrefix(x.Family, "dh") && x.Bits > 0 && x.Bits < p.Minimum.DH {
		rep.Raise("ssh.policy_key_size", fmt.Sprintf("%s with %s exchanges keys over a prime of %d bits, %s wants %d", client, server, x.Bits, p.Name, p.Minimum.DH), h)
	}
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

// match is path.Match for names in which a slash is a letter like others (GSS
// methods end in base64). ParseSSHPolicy has refused patterns that are none.
func match(pattern, name string) bool {
	flat := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(name))
	return ok && err == nil
}

// sshUsed is what was negotiated of a kind, once each.
func sshUsed(n *record.SSHNegotiated, kind string) []string {
	if n == nil {
		return nil
	}
	switch kind {
	case "kex":
		return pair(n.Kex, "")
	case "host_key":
		return pair(n.HostKey, "")
	case "cipher":
		return pair(n.CipherC2S, n.CipherS2C)
	case "mac":
		return pair(n.MACC2S, n.MACS2C)
	}
	return pair(n.CompressionC2S, n.CompressionS2C)
}

func pair(a, b string) []string {
	return slices.Compact(slices.DeleteFunc([]string{a, b}, func(s string) bool { return s == "" }))
}

// sshOfferedOf is what one side offers of a kind, once each.
func sshOfferedOf(k *record.SSHKexInit, kind string) []string {
	if kind == "kex" || kind == "host_key" {
		return sshOffer(k, kind)
	}
	all := slices.Clone(sshOffer(k, kind+"_c2s"))
	for _, n := range sshOffer(k, kind+"_s2c") {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}
