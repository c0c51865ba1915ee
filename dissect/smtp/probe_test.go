package smtp

import (
	"testing"

	"sniff/dissect"
)

// TestProbe: SMTP, LMTP and FTP all open with 220; the port proves nothing.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name string
		in   dissect.Input
		want dissect.Verdict
	}{
		{"nothing yet", dissect.Input{Oriented: true, Hint: true}, dissect.More},
		{"a greeting alone", dissect.Input{Server: []byte("220 mx.example\r\n"), Oriented: true}, dissect.More},
		{"a greeting that names ESMTP", dissect.Input{Server: []byte("220 mx.example ESMTP Postfix\r\n"), Oriented: true}, dissect.Accept},
		{"EHLO decides", dissect.Input{Server: []byte("220 mx.example\r\n"), Client: []byte("EHLO x\r\n"), Oriented: true}, dissect.Accept},
		{"LHLO decides", dissect.Input{Server: []byte("220 mx.example\r\n"), Client: []byte("LHLO x\r\n"), Oriented: true}, dissect.Accept},
		{"half of EHLO", dissect.Input{Server: []byte("220 x\r\n"), Client: []byte("EH"), Oriented: true}, dissect.More},
		{"USER is FTP", dissect.Input{Server: []byte("220 ready\r\n"), Client: []byte("USER anonymous\r\n"), Oriented: true, Hint: true}, dissect.Reject},
		{"AUTH TLS is FTP", dissect.Input{Server: []byte("220 ready\r\n"), Client: []byte("AUTH TLS\r\n"), Oriented: true}, dissect.Reject},
		{"an FTP greeting", dissect.Input{Server: []byte("220 (vsFTPd 3.0.3)\r\n"), Oriented: true, Hint: true, Final: true}, dissect.Reject},
		{"HTTP", dissect.Input{Client: []byte("GET / HTTP/1.1\r\n"), Oriented: true, Hint: true}, dissect.Reject},
		{"SSH", dissect.Input{Server: []byte("SSH-2.0-OpenSSH_9.2\r\n"), Oriented: true, Hint: true}, dissect.Reject},
		{"TLS", dissect.Input{Client: []byte{0x16, 3, 1, 0, 5}, Oriented: true, Hint: true, Final: true}, dissect.Reject},
		{"554 as greeting", dissect.Input{Server: []byte("554 no\r\n"), Oriented: true}, dissect.Accept},
		{"a greeting alone on port 25, and then the end", dissect.Input{Server: []byte("220 mx.example\r\n"), Oriented: true, Hint: true, Final: true}, dissect.Accept},
		{"the same on another port", dissect.Input{Server: []byte("220 mx.example\r\n"), Oriented: true, Final: true}, dissect.More},
		{"sides exchanged", dissect.Input{Client: []byte("220 mx.example ESMTP\r\n"), Server: []byte("EHLO x\r\n")}, dissect.AcceptSwapped},
		{"midstream by MAIL", dissect.Input{Client: []byte("text\r\nMAIL FROM:<a@x>\r\n"), Midstream: true}, dissect.Accept},
		{"midstream by an enhanced code", dissect.Input{Server: []byte("250 2.1.0 Ok\r\n"), Midstream: true, Oriented: true}, dissect.Accept},
	} {
		if got := Probe(&c.in); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}
