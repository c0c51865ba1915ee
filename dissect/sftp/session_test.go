package sftp_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/dissect/sftp"
	"sniff/flow"
	"sniff/record"
)

// talk plays packets to a session, each a second behind the one before.
type talk struct {
	s       *flow.Session
	records []record.Record
	now     time.Time
}

func newTalk(t *testing.T) *talk {
	k := &talk{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{sftp.Protocol()}, Inline: true,
		Sink: record.SinkFunc(func(r record.Record) error {
			k.records = append(k.records, r)
			return nil
		}),
	})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	k.s = e.Open(flow.Conn{
		Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("192.0.2.20:22"),
		Start: k.now, Oriented: true, Protocol: "sftp",
	})
	return k
}

func (k *talk) at() record.Stamp {
	k.now = k.now.Add(time.Second)
	return record.Stamp{Time: k.now}
}

// say sends a packet of fields: uint32 and uint64 as they are, strings with
// their length, bytes raw.
func (k *talk) say(dir dissect.Dir, kind byte, fields ...any) {
	k.s.Data(dir, pack(kind, fields...), k.at())
}

func pack(kind byte, fields ...any) []byte {
	b := []byte{0, 0, 0, 0, kind}
	for _, f := range fields {
		switch f := f.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(f))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, f)
		case byte:
			b = append(b, f)
		case string:
			b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
			b = append(b, f...)
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (k *talk) end(t *testing.T) []*record.SFTPTransfer {
	t.Helper()
	k.s.Close(record.EndClosed, "client", k.at())
	var ts []*record.SFTPTransfer
	for _, r := range k.records {
		switch r := r.(type) {
		case *record.SFTPTransfer:
			ts = append(ts, r)
		case *record.Anomaly:
			t.Errorf("anomaly %s", r.Summary())
		}
	}
	return ts
}

func (k *talk) open(version int, path string, flags int) {
	k.say(dissect.ClientToServer, 1, version)
	k.say(dissect.ServerToClient, 2, version)
	if version < 5 {
		k.say(dissect.ClientToServer, 3, 1, path, flags, 0)
	} else {
		k.say(dissect.ClientToServer, 3, 1, path, flags, 2, 0, byte(1))
	}
	k.say(dissect.ServerToClient, 102, 1, "H")
}

const helloWorld = "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"

func TestAnswersOutOfOrder(t *testing.T) {
	k := newTalk(t)
	k.open(3, "/a", 1)
	k.say(dissect.ClientToServer, 5, 10, "H", uint64(0), 6)
	k.say(dissect.ClientToServer, 5, 11, "H", uint64(6), 6)
	k.say(dissect.ClientToServer, 5, 12, "H", uint64(12), 6)
	k.say(dissect.ServerToClient, 103, 11, "world\n")
	k.say(dissect.ServerToClient, 101, 12, 1, "", "")
	k.say(dissect.ServerToClient, 103, 10, "hello ")
	k.say(dissect.ClientToServer, 4, 13, "H")
	k.say(dissect.ServerToClient, 101, 13, 0, "", "")
	ts := k.end(t)
	if len(ts) != 1 || ts[0].Summary() != "download /a 12 B complete" {
		t.Fatalf("got %v", ts)
	}
	if ts[0].Content.SHA256 != helloWorld {
		t.Errorf("the file was not put in order: %s", ts[0].Content.SHA256)
	}
	if ts[0].Reordered != 6 || ts[0].Requests != 3 {
		t.Errorf("reordered %d, requests %d", ts[0].Reordered, ts[0].Requests)
	}
}

func TestUploadOfVersion6InAnyOrder(t *testing.T) {
	k := newTalk(t)
	k.open(6, "/b", 2)
	k.say(dissect.ClientToServer, 6, 20, "H", uint64(0), "hello ")
	k.say(dissect.ClientToServer, 6, 21, "H", uint64(9), "ld\n")
	k.say(dissect.ClientToServer, 6, 22, "H", uint64(6), "wor")
	for id := 20; id < 23; id++ {
		k.say(dissect.ServerToClient, 101, id, 0, "", "")
	}
	k.say(dissect.ClientToServer, 4, 23, "H")
	k.say(dissect.ServerToClient, 101, 23, 0, "", "")
	ts := k.end(t)
	if len(ts) != 1 || ts[0].Summary() != "upload /b 12 B complete" || ts[0].Flags != "write existing" {
		t.Fatalf("got %v", ts)
	}
	if ts[0].Content.SHA256 != helloWorld {
		t.Errorf("the file was not put in order: %s", ts[0].Content.SHA256)
	}
}

func TestHoleInADownload(t *testing.T) {
	k := newTalk(t)
	k.open(3, "/a", 1)
	k.say(dissect.ClientToServer, 5, 10, "H", uint64(0), 6)
	b := pack(103, 10, "hello ")
	k.s.Data(dissect.ServerToClient, b[:15], k.at())
	k.s.Gap(dissect.ServerToClient, 3, k.at())
	k.s.Data(dissect.ServerToClient, b[18:], k.at())
	k.say(dissect.ClientToServer, 5, 11, "H", uint64(6), 6)
	k.say(dissect.ServerToClient, 101, 11, 1, "", "")
	k.say(dissect.ClientToServer, 4, 13, "H")
	k.say(dissect.ServerToClient, 101, 13, 0, "", "")
	ts := k.end(t)
	if len(ts) != 1 || !ts[0].Content.Partial || ts[0].Content.Missing != 3 {
		t.Fatalf("the hole is not said: %+v", ts[0].Content)
	}
}

func TestUnfinishedTransfers(t *testing.T) {
	k := newTalk(t)
	k.open(3, "/disk", 2)
	k.say(dissect.ClientToServer, 6, 20, "H", uint64(0), "x")
	k.say(dissect.ServerToClient, 101, 20, 4, "No space left", "")
	k.say(dissect.ClientToServer, 4, 23, "H")
	k.say(dissect.ServerToClient, 101, 23, 0, "", "")
	k.say(dissect.ClientToServer, 3, 24, "/secret", 1, 0)
	k.say(dissect.ServerToClient, 101, 24, 3, "Permission denied", "en")
	k.say(dissect.ClientToServer, 3, 25, "/cut", 1, 0)
	k.say(dissect.ServerToClient, 102, 25, "G")
	k.say(dissect.ClientToServer, 5, 26, "G", uint64(0), 4)
	k.say(dissect.ServerToClient, 103, 26, "abcd")
	var got []string
	for _, x := range k.end(t) {
		got = append(got, x.Summary())
	}
	want := "upload /disk 1 B short: 1 of 1 requests failed: failure\n" +
		"download /secret 0 B refused: permission_denied\n" +
		"download /cut 4 B aborted: the session ended before it was closed"
	if strings.Join(got, "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
}

func TestListingOfVersion4(t *testing.T) {
	k := newTalk(t)
	k.say(dissect.ClientToServer, 1, 4)
	k.say(dissect.ServerToClient, 2, 4)
	k.say(dissect.ClientToServer, 11, 1, "/pub")
	k.say(dissect.ServerToClient, 102, 1, "D")
	k.say(dissect.ClientToServer, 12, 2, "D")
	// size, owner and group, permissions, change time
	k.say(dissect.ServerToClient, 104, 2, 1, "caf\xe9", 0x1|0x80|0x4|0x20, byte(1), uint64(7), "bob", "staff", 0o644, uint64(1767323045))
	k.say(dissect.ClientToServer, 4, 3, "D")
	k.say(dissect.ServerToClient, 101, 3, 0, "", "")
	ts := k.end(t)
	if len(ts) != 1 || len(ts[0].Listing) != 1 {
		t.Fatalf("got %v", ts)
	}
	want := record.FileEntry{Name: `caf\xe9`, Type: "file", Size: 7, Modified: "2026-01-02T03:04:05Z", Perm: "0644", Owner: "bob", Group: "staff"}
	if ts[0].Listing[0] != want {
		t.Errorf("got %+v, want %+v", ts[0].Listing[0], want)
	}
}
