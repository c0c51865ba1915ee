package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	socks "golang.org/x/net/proxy"
)

// Via is a further proxy, through which upstreams are reached. It also looks
// up their names.
type Via struct{ url *url.URL }

// ParseVia reads socks5://[USER:PASSWORD@]HOST:PORT or http://... of that form.
func ParseVia(s string) (*Via, error) {
	u, err := url.Parse(s)
	if err != nil {
		// What url.Parse says may hold the password.
		return nil, errors.New("proxy: the upstream proxy is no URL")
	}
	v := &Via{u}
	switch u.Scheme {
	case "socks5", "socks5h", "http":
	default:
		return nil, fmt.Errorf("proxy: upstream proxy %s: the scheme is none of socks5 and http", v)
	}
	if u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("proxy: upstream proxy %s: write it like socks5://host:1080 or http://user:password@host:3128", v)
	}
	return v, nil
}

// String masks the password.
func (v *Via) String() string { return v.url.Redacted() }

// connect asks the proxy at the other end of c for the address.
func (v *Via) connect(ctx context.Context, c net.Conn, address string) (net.Conn, error) {
	if d, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(d)
	}
	var err error
	if v.url.Scheme == "http" {
		c, err = v.connectHTTP(c, address)
	} else {
		err = v.connectSOCKS(ctx, c, address)
	}
	if err != nil {
		return nil, fmt.Errorf("upstream proxy %s: %w", v, err)
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// connectSOCKS is RFC 1928, with a password by RFC 1929.
func (v *Via) connectSOCKS(ctx context.Context, c net.Conn, address string) error {
	var auth *socks.Auth
	if v.url.User != nil {
		password, _ := v.url.User.Password()
		auth = &socks.Auth{User: v.url.User.Username(), Password: password}
	}
	d, err := socks.SOCKS5("tcp", v.url.Host, auth, nil)
	if err != nil {
		return err
	}
	over, ok := d.(interface {
		DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
	})
	if !ok {
		return errors.New("the SOCKS client cannot use a connection of ours")
	}
	_, err = over.DialWithConn(ctx, c, "tcp", address)
	if errno := socksErrno(err); errno != nil {
		return fmt.Errorf("it answered: %w", errno)
	}
	return err
}

// socksErrno is what the reply of a SOCKS server means for a connection: the
// library only has words for it.
func socksErrno(err error) error {
	for words, errno := range map[string]syscall.Errno{
		"connection refused": syscall.ECONNREFUSED, "host unreachable": syscall.EHOSTUNREACH, "network unreachable": syscall.ENETUNREACH,
	} {
		if err != nil && strings.HasSuffix(err.Error(), words) {
			return errno
		}
	}
	return nil
}

// connectHTTP is RFC 9110, section 9.3.6.
func (v *Via) connectHTTP(c net.Conn, address string) (net.Conn, error) {
	var ask bytes.Buffer
	fmt.Fprintf(&ask, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", address, address)
	if u := v.url.User; u != nil {
		password, _ := u.Password()
		fmt.Fprintf(&ask, "Proxy-Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	ask.WriteString("\r\n")
	if _, err := c.Write(ask.Bytes()); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(c, maxHead)
	head, err := readHead(in)
	if err != nil {
		return nil, fmt.Errorf("no answer to CONNECT: %w", err)
	}
	line, _, _ := strings.Cut(string(head), "\r\n")
	_, status, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(line, "HTTP/1.") || !strings.HasPrefix(status, "2") {
		return nil, fmt.Errorf("answered CONNECT %s with %q", address, line)
	}
	// A server that speaks first may have done so already.
	said, _ := in.Peek(in.Buffered())
	if len(said) == 0 {
		return c, nil
	}
	return &prefixed{Conn: c, prefix: bytes.Clone(said)}, nil
}
