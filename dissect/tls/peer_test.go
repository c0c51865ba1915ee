package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	gotls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

const c2s, s2c = dissect.ClientToServer, dissect.ServerToClient

// watcher is a LayerEnv that keeps what the layer says.
type watcher struct {
	t          testing.TB
	now        record.Stamp
	session    string
	plain      [2]bytes.Buffer
	gaps       [2]int
	opaque     [2]int64
	ended      [2]bool
	handshakes []*record.TLSHandshake
	end        *record.TLSEnd
	violations []dissect.Violation
	waited     int
}

func (w *watcher) Conn() dissect.Conn  { return dissect.Conn{Session: w.session} }
func (w *watcher) At(int) record.Stamp { return w.now }
func (w *watcher) Emit(r record.Record) {
	switch r := r.(type) {
	case *record.TLSHandshake:
		w.handshakes = append(w.handshakes, r)
	case *record.TLSEnd:
		w.end = r
	}
}
func (*watcher) Defer(record.Record, func(func(record.Record)))    {}
func (w *watcher) Violation(v dissect.Violation)                   { w.violations = append(w.violations, v) }
func (*watcher) Secret(string) record.Secret                       { return record.Secret{} }
func (*watcher) Body(content.Info) content.Body                    { return nil }
func (*watcher) Expect(dissect.Expectation) dissect.Expected       { return nil }
func (*watcher) Open(string, string) dissect.Stream                { return nil }
func (*watcher) TLS() *record.TLSHandshake                         { return nil }
func (w *watcher) Plain(dir dissect.Dir, b []byte, _ record.Stamp) { w.plain[dir].Write(b) }
func (w *watcher) PlainGap(dir dissect.Dir, n int64)               { w.gaps[dir]++ }
func (w *watcher) PlainEOF(dir dissect.Dir)                        { w.ended[dir] = true }
func (w *watcher) Opaque(dir dissect.Dir, n int64)                 { w.opaque[dir] += n }
func (w *watcher) Established(*record.TLSHandshake)                {}

// piece is what one side wrote at one time, or a hole.
type piece struct {
	dir dissect.Dir
	b   []byte
	gap int64
}

// wire records what two connected peers write, in order.
type wire struct {
	mu     sync.Mutex
	pieces []piece
}

type end struct {
	net.Conn
	w   *wire
	dir dissect.Dir
}

func (e *end) Write(b []byte) (int, error) {
	e.w.mu.Lock()
	e.w.pieces = append(e.w.pieces, piece{dir: e.dir, b: bytes.Clone(b)})
	e.w.mu.Unlock()
	return e.Conn.Write(b)
}

// feed gives pieces to a layer in chunks of at most n bytes, as a session
// does: what is not consumed is offered again with what follows.
func feed(w *watcher, cfg Config, make func(dissect.LayerEnv) dissect.Layer, pieces []piece, n int) {
	w.t.Helper()
	l := make(w)
	var unread [2][]byte
	var broken [2]bool
	run := func(dir dissect.Dir) {
		for len(unread[dir]) > 0 && !broken[dir] {
			used, act, err := l.Consume(dir, unread[dir])
			if act == dissect.Wait {
				w.waited++
				l.(dissect.Waiter).Ready(true)
			}
			if err != nil {
				broken[dir] = true
				w.t.Logf("%s: %v", dir, err)
			}
			if used == 0 {
				return
			}
			unread[dir] = unread[dir][used:]
		}
	}
	for _, p := range pieces {
		w.now.Time = w.now.Time.Add(time.Millisecond)
		w.now.Packet++
		if p.gap != 0 {
			l.Gap(p.dir, p.gap+int64(len(unread[p.dir])))
			unread[p.dir] = nil
			continue
		}
		for b := p.b; len(b) > 0; {
			k := min(n, len(b))
			unread[p.dir] = append(unread[p.dir], b[:k]...)
			b = b[k:]
			run(p.dir)
		}
	}
	l.EOF(c2s)
	l.EOF(s2c)
}

var t0 = time.Now().UTC().Truncate(time.Second)

func newWatcher(t testing.TB) *watcher {
	return &watcher{t: t, now: record.Stamp{Time: t0}, session: "s1"}
}

// authority is a root and what it signs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: t0.Add(-time.Hour), NotAfter: t0.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// sign makes a certificate; change may alter it before it is signed.
func (a *authority) sign(t testing.TB, useRSA bool, name string, change func(*x509.Certificate)) gotls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: t0.Add(-time.Hour), NotAfter: t0.Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(tmpl)
	}
	var pub, priv any
	if useRSA {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		pub, priv = &k.PublicKey, k
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pub, priv = &k.PublicKey, k
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, pub, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return gotls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv}
}

func (a *authority) verify(chain []*x509.Certificate, at time.Time) error {
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: at})
	return err
}

// talk lets two peers do a handshake and say something to each other.
func talk(t testing.TB, client, server *gotls.Config, ask, answer []byte) []piece {
	t.Helper()
	w := &wire{}
	a, b := net.Pipe()
	deadline := time.Now().Add(10 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	c := gotls.Client(&end{Conn: a, w: w, dir: c2s}, client)
	s := gotls.Server(&end{Conn: b, w: w, dir: s2c}, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		got := make([]byte, len(ask))
		if _, err := io.ReadFull(s, got); err == nil {
			s.Write(answer)
		}
		io.Copy(io.Discard, b) // what the client still says
		b.Close()
	}()
	if _, err := c.Write(ask); err == nil {
		io.ReadFull(c, make([]byte, len(answer)))
		c.Close()
	}
	a.Close()
	<-done
	return w.pieces
}
