package sftp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/dissect/sftp"
	"sniff/flow"
	"sniff/record"
)

// copyRun plays an scp run: lines of "C" and "S" with what that side sends.
func copyRun(t *testing.T, lines []string, piece int) (summaries []string, transfers []*record.SFTPTransfer) {
	t.Helper()
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{sftp.SCP()}, Inline: true,
		Sink: record.SinkFunc(func(r record.Record) error {
			switch x := r.(type) {
			case *record.SFTPTransfer:
				transfers = append(transfers, x)
				summaries = append(summaries, x.Summary())
			case *record.SFTPOperation, *record.Anomaly:
				summaries = append(summaries, r.Summary())
			}
			return nil
		}),
	})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := e.Open(flow.Conn{Client: netip.MustParseAddrPort("192.0.2.10:1"), Server: netip.MustParseAddrPort("192.0.2.20:22"), Start: now, Oriented: true, Protocol: "scp"})
	for _, l := range lines {
		now = now.Add(time.Second)
		dir := dissect.ClientToServer
		if l[0] == 'S' {
			dir = dissect.ServerToClient
		}
		for b := []byte(l[1:]); len(b) > 0; {
			n := min(len(b), piece)
			s.Data(dir, b[:n], record.Stamp{Time: now})
			b = b[n:]
		}
	}
	s.Close(record.EndClosed, "client", record.Stamp{Time: now})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return summaries, transfers
}

func TestScp(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"upload", []string{"S\x00", "CC0644 12 a.txt\n", "S\x00", "Chello ", "Cworld\n", "C\x00", "S\x00"}, "upload a.txt 12 B complete"},
		{"download in a folder", []string{"C\x00", "SD0755 0 docs\n", "C\x00", "ST1700000000 0 1700000000 0\n", "C\x00", "SC0644 12 a.txt\n", "C\x00", "Shello world\n", "S\x00", "C\x00",
			"SC0644 0 empty\n", "C\x00", "S\x00", "C\x00", "SE\n", "C\x00"}, "download docs/a.txt 12 B complete\ndownload docs/empty 0 B complete"},
		{"refused", []string{"S\x00", "CC0644 12 a.txt\n", "S\x01scp: /srv/a.txt: Permission denied\n"},
			"scp a.txt failure: scp: /srv/a.txt: Permission denied\nupload a.txt 0 B refused: scp: /srv/a.txt: Permission denied"},
		{"no space", []string{"S\x00", "CC0644 2 a\n", "S\x00", "Cxy\x00", "S\x01scp: a: No space left\n"}, "scp a failure: scp: a: No space left\nupload a 2 B short: scp: a: No space left"},
		{"cut", []string{"S\x00", "CC0644 12 a.txt\n", "S\x00", "Chello "}, "upload a.txt 6 B aborted: the session ended with 6 of 12 bytes"},
	} {
		for _, piece := range []int{1000, 1} {
			got, transfers := copyRun(t, c.lines, piece)
			if strings.Join(got, "\n") != c.want {
				t.Errorf("%s in pieces of %d:\n%s\nwant:\n%s", c.name, piece, strings.Join(got, "\n"), c.want)
			}
			if c.name == "upload" && (len(transfers) != 1 || transfers[0].Content.SHA256 != helloWorld) {
				t.Errorf("the file came out wrong: %+v", transfers)
			}
		}
	}
}

func FuzzScp(f *testing.F) {
	f.Add([]byte("\x00C0644 12 a.txt\nhello world\n\x00"), []byte("\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		copyRun(t, []string{"S" + string(server), "C" + string(client)}, 7)
	})
}
