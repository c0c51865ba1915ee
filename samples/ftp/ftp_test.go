// Package ftp_test holds the FTP samples against what record.sh did.
package ftp_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sniff/capture"
	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/dissect/tls"
	"sniff/flow"
	"sniff/record"
)

// samples returns the names of all samples.
func samples(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.pcapng")
	if err != nil || len(names) == 0 {
		t.Fatal("no samples", err)
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".pcapng")
	}
	return names
}

// read reads captures, with the key log beside the first one if asked to. store
// may be nil.
func read(t *testing.T, keyed bool, store content.Store, names ...string) []record.Record {
	t.Helper()
	keys := tls.NewKeys()
	var files []string
	for _, name := range names {
		files = append(files, name+".pcapng")
		b, err := os.ReadFile(name + ".keys")
		if err == nil && keyed {
			keys.AddKeyLog(b)
		}
	}
	r, err := capture.OpenFiles(files, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var records []record.Record
	reader := content.New(content.Config{Store: store})
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{ftp.Protocol(), ftp.DataProtocol()},
		TLS:       tls.New(tls.Config{Keys: keys}),
		Content:   reader,
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
	if err := errors.Join(e.Close(), reader.Close()); err != nil {
		t.Fatal(err)
	}
	return records
}

// Without keys a session in TLS still is one, and its data connections are
// found by what can be seen: sizes (a little more than the file's: what TLS
// sends itself is not all told apart), directions and the session's TLS.
func TestHiddenSessions(t *testing.T) {
	type moved struct {
		direction string
		bytes     int64
		by        string
	}
	tests := map[string]struct {
		protocol string // by what the control session's is known
		moved    []moved
	}{
		"ftps-without-keys":          {"", []moved{{"download", 40000, record.InferredByHosts}}},
		"ftps-implicit":              {record.InferredByPort, []moved{{"download", 36, record.InferredByHosts}}},
		"ftps-explicit-tls12":        {"", []moved{{"download", 40000, record.InferredByResumption}}},
		"ftps-resumed":               {"", []moved{{"download", 350, record.InferredByHosts}, {"download", 40000, record.InferredByHosts}}},
		"ftps-clear-command-channel": {"", []moved{{"download", 22893, record.InferredByHosts}}},
		"ftps-data-in-clear":         {"", []moved{{"download", 36, record.InferredByHosts}}},

		"proftpd-ftps-without-keys":          {"", []moved{{"upload", 1892, record.InferredByHosts}}},
		"proftpd-ftps-implicit-without-keys": {record.InferredByPort, []moved{{"download", 18893, record.InferredByHosts}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var control *record.Session
			var data []*record.Session
			var got []*record.FTPTransfer
			for _, r := range read(t, false, nil, name) {
				switch r := r.(type) {
				case *record.Session:
					if r.Protocol == "ftp" {
						control = r
					} else {
						data = append(data, r)
					}
				case *record.FTPTransfer:
					got = append(got, r)
				}
			}
			if control == nil || control.TLS != "opaque" || control.Inferred != tt.protocol {
				t.Fatalf("the control session: %+v", control)
			}
			if len(got) != len(tt.moved) || len(data) != len(tt.moved) {
				t.Fatalf("%d transfers over %d data connections, want %d", len(got), len(data), len(tt.moved))
			}
			for i, want := range tt.moved {
				x := got[i]
				if x.Direction != want.direction || x.Inferred != want.by || x.Bytes < want.bytes || x.Bytes > want.bytes+1000 {
					t.Errorf("%s of %d bytes by %q, want %+v", x.Direction, x.Bytes, x.Inferred, want)
				}
				if s := data[i]; s.Parent != control.Session || s.Protocol != "ftp-data" || s.Inferred != want.by {
					t.Errorf("data session: %+v", s)
				}
			}
		})
	}
}
