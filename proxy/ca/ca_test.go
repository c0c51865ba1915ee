package ca

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestCreateAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	made, err := Create(dir, "test CA", now)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v; want mode 0600", info, err)
	}
	loaded, again, err := LoadOrCreate(dir, now)
	if err != nil || again {
		t.Fatalf("LoadOrCreate: made again %v, %v", again, err)
	}
	if loaded.Fingerprint() != made.Fingerprint() {
		t.Error("the loaded authority is another one")
	}
	if _, err := Create(dir, "x", now); err == nil {
		t.Error("Create overwrote an authority")
	}
}

func TestLoadRefusesReadableKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, "test CA", now); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("Load of a key with mode 0644: %v", err)
	}
}

func TestLeaf(t *testing.T) {
	a, err := Create(t.TempDir(), "test CA", now)
	if err != nil {
		t.Fatal(err)
	}
	upstream := &x509.Certificate{DNSNames: []string{"mail.example", "*.mail.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}
	upstream.Subject.CommonName = "mail.example"
	c, err := a.Leaf(upstream, "smtp.example", now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	for _, name := range []string{"mail.example", "a.mail.example", "smtp.example", "192.0.2.1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now}); err != nil {
			t.Errorf("a client that wants %s: %v", name, err)
		}
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.example", CurrentTime: now}); err == nil {
		t.Error("the leaf is good for a name that nobody asked for")
	}
	if !slices.Equal(c.Leaf.AuthorityKeyId, a.Cert.SubjectKeyId) || len(c.Leaf.AuthorityKeyId) == 0 {
		t.Error("authority key identifier and the authority's subject key identifier differ")
	}
	if slices.Equal(c.Leaf.SubjectKeyId, a.Cert.SubjectKeyId) {
		t.Error("the leaf has the authority's key")
	}
	if life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore); life >= 200*24*time.Hour {
		t.Errorf("the leaf lives %v", life)
	}
	again, err := a.Leaf(upstream, "smtp.example", now.Add(time.Hour))
	if err != nil || again != c {
		t.Error("the leaf was not cached")
	}
}

func TestLeafCacheIsBounded(t *testing.T) {
	a, err := Create(t.TempDir(), "test CA", now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxLeaves + 50 {
		if _, err := a.Leaf(nil, fmt.Sprintf("host%d.example", i), now); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.leaves.order.Len(); n != maxLeaves {
		t.Errorf("cache holds %d leaves, want %d", n, maxLeaves)
	}
}
