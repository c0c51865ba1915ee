package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"sniff/record"
)

// TestTinyFiles: a file that is there and done with at once is told with its
// bytes, also when the server's last word on it overtakes the data connection.
func TestTinyFiles(t *testing.T) {
	const files = 100
	l := startLab(t, Config{}, listen(t, dataServer(t, "", nil)))
	c := l.dial()
	expect(t, c, "220")
	fmt.Fprint(c, "USER me\r\n")
	expect(t, c, "230")
	for range files {
		data := passiveAgain(t, c)
		fmt.Fprint(c, "RETR f\r\n")
		expect(t, c, "150")
		peer := callFrom(t, "127.0.0.1", data)
		if got, err := io.ReadAll(peer); string(got) != "the file" {
			t.Fatalf("the client got %q, %v", got, err)
		}
		peer.Close()
		expect(t, c, "226")
	}
	c.Close()
	l.toldWhole(files)
}

// TestTinyFilesActive: the same where the server calls; it has sent the file, hung
// up and said so by the time at which the call is taken.
func TestTinyFilesActive(t *testing.T) {
	const files = 100
	l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
		fmt.Fprint(c, "220 ready\r\n")
		var h1, h2, h3, h4, hi, lo int
		for in := bufio.NewScanner(c); in.Scan(); {
			switch line := in.Text(); {
			case strings.HasPrefix(line, "PORT"):
				fmt.Sscanf(line, "PORT %d,%d,%d,%d,%d,%d", &h1, &h2, &h3, &h4, &hi, &lo)
				fmt.Fprint(c, "200 ok\r\n")
			case strings.HasPrefix(line, "RETR"):
				data, err := net.Dial("tcp", fmt.Sprintf("%d.%d.%d.%d:%d", h1, h2, h3, h4, hi<<8|lo))
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprint(data, "the file")
				data.Close()
				fmt.Fprint(c, "150 coming\r\n226 there it is\r\n")
			default:
				fmt.Fprint(c, "230 ok\r\n")
			}
		}
	}))
	c := l.dial()
	expect(t, c, "220")
	fmt.Fprint(c, "USER me\r\n")
	expect(t, c, "230")
	for range files {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := addrPort(ln.Addr()).Port()
		fmt.Fprintf(c, "PORT 127,0,0,1,%d,%d\r\n", port>>8, port&255)
		expect(t, c, "200")
		fmt.Fprint(c, "RETR f\r\n")
		peer, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(peer); string(got) != "the file" {
			t.Fatalf("the client got %q, %v", got, err)
		}
		peer.Close()
		ln.Close()
		expect(t, c, "150")
		expect(t, c, "226")
	}
	c.Close()
	l.toldWhole(files)
}

// toldWhole wants so many transfers, each with its 8 bytes.
func (l *lab) toldWhole(files int) {
	l.t.Helper()
	wait(l, func(s *record.Session) bool { return s.Protocol == "ftp" })
	whole := 0
	for _, r := range l.all() {
		if x, ok := r.(*record.FTPTransfer); ok && x.Bytes == 8 && x.Outcome == record.TransferComplete {
			whole++
		} else if ok {
			l.t.Errorf("transfer of %d B: %s", x.Bytes, x.Summary())
		}
	}
	if whole != files {
		l.t.Errorf("%d transfers are told whole, want %d", whole, files)
	}
}
