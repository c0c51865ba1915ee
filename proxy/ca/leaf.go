package ca

import (
	"container/list"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLeaves bounds the cache of leaf certificates.
const maxLeaves = 1024

// leafCache keeps minted leaves by their names, least recently used out first.
type leafCache struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List
}

type leaf struct {
	key  string
	cert *tls.Certificate
}

// Leaf returns a certificate for a server that the proxy stands in for. The
// names are those of upstream (its certificate; nil if it has none) and
// serverName, the name or address that the client asked for ("" if unknown).
// It is cached.
func (a *Authority) Leaf(upstream *x509.Certificate, serverName string, now time.Time) (*tls.Certificate, error) {
	t := &x509.Certificate{
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		AuthorityKeyId:        a.Cert.SubjectKeyId,
	}
	if upstream != nil {
		t.Subject.CommonName = upstream.Subject.CommonName
		t.DNSNames = slices.Clone(upstream.DNSNames)
		t.IPAddresses = slices.Clone(upstream.IPAddresses)
	}
	addName(t, serverName)
	if len(t.DNSNames)+len(t.IPAddresses) == 0 {
		// A certificate of old that has only a common name: clients want a
		// subject alternative name, and this is the one they would check.
		addName(t, t.Subject.CommonName)
	}
	if t.Subject.CommonName == "" || len(t.Subject.CommonName) > 64 {
		t.Subject = pkix.Name{Organization: []string{"sniff proxy"}}
	}
	key := leafKey(t)

	a.leaves.mu.Lock()
	defer a.leaves.mu.Unlock()
	if e := a.leaves.byKey[key]; e != nil {
		l := e.Value.(*leaf)
		if now.Before(l.cert.Leaf.NotAfter.Add(-backdate)) {
			a.leaves.order.MoveToFront(e)
			return l.cert, nil
		}
		a.leaves.order.Remove(e)
		delete(a.leaves.byKey, key)
	}
	cert, err := a.sign(t)
	if err != nil {
		return nil, err
	}
	if a.leaves.byKey == nil {
		a.leaves.byKey = map[string]*list.Element{}
	}
	a.leaves.byKey[key] = a.leaves.order.PushFront(&leaf{key, cert})
	if a.leaves.order.Len() > maxLeaves {
		last := a.leaves.order.Back()
		a.leaves.order.Remove(last)
		delete(a.leaves.byKey, last.Value.(*leaf).key)
	}
	return cert, nil
}

func (a *Authority) sign(t *x509.Certificate) (*tls.Certificate, error) {
	id, err := keyID(&a.leafKey.PublicKey)
	if err != nil {
		return nil, err
	}
	t.SubjectKeyId = id
	t.SerialNumber = serial()
	der, err := x509.CreateCertificate(rand.Reader, t, a.Cert, &a.leafKey.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("ca: leaf for %s: %w", leafKey(t), err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.Cert.Raw}, PrivateKey: a.leafKey, Leaf: parsed}, nil
}

func addName(t *x509.Certificate, name string) {
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return
	}
	if ip := net.ParseIP(name); ip != nil {
		if !slices.ContainsFunc(t.IPAddresses, ip.Equal) {
			t.IPAddresses = append(t.IPAddresses, ip)
		}
		return
	}
	if !slices.ContainsFunc(t.DNSNames, func(n string) bool { return strings.EqualFold(n, name) }) {
		t.DNSNames = append(t.DNSNames, name)
	}
}

func leafKey(t *x509.Certificate) string {
	names := slices.Clone(t.DNSNames)
	for _, ip := range t.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return t.Subject.CommonName + " " + strings.Join(names, ",")
}
