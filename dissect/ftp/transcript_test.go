package ftp_test

import (
	"testing"

	"sniff/dissect"
	"sniff/dissect/dissecttest"
	"sniff/dissect/ftp"
	"sniff/record"
)

func TestTranscripts(t *testing.T) { dissecttest.Run(t, ftp.Protocol()) }

// Behind a gap the dialogue is followed again: the last exchange of the
// dialogue comes out as it does from the whole one, when it is far enough
// behind.
func TestGaps(t *testing.T) {
	dissecttest.Gaps(t, ftp.Protocol(), dissecttest.CheckGap(func(t *testing.T, g dissecttest.Gap) {
		want, got := lastExchange(g.Whole), lastExchange(g.Records)
		if g.Left < 6 || want == nil || want.Result == record.FTPUnanswered {
			return
		}
		if got == nil || got.Summary() != want.Summary() {
			t.Errorf("%v: not recovered: last exchange %v, want %v", g, got, want.Summary())
		}
	}))
}

func lastExchange(rs []record.Record) *record.FTPExchange {
	var last *record.FTPExchange
	for _, r := range rs {
		if x, ok := r.(*record.FTPExchange); ok {
			last = x
		}
	}
	return last
}

func FuzzDissector(f *testing.F) { dissecttest.Fuzz(f, ftp.Protocol()) }

func TestProbe(t *testing.T) {
	tests := []struct {
		name           string
		client, server string
		final, hint    bool
		oriented       bool
		want           dissect.Verdict
	}{
		{"greeting only", "", "220 files.example\r\n", false, true, true, dissect.More},
		{"greeting of a known server", "", "220 (vsFTPd 3.0.5)\r\n", false, false, true, dissect.Accept},
		{"mail server called ftp", "", "220 ftp.example ESMTP Postfix\r\n", false, true, true, dissect.Reject},
		{"mail client", "EHLO x\r\n", "220 host ready\r\n", false, true, true, dissect.Reject},
		{"login", "USER bob\r\n", "220 host ready\r\n", false, false, true, dissect.Accept},
		{"POP3", "USER bob\r\n", "+OK ready\r\n", false, true, true, dissect.Reject},
		{"AUTH TLS first", "AUTH TLS\r\n", "220 host\r\n", false, false, true, dissect.Accept},
		{"only a client, one side captured", "USER bob\r\nPASS x\r\nSYST\r\n", "", true, false, true, dissect.Accept},
		{"middle of a dialogue", "PASV\r\n", "227 Entering Passive Mode (1,2,3,4,5,6)\r\n", false, false, false, dissect.Accept},
		{"sides exchanged", "220 host ready\r\n", "USER bob\r\n", false, false, false, dissect.AcceptSwapped},
		{"web", "GET / HTTP/1.1\r\n", "", false, true, true, dissect.Reject},
		{"silent server on port 21", "", "220 x\r\n", true, true, true, dissect.Accept},
		{"greeting elsewhere", "", "220 x\r\n", true, false, true, dissect.Reject},
		{"binary", "", "\x00\x01\x02\x03", true, true, true, dissect.Reject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &dissect.Input{Client: []byte(tt.client), Server: []byte(tt.server), Final: tt.final, Hint: tt.hint, Oriented: tt.oriented}
			if got := ftp.Protocol().Probe(in); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
