package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// TestTLSEndsInTheDialogue: behind CCC the control connection goes on in the
// clear, whether the client says the end of TLS or leaves out its close_notify,
// which then the server does not get either.
func TestTLSEndsInTheDialogue(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, said := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, said %v", tls.VersionName(version), said), func(t *testing.T) {
				raw := make(chan string, 1)
				l, trust := tlsLab(t, Config{}, good(t), func(cfg *tls.Config) func(*net.TCPConn) {
					return func(c *net.TCPConn) { raw <- clearingServer(c, cfg, said) }
				})
				c := l.dial()
				expect(t, c, "220")
				fmt.Fprint(c, "AUTH TLS\r\n")
				expect(t, c, "234")
				rec := &records{Conn: c, mayEnd: func() bool { return false }}
				s := tls.Client(rec, &tls.Config{ServerName: "mail.test", RootCAs: trust, MaxVersion: version})
				fmt.Fprint(s, "USER me\r\n")
				expect(t, s, "331")
				fmt.Fprint(s, "CCC\r\n")
				expect(t, s, "200 clear")
				if said {
					_ = s.CloseWrite()
					_ = c.SetDeadline(time.Now().Add(time.Minute))
				}
				if rest, err := io.ReadAll(s); len(rest) > 0 || err != nil {
					t.Fatalf("instead of the end of TLS came %q, %v", rest, err)
				}
				for _, verb := range []string{"NOOP", "PWD"} {
					fmt.Fprint(c, verb+"\r\n")
					expect(t, c, "257 "+verb)
				}
				c.Close()
				if got := <-raw; got != "NOOP PWD" {
					t.Errorf("the server heard %q in the clear", got)
				}
				x := wait(l, func(x *record.FTPExchange) bool { return x.Command == "PWD" })
				if len(x.Replies) != 1 || x.Replies[0].Code != 257 {
					t.Errorf("recorded: %s", x.Summary())
				}
				if s := l.session(); s.End != record.EndClosed {
					t.Errorf("the session ended by %s", s.End)
				}
			})
		}
	}
}

// clearingServer speaks FTP, in TLS from AUTH to CCC, and returns what it heard
// in the clear behind that. With said the client's close_notify comes first.
func clearingServer(c *net.TCPConn, cfg *tls.Config, said bool) string {
	fmt.Fprint(c, "220 files.test FTP\r\n")
	in := bufio.NewReader(c)
	if line, _ := in.ReadString('\n'); line != "AUTH TLS\r\n" {
		return "no AUTH: " + line
	}
	fmt.Fprint(c, "234 go on\r\n")
	s := tls.Server(&records{Conn: c, mayEnd: func() bool { return false }}, cfg)
	for in := bufio.NewReader(s); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return "no CCC: " + err.Error()
		}
		if line == "CCC\r\n" {
			break
		}
		fmt.Fprint(s, "331 password?\r\n")
	}
	fmt.Fprint(s, "200 clear\r\n")
	if said {
		if rest, err := io.ReadAll(s); len(rest) > 0 || err != nil {
			return fmt.Sprintf("no end of TLS: %q %v", rest, err)
		}
	}
	_ = s.CloseWrite()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var heard []string
	for in := bufio.NewReader(c); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return strings.Join(heard, " ")
		}
		line = strings.TrimSpace(line)
		heard = append(heard, line)
		fmt.Fprintf(c, "257 %s\r\n", line)
	}
}
