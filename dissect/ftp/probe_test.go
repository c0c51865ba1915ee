package ftp_test

import (
	"strings"
	"testing"

	"sniff/dissect"
	"sniff/dissect/ftp"
)

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
