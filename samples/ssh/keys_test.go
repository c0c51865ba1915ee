package ssh_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"sniff/capture"
	"sniff/dissect"
	"sniff/dissect/sftp"
	"sniff/dissect/ssh"
	"sniff/flow"
	"sniff/record"
)

// readKeyed returns what the recording shows with the key log beside it, in
// words.
func readKeyed(t *testing.T, name string) (said []string) {
	t.Helper()
	f, err := os.Open(name + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys, err := ssh.ReadKeyLog(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := capture.OpenFiles([]string{name + ".pcapng"}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	digest := func(c *record.Content) string {
		if c == nil {
			return "nothing"
		}
		return c.SHA256
	}
	e := flow.New(flow.Config{
		Inline: true, Protocols: []dissect.Protocol{ssh.Config{Keys: keys}.Protocol(), sftp.Protocol(), sftp.SCP()},
		Sink: record.SinkFunc(func(r record.Record) error {
			switch r := r.(type) {
			case *record.SSHAuth:
				said = append(said, fmt.Sprintf("login %s by %s %s, %s", r.User, r.Method, r.Result, r.Reason))
			case *record.SSHChannel:
				exit := "-"
				if r.ExitStatus != nil {
					exit = fmt.Sprint(*r.ExitStatus)
				}
				said = append(said, fmt.Sprintf("%s %s%s%s exit %s, input %s, output %s, errors %s", r.What, r.Command, r.Subsystem, r.Target, exit,
					digest(r.Input), digest(r.Output), digest(r.Errors)))
			case *record.SFTPTransfer:
				said = append(said, fmt.Sprintf("%s %s %s %s", r.Direction, r.Path, r.Outcome, digest(r.Content)))
			case *record.Credential:
				said = append(said, fmt.Sprintf("%s of %s worked: %s, %s", r.Mechanism, r.Account, r.Worked, r.Secret.Clear()))
			case *record.Anomaly:
				said = append(said, r.Summary())
			}
			return nil
		}),
	})
	var seg capture.Segment
	for {
		if err := r.Next(&seg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e.Segment(&seg)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return said
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// lines is what seq prints.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// versioned is what lftp did in one version of SFTP.
func versioned(version int) []string {
	return []string{
		"password of alice worked: yes, secret1",
		"login alice by password accepted, decrypted",
		"listing / complete nothing",
		"download /numbers.txt complete " + sum(lines(500)),
		// Made by openssl, see record.sh.
		fmt.Sprintf("upload /up-%d.bin complete 1082a56973a431eef7b4ed67338ffdb26ccd49c19b37a627de077a2f148b6e6e", version),
		"download /no-such-file refused nothing",
		"sftp sftp exit -, input nothing, output nothing, errors nothing",
	}
}

// TestKeyed wants commands, outputs and files as they were, byte for byte.
func TestKeyed(t *testing.T) {
	file := sum(lines(8000))
	for name, want := range map[string][]string{
		"keys-sftp": {
			"login alice by publickey accepted, decrypted",
			"upload numbers.txt complete " + file,
			"download numbers.txt complete " + file,
			"download /etc/shadow refused nothing",
			"sftp sftp exit 0, input nothing, output nothing, errors nothing",
		},
		"keys-sftp-resumed": {
			"login alice by publickey accepted, decrypted",
			"upload /home/alice/resumed.txt aborted " + sum(lines(8000)[:19287]),
			"sftp sftp exit -, input nothing, output nothing, errors nothing",
			"login alice by publickey accepted, decrypted",
			"upload /home/alice/resumed.txt complete " + sum(lines(8000)[16000:]),
			"sftp sftp exit 0, input nothing, output nothing, errors nothing",
			"login alice by publickey accepted, decrypted",
			"download /home/alice/resumed.txt aborted " + sum(lines(8000)[:24000]),
			"sftp sftp exit -, input nothing, output nothing, errors nothing",
			"login alice by publickey accepted, decrypted",
			"download /home/alice/resumed.txt complete " + sum(lines(8000)[16000:]),
			"sftp sftp exit 0, input nothing, output nothing, errors nothing",
		},
		"keys-sftp-versions": slices.Concat(versioned(4), versioned(5), versioned(6)),
		"keys-scp": {
			"password of alice worked: yes, secret1",
			"login alice by password accepted, decrypted",
			"upload numbers.txt complete " + file,
			"file_transfer scp -t up.txt exit 0, input nothing, output nothing, errors nothing",
			"download up.txt complete " + file,
			"file_transfer scp -f up.txt exit 0, input nothing, output nothing, errors nothing",
		},
		"keys-command": {
			"login alice by publickey accepted, decrypted",
			"exec echo done; echo oops >&2; exit 3 exit 3, input nothing, output " + sum("done\n") + ", errors " + sum("oops\n"),
			"exec cat exit 0, input " + sum("fed\n") + ", output " + sum("fed\n") + ", errors nothing",
		},
		"keys-umac": {
			"login alice by publickey accepted, decrypted",
			"exec seq 3000 exit 0, input nothing, output " + sum(lines(3000)) + ", errors nothing",
		},
		"keys-legacy": {
			"login alice by publickey accepted, decrypted",
			"exec id -un exit 0, input nothing, output " + sum("alice\n") + ", errors nothing",
		},
		"keys-kbdint": {
			"keyboard-interactive of alice worked: yes, secret1",
			"login alice by keyboard-interactive accepted, decrypted",
			"exec id -un exit 0, input nothing, output " + sum("alice\n") + ", errors nothing",
		},
	} {
		if got := readKeyed(t, name); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// What a terminal shows depends on timing; what was typed does not.
	got := readKeyed(t, "keys-tunnel")
	if len(got) != 3 || got[1] != "tunnel 127.0.0.1:2222 exit -, input nothing, output nothing, errors nothing" ||
		!strings.HasPrefix(got[2], "interactive  exit 0, input "+sum("seq 6000 | tail -c 30000\nexit\n")) {
		t.Errorf("keys-tunnel:\n%s", strings.Join(got, "\n"))
	}
}
