// Package ca is the certificate authority of the proxy: it makes and keeps the
// authority's own certificate, and mints leaf certificates that strict clients
// accept for the servers that the proxy stands in for.
//
// Keys are ECDSA P-256. The authority's key is a file of mode 0600 and is
// refused when others can read it. Every leaf has the authority's key
// identifier as its authority key identifier (Python 3.13 and OpenSSL's strict
// mode compare the two), the server-authentication usage, its names as subject
// alternative names, and is valid for less than 200 days.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Validity of what is made.
const (
	authorityLife = 5 * 365 * 24 * time.Hour
	leafLife      = 180 * 24 * time.Hour
	// backdate covers clients whose clock runs behind.
	backdate = 24 * time.Hour
)

// Authority is a certificate authority with its key.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// leafKey is the one key of all leaves of this run: it is not the
	// authority's, and making one for each host would cost time for nothing.
	leafKey *ecdsa.PrivateKey
	leaves  leafCache
}

// Files in the authority's folder.
const (
	CertFile = "ca.pem"
	KeyFile  = "ca.key"
)

// Create makes a new authority in dir. It refuses to overwrite one.
func Create(dir, name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"sniff proxy"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if err := writeNew(filepath.Join(dir, KeyFile), 0o600, "PRIVATE KEY", keyDER); err != nil {
		return nil, err
	}
	if err := writeNew(filepath.Join(dir, CertFile), 0o644, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return Load(dir)
}

// Load reads the authority in dir. The error wraps fs.ErrNotExist when there
// is none.
func Load(dir string) (*Authority, error) {
	keyPath := filepath.Join(dir, KeyFile)
	info, err := os.Stat(keyPath)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("ca: %s can be read by others (mode %04o); chmod 600 it, or make a new authority if somebody may have copied it", keyPath, info.Mode().Perm())
	}
	keyDER, err := readPEM(keyPath, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("ca: %s: %w", keyPath, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("ca: %s holds no ECDSA key", keyPath)
	}
	certPath := filepath.Join(dir, CertFile)
	der, err := readPEM(certPath, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca: %s: %w", certPath, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("ca: %s and %s do not belong together", certPath, keyPath)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return &Authority{Cert: cert, key: key, leafKey: leafKey}, nil
}

// LoadOrCreate loads the authority in dir, or makes one; made says which.
func LoadOrCreate(dir string, now time.Time) (a *Authority, made bool, err error) {
	a, err = Load(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, false, err
	}
	a, err = Create(dir, "sniff proxy CA "+now.UTC().Format("2006-01-02"), now)
	return a, true, err
}

// PEM returns the authority's certificate for clients to trust.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
}

// Fingerprint returns the SHA-256 of the certificate as colon-separated hex.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.Cert.Raw)
	var b strings.Builder
	for i, x := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{x})))
	}
	return b.String()
}

func writeNew(path string, mode fs.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	return nil
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("ca: %s holds no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

// serial returns a random positive number of 127 bits (RFC 5280, section
// 4.1.2.2: at most 20 octets, never negative).
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// keyID is method 1 of RFC 7093: the left 160 bits of the SHA-256 of the key.
func keyID(pub *ecdsa.PublicKey) ([]byte, error) {
	b, err := pub.Bytes()
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	sum := sha256.Sum256(b)
	return sum[:20], nil
}
