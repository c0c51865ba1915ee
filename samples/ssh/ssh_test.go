// Package ssh_test holds what is inferred from the SSH recordings against what
// really happened, and our fingerprints against tshark's.
package ssh_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/dissect/ssh"
	"sniff/flow"
	"sniff/record"
)

// read returns the SSH records of a recording.
func read(t *testing.T, file string) (hs *record.SSHHandshake, auth *record.SSHAuth, channel *record.SSHChannel) {
	t.Helper()
	each(t, file, func(r record.Record) {
		switch r := r.(type) {
		case *record.SSHHandshake:
			hs = r
		case *record.SSHAuth:
			auth = r
		case *record.SSHChannel:
			channel = r
		}
	})
	return hs, auth, channel
}

// each gives the records of a recording to see.
func each(t *testing.T, file string, see func(record.Record)) {
	t.Helper()
	r, err := capture.OpenFiles([]string{file}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e := flow.New(flow.Config{Inline: true, Protocols: []dissect.Protocol{ssh.Protocol()}, Sink: record.SinkFunc(func(r record.Record) error {
		see(r)
		return nil
	})})
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
}

// TestInference scores the inference on both sets of recordings. Each miss
// that is known stands here with its reason; the numbers are those of
// docs/ssh-inference.md.
func TestInference(t *testing.T) {
	cases := score(t, "truth.txt", map[string]string{
		"rekey": "a command whose output is a file looks like a transfer, and says so with low confidence",
	})
	cases += score(t, "second.txt", map[string]string{
		"curl-refused":       "libssh2's offer of a key and the end behind it look like two prompts answered wrong",
		"dropbear-refused":   "keys that Dropbear offers count as passwords",
		"go-both":            "Go's request for password has the size of one for keyboard-interactive",
		"go-password":        "the same, and a command with much output looks like a transfer",
		"go-publickey":       "a command with much output looks like a transfer",
		"go-refused":         "as go-both",
		"keys-kbdint":        "AsyncSSH's IGNORE messages in between, with another MAC than the first set has",
		"keys-scp":           "AsyncSSH, several channels in one connection",
		"keys-sftp":          "AsyncSSH with compression",
		"keys-sftp-resumed":  "the same",
		"keys-sftp-versions": "the same",
		"keys-tunnel":        "AsyncSSH, a tunnel and a terminal in one connection",
		"pipe-in":            "a command that is fed a file is a transfer in all but name",
		"pscp":               "PuTTY asks for keyboard-interactive on the way, which counts as a failure",
		"psftp":              "the same",
		"remote-forward":     "the request to listen is as large as one to connect",
	})
	files, err := filepath.Glob("*.pcapng")
	if err != nil || len(files) != cases {
		t.Errorf("%d recordings, %d lines of truth (%v)", len(files), cases, err)
	}
}

func score(t *testing.T, truth string, known map[string]string) (cases int) {
	t.Helper()
	b, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	var hits [4]int
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 5 || f[0] == "#" {
			continue
		}
		cases++
		_, auth, channel := read(t, f[0]+".pcapng")
		got := []string{"-", "-", "0", "-"}
		if auth != nil {
			got[0], got[1], got[2] = auth.Result, auth.Method, fmt.Sprint(auth.Failures)
		}
		if channel != nil {
			got[3] = channel.What
		}
		right := true
		for i := range got {
			if got[i] == f[1+i] {
				hits[i]++
			} else {
				right = false
			}
		}
		if right && known[f[0]] != "" {
			t.Errorf("%s: is right now; take it off the list of misses", f[0])
		}
		if !right && known[f[0]] == "" {
			t.Errorf("%s: inferred %s, was %s", f[0], strings.Join(got, " "), strings.Join(f[1:], " "))
		}
	}
	t.Logf("%s: of %d right are result %d, method %d, failures %d, session %d", truth, cases, hits[0], hits[1], hits[2], hits[3])
	return cases
}

// TestTimeline: each recording has its whole course, in order of time.
func TestTimeline(t *testing.T) {
	files, err := filepath.Glob("*.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		lines := timelines(t, file)
		if len(lines) == 0 {
			t.Errorf("%s: no timeline", file)
			continue
		}
		p := lines[0].Phases
		if p[0].Name != "connect" || p[len(p)-1].Name != "end" {
			t.Errorf("%s: from %s to %s, want connect to end", file, p[0].Name, p[len(p)-1].Name)
		}
		for i := range p[1:] {
			if p[i+1].Time.Before(p[i].Time) {
				t.Errorf("%s: %s before %s", file, p[i+1].Name, p[i].Name)
			}
		}
		if len(lines[0].Lines()) != 1 || len(lines[0].Lines()[0].Fold) != len(p) {
			t.Errorf("%s: the picture does not show %d phases", file, len(p))
		}
	}
	var names []string
	for _, p := range timelines(t, "publickey-exec.pcapng")[0].Phases {
		names = append(names, p.Name)
	}
	want := "connect identification key_exchange host_key new_keys service authentication session data end"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("phases %s, want %s", got, want)
	}
}

func timelines(t *testing.T, file string) (lines []*record.SSHTimeline) {
	t.Helper()
	each(t, file, func(r record.Record) {
		if l, ok := r.(*record.SSHTimeline); ok {
			lines = append(lines, l)
		}
	})
	return lines
}

// TestRekey: a renewed exchange shows where lengths do.
func TestRekey(t *testing.T) {
	_, _, channel := read(t, "rekey.pcapng")
	if channel == nil || channel.Rekeys != 1 {
		t.Errorf("channel %+v, want one renewed key exchange", channel)
	}
}

func TestHASSHAgreesWithTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	// One recording of each client and server: tshark takes its time to start.
	for _, file := range []string{"asyncssh.pcapng", "dropbear-client.pcapng", "dropbear-server.pcapng", "paramiko.pcapng", "plink.pcapng", "tinysshd.pcapng"} {
		out, err := exec.Command(tshark, "-r", file, "-d", "tcp.port==2300,ssh", "-d", "tcp.port==2400,ssh", "-d", "tcp.port==2500,ssh", "-Y", "ssh.kex.hassh || ssh.kex.hasshserver", "-T", "fields", "-e", "ssh.kex.hassh", "-e", "ssh.kex.hasshserver").Output()
		if err != nil {
			t.Fatalf("tshark %s: %v", file, err)
		}
		hs, _, _ := read(t, file)
		sums := strings.Fields(string(out))
		if len(sums) == 0 {
			t.Errorf("%s: tshark has no HASSH", file)
		}
		for _, sum := range sums {
			if hs == nil || sum != hs.HASSH && sum != hs.HASSHServer {
				t.Errorf("%s: tshark has %s", file, sum)
			}
		}
	}
}

// BenchmarkHandshakes plays one whole connection again and again under other
// ports: bytes are those of the packets.
func BenchmarkHandshakes(b *testing.B) {
	r, err := capture.OpenFiles([]string{"publickey-exec.pcapng"}, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var segs []capture.Segment
	var seg capture.Segment
	for r.Next(&seg) == nil {
		segs = append(segs, seg)
		segs[len(segs)-1].Payload = slices.Clone(seg.Payload)
	}
	if len(segs) == 0 {
		b.Fatal("no segments")
	}
	bytes := int64(0)
	for _, s := range segs {
		bytes += int64(len(s.Payload)) + 66
	}
	client := segs[0].Src
	records := 0
	e := flow.New(flow.Config{Protocols: []dissect.Protocol{ssh.Protocol()}, Sink: record.SinkFunc(func(record.Record) error {
		records++
		return nil
	})})
	b.SetBytes(bytes)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		port := netip.AddrPortFrom(client.Addr(), uint16(1024+n%60000))
		for _, s := range segs {
			s.Time = s.Time.Add(time.Duration(n) * time.Second)
			if s.Src == client {
				s.Src = port
			} else {
				s.Dst = port
			}
			e.Segment(&s)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	if records < 4*n {
		b.Fatalf("%d records of %d connections", records, n)
	}
}
