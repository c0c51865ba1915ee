package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sniff/record"
)

// TestPiecesComeAsTheyAreSaid: what one peer says reaches the other before it
// says more. In each dialogue a piece is written only when the one before has
// come out at the far end, so that a proxy that waited for the rest of a reply,
// or of a line, would wait for ever. FTP's lines come whole, since they may name
// addresses. Where both sides agree on TLS, the dialogue goes on inside.
func TestPiecesComeAsTheyAreSaid(t *testing.T) {
	type said struct {
		by   string
		text string
	}
	const client, server, both = "C", "S", "TLS"
	inTLS := said{by: both}
	for name, dialogue := range map[string][]said{
		"smtp": {
			{server, "220-mail.test at "}, {server, "work\r\n"}, {server, "220 and slow\r\n"}, {client, "EH"}, {client, "LO me\r\n"},
			{server, "250-mail.test\r\n"}, {server, "250-SIZE 1"}, {server, "000\r\n"}, {server, "250 HELP\r\n"},
			{client, "MAIL FROM:<a@x.te"}, {client, "st>\r\n"}, {server, "2"}, {server, "50 2.1.0 ok\r\n"}, {client, "RCPT TO:<b@y.test>\r\n"},
			{server, "250 ok\r\n"}, {client, "DATA\r\n"}, {server, "354 go on\r\n"}, {client, "Subject: h"}, {client, "i\r\n\r\n"}, {client, "a\r"},
			{client, "\n.\r\n"}, {server, "250-2.0.0 taken\r\n"}, {server, "250 2.0.0 really\r\n"}, {client, "QUIT\r\n"}, {server, "221 bye\r\n"},
		},
		"ftp": {
			{server, "220-files.test\r\n"}, {server, " as slow\r\n"}, {server, "220 ready\r\n"}, {client, "USER me\r\n"}, {server, "331 password\r\n"},
			{client, "PASS x\r\n"}, {server, "230-welcome\r\n"}, {server, "230 in\r\n"}, {client, "FEAT\r\n"}, {server, "211-Features:\r\n"},
			{server, " SIZE\r\n"}, {server, "211 End\r\n"}, {client, "QUIT\r\n"}, {server, "221 bye\r\n"},
		},
		"smtp behind STARTTLS": {
			{server, "220 mail.test\r\n"}, {client, "EHLO me\r\n"}, {server, "250-mail.test\r\n"}, {server, "250 STARTTLS\r\n"},
			{client, "START"}, {client, "TLS\r\n"}, {server, "220 go"}, {server, " ahead\r\n"}, inTLS,
			{client, "EH"}, {client, "LO me\r\n"}, {server, "250-mail.test\r\n"}, {server, "250-SIZE 1"}, {server, "000\r\n"}, {server, "250 HELP\r\n"},
			{client, "MAIL FROM:<a@x.te"}, {client, "st>\r\n"}, {server, "2"}, {server, "50 2.1.0 ok\r\n"}, {client, "RCPT TO:<b@y.test>\r\n"},
			{server, "250 ok\r\n"}, {client, "DATA\r\n"}, {server, "354 go on\r\n"}, {client, "Subject: h"}, {client, "i\r\n\r\n"}, {client, "a\r"},
			{client, "\n.\r\n"}, {server, "250-2.0.0 taken\r\n"}, {server, "250 2.0.0 really\r\n"}, {client, "QUIT\r\n"}, {server, "221 bye\r\n"},
		},
		"ftp behind AUTH TLS": {
			{server, "220 ready\r\n"}, {client, "AUTH TLS\r\n"}, {server, "234-slowly\r\n"}, {server, "234 yes\r\n"}, inTLS,
			{client, "PBSZ 0\r\n"}, {server, "200 ok\r\n"}, {client, "USER me\r\n"}, {server, "331 password\r\n"},
			{client, "PASS x\r\n"}, {server, "230-welcome\r\n"}, {server, " all\r\n"}, {server, "230 in\r\n"}, {client, "FEAT\r\n"},
			{server, "211-Features:\r\n"}, {server, " SIZE\r\n"}, {server, "211 End\r\n"}, {client, "QUIT\r\n"}, {server, "221 bye\r\n"},
		},
		"http": {
			{client, "POST /a HTTP/1.1\r\nHost: h.test\r\nContent-"}, {client, "Length: 5\r\nExpect: 100-continue\r\n\r\n"},
			{server, "HTTP/1.1 100 Continue\r\n\r\n"}, {client, "he"}, {client, "llo"}, {server, "HTTP/1.1 200 O"},
			{server, "K\r\nTransfer-Encoding: chunked\r\n\r\n"}, {server, "3\r\nab"}, {server, "c\r\n"}, {server, "0\r\n"}, {server, "\r\n"},
		},
	} {
		for _, secure := range []bool{false, true} {
			if secure && name != "http" {
				continue // those begin with the server, in TLS with its client
			}
			protocol, _, _ := strings.Cut(name, " ")
			t.Run(map[bool]string{true: "TLS/", false: ""}[secure]+name, func(t *testing.T) {
				accepted := make(chan net.Conn)
				over := make(chan struct{})
				end := sync.OnceFunc(func() { close(over) })
				defer end()
				var identity *tls.Config
				l, trust := tlsLab(t, Config{}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
					cfg.NextProtos = nil
					identity = cfg
					return func(raw *net.TCPConn) {
						var c net.Conn = raw
						if secure {
							c = tls.Server(raw, cfg)
							_ = c.(*tls.Conn).Handshake()
						}
						accepted <- c
						<-over
					}
				})
				ends := map[string]net.Conn{client: l.dial()}
				if secure {
					inner := tls.Client(ends[client], &tls.Config{ServerName: "mail.test", RootCAs: trust})
					ends[client] = inner
					go func() { _ = inner.Handshake() }()
				}
				select {
				case ends[server] = <-accepted:
				case <-time.After(time.Minute):
					t.Fatal("the server was not called")
				}
				for i, s := range dialogue {
					if s == inTLS {
						inside := tls.Client(ends[client], only(tls.VersionTLS13, trust))
						done := make(chan error, 1)
						go func() { done <- inside.Handshake() }()
						outside := tls.Server(ends[server], identity)
						if err := errors.Join(outside.Handshake(), <-done); err != nil {
							t.Fatal(err)
						}
						ends[client], ends[server] = inside, outside
						continue
					}
					to := ends[map[string]string{client: server, server: client}[s.by]]
					if _, err := io.WriteString(ends[s.by], s.text); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(s.text))
					if n, err := io.ReadFull(to, got); err != nil || string(got) != s.text {
						t.Fatalf("piece %d, %s: %q: at the other side came %q, %v", i, s.by, s.text, got[:n], err)
					}
				}
				ends[client].Close()
				end()
				if s := l.session(); s.Protocol != protocol || (s.TLS == "read") != (secure || protocol != name) {
					t.Errorf("taken for %q, TLS %q", s.Protocol, s.TLS)
				}
				for _, r := range l.all() {
					if a, ok := r.(*record.Anomaly); ok {
						t.Errorf("%s: %s", a.Code, a.Detail)
					}
				}
			})
		}
	}
}
