package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// callFrom opens a connection from one of this host's loopback addresses.
func callFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	how := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	c, err := how.Dial("tcp", to)
	if err != nil {
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skipf("no address %s here: %v", from, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// steal returns what a caller from such an address gets to read. The reset may
// come as early as in the dial.
func steal(t *testing.T, from, to string) (string, error) {
	t.Helper()
	how := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	c, err := how.Dial("tcp", to)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skipf("no address %s here: %v", from, err)
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(c)
	return string(b), err
}

// dataServer speaks enough FTP to send a file, passively or actively. At an
// active transfer a stranger calls the announced endpoint first, if there is one.
func dataServer(t *testing.T, stranger string, saw chan<- error) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		fmt.Fprint(c, "220 files.test FTP\r\n")
		var passive net.Listener
		var active string
		for in := bufio.NewReader(c); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch verb {
			case "PASV":
				passive, _ = net.Listen("tcp", "127.0.0.1:0")
				defer passive.Close()
				_ = passive.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
				fmt.Fprintf(c, "227 Entering Passive Mode (%s)\r\n", endpointText("PASV", netip.MustParseAddrPort(passive.Addr().String())))
			case "EPRT":
				var port uint16
				_, _ = fmt.Sscanf(rest, "|1|127.0.0.1|%d|", &port)
				active = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String()
				fmt.Fprint(c, "200 ok\r\n")
			case "RETR":
				fmt.Fprint(c, "150 here it comes\r\n")
				var data net.Conn
				if active == "" {
					data, err = passive.Accept()
				} else {
					if stranger != "" {
						_, err := steal(t, stranger, active)
						saw <- err
					}
					data, err = net.Dial("tcp", active)
				}
				if err != nil {
					fmt.Fprint(c, "425 no data connection\r\n")
					continue
				}
				fmt.Fprint(data, "the file")
				data.Close()
				fmt.Fprint(c, "226 done\r\n")
			default:
				fmt.Fprint(c, "230 in\r\n")
			}
		}
	}
}

// TestStrangersGetNoData: who is not the peer of the control connection is cut
// off at an announced data connection, which the peer then still gets; with
// AllowForeignData it is as good as the peer.
func TestStrangersGetNoData(t *testing.T) {
	const stranger = "127.0.0.3"
	t.Run("passive", func(t *testing.T) {
		l := startLab(t, Config{}, listen(t, dataServer(t, "", nil)))
		c := l.dial()
		data := passive(t, c)
		fmt.Fprint(c, "RETR f\r\n")
		expect(t, c, "150")
		if got, err := steal(t, stranger, data); len(got) > 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the stranger got %q, %v", got, err)
		}
		peer := callFrom(t, "127.0.0.1", data)
		if got, err := io.ReadAll(peer); string(got) != "the file" {
			t.Errorf("the client got %q, %v", got, err)
		}
		peer.Close()
		expect(t, c, "226")
		if a := l.anomaly(codeDataStranger); a.Detail != stranger+" called for a data connection that 127.0.0.1 should open; refused" || a.Dir != "client" {
			t.Errorf("recorded for the %s: %s", a.Dir, a.Detail)
		}
	})
	t.Run("active", func(t *testing.T) {
		saw := make(chan error, 1)
		l := startLab(t, Config{}, listen(t, dataServer(t, stranger, saw)))
		c := l.dial()
		expect(t, c, "220")
		fmt.Fprint(c, "USER me\r\n")
		expect(t, c, "230")
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(c, "EPRT %s\r\n", endpointText("EPRT", netip.MustParseAddrPort(ln.Addr().String())))
		expect(t, c, "200")
		fmt.Fprint(c, "RETR f\r\n")
		expect(t, c, "150")
		data, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		if got, err := io.ReadAll(data); string(got) != "the file" {
			t.Errorf("the client got %q, %v", got, err)
		}
		expect(t, c, "226")
		if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the stranger read %v, want a reset", err)
		}
		if a := l.anomaly(codeDataStranger); a.Dir != "server" {
			t.Errorf("recorded for the %s: %s", a.Dir, a.Detail)
		}
	})
	t.Run("allowed", func(t *testing.T) {
		l := startLab(t, Config{AllowForeignData: true}, listen(t, dataServer(t, "", nil)))
		c := l.dial()
		data := passive(t, c)
		other := callFrom(t, stranger, data)
		fmt.Fprint(c, "RETR f\r\n")
		expect(t, c, "150")
		if got, err := io.ReadAll(other); string(got) != "the file" {
			t.Errorf("the other host got %q, %v", got, err)
		}
		expect(t, c, "226")
		l.none(codeDataStranger)
	})
}

// passive logs in and returns where the data connection of the next transfer
// is awaited.
func passive(t *testing.T, c net.Conn) string {
	t.Helper()
	expect(t, c, "220")
	fmt.Fprint(c, "USER me\r\n")
	expect(t, c, "230")
	return passiveAgain(t, c)
}

// passiveAgain is passive behind the login.
func passiveAgain(t *testing.T, c net.Conn) string {
	t.Helper()
	fmt.Fprint(c, "PASV\r\n")
	reply := expect(t, c, "227")
	_, list, _ := strings.Cut(reply, "(")
	var b [6]byte
	if _, err := fmt.Sscanf(list, "%d,%d,%d,%d,%d,%d", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]); err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])).String()
}
