package tls

import (
	"bytes"
	"crypto/rand"
	gotls "crypto/tls"
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"sniff/record"
)

// FuzzHello parses whatever comes as both hellos, and describes it.
func FuzzHello(f *testing.F) {
	root := newAuthority(f)
	server := &gotls.Config{Certificates: []gotls.Certificate{root.sign(f, false, "mail.example", nil)}}
	client := &gotls.Config{ServerName: "mail.example", RootCAs: root.pool, NextProtos: []string{"h2"}}
	for _, p := range talk(f, client, server, []byte("x"), []byte("y")) {
		if p.b[0] == typeHandshake && len(p.b) > 9 {
			f.Add(p.b[9:])
		}
	}
	f.Add([]byte{1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _ := parseClientHello(b)
		c.record()
		c.ja3()
		if hash, _ := c.ja4(); len(hash) != 36 {
			t.Errorf("JA4 %q", hash)
		}
		s, _ := parseServerHello(b)
		s.record()
		v2, _ := parseSSLv2Hello(b)
		v2.record()
	})
}

// FuzzCertificate reads whatever comes as a Certificate message of both forms.
func FuzzCertificate(f *testing.F) {
	root := newAuthority(f)
	cert := root.sign(f, true, "mail.example", nil)
	var b cryptobyte.Builder
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(cert.Certificate[0]) })
	})
	f.Add(b.BytesOrPanic())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, version := range []uint16{versionTLS12, versionTLS13} {
			l := New(Config{Verify: root.verify})(&watcher{t: t, now: record.Stamp{Time: t0}}).(*layer)
			l.begin(record.Stamp{})
			l.hs.version = version
			l.hs.rec.ServerName = "mail.example"
			l.certificates(s2c, b)
			l.certificates(c2s, b)
			l.hs.rec.Summary()
			l.hs.rec.Describe()
		}
	})
}

// FuzzRecords gives a recorded session, changed at will, to layers in two
// cuttings: what they say must be the same.
func FuzzRecords(f *testing.F) {
	root := newAuthority(f)
	server := &gotls.Config{Certificates: []gotls.Certificate{root.sign(f, false, "mail.example", nil)}}
	keys := NewKeys()
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		var log bytes.Buffer
		client := &gotls.Config{MaxVersion: version, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log, Rand: rand.Reader}
		var input []byte
		for _, p := range talk(f, client, server, []byte("ask"), []byte("answer")) {
			for b := p.b; len(b) > 0; {
				n := min(len(b), 255)
				input = append(append(input, byte(p.dir), byte(n)), b[:n]...)
				b = b[n:]
			}
		}
		keys.AddKeyLog(log.Bytes())
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var pieces []piece
		for len(input) >= 2 {
			p, n := piece{dir: s2c}, int(input[1])
			if input[0]&1 == 0 {
				p.dir = c2s
			}
			if input[0]&0x80 != 0 {
				p.gap = int64(n) - 1 // also unknown
				if n == 1 {
					p.gap = 1
				}
				input = input[2:]
			} else {
				n = min(n, len(input)-2)
				p.b, input = input[2:2+n], input[2+n:]
			}
			pieces = append(pieces, p)
		}
		var said [2]string
		for i, chunk := range []int{1, 1000} {
			w := newWatcher(t)
			cfg := Config{Keys: keys}
			feed(w, cfg, New(cfg), pieces, chunk)
			hs, _ := json.Marshal(w.handshakes)
			end, _ := json.Marshal(w.end)
			said[i] = fmt.Sprintf("%s %s %q %q %v %d", hs, end, w.plain[0].Bytes(), w.plain[1].Bytes(), w.opaque, len(w.violations))
		}
		if said[0] != said[1] {
			t.Errorf("the cuts change what is said:\n%s\n%s", said[0], said[1])
		}
	})
}
