package tls

import (
	"bytes"
	gotls "crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

// TestChains wants certificates judged at capture time.
func TestChains(t *testing.T) {
	root := newAuthority(t)
	for _, c := range []struct {
		name                        string
		change                      func(*x509.Certificate)
		validity, matches, verified string
	}{
		{"good", nil, "valid", "yes", "yes"},
		{"expired", func(c *x509.Certificate) { c.NotAfter = t0.Add(-time.Minute) }, "expired", "yes", "no"},
		{"early", func(c *x509.Certificate) { c.NotBefore = t0.Add(time.Minute) }, "not_yet_valid", "yes", "no"},
		{"other name", func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} }, "valid", "no", "yes"},
		{"wildcard", func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} }, "valid", "yes", "yes"},
		{"common name", func(c *x509.Certificate) { c.DNSNames = nil }, "valid", "common_name", "yes"},
	} {
		server := &gotls.Config{Certificates: []gotls.Certificate{root.sign(t, false, "mail.example", c.change)}, MaxVersion: gotls.VersionTLS12}
		client := &gotls.Config{ServerName: "mail.example", InsecureSkipVerify: true}
		w := newWatcher(t)
		cfg := Config{Verify: root.verify}
		feed(w, cfg, New(cfg), talk(t, client, server, []byte("x"), []byte("y")), 1000)
		got := w.handshakes[0].Chain
		if got == nil || got.Validity != c.validity || got.Matches != c.matches || got.Verified != c.verified {
			t.Errorf("%s: %+v, want %s, name %s, verified %s", c.name, got, c.validity, c.matches, c.verified)
		}
		if cert := w.handshakes[0].Leaf(); cert.Key != "ECDSA P-256" || cert.Serial != "1234" || cert.SelfSigned {
			t.Errorf("%s: %+v", c.name, cert)
		}
	}
}

// TestRefusedCertificate wants the alert of a client told with the handshake.
func TestRefusedCertificate(t *testing.T) {
	root := newAuthority(t)
	server := &gotls.Config{Certificates: []gotls.Certificate{root.sign(t, false, "mail.example", nil)}, MaxVersion: gotls.VersionTLS12}
	client := &gotls.Config{ServerName: "other.example", RootCAs: root.pool}
	w := newWatcher(t)
	feed(w, Config{}, New(Config{}), talk(t, client, server, []byte("x"), []byte("y")), 1000)
	hs := w.handshakes[0]
	if hs.Outcome != "alert" || len(hs.Alerts) != 1 || hs.Alerts[0].By != "client" || hs.Alerts[0].Name != "bad_certificate" || hs.Alerts[0].Encrypted {
		t.Errorf("%s; alerts %+v", hs.Summary(), hs.Alerts)
	}
}

// TestPlainAnswer wants a server that does not speak TLS quoted.
func TestPlainAnswer(t *testing.T) {
	hello := []piece{{dir: c2s, b: rfc8448(t)[0].pieces[0].b}, {dir: s2c, b: []byte("220 mail.example ESMTP ready\r\n500 what?\r\n")}}
	for _, chunk := range []int{1, 1000} {
		w := newWatcher(t)
		feed(w, Config{}, New(Config{}), hello, chunk)
		if len(w.violations) != 1 || w.violations[0].Code != "tls_plain_answer" || w.handshakes[0].Outcome != "closed" {
			t.Errorf("anomalies %v; outcome %s", w.violations, w.handshakes[0].Outcome)
		}
	}
}

// TestCompression wants a session that is compressed told as that, and not
// read: nothing of today compresses, so the ServerHello is changed.
func TestCompression(t *testing.T) {
	root := newAuthority(t)
	var log bytes.Buffer
	client := &gotls.Config{MaxVersion: gotls.VersionTLS12, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log}
	server := &gotls.Config{Certificates: []gotls.Certificate{root.sign(t, false, "mail.example", nil)}}
	pieces := talk(t, client, server, []byte("ask"), []byte("answer"))
	for _, p := range pieces {
		if p.dir == s2c {
			session := recordHeader + messageHeader + 2 + 32
			p.b[session+1+int(p.b[session])+2] = 1 // behind the suite (RFC 5246, section 7.4.1.3)
			break
		}
	}
	keys := NewKeys()
	keys.AddKeyLog(log.Bytes())
	w, cfg := newWatcher(t), Config{Keys: keys}
	feed(w, cfg, New(cfg), pieces, 1000)
	hs := w.handshakes[0]
	if hs.Compression != "DEFLATE" || hs.Decryption != "opaque" || hs.Opaque != "it is compressed" || w.plain[0].Len() > 0 {
		t.Errorf("compression %q, %s because %q, %d bytes shown", hs.Compression, hs.Decryption, hs.Opaque, w.plain[0].Len())
	}
}
