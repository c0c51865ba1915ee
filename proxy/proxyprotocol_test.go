package proxy

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"sniff/record"
)

// TestProxyProtocol takes headers of both versions from the caller, byte by
// byte and with data behind them, and passes the address on to the server.
func TestProxyProtocol(t *testing.T) {
	for _, client := range []string{"192.0.2.7:4711", "[2001:db8::7]:4711"} {
		from := netip.MustParseAddrPort(client)
		to := netip.MustParseAddrPort("198.51.100.1:25")
		if from.Addr().Is6() {
			to = netip.MustParseAddrPort("[2001:db8::1]:25")
		}
		for in := 1; in <= 2; in++ {
			for out := 1; out <= 2; out++ {
				t.Run(fmt.Sprintf("%s %d to %d", client, in, out), func(t *testing.T) {
					saw := make(chan net.Addr, 1)
					server := listen(t, func(c *net.TCPConn) {
						h, err := acceptHeader(c, time.Second)
						if err != nil {
							t.Error(err)
							return
						}
						saw <- h.RemoteAddr()
						_, _ = io.Copy(h, h)
					})
					l := startLab(t, Config{Listeners: []Listener{{Listen: "127.0.0.1:0", To: server, ProxyProtocolIn: true, ProxyProtocolOut: out}}}, "")
					c := l.dial()
					for _, b := range header(in, from, to) {
						_, _ = c.Write([]byte{b})
					}
					_, _ = io.WriteString(c, "hello")
					got := make([]byte, 5)
					if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
						t.Errorf("%q, %v", got, err)
					}
					if a := (<-saw).String(); a != client {
						t.Errorf("the server was told of %s", a)
					}
					c.Close()
					if s := wait(l, func(s *record.Session) bool { return s.ClientSide.Bytes > 0 }); s.Client != from {
						t.Errorf("recorded as a session of %s", s.Client)
					}
				})
			}
		}
	}
}

func TestDamagedProxyHeaders(t *testing.T) {
	for _, b := range []string{
		"GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 192.0.2.1\r\n", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 99999999\r\n",
		"PROXY " + string(make([]byte, 200)), signature2 + "\x21\x11\x00\x02ab", signature2 + "\x31\x11\x00\x00", "EHLO me\r\n",
	} {
		log := &logged{}
		l := startLab(t, Config{Log: slog.New(slog.NewTextHandler(log, nil)), Listeners: []Listener{{Listen: "127.0.0.1:0", To: listen(t, echo), ProxyProtocolIn: true}}, Limits: Limits{Handshake: 200 * time.Millisecond}}, "")
		c := l.dial()
		_, _ = io.WriteString(c, b)
		if n, err := c.Read(make([]byte, 10)); n > 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q: read %d, %v; want a reset", b, n, err)
		}
		if said := log.String(); !strings.Contains(said, "PROXY protocol header") || !strings.Contains(said, "hint=\"with --proxy-protocol-in every caller") || l.srv.Stats().Refused != 1 {
			t.Errorf("%q: %d refused; the log says %s", b, l.srv.Stats().Refused, said)
		}
	}
}
