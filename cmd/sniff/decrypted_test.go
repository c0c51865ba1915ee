package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decrypted exports the plaintext of a sample that has a key log beside it,
// and returns the capture and what was noted.
func decrypted(t *testing.T, sample string) (path, notes string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "plain.pcapng")
	stdout, stderr, status := sniff(t, nil, "export", "--decrypted", "--keylog", "../../samples/"+sample+".keys", "-w", path, "../../samples/"+sample+".pcapng")
	if status != exitDone || stdout != "" {
		t.Fatalf("%s: exit status %d, standard output %q, standard error %q", sample, status, stdout, stderr)
	}
	return path, stderr
}

var saidLine = regexp.MustCompile(`^ *[0-9.]* *([CS] .*)$`)

// dialogueOf returns the lines of a dialogue that the peers said.
func dialogueOf(t *testing.T, args ...string) (said []string) {
	t.Helper()
	stdout, stderr, status := sniff(t, nil, append([]string{"show", "-q", "--reveal"}, args...)...)
	if status != exitDone {
		t.Fatalf("show %v: %s", args, stderr)
	}
	for line := range strings.Lines(stdout) {
		if m := saidLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			said = append(said, m[1])
		}
	}
	if len(said) < 3 {
		t.Fatalf("show %v: only %q was said", args, said)
	}
	return said
}

// TestDecryptedIsTheClearDialogue wants the plaintext of a mail that was sent
// inside of TLS to be the dialogue of the same mail in the clear.
func TestDecryptedIsTheClearDialogue(t *testing.T) {
	fixedKey(t)
	want := dialogueOf(t, "../../samples/tls/clear.pcapng")
	for _, sample := range []string{"tls/tls13", "tls/tls12-gcm", "tls/tls10-cbc"} {
		path, notes := decrypted(t, sample)
		if got := dialogueOf(t, path); !slices.Equal(got, want) {
			t.Errorf("%s: the dialogue is\n%s\nin the clear\n%s", sample, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if !strings.Contains(notes, "wrote the plaintext of 1 of 1 session to") || !strings.Contains(notes, ",smtp\n") {
			t.Errorf("%s: notes %q", sample, notes)
		}
	}
}

// TestDecryptedWithoutTheAgreement wants the words that agree on TLS left out,
// and in SMTP what TLS makes void; the file transfers stay what they were.
func TestDecryptedWithoutTheAgreement(t *testing.T) {
	fixedKey(t)
	agreement := regexp.MustCompile(`^(C AUTH (TLS|SSL)|S 234 .*)$`)
	for _, sample := range []string{"tls/starttls", "smtp/starttls", "ftp/ftps-explicit", "ftp/ftps-implicit", "ftp/ftps-resumed", "ftp/ftps-data-in-clear"} {
		want := dialogueOf(t, "--keylog", "../../samples/"+sample+".keys", "../../samples/"+sample+".pcapng")
		path, _ := decrypted(t, sample)
		got := dialogueOf(t, path)
		if strings.HasPrefix(sample, "ftp/") {
			want = slices.DeleteFunc(want, agreement.MatchString)
		} else { // the greeting, and all behind the agreement
			i := slices.IndexFunc(want, func(s string) bool { return s == "C STARTTLS" })
			want = append(want[:1:1], want[i+2:]...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the dialogue is\n%s\nwant\n%s", sample, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestTsharkReadsTheDecrypted wants another tool to find the protocols in it.
func TestTsharkReadsTheDecrypted(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	fixedKey(t)
	for _, c := range []struct{ sample, field, want string }{
		{"tls/starttls", "smtp.req.command", "EHLO MAIL RCPT DATA QUIT"},
		{"tls/starttls", "imf.subject", "Minutes"},
		{"tls/tls13", "smtp.req.command", "EHLO MAIL RCPT DATA QUIT"},
		{"tls/https", "http.request.method", "POST"},
		{"tls/https", "http.response.code", "200"},
		{"tls/https-connect", "http.request.method", "POST"},
		{"tls/postfix", "smtp.req.command", "EHLO MAIL RCPT DATA QUIT"},
		{"ftp/ftps-implicit", "ftp.request.command", "USER PASS PBSZ PROT PWD EPSV TYPE SIZE RETR QUIT"},
		{"ftp/ftps-implicit", "ftp-data.setup-method", "EPASV"},
		{"ftp/ftps-explicit", "ftp-data.setup-method", "EPASV"},
	} {
		path, notes := decrypted(t, c.sample)
		args := []string{"-r", path, "-T", "fields", "-e", c.field}
		if _, hint, ok := strings.Cut(notes, path+" -d "); ok { // as it says to do
			args = append(args, "-d", strings.Fields(hint)[0])
		}
		out, err := exec.Command("tshark", args...).Output()
		if err != nil {
			t.Fatalf("tshark %v: %v", args, err)
		}
		if got := strings.Join(slices.Compact(strings.Fields(string(out))), " "); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: tshark reads %s %q, want %q", c.sample, c.field, got, c.want)
		}
	}
}
