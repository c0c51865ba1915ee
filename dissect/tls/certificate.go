package tls

import (
	"bytes"
	"compress/zlib"
	//lint:ignore SA1019 Old captures hold DSA certificates.
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/ocsp"

	"sniff/dissect"
	"sniff/record"
)

// maxChain and maxNames bound what a record holds of certificates.
const (
	maxChain = 16
	maxNames = 256
)

// certificates reads a Certificate message (RFC 5246, section 7.4.2; RFC
// 8446, section 4.4.2).
func (l *layer) certificates(dir dissect.Dir, s cryptobyte.String) bool {
	h := l.hs
	tls13 := h.version == versionTLS13
	var context, list cryptobyte.String
	if tls13 && !s.ReadUint8LengthPrefixed(&context) || !s.ReadUint24LengthPrefixed(&list) {
		return false
	}
	var ders [][]byte
	ok := true
	for !list.Empty() && len(ders) < maxChain {
		var der, exts cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || tls13 && !list.ReadUint16LengthPrefixed(&exts) {
			ok = false
			break
		}
		ders = append(ders, der)
		for dir == dissect.ServerToClient && len(ders) == 1 && !exts.Empty() {
			var typ uint16
			var body cryptobyte.String
			if !exts.ReadUint16(&typ) || !exts.ReadUint16LengthPrefixed(&body) {
				ok = false
				break
			}
			if typ == extStatusRequest {
				ok = h.certificateStatus(body) && ok
			}
		}
	}
	if l.cfg.Shown != nil && len(ders) > 0 {
		l.cfg.Shown(l.env.Conn().Session, dir, l.env.At(0), ders)
	}
	if dir == dissect.ClientToServer {
		h.rec.ClientCertificates, _ = readChain(ders)
		h.rec.NoClientCertificate = len(ders) == 0 && ok
		return ok
	}
	h.rec.Resumed, h.rec.ResumedFrom = resumedByPSK(h.rec), ""
	var chain []*x509.Certificate
	h.rec.Certificates, chain = readChain(ders)
	if len(chain) > 0 && chain[0] != nil {
		h.rec.Chain = l.judge(chain, h.rec.Certificates)
	}
	return ok
}

// resumedByPSK keeps what a certificate does not disprove: where the server
// shows one, a session of TLS 1.2 and below was not resumed.
func resumedByPSK(r *record.TLSHandshake) string {
	if r.Resumed == "psk" {
		return r.Resumed
	}
	return ""
}

// compressedCertificate is RFC 8879, section 4.
func (l *layer) compressedCertificate(dir dissect.Dir, s cryptobyte.String) bool {
	var method uint16
	var size uint32
	var packed cryptobyte.String
	if !s.ReadUint16(&method) || !s.ReadUint24(&size) || !s.ReadUint24LengthPrefixed(&packed) || size > maxMessage {
		return false
	}
	var r io.Reader
	switch method {
	case 1:
		z, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			return false
		}
		r = z
	case 2:
		r = brotli.NewReader(bytes.NewReader(packed))
	default:
		return false
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return false
	}
	return l.certificates(dir, b)
}

// certificateStatus reads a stapled OCSP response (RFC 6066, section 8).
func (h *handshake) certificateStatus(s cryptobyte.String) bool {
	var kind uint8
	var body cryptobyte.String
	if !s.ReadUint8(&kind) || !s.ReadUint24LengthPrefixed(&body) {
		return false
	}
	h.rec.OCSP = &record.TLSOCSP{Status: "unreadable"}
	if kind != 1 {
		return true
	}
	resp, err := ocsp.ParseResponse(body, nil)
	if err != nil {
		return true
	}
	h.rec.OCSP.ThisUpdate, h.rec.OCSP.NextUpdate = resp.ThisUpdate, resp.NextUpdate
	switch resp.Status {
	case ocsp.Good:
		h.rec.OCSP.Status = "good"
	case ocsp.Revoked:
		h.rec.OCSP.Status, h.rec.OCSP.RevokedAt = "revoked", resp.RevokedAt
	default:
		h.rec.OCSP.Status = "unknown"
	}
	return true
}

// Certificates describes certificates as they were sent, DER.
func Certificates(ders ...[]byte) []record.TLSCertificate {
	described, _ := readChain(ders)
	return described
}

// readChain describes certificates. What cannot be read is nil in the chain.
func readChain(ders [][]byte) ([]record.TLSCertificate, []*x509.Certificate) {
	var out []record.TLSCertificate
	var chain []*x509.Certificate
	for _, der := range ders {
		c, r := readCertificate(der)
		out, chain = append(out, r), append(chain, c)
	}
	return out, chain
}

func readCertificate(der []byte) (*x509.Certificate, record.TLSCertificate) {
	sum, old := sha256.Sum256(der), sha1.Sum(der)
	r := record.TLSCertificate{SHA256: hex.EncodeToString(sum[:]), SHA1: hex.EncodeToString(old[:]), Size: len(der)}
	c, err := x509.ParseCertificate(bytes.Clone(der))
	if err != nil {
		r.Problem = err.Error()
		return nil, r
	}
	r.Subject, r.Issuer, r.CommonName = c.Subject.String(), c.Issuer.String(), c.Subject.CommonName
	r.NotBefore, r.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	r.Signature, r.CA = c.SignatureAlgorithm.String(), c.IsCA
	if c.SerialNumber != nil {
		r.Serial = c.SerialNumber.Text(16)
	}
	r.Names = certificateNames(c)
	r.Key, r.KeyBits = describeKey(c)
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		r.SelfSigned = c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil || weakSignature(c.SignatureAlgorithm)
	}
	return c, r
}

// weakSignature reports whether the library refuses to check a signature
// because of its algorithm.
func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	return false
}

func certificateNames(c *x509.Certificate) []string {
	var out []string
	out = append(out, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	out = append(out, c.EmailAddresses...)
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	return out[:min(len(out), maxNames)]
}

func describeKey(c *x509.Certificate) (string, int) {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name, k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	case *dsa.PublicKey:
		return "DSA", k.P.BitLen()
	}
	return c.PublicKeyAlgorithm.String(), 0
}

// judge says what is to be said of the server's chain at capture time.
func (l *layer) judge(chain []*x509.Certificate, recs []record.TLSCertificate) *record.TLSChain {
	leaf, at := chain[0], l.env.At(0).Time
	j := &record.TLSChain{Validity: validity(leaf, at), Name: strings.TrimSuffix(l.hs.rec.ServerName, ".")}
	if j.Name != "" {
		j.Matches = "yes"
		if err := leaf.VerifyHostname(j.Name); err != nil {
			j.Matches = "no"
			if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && strings.EqualFold(leaf.Subject.CommonName, j.Name) {
				j.Matches = "common_name"
			}
		}
	}
	j.Order = order(chain)
	last := leaf
	for range chain { // follow the issuers as far as they are there
		next := issuerIn(chain, last)
		if next == nil || next == last {
			break
		}
		last = next
	}
	if !bytes.Equal(last.RawIssuer, last.RawSubject) {
		j.Missing = last.Issuer.String()
	}
	if l.cfg.Verify == nil {
		return j
	}
	var known []*x509.Certificate
	for _, c := range chain {
		if c != nil {
			known = append(known, c)
		}
	}
	j.Verified = "yes"
	if err := l.cfg.Verify(known, at); err != nil {
		j.Verified = "no"
		if j.Problem == "" {
			j.Problem = err.Error()
		}
	}
	return j
}

func validity(c *x509.Certificate, at time.Time) string {
	switch {
	case at.IsZero():
		return "valid"
	case at.Before(c.NotBefore):
		return "not_yet_valid"
	case at.After(c.NotAfter):
		return "expired"
	}
	return "valid"
}

// order says how the certificates stand to each other (RFC 5246, section
// 7.4.2: each one certifies the one before it).
func order(chain []*x509.Certificate) string {
	inOrder := true
	for i := 1; i < len(chain); i++ {
		a, b := chain[i-1], chain[i]
		if a == nil || b == nil || !bytes.Equal(a.RawIssuer, b.RawSubject) {
			inOrder = false
		}
	}
	if inOrder {
		return "ordered"
	}
	reached := map[*x509.Certificate]bool{}
	for c := chain[0]; c != nil && !reached[c]; c = issuerIn(chain, c) {
		reached[c] = true
	}
	if len(reached) < len(chain) {
		return "extra"
	}
	return "unordered"
}

// issuerIn finds the certificate of c's issuer in the chain.
func issuerIn(chain []*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	for _, i := range chain {
		if i != nil && bytes.Equal(i.RawSubject, c.RawIssuer) && (i != c || bytes.Equal(c.RawIssuer, c.RawSubject)) {
			return i
		}
	}
	return nil
}
