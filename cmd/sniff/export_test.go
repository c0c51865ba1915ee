package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exported runs an export of everything asked for and returns the files by
// their path in the folder.
func exported(t *testing.T, args ...string) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	_, stderr, status := sniff(t, nil, append([]string{"export", "-q", "-w", dir}, args...)...)
	if status != exitDone || stderr != "" {
		t.Fatalf("export %v: exit status %d, standard error %q", args, status, stderr)
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestExportMail holds that exported mail is byte for byte what the client of
// the samples made, dots and all (samples/smtp/client.py).
func TestExportMail(t *testing.T) {
	fixedKey(t)
	for _, name := range []string{"pipelined", "bdat-zero-last", "several-messages"} {
		files := exported(t, "--mail", "../../samples/smtp/"+name+".pcapng")
		mails := 0
		for path, b := range files {
			if !strings.HasSuffix(path, ".eml") {
				continue
			}
			mails++
			n := regexp.MustCompile(`Subject: Message (\d)`).FindSubmatch(b)
			if n == nil {
				t.Fatalf("%s: %s has no subject", name, path)
			}
			want := fmt.Sprintf("From: Alice <alice@client.example>\r\nTo: Bob <bob@server.example>\r\nSubject: Message %[1]s\r\n"+
				"Message-ID: <%[1]s@client.example>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0000\r\n"+
				"Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\nMIME-Version: 1.0\r\n\r\n"+
				"This is message %[1]s.\r\n.\r\n..two dots\r\n", n[1])
			if string(b) != want {
				t.Errorf("%s: %s is not what was sent:\n%q\nwant\n%q", name, path, b, want)
			}
		}
		if want := map[string]int{"pipelined": 2, "bdat-zero-last": 1, "several-messages": 4}[name]; mails != want {
			t.Errorf("%s: %d messages, want %d", name, mails, want)
		}
	}
}

// TestExportFiles holds that exported files are those that were moved
// (samples/ftp/record.sh).
func TestExportFiles(t *testing.T) {
	fixedKey(t)
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 40000)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(random, random)
	var numbers bytes.Buffer
	for i := range 500 {
		fmt.Fprintln(&numbers, i+1)
	}
	for _, c := range []struct {
		sample, ending string
		want           []byte
	}{
		{"passive-download", "-random.bin", random},
		{"active-upload", "-uploaded.txt", numbers.Bytes()},
	} {
		found := false
		for path, b := range exported(t, "--files", "../../samples/ftp/"+c.sample+".pcapng") {
			if strings.HasSuffix(path, c.ending) {
				found = true
				if !bytes.Equal(b, c.want) {
					t.Errorf("%s: %s is not what was sent (%d bytes, want %d)", c.sample, path, len(b), len(c.want))
				}
			}
		}
		if !found {
			t.Errorf("%s: no file %s was exported", c.sample, c.ending)
		}
	}
}

// An upload and a download by OpenSSH's sftp that were cut, and gone on with by
// reput and reget, are the file that the client has and got back, which it has
// compared (samples/ssh/record.sh).
func TestExportResumedSFTP(t *testing.T) {
	var want bytes.Buffer
	for i := range 8000 {
		fmt.Fprintln(&want, i+1)
	}
	sample := "../../samples/ssh/keys-sftp-resumed"
	for path, b := range exported(t, "--files", "--ssh-keylog", sample+".keys", sample+".pcapng") {
		switch {
		case path == "index.jsonl":
			if n := bytes.Count(b, []byte(`"outcome":"aborted"}`)); n != 2 || bytes.Count(b, []byte("\n")) != 1 {
				t.Errorf("the index has %d parts of cut transfers, want 2 in one line:\n%s", n, b)
			}
		case !bytes.Equal(b, want.Bytes()):
			t.Errorf("%s is not the file: %d bytes, want %d", path, len(b), want.Len())
		}
	}
}

// TestExportStreams holds that the streams are what each side sent.
func TestExportStreams(t *testing.T) {
	fixedKey(t)
	files := exported(t, "--streams", "../../samples/smtp/auth-plain.pcapng")
	var client, server []byte
	for path, b := range files {
		switch {
		case strings.HasSuffix(path, "-client"):
			client = b
		case strings.HasSuffix(path, "-server"):
			server = b
		}
	}
	if !bytes.HasPrefix(client, []byte("EHLO ")) || !bytes.HasSuffix(client, []byte("QUIT\r\n")) {
		t.Errorf("the client's stream is %q", client)
	}
	if !bytes.HasPrefix(server, []byte("220 ")) || !bytes.Contains(server, []byte("\r\n221 ")) {
		t.Errorf("the server's stream is %q", server)
	}
}

// TestExportCapture holds that a capture of all sessions gives the records of
// the original, and one of a chosen session those of that session.
func TestExportCapture(t *testing.T) {
	fixedKey(t)
	for _, path := range samples(t) {
		out := filepath.Join(t.TempDir(), "out.pcapng")
		if _, stderr, status := sniff(t, nil, "export", "-q", "--pcap", "-w", out, path); status != exitDone {
			t.Errorf("%s: exit status %d, %s", path, status, stderr)
			continue
		}
		args := append([]string{"read", "-o", "jsonl"}, keysOf(path)...)
		want, _, _ := sniff(t, nil, append(args, path)...)
		got, _, _ := sniff(t, nil, append(args, out)...)
		if want == "" || renumbered(want) != renumbered(got) {
			t.Errorf("%s: the exported capture gives other records", path)
		}
	}
}

var packetNumber = regexp.MustCompile(`"packet":\d+`)

// renumbered takes out the packet numbers, which are those of the capture.
func renumbered(s string) string { return packetNumber.ReplaceAllString(s, "") }

// TestExportChosen holds that --where and --session pick sessions, with the
// data connections that belong to them, and nothing else.
func TestExportChosen(t *testing.T) {
	fixedKey(t)
	inputs := []string{"../../samples/ftp/passive-download.pcapng", "../../samples/smtp/plain.pcapng", "../../samples/soap/soap11.pcapng"}
	for _, c := range []struct {
		choice []string
		want   string // file whose records are to come out
	}{
		{[]string{"--where", `kind == "ftp.transfer"`}, inputs[0]},
		{[]string{"--where", `kind == "smtp.message"`}, inputs[1]},
		{[]string{"--where", `protocol == "http"`}, inputs[2]},
	} {
		out := filepath.Join(t.TempDir(), "out.pcapng")
		args := append([]string{"export", "-q", "--pcap", "-w", out}, c.choice...)
		if _, stderr, status := sniff(t, nil, append(args, inputs...)...); status != exitDone {
			t.Fatalf("%v: exit status %d, %s", c.choice, status, stderr)
		}
		want, _, _ := sniff(t, nil, "read", "-o", "jsonl", c.want)
		got, _, _ := sniff(t, nil, "read", "-o", "jsonl", out)
		if renumbered(want) != renumbered(got) {
			t.Errorf("%v gives other records than %s", c.choice, c.want)
		}
	}
}
