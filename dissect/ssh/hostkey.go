package ssh

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"sort"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/record"
)

// readHostKey describes a public key blob (RFC 4253, section 6.6). It copes
// with keys that no library accepts: a fingerprint can be made of anything.
func readHostKey(blob []byte) *record.SSHHostKey {
	r := reader{b: blob}
	k := &record.SSHHostKey{Algorithm: clip(r.string(), 64)}
	if len(blob) <= 16384 {
		k.Key = base64.StdEncoding.EncodeToString(blob)
	}
	plain := blob
	if strings.Contains(k.Algorithm, "-cert-v0") {
		if c, ok := parseCertificate(blob); ok {
			k.Certificate = describeCertificate(c)
			plain = c.Key.Marshal()
			r = reader{b: plain}
			r.string()
		}
	}
	name := k.Algorithm
	if k.Certificate != nil {
		inner := reader{b: plain}
		name = inner.names()
	}
	k.Type = keyType(name)
	switch k.Type {
	case "RSA":
		e, n := r.mpint(), r.mpint()
		k.Bits = bitLen(n)
		if len(e) < 8 {
			k.Exponent = int64(number(e))
		}
	case "DSA":
		k.Bits = bitLen(r.mpint())
	case "ECDSA", "ECDSA-SK":
		switch clip(r.string(), 16) {
		case "nistp256":
			k.Bits = 256
		case "nistp384":
			k.Bits = 384
		case "nistp521":
			k.Bits = 521
		}
	case "ED25519", "ED25519-SK":
		k.Bits = 256
	case "ED448":
		k.Bits = 456
	}
	sum := sha256.Sum256(plain)
	k.SHA256 = "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	k.MD5 = colons(md5.Sum(plain))
	return k
}

func colons(sum [16]byte) string {
	var b [47]byte
	for i, c := range sum {
		if i > 0 {
			b[i*3-1] = ':'
		}
		hex.Encode(b[i*3:], []byte{c})
	}
	return string(b[:])
}

// knownKeyName reports whether a name is one of a public key format.
func knownKeyName(name string) bool {
	switch {
	case strings.HasPrefix(name, "ssh-"), strings.HasPrefix(name, "ecdsa-sha2-"), strings.HasPrefix(name, "sk-"),
		strings.HasPrefix(name, "rsa-sha2-"), strings.HasPrefix(name, "x509v3-"), strings.HasPrefix(name, "pgp-sign-"):
		return true
	}
	return false
}

// keyType names a key as ssh-keygen -l does.
func keyType(name string) string {
	switch {
	case name == "ssh-rsa" || strings.HasPrefix(name, "ssh-rsa-cert"), strings.HasPrefix(name, "rsa-sha2-"):
		return "RSA"
	case strings.HasPrefix(name, "ssh-dss"):
		return "DSA"
	case strings.HasPrefix(name, "ecdsa-sha2-"):
		return "ECDSA"
	case strings.HasPrefix(name, "ssh-ed25519"):
		return "ED25519"
	case strings.HasPrefix(name, "ssh-ed448"):
		return "ED448"
	case strings.HasPrefix(name, "sk-ecdsa-"):
		return "ECDSA-SK"
	case strings.HasPrefix(name, "sk-ssh-ed25519"):
		return "ED25519-SK"
	}
	return name
}

func parseCertificate(blob []byte) (*ssh.Certificate, bool) {
	k, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, false
	}
	c, ok := k.(*ssh.Certificate)
	return c, ok
}

// maxPrincipals bounds the principals and options of a certificate in a record.
const maxPrincipals = 64

func describeCertificate(c *ssh.Certificate) *record.SSHCertificate {
	out := &record.SSHCertificate{
		Serial:     c.Serial,
		KeyID:      clip([]byte(c.KeyId), 256),
		Host:       c.CertType == ssh.HostCert,
		Principals: c.ValidPrincipals[:min(len(c.ValidPrincipals), maxPrincipals)],
		Critical:   options(c.CriticalOptions),
		Extensions: options(c.Extensions),
		CAType:     keyType(c.SignatureKey.Type()),
		CASHA256:   ssh.FingerprintSHA256(c.SignatureKey),
	}
	if c.Signature != nil {
		out.Signature = c.Signature.Format
	}
	// Zero and the greatest value mean no bound.
	if c.ValidAfter != 0 && c.ValidAfter < 1<<40 {
		out.ValidAfter = time.Unix(int64(c.ValidAfter), 0).UTC()
	}
	if c.ValidBefore != ssh.CertTimeInfinity && c.ValidBefore < 1<<40 {
		out.ValidBefore = time.Unix(int64(c.ValidBefore), 0).UTC()
	}
	return out
}

func options(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for name, value := range m {
		if value != "" {
			name += "=" + value
		}
		out = append(out, name)
	}
	sort.Strings(out)
	return out[:min(len(out), maxPrincipals)]
}
