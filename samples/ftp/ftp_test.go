// Package ftp_test holds the FTP samples against what record.sh did.
package ftp_test

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/capture"
	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/dissect/tls"
	"sniff/export"
	"sniff/flow"
	"sniff/record"
)

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

// What record.sh put on the server, and what its clients sent.
func numbers(to int, end string) string {
	var b strings.Builder
	for i := 1; i <= to; i++ {
		fmt.Fprintf(&b, "%d%s", i, end)
	}
	return b.String()
}

// random is what openssl makes of zeros with the key 00 or 01.
func random(key byte, n int) string {
	block, err := aes.NewCipher(append([]byte{key}, make([]byte, 15)...))
	if err != nil {
		panic(err)
	}
	b := make([]byte, n)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(b, b)
	return string(b)
}

func upTo(from, to int) string {
	var b []byte
	for i := from; i < to; i++ {
		b = append(b, byte(i))
	}
	return string(b)
}

// Every file of every sample, exported, is what the server had or got, byte for
// byte: whole files, and of a file that did not arrive whole its beginning or
// end.
func TestExportedFilesAreTheServers(t *testing.T) {
	const readme = "Hello from the server.\nSecond line.\n"
	bin, list := random(0, 40_000), numbers(4000, "\n")
	none := []string{}
	want := map[string][]string{
		"aborted":                    {"<" + random(1, 400_000)},
		"active-blocked":             none,
		"active-upload":              {numbers(500, "\n")},
		"active-without-control":     {bin},
		"append-and-changes":         {"first\n", "second\n", "unique\n", "caf\xe9"},
		"ascii":                      {numbers(4000, "\r\n")},
		"failed-logins":              none,
		"file-refused":               none,
		"ftps-clear-command-channel": {numbers(4000, "\r\n")}, // ftplib asked for no TYPE I
		"ftps-clear-refused":         {readme},
		"ftps-data-in-clear":         {readme},
		"ftps-explicit":              {bin},
		"ftps-explicit-tls12":        {bin},
		"ftps-implicit":              {readme},
		"ftps-implicit-without-keys": none,
		"ftps-resumed":               {bin},
		"ftps-reuse-demanded":        none,
		"ftps-without-keys":          none,
		"ipv6-extended-active":       {readme},
		"ipv6-extended-passive":      none,
		"listing-without-control":    nil, // a listing, which nothing told
		"lossy-line":                 {bin},
		"nat-address-believed":       none,
		"nat-address-ignored":        {readme},
		"ncftp-client":               {list},
		"passive-download":           {bin},
		"passive-port-dropped":       none,
		"passive-port-prohibited":    none,
		"passive-port-refused":       none,
		"pipelined":                  {bin, list},
		"proftpd-curl-resumed":       {bin},
		"proftpd-digests":            {bin},
		"proftpd-machine-listing":    {bin},
		"proftpd-mode-z":             {list},
		"proftpd-telnet-abort":       {"<" + random(1, 400_000)},
		"proftpd-tnftp-active":       {list},
		"pure-ftpd":                  {bin},
		"pure-ftpd-ftplib":           {numbers(4000, "\r\n"), "one\r\ntwo\r\n", upTo(0, 250), "unique\n", ">" + bin},
		"pure-ftpd-tnftp-upload":     {numbers(500, "\n")},
		"resumed":                    {">" + bin},
		"server-to-server":           none,
		"slow-reader":                {bin},
		"tnftp-client":               {bin},
	}
	samples, err := filepath.Glob("*.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		name := strings.TrimSuffix(sample, ".pcapng")
		t.Run(name, func(t *testing.T) {
			files, ok := want[name]
			if !ok {
				t.Fatal("nobody has said which files are in it")
			}
			if files == nil {
				return
			}
			dir := t.TempDir()
			store, err := export.Open(dir, export.What{Files: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range read(t, true, store, name) {
				if err := store.See(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.Join(); err != nil {
				t.Fatal(err)
			}
			list, err := store.List()
			if err = errors.Join(err, store.Close()); err != nil {
				t.Fatal(err)
			}
			left := slices.Clone(files)
			for _, w := range list {
				b, err := os.ReadFile(filepath.Join(dir, w.Path))
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(left, func(file string) bool { return matches(file, string(b), w.Partial) })
				if i < 0 {
					t.Errorf("%s (%d bytes) is no file of the server", w.Path, len(b))
					continue
				}
				left = slices.Delete(left, i, i+1)
			}
			for _, file := range left {
				t.Errorf("a file of %d bytes was not exported", len(file))
			}
		})
	}
}

// matches holds exported bytes against a file: all of it, its beginning (<) or
// its end (>).
func matches(file, b string, partial bool) bool {
	switch {
	case strings.HasPrefix(file, "<"):
		return partial && len(b) > 0 && strings.HasPrefix(file[1:], b)
	case strings.HasPrefix(file, ">"):
		return partial && len(b) > 0 && strings.HasSuffix(file, b)
	}
	return !partial && file == b
}
