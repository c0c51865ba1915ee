package ftp_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sniff/capture"
	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/flow"
	"sniff/record"
)

// readSample reads one of the project's captures.
func readSample(t *testing.T, name string) []record.Record {
	t.Helper()
	r, err := capture.OpenFiles([]string{"../../samples/ftp/" + name + ".pcapng"}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var records []record.Record
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{ftp.Protocol(), ftp.DataProtocol()},
		Content:   content.New(content.Config{}),
		Inline:    true,
		Sink: record.SinkFunc(func(r record.Record) error {
			records = append(records, r)
			return nil
		}),
	})
	var seg capture.Segment
	for {
		err := r.Next(&seg)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e.Segment(&seg)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return records
}

// What record.sh put on the server.
func numbers(to int, end string) string {
	var b strings.Builder
	for i := 1; i <= to; i++ {
		fmt.Fprintf(&b, "%d%s", i, end)
	}
	return b.String()
}

func random(n int) string {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	b := make([]byte, n)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(b, b)
	return string(b)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Every file in the samples has the bytes that the server or the client had.
func TestSampleFilesAreWhole(t *testing.T) {
	readme := "Hello from the server.\nSecond line.\n"
	tests := []struct {
		sample string
		file   string // end of the transfer's path
		bytes  string
	}{
		{"passive-download", "random.bin", random(40000)},
		{"active-upload", "uploaded.txt", numbers(500, "\n")},
		{"ipv6-extended-active", "readme.txt", readme},
		{"resumed", "random.bin", random(40000)[15000:]},
		{"pipelined", "random.bin", random(40000)},
		{"pipelined", "numbers.txt", numbers(4000, "\n")},
		{"ascii", "numbers.txt", numbers(4000, "\r\n")},
		{"nat-address-ignored", "readme.txt", readme},
		{"append-and-changes", "STOU.1", "unique\n"},
		{"append-and-changes", `caf\xe9.txt`, "caf\xe9"},
		{"proftpd-mode-z", "numbers.txt", numbers(4000, "\n")},
		{"proftpd-machine-listing", "random.bin", random(40000)},
		{"pure-ftpd", "random.bin", random(40000)},
		{"tnftp-client", "random.bin", random(40000)},
		{"ncftp-client", "numbers.txt", numbers(4000, "\n")},
		{"slow-reader", "random.bin", random(40000)},
		{"lossy-line", "random.bin", random(40000)},
		{"proftpd-digests", "random.bin", random(40000)},
	}
	for _, tt := range tests {
		t.Run(tt.sample+" "+tt.file, func(t *testing.T) {
			for _, r := range readSample(t, tt.sample) {
				x, ok := r.(*record.FTPTransfer)
				if !ok || !strings.HasSuffix(x.Path, "/"+tt.file) {
					continue
				}
				if x.Outcome != record.TransferComplete {
					t.Errorf("outcome %s: %s", x.Outcome, x.Reason)
				}
				if x.Bytes != int64(len(tt.bytes)) || x.Content == nil || x.Content.SHA256 != digest(tt.bytes) {
					t.Errorf("%d bytes came out other than the %d that were moved: %+v", x.Bytes, len(tt.bytes), x.Content)
				}
				return
			}
			t.Error("no such transfer")
		})
	}
}

// What went wrong in the samples is said, by the control session where there is
// one.
func TestSampleOutcomes(t *testing.T) {
	tests := map[string]string{
		"passive-port-dropped":    "ftp never opened: nothing was heard on the data connection while the session lasted",
		"passive-port-refused":    "ftp never opened: the data connection was refused",
		"passive-port-prohibited": "ftp never opened: the data connection was unreachable",
		"active-blocked":          "ftp never opened: nothing was heard on the data connection while the session lasted",
		"nat-address-believed":    "ftp never opened: no data connection to the announced address was seen",
		"aborted":                 "ftp aborted: ABOR after 90 KB",
		"file-refused":            "ftp refused: 550 Failed to open file.",
		"server-to-server":        "ftp unknown: no data connection was seen, the server said 226 Transfer complete.",
		"listing-without-control": "ftp-data unknown: its control connection is in no input",
		"active-without-control":  "ftp-data unknown: its control connection is in no input",
	}
	for sample, want := range tests {
		t.Run(sample, func(t *testing.T) {
			var got []string
			for _, r := range readSample(t, sample) {
				if x, ok := r.(*record.FTPTransfer); ok {
					got = append(got, x.Protocol+" "+x.Outcome+": "+x.Reason)
				}
			}
			if len(got) == 0 || got[0] != want {
				t.Errorf("got %q, want %q first", got, want)
			}
		})
	}
}

// A data connection whose control connection is not in the capture still shows
// what it carried.
func TestDataWithoutControl(t *testing.T) {
	for sample, want := range map[string]string{"listing-without-control": "listing 5", "active-without-control": "download 0"} {
		for _, r := range readSample(t, sample) {
			x, ok := r.(*record.FTPTransfer)
			if !ok {
				continue
			}
			if got := fmt.Sprintf("%s %d", x.Direction, len(x.Listing)); got != want {
				t.Errorf("%s: %s, want %s", sample, got, want)
			}
			if x.Direction == "download" && (x.Content == nil || x.Content.SHA256 != digest(random(40000))) {
				t.Errorf("%s: %+v is not the file", sample, x.Content)
			}
		}
	}
}

// Only what is surely data of FTP is taken for it.
func TestProbeData(t *testing.T) {
	listing := "drwxr-xr-x    2 1000     1000         4096 Jan 02 03:04 pub\r\n-rw-r--r--    1 1000     1000           36 Jan 02 03:04 a b.txt\r\n"
	probe := ftp.DataProtocol().Probe
	for name, c := range map[string]struct {
		in   dissect.Input
		want dissect.Verdict
	}{
		"listing":                        {dissect.Input{Server: []byte(listing), Final: true}, dissect.Accept},
		"active listing":                 {dissect.Input{Client: []byte(listing), Final: true}, dissect.Accept},
		"the announcement may come yet":  {dissect.Input{Server: []byte(listing)}, dissect.More},
		"machine listing":                {dissect.Input{Server: []byte("type=file;size=3;modify=20260102030405; a\r\n"), Final: true}, dissect.Accept},
		"what ls prints on a pipe":       {dissect.Input{Server: []byte(strings.ReplaceAll(listing, "\r", "")), Final: true}, dissect.Reject},
		"a text":                         {dissect.Input{Server: []byte("Dear reader,\r\n"), Final: true}, dissect.Reject},
		"a dialogue":                     {dissect.Input{Server: []byte(listing), Client: []byte("more\r\n"), Final: true}, dissect.Reject},
		"a file from port 20":            {dissect.Input{Client: []byte{1, 2, 3}, Hint: true, Final: true}, dissect.Accept},
		"a dialogue with port 20":        {dissect.Input{Client: []byte{1, 2, 3}, Server: []byte{4}, Hint: true, Final: true}, dissect.Reject},
		"silence":                        {dissect.Input{Hint: true, Final: true}, dissect.Reject},
		"the middle of some connection":  {dissect.Input{Client: []byte{1, 2, 3}, Hint: true, Midstream: true, Final: true}, dissect.Reject},
		"half a line, which may be more": {dissect.Input{Server: []byte("drwxr-xr-x    2 1000 "), Final: true}, dissect.Reject},
	} {
		if got := probe(&c.in); got != c.want {
			t.Errorf("%s: verdict %d, want %d", name, got, c.want)
		}
	}
}
