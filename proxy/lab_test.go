package proxy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/dissect/http"
	"sniff/dissect/sftp"
	"sniff/dissect/smtp"
	"sniff/dissect/ssh"
	tlslayer "sniff/dissect/tls"
	"sniff/flow"
	"sniff/proxy/ca"
	"sniff/record"
)

// lab is a proxy between a test and a server of its own.
type lab struct {
	t      *testing.T
	srv    *Server
	addr   string // of the proxy's first listener
	engine *flow.Engine

	mu      sync.Mutex
	records []record.Record
	count   *atomic.Int64 // instead of keeping records, if set
}

// startLab starts a proxy in front of upstream. When the test ends everything
// must be gone: connections, sessions and goroutines.
func startLab(t *testing.T, cfg Config, upstream string) *lab {
	t.Helper()
	before := runtime.NumGoroutine()
	l := &lab{t: t}
	bodies := content.New(content.Config{})
	l.engine = flow.New(flow.Config{
		Protocols: []dissect.Protocol{http.Protocol(), smtp.Protocol(), ftp.Protocol(), ssh.Protocol(), sftp.Protocol(), sftp.SCP()},
		Content:   bodies,
		Inline:    true,
		TLS:       tlslayer.New(tlslayer.Config{}),
		Secrets:   record.NewKeyer([]byte("of the tests")),
		Sink:      record.SinkFunc(l.take),
	})
	cfg.Engine = l.engine
	if cfg.Listeners == nil {
		cfg.Listeners = []Listener{{Listen: "127.0.0.1:0"}}
	}
	for i := range cfg.Listeners {
		if l := &cfg.Listeners[i]; l.Mode == "" && l.To == "" {
			l.To = upstream
		}
	}
	srv, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.srv, l.addr = srv, srv.Addrs()[0].String()
	t.Cleanup(func() {
		srv.Shutdown(2 * time.Second)
		_ = l.engine.Close()
		bodies.Close()
		for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 64<<10)
				t.Errorf("goroutines left behind:\n%s", buf[:runtime.Stack(buf, true)])
				return
			}
		}
		if st := srv.Stats(); st.Active != 0 {
			t.Errorf("%d connections left behind", st.Active)
		}
	})
	return l
}

func (l *lab) take(r record.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count != nil {
		l.count.Add(1)
		return nil
	}
	l.records = append(l.records, r)
	return nil
}

func (l *lab) all() []record.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]record.Record(nil), l.records...)
}

// wait returns the first record of type T for which ok holds, when it comes.
func wait[T record.Record](l *lab, ok func(T) bool) T {
	l.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		for _, r := range l.all() {
			if x, is := r.(T); is && ok(x) {
				return x
			}
		}
		if time.Now().After(deadline) {
			var zero T
			var seen []string
			for _, r := range l.all() {
				seen = append(seen, string(r.Kind())+" "+r.Summary())
			}
			l.t.Fatalf("no such %T came; seen:\n%s", zero, strings.Join(seen, "\n"))
		}
	}
}

func (l *lab) anomaly(code string) *record.Anomaly {
	l.t.Helper()
	return wait(l, func(a *record.Anomaly) bool { return a.Code == code })
}

func (l *lab) session() *record.Session {
	l.t.Helper()
	return wait(l, func(*record.Session) bool { return true })
}

func (l *lab) none(code string) {
	l.t.Helper()
	for _, r := range l.all() {
		if a, ok := r.(*record.Anomaly); ok && a.Code == code {
			l.t.Errorf("anomaly %s: %s", code, a.Detail)
		}
	}
}

func (l *lab) dial() *net.TCPConn {
	l.t.Helper()
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// listen runs a server that gives each connection to serve and closes it
// afterwards.
func listen(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

// pki is a certificate authority of the upstream's world.
type pki struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{pool: x509.NewCertPool()}
	p.key = newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &p.key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	p.cert, _ = x509.ParseCertificate(der)
	p.pool.AddCert(p.cert)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issue makes a certificate for a name that expires after life.
func (p *pki) issue(t *testing.T, name string, life time.Duration) tls.Certificate {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.cert, &key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newCA(t *testing.T) (*ca.Authority, *x509.CertPool) {
	t.Helper()
	a, err := ca.Create(t.TempDir()+"/ca", "test proxy", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.Cert)
	return a, pool
}

// mailServer is a small SMTP server: it takes mail, offers STARTTLS when cfg
// is not nil, and tells heard every command line that it saw.
func mailServer(cfg *tls.Config, heard func(line string, tls bool)) func(*net.TCPConn) {
	return func(raw *net.TCPConn) {
		var c net.Conn = raw
		in := bufio.NewReader(c)
		secure := false
		say := func(s string) { fmt.Fprint(c, s+"\r\n") }
		say("220 mail.test ESMTP")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			if heard != nil {
				heard(line, secure)
			}
			verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
			switch verb {
			case "EHLO":
				if cfg != nil && !secure {
					say("250-mail.test\r\n250-PIPELINING\r\n250 STARTTLS")
				} else {
					say("250-mail.test\r\n250 PIPELINING")
				}
			case "STARTTLS":
				if cfg == nil {
					say("502 5.5.1 no TLS here")
					continue
				}
				// What is buffered here was not forwarded, or comes from a
				// client that pipelines its hello.
				ahead, _ := in.Peek(in.Buffered())
				say("220 2.0.0 go ahead")
				t := tls.Server(&prefixed{Conn: raw, prefix: append([]byte(nil), ahead...)}, cfg)
				if t.Handshake() != nil {
					return
				}
				c, secure = t, true
				in = bufio.NewReader(c)
			case "DATA":
				say("354 go on")
				for {
					l, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if l == ".\r\n" {
						break
					}
				}
				say("250 2.0.0 taken")
			case "QUIT":
				say("221 2.0.0 bye")
				if t, ok := c.(*tls.Conn); ok {
					_ = t.CloseWrite()
				}
				return
			default:
				say("250 2.0.0 ok")
			}
		}
	}
}

// curl returns what curl fetched.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("curl", append([]string{"-sS", "-m", "100"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("curl %q: %v", args, err)
	}
	return string(out)
}
