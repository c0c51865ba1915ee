package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// safe is a buffer that is read while it is written.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits until the buffer holds text.
func (s *safe) eventually(t *testing.T, text string) {
	t.Helper()
	if !s.comes(text, 30*time.Second) {
		t.Fatalf("%q does not come; there is:\n%s", text, s.String())
	}
}

// comes waits for some time until the buffer holds text.
func (s *safe) comes(text string, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(s.String(), text) {
			return true
		}
	}
	return false
}

// TestLiveWithGrowingKeyLog listens while a mail client logs its keys to a file
// that comes into being only when its connection has ended.
func TestLiveWithGrowingKeyLog(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("capturing needs root on Linux")
	}
	fixedKey(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		c.SetDeadline(time.Now().Add(30 * time.Second))
		for _, reply := range []string{"220 mail.example ESMTP", "250 mail.example"} {
			fmt.Fprintf(c, "%s\r\n", reply)
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
		}
		io.WriteString(c, "221 bye\r\n")
	}()

	_, port, _ := net.SplitHostPort(l.Addr().String())
	log := filepath.Join(t.TempDir(), "keys")
	var stdout, stderr safe
	status := make(chan int, 1)
	go func() {
		status <- run([]string{"live", "-i", "lo", "-o", "text", "--keylog", log, "-f", "tcp port " + port}, nil, &stdout, &stderr)
	}()
	stderr.eventually(t, "keys does not exist yet")

	var keys bytes.Buffer
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "mail.example", KeyLogWriter: &keys})
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	for _, command := range []string{"EHLO laptop.example", "QUIT"} {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "%s\r\n", command)
	}
	io.ReadAll(r)
	c.Close()
	if err := os.WriteFile(log, keys.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout.eventually(t, " ended (")
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if s := <-status; s != exitDone {
		t.Errorf("exit status %d: %s", s, stderr.String())
	}
	for _, want := range []string{"C EHLO laptop.example", "S 250 mail.example", "C QUIT", "decrypted with: keylog"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in\n%s", want, stdout.String())
		}
	}
}
