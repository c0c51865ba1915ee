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
		Protocols: []dissect.Protocol{ftp.Protocol()},
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

// What went wrong in the samples is said.
func TestSampleOutcomes(t *testing.T) {
	tests := map[string]string{
		"passive-port-dropped": record.TransferUnopened,
		"passive-port-refused": record.TransferUnopened,
		"active-blocked":       record.TransferUnopened,
		"nat-address-believed": record.TransferUnopened,
		"aborted":              record.TransferAborted,
		"file-refused":         record.TransferRefused,
	}
	for sample, outcome := range tests {
		t.Run(sample, func(t *testing.T) {
			var got []string
			for _, r := range readSample(t, sample) {
				if x, ok := r.(*record.FTPTransfer); ok {
					got = append(got, x.Outcome)
				}
			}
			if len(got) == 0 || got[0] != outcome {
				t.Errorf("got %v, want %s first", got, outcome)
			}
		})
	}
}
