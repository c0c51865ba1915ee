package diagnose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"sniff/record"
)

// KnownHosts are the keys that known_hosts files give to hosts.
type KnownHosts struct {
	check   ssh.HostKeyCallback
	byKey   map[string]string // fingerprint to the names in front of it
	ca      map[string]string // fingerprint of an authority to its patterns
	revoked map[string]bool   // fingerprints of revoked keys
}

// LoadKnownHosts reads known_hosts files: hashed names, wildcards,
// [host]:port, @cert-authority and @revoked.
func LoadKnownHosts(files ...string) (*KnownHosts, error) {
	check, err := knownhosts.New(files...)
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	k := &KnownHosts{check: check, byKey: map[string]string{}, ca: map[string]string{}, revoked: map[string]bool{}}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
		k.index(b)
	}
	return k, nil
}

// index makes keys findable by themselves: a capture knows addresses, and
// known_hosts often has names alone.
func (k *KnownHosts) index(b []byte) {
	for line := range bytes.Lines(b) {
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil {
			continue // empty, or a comment; knownhosts.New has refused what is wrong
		}
		names := strings.Join(hosts, ",")
		if strings.HasPrefix(names, "|1|") {
			names = "a hashed name"
		}
		sum := ssh.FingerprintSHA256(key)
		switch marker {
		case "revoked":
			k.revoked[sum] = true
		case "cert-authority":
			k.ca[sum] = names
		default:
			k.byKey[sum] = names
		}
	}
}

// KnownHostsFamily checks every host key that is seen.
func KnownHostsFamily(k *KnownHosts) Family {
	return Family{Name: "ssh", Codes: sshCodes(), Session: func() Observer { return &knownHostsObserver{k} }}
}

type knownHostsObserver struct{ known *KnownHosts }

func (o *knownHostsObserver) See(r record.Record, rep *Reporter) {
	// A proxy shows clients a key of its own.
	if h, ok := r.(*record.SSHHandshake); ok && h.HostKey != nil && h.Substream != record.ClientLeg {
		o.known.judge(h, rep)
	}
}

func (*knownHostsObserver) End(*record.Session, *Reporter) {}

func (k *KnownHosts) judge(h *record.SSHHandshake, rep *Reporter) {
	host := h.HostKey
	if k.revoked[host.SHA256] || host.Certificate != nil && k.revoked[host.Certificate.CASHA256] {
		rep.Raise("ssh.host_key_revoked", fmt.Sprintf("%s shows the revoked %s key %s", h.Server, host.Type, host.SHA256), h)
		return
	}
	if c := host.Certificate; c != nil && c.Host && k.ca[c.CASHA256] != "" {
		return // signed by a known authority; sshKey looks at its validity
	}
	key, err := publicKey(host)
	if err != nil {
		return
	}
	addr := h.Server.String()
	err = k.check(addr, net.TCPAddrFromAddrPort(h.Server), key)
	var differs *knownhosts.KeyError
	switch {
	case err == nil:
	case errors.As(err, &differs) && len(differs.Want) > 0:
		var want []string
		for _, w := range differs.Want {
			// A host may have keys of several types; another type is no change.
			if w.Key.Type() == key.Type() {
				want = append(want, fmt.Sprintf("%s (%s line %d)", ssh.FingerprintSHA256(w.Key), w.Filename, w.Line))
			}
		}
		if len(want) == 0 {
			rep.Raise("ssh.host_key_unknown", fmt.Sprintf("%s shows the %s key %s; only keys of other types are known", h.Server, host.Type, host.SHA256), h)
			return
		}
		rep.Raise("ssh.host_key_changed", fmt.Sprintf("%s shows the %s key %s, known is %s", h.Server, host.Type, host.SHA256, strings.Join(want, ", ")), h)
	case k.byKey[host.SHA256] != "":
		// Known under a name, which a capture does not tell.
	default:
		rep.Raise("ssh.host_key_unknown", fmt.Sprintf("%s shows the %s key %s, which is not known", h.Server, host.Type, host.SHA256), h)
	}
}

// KnownHostsLine is the line of known_hosts for a host that was seen, of a
// certificate the one for the key in it; "" when the host showed no key, or the
// key is a proxy's.
func KnownHostsLine(h *record.SSHHandshake) string {
	if h.HostKey == nil || h.HostKey.Key == "" || h.Substream == record.ClientLeg {
		return ""
	}
	algorithm, blob := h.HostKey.Algorithm, h.HostKey.Key
	if h.HostKey.Certificate != nil {
		key, err := publicKey(h.HostKey)
		if err != nil {
			return ""
		}
		algorithm, blob = key.Type(), base64.StdEncoding.EncodeToString(key.Marshal())
	}
	return knownhosts.Normalize(h.Server.String()) + " " + algorithm + " " + blob
}

// publicKey is the key that a host showed, or that its certificate is about.
func publicKey(k *record.SSHHostKey) (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePublicKey(blob)
	if c, ok := key.(*ssh.Certificate); ok {
		key = c.Key
	}
	return key, err
}
