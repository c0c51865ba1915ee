package diagnose

import (
	"bytes"
	"errors"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// auditedVersion is the ssh-audit that auditDifferences was written against.
const auditedVersion = "v2.5.0"

// The verdicts of ssh-audit, and ours in its words.
const (
	auditUnknown = "unknown"
	auditGood    = "good"
	auditWarn    = "warn"
	auditFail    = "fail"
)

func auditWord(l Level) string {
	switch l {
	case Broken, Weak:
		return auditFail
	case Deprecated:
		return auditWarn
	case Fine, PostQuantum:
		return auditGood
	}
	return auditUnknown
}

// auditDifferences is all that ssh-audit and GradeSSH judge differently, and
// why. Patterns are of names in a list; theirs and ours are the two verdicts.
var auditDifferences = []struct {
	list         string
	patterns     string
	theirs, ours string
	why          string
}{
	{"kex", "ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 ecdh-sha2-nistk283 ecdh-sha2-nist?409 ecdh-sha2-nistt571 gss-nistp256-sha256-*", auditFail, auditGood,
		"failed for doubts about where NIST's curves come from; no attack is known, and FIPS systems offer nothing else"},
	{"kex", "ecdh-sha2-nistp224 ecdh-sha2-nist?233", auditFail, auditWarn,
		"the same doubts; here only the size counts, which NIST allows until 2030"},
	{"host_key", "ecdsa-sha2-nistp* sk-ecdsa-sha2-nistp256* x509v3-ecdsa-sha2-nistp*", auditFail, auditGood,
		"the same doubts; that a bad random number gives the key away holds for the signer, and does not show in an algorithm's name"},
	{"host_key", "ecdsa-sha2-1.3.132.0.10", auditWarn, auditGood,
		"warned of for that random number generator alone"},
	{"kex", "diffie-hellman-group14-sha1 rsa1024-sha1-*", auditWarn, auditFail,
		"SHA-1 as the hash of the exchange; OpenSSH took it off its lists in 8.2"},
	{"kex", "gss-group14-sha1-* gss-gex-sha1-*", auditWarn, auditFail,
		"the same hash as without GSS, which RFC 9142 says should not be used"},
	{"kex", "sntrup761x25519-sha512@openssh.com", auditWarn, auditGood,
		"called experimental, as it was until OpenSSH 9.0 made it the first choice"},
	{"kex", "sntrup761x25519-sha512 mlkem768x25519-sha256 mlkem768nistp256-sha256 mlkem1024nistp384-sha384", auditUnknown, auditGood,
		"newer than that ssh-audit"},
	{"kex", "Curve25519SHA256 kexAlgoCurve25519SHA256", auditGood, auditUnknown,
		"names of constants in a library that a server offered by mistake; nothing implements them"},
	{"host_key", "ssh-gost*", auditWarn, auditUnknown,
		"distrusted for where it comes from; we have no published attack to go by, nor a reason to call it fine"},
	{"host_key", "spi-sign-rsa", auditGood, auditUnknown,
		"RFC 4253 never defined how it signs (it was dropped from the drafts), so neither do we know"},
	{"cipher", "serpent*-ctr", auditFail, auditGood,
		"called deprecated because it is hardly used; no attack comes near it"},
	{"cipher", "camellia*-cbc twofish192-cbc seed-cbc@ssh.com", auditWarn, auditFail,
		"CBC in SSH is weak by how packets are built (CVE-2008-5161), whatever the cipher"},
	{"cipher", "crypticore128@ssh.com", auditFail, auditUnknown,
		"failed as unproven; not known is what we say of that"},
	{"mac", "hmac-sha2-224 hmac-sha2-256 hmac-sha2-384 hmac-sha2-512 hmac-sha3-* hmac-sha256 hmac-sha256@ssh.com hmac-sha512 hmac-sha512@ssh.com umac-96@openssh.com umac-128@openssh.com", auditWarn, auditGood,
		"warned of for encrypt-and-MAC; no attack is known with these, and the order is a matter of design, not of the MAC"},
	{"mac", "hmac-sha2-256-96-etm@openssh.com hmac-sha2-512-96-etm@openssh.com hmac-sha256-96@ssh.com", auditWarn, auditFail,
		"cut tags count alike here, in whichever order; OpenSSH has none of them any more"},
	{"mac", "umac-32@openssh.com", auditWarn, auditFail,
		"a tag of 32 bits is guessed too soon"},
	{"mac", "hmac-ripemd hmac-ripemd160 hmac-ripemd160@openssh.com hmac-ripemd160-etm@openssh.com", auditFail, auditWarn,
		"failed because OpenSSH removed it, which it did for want of use: HMAC with RIPEMD-160 has no attack"},
	{"mac", "crypticore-mac@ssh.com", auditFail, auditUnknown, "as the cipher"},
}

// audited are the algorithms that one of the two knows. Names of GSS methods
// end in the base64 of a mechanism; ssh-audit knows some with and all without.
var audited = map[string]string{
	"kex": `diffie-hellman-group1-sha1 diffie-hellman-group1-sha256 diffie-hellman-group14-sha1 diffie-hellman-group14-sha256
		diffie-hellman-group14-sha256@ssh.com diffie-hellman-group15-sha256 diffie-hellman-group15-sha256@ssh.com
		diffie-hellman-group15-sha384@ssh.com diffie-hellman-group15-sha512 diffie-hellman-group16-sha256
		diffie-hellman-group16-sha384@ssh.com diffie-hellman-group16-sha512 diffie-hellman-group16-sha512@ssh.com
		diffie-hellman-group17-sha512 diffie-hellman-group18-sha512 diffie-hellman-group18-sha512@ssh.com
		diffie-hellman-group-exchange-sha1 diffie-hellman-group-exchange-sha256 diffie-hellman-group-exchange-sha256@ssh.com
		diffie-hellman-group-exchange-sha512@ssh.com ecdh-sha2-curve25519 ecdh-sha2-nistb233 ecdh-sha2-nistb409 ecdh-sha2-nistk163
		ecdh-sha2-nistk233 ecdh-sha2-nistk283 ecdh-sha2-nistk409 ecdh-sha2-nistp192 ecdh-sha2-nistp224 ecdh-sha2-nistp256
		ecdh-sha2-nistp384 ecdh-sha2-nistp521 ecdh-sha2-nistt571 ecdh-sha2-1.3.132.0.10 curve25519-sha256 curve25519-sha256@libssh.org
		curve448-sha512 rsa1024-sha1 rsa2048-sha256 sntrup4591761x25519-sha512@tinyssh.org sntrup761x25519-sha512@openssh.com
		sntrup761x25519-sha512 mlkem768x25519-sha256 mlkem768nistp256-sha256 mlkem1024nistp384-sha384
		gss-group1-sha1-toWM5Slw5Ew8Mqkay+al2g== gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g== gss-gex-sha1-eipGX3TCiQSrx573bT1o1Q==
		gss-group1-sha1-eipGX3TCiQSrx573bT1o1Q== gss-group14-sha1-toWM5Slw5Ew8Mqkay+al2g== gss-group14-sha1-eipGX3TCiQSrx573bT1o1Q==
		gss-group14-sha256-toWM5Slw5Ew8Mqkay+al2g== gss-group15-sha512-toWM5Slw5Ew8Mqkay+al2g== gss-gex-sha1- gss-group1-sha1-
		gss-group14-sha1- gss-group14-sha256- gss-group15-sha512- gss-group16-sha512- gss-nistp256-sha256- gss-curve25519-sha256-
		Curve25519SHA256 kexAlgoCurve25519SHA256`,
	"host_key": `ssh-rsa1 rsa-sha2-256 rsa-sha2-512 ssh-ed25519 ssh-ed25519-cert-v01@openssh.com ssh-rsa ssh-dss ecdsa-sha2-nistp256
		ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ecdsa-sha2-1.3.132.0.10 x509v3-sign-dss x509v3-sign-rsa x509v3-sign-rsa-sha256@ssh.com
		x509v3-ssh-dss x509v3-ssh-rsa ssh-rsa-cert-v00@openssh.com ssh-dss-cert-v00@openssh.com ssh-rsa-cert-v01@openssh.com
		ssh-dss-cert-v01@openssh.com ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com
		ecdsa-sha2-nistp521-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com rsa-sha2-512-cert-v01@openssh.com
		ssh-rsa-sha256@ssh.com ssh-dss-sha256@ssh.com sk-ecdsa-sha2-nistp256-cert-v01@openssh.com sk-ecdsa-sha2-nistp256@openssh.com
		sk-ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com ssh-gost2001 ssh-gost2012-256 ssh-gost2012-512 spi-sign-rsa
		ssh-ed448 x509v3-ecdsa-sha2-nistp256 x509v3-ecdsa-sha2-nistp384 x509v3-ecdsa-sha2-nistp521 x509v3-rsa2048-sha256`,
	"cipher": `none des des-cbc des-cbc@ssh.com des-cbc-ssh1 3des 3des-cbc 3des-ctr blowfish blowfish-cbc blowfish-ctr twofish-cbc
		twofish128-cbc twofish192-cbc twofish256-cbc twofish-ctr twofish128-ctr twofish192-ctr twofish256-ctr serpent128-cbc
		serpent192-cbc serpent256-cbc serpent128-ctr serpent192-ctr serpent256-ctr idea-cbc idea-ctr cast128-ctr cast128-cbc arcfour
		arcfour128 arcfour256 aes128-cbc aes192-cbc aes256-cbc rijndael128-cbc rijndael192-cbc rijndael256-cbc
		rijndael-cbc@lysator.liu.se aes128-ctr aes192-ctr aes256-ctr aes128-gcm aes256-gcm AEAD_AES_128_GCM AEAD_AES_256_GCM
		aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305 chacha20-poly1305@openssh.com camellia128-cbc camellia128-ctr
		camellia192-cbc camellia192-ctr camellia256-cbc camellia256-ctr crypticore128@ssh.com seed-cbc@ssh.com`,
	"mac": `none hmac-sha1 hmac-sha1-96 hmac-sha2-224 hmac-sha2-256 hmac-sha2-256-96 hmac-sha2-384 hmac-sha2-512 hmac-sha2-512-96
		hmac-sha3-224 hmac-sha3-256 hmac-sha3-384 hmac-sha3-512 hmac-sha256 hmac-sha256-96@ssh.com hmac-sha256@ssh.com hmac-sha512
		hmac-sha512@ssh.com hmac-md5 hmac-md5-96 hmac-ripemd hmac-ripemd160 hmac-ripemd160-96 hmac-ripemd160@openssh.com
		umac-64@openssh.com umac-128@openssh.com hmac-sha1-etm@openssh.com hmac-sha1-96-etm@openssh.com
		hmac-sha2-256-96-etm@openssh.com hmac-sha2-512-96-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
		hmac-md5-etm@openssh.com hmac-md5-96-etm@openssh.com hmac-ripemd160-etm@openssh.com umac-32@openssh.com umac-64-etm@openssh.com
		umac-96@openssh.com umac-128-etm@openssh.com aes128-gcm aes256-gcm chacha20-poly1305@openssh.com crypticore-mac@ssh.com
		AEAD_AES_128_GCM AEAD_AES_256_GCM`,
}

// TestAgainstSSHAudit holds our grades against those of ssh-audit.
func TestAgainstSSHAudit(t *testing.T) {
	tool, err := exec.LookPath("ssh-audit")
	if err != nil {
		t.Skip("ssh-audit is not installed")
	}
	// Without arguments it says its version and how it is used.
	help, _ := exec.Command(tool, "-n").CombinedOutput()
	if !bytes.Contains(help, []byte(auditedVersion)) {
		t.Skipf("the table of differences is about ssh-audit %s", auditedVersion)
	}
	used := make([]bool, len(auditDifferences))
	for list, names := range audited {
		all := strings.Fields(names)
		theirs := auditVerdicts(t, tool, list, all)
		for _, name := range all {
			their, our := theirs[name], auditWord(GradeSSH(list, name).Level)
			if their == "" {
				their = auditUnknown
			}
			explained := false
			for i, d := range auditDifferences {
				if d.list != list || !auditMatch(d.patterns, name) {
					continue
				}
				if d.theirs == their && d.ours == our && their != our {
					explained, used[i] = true, true
				} else if their == our {
					t.Errorf("%s %s: listed as a difference (%s), and both say %s", list, name, d.why, our)
				}
			}
			if their != our && !explained {
				t.Errorf("%s %s: ssh-audit says %s, we say %s, and no reason is listed", list, name, their, our)
			}
		}
	}
	for i, d := range auditDifferences {
		if !used[i] {
			t.Errorf("%s %s: listed as a difference, and is none", d.list, d.patterns)
		}
	}
}

func auditMatch(patterns, name string) bool {
	for _, p := range strings.Fields(patterns) {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}

var (
	auditLine = regexp.MustCompile(`^\((kex|key|enc|mac)\) (\S+)`)
	auditNote = regexp.MustCompile(`-- \[(fail|warn|info)\]|^ +` + "`" + `- \[(fail|warn|info)\]`)
)

// auditVerdicts asks for the worst note on each name.
func auditVerdicts(t *testing.T, tool, list string, names []string) map[string]string {
	t.Helper()
	out, err := exec.Command(tool, "-n", "--lookup="+strings.Join(names, ",")).Output()
	var status *exec.ExitError // it says by its status that there is something to fail
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	section := map[string]string{"kex": "kex", "host_key": "key", "cipher": "enc", "mac": "mac"}[list]
	verdicts := map[string]string{}
	name := ""
	for line := range strings.Lines(string(out)) {
		if m := auditLine.FindStringSubmatch(line); m != nil {
			if name = ""; m[1] == section {
				name = m[2]
				verdicts[name] = auditGood
			}
		}
		if name == "" || !auditNote.MatchString(line) {
			continue
		}
		switch {
		case strings.Contains(line, "[fail]"):
			verdicts[name] = auditFail
		case strings.Contains(line, "[warn]") && verdicts[name] != auditFail:
			verdicts[name] = auditWarn
		}
	}
	if len(verdicts) < len(names)/2 {
		t.Fatalf("ssh-audit knows %d of %d names:\n%s", len(verdicts), len(names), out)
	}
	return verdicts
}
