package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
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
	if b, err := in.Peek(1); err == nil && (b[0] == 4 || b[0] == 5) {
		s.cfg.Log.Warn("no HTTP request for a proxy", "client", c.RemoteAddr(), "listener", l.name(), "why", "the client speaks SOCKS; --mode socks is the way in for that")
		return
	}
	head, err := readHead(in)
	if err != nil {
		s.cfg.Log.Warn("no HTTP request for a proxy", "client", c.RemoteAddr(), "listener", l.name(), "err", err)
		_, _ = io.WriteString(c, httpRefusal("400 Bad Request", "", "this is a proxy, and what came is no HTTP request"))
		return
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	method, rest, _ := strings.Cut(string(line), " ")
	uri, _, _ := strings.Cut(rest, " ")
	if method == "CONNECT" {
		_ = c.SetDeadline(time.Time{})
		behind, _ := in.Peek(in.Buffered())
		s.relayTo(c, l, target{address: uri, early: bytes.Clone(behind), connected: func(_ net.Conn, err error) error {
			answer := "HTTP/1.1 200 Connection established\r\n\r\n"
			if err != nil {
				answer = httpRefusal("502 Bad Gateway", "", uri+" was not reached: "+whyUnreached(err))
			}
			_, e := c.Write([]byte(answer))
			return e
		}})
		return
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		s.cfg.Log.Warn("HTTP request without an absolute http URI", "client", c.RemoteAddr(), "uri", uri)
		_, _ = io.WriteString(c, httpRefusal("400 Bad Request", "", "this is a proxy: it wants an absolute http URI, or CONNECT"))
		hangUp(c)
		return
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	_ = c.SetDeadline(time.Time{})
	requests := &oneHost{Conn: c, in: in, host: u.Host}
	requests.head(head)
	s.relayTo(requests, l, target{address: address, connected: func(_ net.Conn, err error) error {
		if err == nil {
			return nil
		}
		_, e := io.WriteString(c, httpRefusal("502 Bad Gateway", "", address+" was not reached: "+whyUnreached(err)))
		hangUp(c)
		return e
	}})
}

// maxHead bounds the head of a request of a forward connection.
const maxHead = 24 << 10

// readHead reads up to and including the empty line.
func readHead(in *bufio.Reader) ([]byte, error) { return readTo(in, "\r\n\r\n") }

// readTo reads up to and including end. With an error nothing was taken.
func readTo(in *bufio.Reader, end string) ([]byte, error) {
	for n := 1; ; {
		if _, err := in.Peek(n); err != nil {
			return nil, err
		}
		b, _ := in.Peek(in.Buffered())
		if i := bytes.Index(b, []byte(end)); i >= 0 {
			head := bytes.Clone(b[:i+len(end)])
			_, err := in.Discard(len(head))
			return head, err
		}
		if n = len(b) + 1; n > in.Size() {
			return nil, errTooLong
		}
	}
}

var errTooLong = errors.New("proxy: request head is too long")

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

// oneHost follows the requests on a forward connection (RFC 9112, section 6):
// their heads are rewritten to origin form, their bodies are not touched. It
// ends at the first request for another host, and gives up, passing everything
// as it is, where the framing is not certain.
type oneHost struct {
	net.Conn
	in      *bufio.Reader
	host    string
	out     []byte // rewritten, to be read next
	left    int64  // bytes of the body, or of a chunk with its line end
	chunks  bool   // a chunk's size comes next
	trailer bool   // a trailer line comes next
	raw     bool
}

func (o *oneHost) Read(b []byte) (int, error) {
	for {
		switch {
		case len(o.out) > 0:
			n := copy(b, o.out)
			o.out = o.out[n:]
			return n, nil
		case o.raw:
			return o.in.Read(b)
		case o.left > 0:
			n, err := o.in.Read(b[:min(int64(len(b)), o.left)])
			o.left -= int64(n)
			return n, err
		}
		if err := o.next(); err != nil {
			return 0, err
		}
	}
}

// next reads what stands in front of the next piece of a body, or the next
// head.
func (o *oneHost) next() error {
	end := "\r\n\r\n"
	if o.chunks || o.trailer {
		end = "\r\n"
	}
	b, err := readTo(o.in, end)
	switch {
	case errors.Is(err, errTooLong), err == io.EOF && o.in.Buffered() > 0:
		o.raw = true
		return nil
	case err != nil:
		return err
	case o.trailer:
		o.out, o.trailer = b, len(b) > 2
	case o.chunks:
		o.out = b
		size, _, _ := strings.Cut(strings.TrimSpace(string(b)), ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 63)
		switch {
		case err != nil || n < 0:
			o.raw = true
		case n == 0:
			o.chunks, o.trailer = false, true
		default:
			o.left = n + 2
		}
	default:
		return o.head(b)
	}
	return nil
}

// head rewrites a request's head and finds out how its body is framed.
func (o *oneHost) head(head []byte) error {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	method, rest, _ := strings.Cut(string(line), " ")
	uri, version, _ := strings.Cut(rest, " ")
	o.out = head
	if u, err := url.Parse(uri); err == nil && u.IsAbs() && u.Host != "" {
		if u.Host != o.host {
			return io.EOF // the client opens another connection for it
		}
		o.out = originForm(method, u, version, fields)
	}
	m, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
	if err != nil || m.Get("Upgrade") != "" || method == "PRI" {
		o.raw = true
		return nil
	}
	length := m.Values("Content-Length")
	switch coding := m.Values("Transfer-Encoding"); {
	case len(coding) == 1 && strings.EqualFold(coding[0], "chunked") && len(length) == 0:
		o.chunks = true
	case len(coding) > 0 || len(length) > 1:
		o.raw = true
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 62)
		o.left, o.raw = int64(n), err != nil
	}
	return nil
}

func (o *oneHost) NetConn() net.Conn { return o.Conn }
func (o *oneHost) CloseWrite() error { closeWrite(o.Conn); return nil }
