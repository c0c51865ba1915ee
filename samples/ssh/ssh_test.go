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
	r, err := capture.OpenFiles([]string{file}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e := flow.New(flow.Config{Inline: true, Protocols: []dissect.Protocol{ssh.Protocol()}, Sink: record.SinkFunc(func(r record.Record) error {
		switch r := r.(type) {
		case *record.SSHHandshake:
			hs = r
		case *record.SSHAuth:
			auth = r
		case *record.SSHChannel:
			channel = r
		}
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
	return hs, auth, channel
}

// TestInference scores the inference. Each miss that is known stands here with
// its reason; the numbers are those of docs/ssh-inference.md.
func TestInference(t *testing.T) {
	known := map[string]string{
		"rekey": "a command whose output is a file looks like a transfer, and says so with low confidence",
	}
	b, err := os.ReadFile("truth.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, hits := 0, 0
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
		want := strings.Join(f[1:], " ")
		if strings.Join(got, " ") == want {
			hits++
			if known[f[0]] != "" {
				t.Errorf("%s: is right now; take it off the list of misses", f[0])
			}
			continue
		}
		if known[f[0]] == "" {
			t.Errorf("%s: inferred %s, was %s", f[0], strings.Join(got, " "), want)
		}
	}
	t.Logf("%d of %d sessions are inferred right in everything", hits, cases)
	files, err := filepath.Glob("*.pcapng")
	if err != nil || len(files) != cases {
		t.Errorf("%d recordings, %d lines of truth (%v)", len(files), cases, err)
	}
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
