package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// serveHTTPForward is a forward proxy: CONNECT host:port opens a tunnel, which
// is probed and intercepted like any connection; a request with an absolute
// URI goes to the host it names. A client that sends requests for several
// hosts over one connection has it closed at the first one for another host,
// and opens a new one (RFC 9112, section 9.6).
func (s *Server) serveHTTPForward(c net.Conn, l *Listener) {
	_ = c.SetDeadline(time.Now().Add(s.cfg.Limits.Handshake))
	in := bufio.NewReaderSize(c, maxHead)
	head, err := readHead(in)
	if err != nil {
		s.cfg.Log.Warn("no HTTP request for a proxy", "client", c.RemoteAddr(), "listener", l.name(), "err", err)
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		return
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	method, rest, _ := strings.Cut(string(line), " ")
	uri, version, _ := strings.Cut(rest, " ")
	rest2, _ := in.Peek(in.Buffered())
	behind := bytes.Clone(rest2)
	if method == "CONNECT" {
		_ = c.SetDeadline(time.Time{})
		s.relayTo(c, l, target{address: uri, early: behind, connected: func(_ net.Conn, err error) error {
			answer := "HTTP/1.1 200 Connection established\r\n\r\n"
			if err != nil {
				answer = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
			}
			_, e := c.Write([]byte(answer))
			return e
		}})
		return
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		s.cfg.Log.Warn("HTTP request without an absolute http URI", "client", c.RemoteAddr(), "uri", uri)
		const say = "this is a proxy: it wants an absolute http URI, or CONNECT\n"
		fmt.Fprintf(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(say), say)
		return
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	_ = c.SetDeadline(time.Time{})
	early := append(originForm(method, u, version, head[len(line)+2:]), behind...)
	s.relayTo(&oneHost{Conn: c, host: u.Host}, l, target{address: address, early: early})
}

// maxHead bounds the first request of a forward connection.
const maxHead = 64 << 10

// readHead reads up to and including the empty line.
func readHead(in *bufio.Reader) ([]byte, error) {
	for n := 1; ; {
		b, err := in.Peek(n)
		if err != nil {
			return nil, err
		}
		b, _ = in.Peek(in.Buffered())
		if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
			head := bytes.Clone(b[:i+4])
			_, err := in.Discard(i + 4)
			return head, err
		}
		if n = len(b) + 1; n > maxHead {
			return nil, fmt.Errorf("proxy: request head is longer than %d bytes", maxHead)
		}
	}
}

// originForm writes the request as the origin server wants it: with a path
// instead of a URI, without the fields that were meant for the proxy.
func originForm(method string, u *url.URL, version string, fields []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", method, u.RequestURI(), version)
	for line := range bytes.Lines(fields) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if n := strings.ToLower(string(name)); n == "proxy-connection" || n == "proxy-authorization" {
			continue
		}
		b.Write(line)
	}
	return b.Bytes()
}

// oneHost rewrites further requests on a forward connection to origin form,
// and ends the connection at the first one for another host.
type oneHost struct {
	net.Conn
	host string
}

var errOtherHost = errors.New("proxy: request for another host on the same connection")

func (o *oneHost) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	// Clients begin each request in a segment of its own; a request that is
	// pipelined behind a body keeps its absolute URI, which every server has
	// to accept (RFC 9112, section 3.2.2).
	line, rest, found := bytes.Cut(b[:n], []byte("\r\n"))
	if !found || !bytes.Contains(line, []byte(" http://")) || !bytes.Contains(line, []byte(" HTTP/1.")) {
		return n, err
	}
	method, uri, _ := strings.Cut(string(line), " ")
	uri, version, _ := strings.Cut(uri, " ")
	u, perr := url.Parse(uri)
	if perr != nil {
		return n, err
	}
	if u.Host != o.host {
		return 0, errOtherHost
	}
	return copy(b, fmt.Sprintf("%s %s %s\r\n%s", method, u.RequestURI(), version, bytes.Clone(rest))), err
}

func (o *oneHost) NetConn() net.Conn { return o.Conn }
func (o *oneHost) CloseWrite() error { closeWrite(o.Conn); return nil }
