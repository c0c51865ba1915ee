package ssh

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/content"
	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

// hole is a stretch of a direction's bytes that the capture lacks.
type hole struct {
	dir     dissect.Dir
	from, n int
	unsized bool // how many bytes are missing is not known
}

// lossy gives what passed to the dissector but for the holes.
func lossy(t *testing.T, said []spoken, log *KeyLog, piece int, holes ...hole) []record.Record {
	t.Helper()
	var records []record.Record
	bodies := content.New(content.Config{Keep: 1 << 10})
	defer bodies.Close()
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{Config{Keys: log}.Protocol()}, Inline: true, Secrets: record.NewKeyer([]byte("test")), Content: bodies,
		Sink: record.SinkFunc(func(r record.Record) error { records = append(records, r); return nil }),
	})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := e.Open(flow.Conn{
		Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("192.0.2.20:22"), Start: now, Oriented: true,
	})
	var at [2]int
	for i, m := range said {
		now = now.Add(time.Millisecond)
		stamp := record.Stamp{Time: now, Packet: uint64(i + 1)}
		for b := m.b; len(b) > 0; {
			n := min(len(b), piece)
			missing := false
			for _, h := range holes {
				if h.dir != m.dir {
					continue
				}
				switch {
				case at[m.dir] < h.from:
					n = min(n, h.from-at[m.dir])
				case at[m.dir] < h.from+h.n:
					n, missing = min(n, h.from+h.n-at[m.dir]), true
					if at[m.dir] == h.from {
						size := int64(h.n)
						if h.unsized {
							size = -1
						}
						s.Gap(m.dir, size, stamp)
					}
				}
			}
			if !missing {
				s.Data(m.dir, b[:n], stamp)
			}
			at[m.dir] += n
			b = b[n:]
		}
	}
	s.Close(record.EndClosed, "client", record.Stamp{Time: now})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return records
}

// bulkFrom is where the bulk of the server's data begins, and how much there is.
func bulkFrom(said []spoken) (from, n int) {
	at := 0
	for _, m := range said {
		if m.dir != dissect.ServerToClient {
			continue
		}
		if len(m.b) > 2000 && from == 0 {
			from = at
		}
		at += len(m.b)
	}
	return from, at - from
}

// TestResumeBehindHole loses parts of a command's output. What comes behind is
// read where the cipher allows it, and where not this is said.
func TestResumeBehindHole(t *testing.T) {
	for _, c := range []struct {
		cipher, mac string
		unsized     bool // goes on behind a hole whose size is not known, too
	}{
		{"aes128-gcm@openssh.com", "", true},
		{"chacha20-poly1305@openssh.com", "", true},
		{"aes128-ctr", "hmac-sha2-256-etm@openssh.com", false},
		{"aes256-ctr", "hmac-sha2-512-etm@openssh.com", false},
		{"aes128-ctr", "hmac-sha2-256", false},
		{"aes192-ctr", "hmac-sha1-96", false},
	} {
		t.Run(c.cipher+" "+c.mac, func(t *testing.T) {
			config := ssh.Config{Ciphers: []string{c.cipher}, KeyExchanges: []string{"curve25519-sha256"}}
			if c.mac != "" {
				config.MACs = []string{c.mac}
			}
			talk := converse(t, config, config, command(t, "bulk"))
			log := talk.keyLog(t, false)
			from, size := bulkFrom(talk.said)
			if size < 60<<10 {
				t.Fatalf("%d bytes of bulk", size)
			}
			for _, holes := range [][]hole{
				{{dissect.ServerToClient, from + 3, 1, false}},
				{{dissect.ServerToClient, from + 100, 1448, false}},
				{{dissect.ServerToClient, from, 20000, false}},
				{{dissect.ServerToClient, from + 5000, 40000, false}},
				{{dissect.ServerToClient, from + 1000, 1448, false}, {dissect.ServerToClient, from + 4000, 1448, false}},
				{{dissect.ServerToClient, from + 1000, 1448, true}},
			} {
				for _, piece := range []int{1448, 7} {
					records := lossy(t, talk.said, log, piece, holes...)
					if holes[0].unsized && !c.unsized {
						wantLost(t, records)
					} else {
						wantResumed(t, records)
					}
				}
			}
		})
	}
}

func wantResumed(t *testing.T, records []record.Record) {
	t.Helper()
	told := 0
	for _, a := range pick[*record.Anomaly](records) {
		if a.Code != "ssh_packets_lost" {
			t.Errorf("anomaly %s", a.Summary())
		}
		told++
	}
	if told == 0 {
		t.Error("nothing is said of the packets that are missing")
	}
	ch := pick[*record.SSHChannel](records)
	if len(ch) != 1 || ch[0].ExitStatus == nil || *ch[0].ExitStatus != 3 || ch[0].Errors == nil || string(ch[0].Errors.Kept) != testErrors {
		t.Fatalf("channel %+v, want one with its end", ch)
	}
	c := ch[0]
	if c.Output == nil {
		t.Error("no output")
	} else if !c.Output.Partial || !strings.Contains(c.Reason, "packets are missing") {
		t.Errorf("output of %d bytes is said to be whole; reason %s", c.Output.Size, c.Reason)
	}
}

func wantLost(t *testing.T, records []record.Record) {
	t.Helper()
	ended := 0
	for _, a := range pick[*record.Anomaly](records) {
		if a.Code == "ssh_decryption_ended" && strings.Contains(a.Detail, "not captured") {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("that decryption ended is told %d times", ended)
	}
	c := pick[*record.SSHChannel](records)
	if len(c) != 1 || c[0].ExitStatus != nil || !strings.Contains(c[0].Reason, "only up to") {
		t.Errorf("channel %+v, want one that ends at the hole", c)
	}
}

// TestNoWayBackIn: with CBC nothing is read behind a hole, and nothing claimed.
func TestNoWayBackIn(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"aes128-cbc"}, MACs: []string{"hmac-sha1"}, KeyExchanges: []string{"curve25519-sha256"}}
	talk := converse(t, config, config, command(t, "bulk"))
	from, _ := bulkFrom(talk.said)
	wantLost(t, lossy(t, talk.said, talk.keyLog(t, false), 1448, hole{dissect.ServerToClient, from + 100, 1448, false}))
}

// TestResumeAtEveryHole loses each stretch behind the key exchange in turn:
// nothing is read that was not said, and most of the rest is read.
func TestResumeAtEveryHole(t *testing.T) {
	config := ssh.Config{Ciphers: []string{"chacha20-poly1305@openssh.com"}, KeyExchanges: []string{"curve25519-sha256"}}
	talk := converse(t, config, config, command(t, "id"))
	log := talk.keyLog(t, false)
	var total [2]int
	for _, m := range talk.said {
		total[m.dir] += len(m.b)
	}
	// What is claimed is checked; that some is claimed shows in the results.
	results := map[string]int{}
	for dir := range total {
		for from := 0; from+60 < total[dir]; from += 30 {
			records := lossy(t, talk.said, log, 1448, hole{dissect.Dir(dir), from, 60, false})
			for _, a := range pick[*record.SSHAuth](records) {
				if !a.Inferred && a.User != "" && a.User != "alice" {
					t.Errorf("hole at %d of direction %d: user %q", from, dir, a.User)
				}
				if !a.Inferred {
					results[a.Result]++
				}
			}
			for _, c := range pick[*record.Credential](records) {
				if s := c.Secret.Clear(); s != "wrong" && s != "secret1" || s == "wrong" && c.Worked == "yes" {
					t.Errorf("hole at %d of direction %d: password %q, worked: %s", from, dir, s, c.Worked)
				}
			}
			for _, c := range pick[*record.SSHChannel](records) {
				if !c.Inferred && c.Output != nil && !c.Output.Partial && !bytes.Equal(c.Output.Kept, []byte(testOutput)) {
					t.Errorf("hole at %d of direction %d: output %q", from, dir, c.Output.Kept)
				}
			}
		}
	}
	if results["accepted"] < results["refused"]+results["none"] {
		t.Errorf("logins by result: %v", fmt.Sprint(results))
	}
}

// FuzzResume looks for packets in anything, under keys of each kind: it ends,
// and it claims nothing.
func FuzzResume(f *testing.F) {
	f.Add(uint8(0), int64(100), []byte("\x00\x00\x00\x10aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccccccccccc"))
	f.Add(uint8(3), int64(64), bytes.Repeat([]byte{0, 0, 0, 12}, 40))
	kinds := [][2]string{
		{"aes128-gcm@openssh.com", ""}, {"chacha20-poly1305@openssh.com", ""}, {"aes128-ctr", "hmac-sha2-256-etm@openssh.com"},
		{"aes128-ctr", "umac-64@openssh.com"}, {"aes256-ctr", "hmac-sha1-96"}, {"3des-ctr", "hmac-md5"},
	}
	f.Fuzz(func(t *testing.T, kind uint8, lost int64, b []byte) {
		k := kinds[int(kind)%len(kinds)]
		o, _, err := newOpener(&secrets{newHash: sha256.New, shared: []byte{1}, h: []byte{2}, session: []byte{3}}, k[0], k[1], 0)
		if err != nil {
			t.Fatal(err)
		}
		w := &way{opener: o, search: &search{lost: max(lost, -1)}}
		if !o.(resumer).resumable(lost >= 0) {
			return
		}
		given := 0
		for n := 1; given < len(b); n = min(2*n, len(b)-given) {
			before := w.search.tried
			plain, _, from, _ := w.find(b[given : given+n])
			if plain != nil {
				t.Fatalf("a packet was found in %d bytes", n)
			}
			if from < 0 || from > n || len(w.search.pending) > maxPending {
				t.Fatalf("%d of %d bytes, %d candidates", from, n, len(w.search.pending))
			}
			if given += from; from == 0 && n == len(b)-given && w.search.tried == before {
				return
			}
		}
	})
}
