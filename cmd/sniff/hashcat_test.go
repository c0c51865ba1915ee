package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sniff/record"
)

// hashLine returns the only line that --hashcat writes for a sample in a
// format.
func hashLine(t *testing.T, sample string, mode int) string {
	t.Helper()
	dir := t.TempDir()
	if _, stderr, status := sniff(t, nil, "creds", "-q", "--hashcat", filepath.Join(dir, "h.txt"), sample); status != exitDone || stderr != "" {
		t.Fatalf("exit status %d, standard error %q", status, stderr)
	}
	b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("h.%d.txt", mode)))
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(b), "\n")
	if rest != "" {
		t.Errorf("more than one line: %q", b)
	}
	return line
}

// TestHashcatLines guesses the passwords of the samples out of the lines, as
// hashcat computes them.
func TestHashcatLines(t *testing.T) {
	fixedKey(t)

	fields := strings.Split(hashLine(t, "../../samples/smtp/auth-cram-md5.pcapng", 10200), "$")
	challenge, _ := base64.StdEncoding.DecodeString(fields[2])
	answer, _ := base64.StdEncoding.DecodeString(fields[3])
	mac := hmac.New(md5.New, []byte("wonderland"))
	mac.Write(challenge)
	if want := "alice " + hex.EncodeToString(mac.Sum(nil)); string(answer) != want {
		t.Errorf("CRAM-MD5: the answer is %q, want %q", answer, want)
	}

	digest, salt, _ := strings.Cut(hashLine(t, "../../samples/soap/username-digest.pcapng", 120), ":")
	salted, err := hex.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha1.Sum(append(salted, "secret1"...)); hex.EncodeToString(sum[:]) != digest {
		t.Errorf("UsernameToken: the digest is %s, want %x", digest, sum)
	}
}

// TestHashFiles: hashcat tries one digest of an account and realm in a file,
// so one that worked takes the place of one that did not, and what is left out
// is told.
func TestHashFiles(t *testing.T) {
	line := func(account, nonce, worked string) *record.Credential {
		text := fmt.Sprintf("$sip$***%s*r*GET**/**%s****MD5*00", account, nonce)
		return &record.Credential{Account: account, Realm: "r", Worked: worked, Mechanism: "Digest", Exposure: record.ExposureCrackable,
			Hash: record.NewSecret(text, ""), HashMode: hashSIP}
	}
	path := filepath.Join(t.TempDir(), "h.txt")
	h := newHashFiles(path)
	for _, c := range []*record.Credential{
		line("alice", "1", "no"), line("bob", "2", "yes"), line("alice", "3", "yes"), line("alice", "3", "yes"), line("alice", "4", "no"),
		{Mechanism: "SCRAM-SHA-256", Exposure: record.ExposureCrackable}, {Mechanism: "SCRAM-SHA-256", Exposure: record.ExposureCrackable},
		{Mechanism: "PLAIN", Exposure: record.ExposureClear},
	} {
		h.add(c)
	}
	var notes []string
	if err := h.write(func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(strings.TrimSuffix(path, ".txt") + ".11400.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$sip$***alice*r*GET**/**3****MD5*00\n$sip$***bob*r*GET**/**2****MD5*00\n"; string(b) != want {
		t.Errorf("wrote\n%swant\n%s", b, want)
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{"left out 2 HTTP digests", "left out 2 of SCRAM-SHA-256: none of the formats holds it"} {
		if !strings.Contains(all, want) {
			t.Errorf("it says\n%s\nwant it to say %q", all, want)
		}
	}
	if strings.Contains(all, "PLAIN") {
		t.Errorf("a password in the clear was counted as a digest:\n%s", all)
	}
}
