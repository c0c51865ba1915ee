package diagnose

import "strings"

// Grade is a judgement on one SSH algorithm.
type Grade struct {
	Level  Level
	Reason string
	Source string
}

// Level orders grades from the worst to the best.
type Level uint8

const (
	Broken      Level = iota + 1 // practical attacks exist
	Weak                         // too small or of a kind that attacks come near to
	Deprecated                   // no known attack on this use, but on the way out
	Unknown                      // not in our table
	Fine                         // nothing against it
	PostQuantum                  // holds against a quantum computer too
)

func (l Level) String() string {
	return [...]string{"", "broken", "weak", "deprecated", "unknown", "fine", "post-quantum"}[l]
}

// GradeSSH judges an algorithm by the list it stands in: kex, host_key,
// cipher, mac or compression. What OpenSSH did when is by its release notes.
// Where ssh-audit judges otherwise, ssh_audit_test.go says why.
func GradeSSH(list, name string) Grade {
	name = strings.TrimSuffix(name, "@libssh.org")
	switch list {
	case "kex":
		return gradeKex(name)
	case "host_key":
		return gradeHostKey(name)
	case "cipher":
		return gradeCipher(name)
	case "mac":
		return gradeMAC(name)
	case "compression":
		if name == "zlib" {
			return Grade{Deprecated, "compresses before the login, which exposes zlib to anybody; gone from servers in OpenSSH 7.4, not offered by default for ten years before", "OpenSSH 7.4 release notes"}
		}
		return Grade{Level: Fine}
	}
	return Grade{Level: Unknown}
}

func gradeKex(name string) Grade {
	const sha1 = "its hash is SHA-1, in which collisions can be found"
	bare := strings.TrimPrefix(name, "gss-")
	switch {
	case strings.HasPrefix(name, "diffie-hellman-group1-"), strings.HasPrefix(bare, "group1-"):
		return Grade{Broken, "a shared prime of 1024 bits, within reach of precomputation (Logjam); off by default since OpenSSH 7.0", "RFC 9142, section 3.3; OpenSSH 7.0 release notes; weakdh.org"}
	case strings.HasPrefix(name, "diffie-hellman-group-exchange-sha1"), strings.HasPrefix(bare, "gex-sha1"):
		return Grade{Weak, sha1 + "; not offered by servers by default since OpenSSH 6.7", "RFC 9142, section 3.2.1"}
	case strings.HasPrefix(name, "diffie-hellman-group14-sha1"), strings.HasPrefix(bare, "group14-sha1"):
		return Grade{Weak, sha1 + "; off by default since OpenSSH 8.2", "RFC 9142, section 3.4; OpenSSH 8.2 release notes"}
	case strings.HasPrefix(name, "rsa1024-"):
		return Grade{Broken, "an RSA key of 1024 bits", "RFC 9142, section 3.6"}
	case strings.HasPrefix(name, "sntrup761x25519"):
		return Grade{PostQuantum, "Streamlined NTRU Prime with X25519; first choice since OpenSSH 9.0", "OpenSSH 9.0 release notes"}
	case strings.HasPrefix(name, "mlkem"):
		return Grade{PostQuantum, "ML-KEM with an elliptic curve; mlkem768x25519-sha256 is the first choice since OpenSSH 10.0", "FIPS 203; OpenSSH 10.0 release notes"}
	case strings.HasPrefix(name, "sntrup4591761"):
		return Grade{Deprecated, "an experimental predecessor of sntrup761, replaced in OpenSSH 8.5", "OpenSSH 8.5 release notes"}
	case strings.HasPrefix(name, "ecdh-sha2-"):
		return gradeCurve(strings.TrimPrefix(name, "ecdh-sha2-"))
	case strings.HasPrefix(name, "curve25519-"), strings.HasPrefix(name, "curve448-"),
		strings.HasPrefix(name, "diffie-hellman-group"), strings.HasPrefix(name, "rsa2048-"),
		strings.HasPrefix(bare, "curve"), strings.HasPrefix(bare, "nistp"), strings.HasPrefix(bare, "group"), strings.HasPrefix(bare, "gex-sha256"):
		return Grade{Level: Fine}
	}
	return Grade{Level: Unknown}
}

// gradeCurve judges the curves of RFC 5656, section 10.1; but for the three
// that are required, SSH names them by their object identifiers.
func gradeCurve(curve string) Grade {
	const source = "NIST SP 800-131A"
	switch curve {
	case "nistk163", "1.3.132.0.1", "nistp192", "1.2.840.10045.3.1.1":
		return Grade{Weak, "a curve of less than 224 bits", source}
	case "nistp224", "1.3.132.0.33", "nistk233", "1.3.132.0.26", "nistb233", "1.3.132.0.27":
		return Grade{Deprecated, "a curve of about 224 bits, which is to be out of use by 2030", source}
	}
	return Grade{Level: Fine}
}

func gradeHostKey(name string) Grade {
	switch {
	case strings.Contains(name, "-dss"):
		return Grade{Broken, "DSA keys have 1024 bits, and nearly all sign SHA-1; off by default since OpenSSH 7.0, gone in 10.0", "OpenSSH 7.0 and 10.0 release notes"}
	case name == "ssh-rsa", strings.HasPrefix(name, "ssh-rsa-cert-v0"), name == "x509v3-ssh-rsa", name == "x509v3-sign-rsa":
		return Grade{Weak, "signs SHA-1, for which chosen-prefix collisions cost little; off by default since OpenSSH 8.8", "RFC 8332; OpenSSH 8.8 release notes"}
	case name == "ssh-rsa1":
		return Grade{Broken, "a key of SSH-1, which is gone since OpenSSH 7.6", "OpenSSH 7.6 release notes"}
	case strings.HasPrefix(name, "rsa-sha2-"), strings.HasPrefix(name, "ecdsa-sha2-"), strings.HasPrefix(name, "ssh-ed"), strings.HasPrefix(name, "sk-"),
		strings.HasPrefix(name, "x509v3-ecdsa-sha2-"), strings.HasPrefix(name, "x509v3-rsa2048-"), strings.HasPrefix(name, "x509v3-sign-rsa-sha256"),
		strings.HasPrefix(name, "ssh-rsa-sha256"):
		return Grade{Level: Fine}
	}
	return Grade{Level: Unknown}
}

func gradeCipher(name string) Grade {
	base, _, _ := strings.Cut(name, "@")
	kind, _, _ := strings.Cut(base, "-")
	switch {
	case base == "none":
		return Grade{Broken, "nothing is encrypted", "RFC 4253, section 6.3"}
	case kind == "des":
		return Grade{Broken, "a key of 56 bits", "RFC 4253, section 6.3"}
	case strings.HasPrefix(kind, "arcfour"):
		return Grade{Broken, "RC4, whose output is biased; off in servers since OpenSSH 6.7, gone in 7.6", "RFC 8758; OpenSSH 6.7 and 7.6 release notes"}
	case kind == "3des":
		return Grade{Weak, "blocks of 64 bits, which repeat within a session of some gigabytes (Sweet32); off in servers since OpenSSH 6.7, in clients since 7.4", "CVE-2016-2183; OpenSSH 6.7 and 7.4 release notes"}
	case kind == "blowfish", kind == "cast128", kind == "idea":
		return Grade{Weak, "blocks of 64 bits, which repeat within a session of some gigabytes (Sweet32); gone in OpenSSH 7.6", "CVE-2016-2183; OpenSSH 7.6 release notes"}
	case strings.HasSuffix(base, "-cbc"):
		return Grade{Weak, "CBC lets part of the plaintext be recovered from errors; off in servers since OpenSSH 6.7, in clients since 7.6", "CVE-2008-5161; OpenSSH 6.7 and 7.6 release notes"}
	case strings.HasPrefix(kind, "aes"), strings.HasPrefix(kind, "AEAD_AES"), strings.HasPrefix(base, "chacha20-poly1305"),
		strings.HasPrefix(kind, "twofish"), strings.HasPrefix(kind, "serpent"), strings.HasPrefix(kind, "camellia"):
		return Grade{Level: Fine}
	}
	return Grade{Level: Unknown}
}

func gradeMAC(name string) Grade {
	base, _, _ := strings.Cut(name, "@")
	base = strings.TrimSuffix(base, "-etm")
	const off = "off in servers since OpenSSH 6.7, in clients since 7.2"
	switch {
	case base == "none":
		return Grade{Broken, "nothing is authenticated", "RFC 4253, section 6.4"}
	case strings.HasPrefix(base, "hmac-md5"):
		return Grade{Weak, "MD5; " + off, "OpenSSH 7.2 release notes"}
	case strings.HasPrefix(base, "hmac-") && strings.HasSuffix(base, "-96"):
		return Grade{Weak, "cut to 96 bits; " + off, "OpenSSH 7.2 release notes"}
	case base == "umac-32":
		return Grade{Weak, "a tag of 32 bits", "RFC 4418, section 6"}
	case base == "hmac-sha1":
		return Grade{Deprecated, "an old hash; no attack on its use in HMAC is known", "NIST SP 800-131A"}
	case strings.HasPrefix(base, "hmac-ripemd"):
		return Grade{Deprecated, "an old hash; no attack on its use in HMAC is known; gone in OpenSSH 7.6", "OpenSSH 7.6 release notes"}
	case base == "umac-64":
		return Grade{Deprecated, "a tag of 64 bits", "RFC 4418, section 6"}
	case base == "implicit", strings.HasPrefix(base, "hmac-sha2-"), strings.HasPrefix(base, "hmac-sha3-"), base == "hmac-sha256", base == "hmac-sha512",
		base == "umac-96", base == "umac-128", strings.HasPrefix(base, "AEAD_"), strings.HasPrefix(base, "aes"), strings.HasPrefix(base, "chacha20-poly1305"):
		return Grade{Level: Fine}
	}
	return Grade{Level: Unknown}
}
