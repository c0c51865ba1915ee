// Command tls records a TLS 1.3 transfer between two peers of crypto/tls, for
// benchmark/tls.sh: what each side writes goes into a capture as TCP segments,
// and the client's keys into a key log. What is transferred is an HTTP response
// or, with -raw, bytes of no protocol, behind which nothing but decryption is
// to be done.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"sniff/record"
	"sniff/render"
)

func main() {
	out := flag.String("o", "tls.pcapng", "capture to write; it must not exist")
	keys := flag.String("keylog", "tls.keys", "key log to write")
	size := flag.Int64("size", 1000, "what is transferred, MB")
	raw := flag.Bool("raw", false, "no HTTP around it")
	flag.Parse()
	if err := write(*out, *keys, *size*1_000_000, *raw); err != nil {
		log.Fatal(err)
	}
}

func write(out, keys string, size int64, raw bool) error {
	w, err := render.CreatePcapNG(out, render.Rotation{})
	if err != nil {
		return err
	}
	k, err := os.OpenFile(keys, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	start := time.Unix(1_700_000_000, 0).UTC()
	conn := w.Open(netip.MustParseAddrPort("192.0.2.10:40000"), netip.MustParseAddrPort("192.0.2.20:443"), start, "")
	wire := &wire{conn: conn, now: start}
	err = transfer(wire, k, size, raw)
	conn.Close(record.EndClosed, "client", wire.now)
	return errors.Join(err, k.Close(), w.Close())
}

// wire takes what both sides write, in one order.
type wire struct {
	mu   sync.Mutex
	conn record.TapConn
	now  time.Time
}

// end is one side's end of the connection.
type end struct {
	net.Conn
	wire *wire
	dir  record.Dir
}

func (e *end) Write(b []byte) (int, error) {
	e.wire.mu.Lock()
	e.wire.now = e.wire.now.Add(100 * time.Microsecond)
	e.wire.conn.Data(e.dir, b, e.wire.now)
	e.wire.mu.Unlock()
	return e.Conn.Write(b)
}

// transfer asks for size bytes and reads them.
func transfer(w *wire, keys io.Writer, size int64, raw bool) error {
	cert, err := certificate()
	if err != nil {
		return err
	}
	a, b := net.Pipe()
	client := tls.Client(&end{a, w, record.ClientToServer}, &tls.Config{
		InsecureSkipVerify: true, ServerName: "files.example", KeyLogWriter: keys, MinVersion: tls.VersionTLS13,
	})
	ask, head := "GET /file HTTP/1.1\r\nHost: files.example\r\n\r\n",
		fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size)
	if raw {
		ask, head = "\x00", "\x00"
	}
	server := tls.Server(&end{b, w, record.ServerToClient}, &tls.Config{Certificates: []tls.Certificate{cert}})
	served := make(chan error, 1)
	go func() {
		served <- serve(server, head, size)
		b.Close()
	}()
	if _, err := io.WriteString(client, ask); err != nil {
		return err
	}
	if n := client.ConnectionState().CipherSuite; n != tls.TLS_AES_128_GCM_SHA256 {
		return fmt.Errorf("%s was chosen", tls.CipherSuiteName(n))
	}
	if _, err := io.Copy(io.Discard, client); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return errors.Join(<-served, a.Close())
}

func serve(c *tls.Conn, head string, size int64) error {
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, head); err != nil {
		return err
	}
	b := make([]byte, 1<<14)
	for size > 0 {
		n, err := c.Write(b[:min(size, int64(len(b)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return c.CloseWrite()
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"files.example"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
