package ssh

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestHostKeyAgreesWithKeygen compares type, size, both fingerprints and the
// picture with what ssh-keygen says of keys that it makes.
func TestHostKeyAgreesWithKeygen(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	for _, args := range [][]string{{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "rsa", "-b", "2048"}} {
		file := filepath.Join(t.TempDir(), "key")
		if out, err := exec.Command(keygen, append(args, "-q", "-N", "", "-C", "x", "-f", file)...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		public, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		blob, err := base64.StdEncoding.DecodeString(strings.Fields(string(public))[1])
		if err != nil {
			t.Fatal(err)
		}
		k := readHostKey(blob)
		out, err := exec.Command(keygen, "-lv", "-f", file+".pub").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if want := strconv.Itoa(k.Bits) + " " + k.SHA256 + " x (" + k.Type + ")"; lines[0] != want {
			t.Errorf("%v: %q, ssh-keygen says %q", args, want, lines[0])
		}
		if got, want := strings.Join(k.Randomart(), "\n"), strings.Join(lines[1:], "\n"); got != want {
			t.Errorf("%v: picture\n%s\nssh-keygen draws\n%s", args, got, want)
		}
		md5, err := exec.Command(keygen, "-l", "-E", "md5", "-f", file+".pub").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(md5, []byte("MD5:"+k.MD5)) {
			t.Errorf("%v: MD5 %s, ssh-keygen says %s", args, k.MD5, md5)
		}
	}
}
