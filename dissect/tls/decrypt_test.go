package tls

import (
	"bytes"
	"crypto/rsa"
	gotls "crypto/tls"
	"fmt"
	"strings"
	"testing"
)

// TestDecryptsWhatGoSpeaks lets two peers of the standard library talk in
// every version and suite that they have, and wants the dialogue back, however
// the stream is cut.
func TestDecryptsWhatGoSpeaks(t *testing.T) {
	root := newAuthority(t)
	certs := []gotls.Certificate{root.sign(t, true, "mail.example", nil), root.sign(t, false, "mail.example", nil)}
	ask := bytes.Repeat([]byte("EHLO laptop.example\r\n"), 2000) // several records
	answer := []byte("250 mail.example\r\n")
	suites := append(gotls.CipherSuites(), gotls.InsecureCipherSuites()...)
	for _, version := range []uint16{gotls.VersionTLS10, gotls.VersionTLS11, gotls.VersionTLS12, gotls.VersionTLS13} {
		for _, su := range suites {
			for _, cert := range certs {
				fits := false
				for _, v := range su.SupportedVersions {
					fits = fits || v == version
				}
				_, isRSA := cert.PrivateKey.(*rsa.PrivateKey)
				if !fits || strings.Contains(su.Name, "ECDSA") == isRSA && version < gotls.VersionTLS13 {
					continue
				}
				if version == gotls.VersionTLS13 && !isRSA && su.ID != gotls.TLS_AES_128_GCM_SHA256 {
					continue // the suite cannot be chosen there
				}
				t.Run(fmt.Sprintf("%s/%s", gotls.VersionName(version), su.Name), func(t *testing.T) {
					var log bytes.Buffer
					client := &gotls.Config{
						MinVersion: version, MaxVersion: version, CipherSuites: []uint16{su.ID}, ServerName: "mail.example", RootCAs: root.pool,
						KeyLogWriter: &log, NextProtos: []string{"smtp", "http/1.1"},
					}
					server := &gotls.Config{
						MinVersion: version, MaxVersion: version, CipherSuites: []uint16{su.ID}, Certificates: []gotls.Certificate{cert}, NextProtos: []string{"smtp"},
					}
					pieces := talk(t, client, server, ask, answer)
					keys := NewKeys()
					if n, bad := keys.AddKeyLog(log.Bytes()); n == 0 || bad > 0 {
						t.Fatalf("key log: %d secrets, %d bad lines", n, bad)
					}
					for _, chunk := range []int{1, 7, 100_000} {
						w := newWatcher(t)
						cfg := Config{Keys: keys, Verify: root.verify}
						feed(w, cfg, New(cfg), pieces, chunk)
						w.wantRead(ask, answer)
						hs := w.handshakes[0]
						if version < gotls.VersionTLS13 && hs.Cipher != su.Name && !strings.HasSuffix(su.Name, "CHACHA20_POLY1305") {
							t.Errorf("suite %s, want %s", hs.Cipher, su.Name)
						}
						if hs.Version != gotls.VersionName(version) || hs.ServerName != "mail.example" || hs.ALPN != "smtp" || hs.Outcome != "established" {
							t.Errorf("%s", hs.Summary())
						}
						if len(hs.Certificates) != 1 || hs.Chain.Verified != "yes" || hs.Chain.Matches != "yes" || hs.Chain.Validity != "valid" {
							t.Errorf("chain %+v", hs.Chain)
						}
						if e := w.end; e == nil || e.Client.End != "close_notify" || e.Decryption != "read" {
							t.Errorf("end: %+v", e)
						}
					}
				})
			}
		}
	}
}

// wantRead wants both sides' plaintext, and nothing to complain of.
func (w *watcher) wantRead(ask, answer []byte) {
	w.t.Helper()
	if !bytes.Equal(w.plain[0].Bytes(), ask) || !bytes.Equal(w.plain[1].Bytes(), answer) {
		w.t.Errorf("read %d of %d bytes of the client and %d of %d of the server", w.plain[0].Len(), len(ask), w.plain[1].Len(), len(answer))
	}
	for _, v := range w.violations {
		w.t.Errorf("%s: %s", v.Code, v.Detail)
	}
	if len(w.handshakes) == 0 {
		w.t.Fatal("no handshake was recorded")
	}
	if hs := w.handshakes[0]; hs.Decryption != "read" {
		w.t.Errorf("decryption %s: %s", hs.Decryption, hs.Opaque)
	}
}

// TestResumption wants a resumed session read, and the session named that it
// came from.
func TestResumption(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, true, "mail.example", nil)
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		t.Run(gotls.VersionName(version), func(t *testing.T) {
			var log bytes.Buffer
			cache := gotls.NewLRUClientSessionCache(4)
			client := &gotls.Config{MaxVersion: version, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log, ClientSessionCache: cache}
			server := &gotls.Config{MaxVersion: version, Certificates: []gotls.Certificate{cert}}
			ask, answer := []byte("NOOP\r\n"), []byte("250 OK\r\n")
			first := talk(t, client, server, ask, answer)
			second := talk(t, client, server, ask, answer)
			keys := NewKeys()
			keys.AddKeyLog(log.Bytes())
			cfg := Config{Keys: keys}
			layers := New(cfg)
			one, two := newWatcher(t), newWatcher(t)
			two.session = "s2"
			feed(one, cfg, layers, first, 1000)
			feed(two, cfg, layers, second, 1000)
			one.wantRead(ask, answer)
			two.wantRead(ask, answer)
			if hs := one.handshakes[0]; hs.Resumed != "" || len(hs.Certificates) != 1 {
				t.Errorf("the first session: resumed by %q, %d certificates", hs.Resumed, len(hs.Certificates))
			}
			want := map[uint16]string{gotls.VersionTLS12: "ticket", gotls.VersionTLS13: "psk"}[version]
			if hs := two.handshakes[0]; hs.Resumed != want || hs.ResumedFrom != "s1" || len(hs.Certificates) != 0 {
				t.Errorf("the second session: resumed by %q from %q, %d certificates", hs.Resumed, hs.ResumedFrom, len(hs.Certificates))
			}
		})
	}
}

// TestServerKey wants sessions with a static RSA key exchange read with the
// server's key alone, and those that resume them too.
func TestServerKey(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, true, "mail.example", nil)
	for _, version := range []uint16{gotls.VersionTLS10, gotls.VersionTLS12} {
		client := &gotls.Config{
			MinVersion: version, MaxVersion: version, ServerName: "mail.example", RootCAs: root.pool,
			CipherSuites: []uint16{gotls.TLS_RSA_WITH_AES_128_CBC_SHA}, ClientSessionCache: gotls.NewLRUClientSessionCache(4),
		}
		server := &gotls.Config{MinVersion: version, Certificates: []gotls.Certificate{cert}, CipherSuites: client.CipherSuites}
		ask, answer := []byte("NOOP\r\n"), []byte("250 OK\r\n")
		keys := NewKeys()
		keys.AddRSA(cert.PrivateKey.(*rsa.PrivateKey))
		cfg := Config{Keys: keys}
		layers := New(cfg)
		for i, by := range []string{byRSA, byResumed} {
			w := newWatcher(t)
			feed(w, cfg, layers, talk(t, client, server, ask, answer), 1000)
			w.wantRead(ask, answer)
			if hs := w.handshakes[0]; hs.Keys != by || hs.Secrecy != "no" {
				t.Errorf("%s, session %d: keys by %q, want %q; forward secrecy %q", gotls.VersionName(version), i+1, hs.Keys, by, hs.Secrecy)
			}
		}
	}
}

// TestWithoutKeys wants everything that the handshake shows, and an honest
// word on the rest.
func TestWithoutKeys(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, false, "mail.example", nil)
	ask, answer := bytes.Repeat([]byte("x"), 40_000), []byte("250 OK\r\n")
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		client := &gotls.Config{MaxVersion: version, ServerName: "mail.example", RootCAs: root.pool}
		server := &gotls.Config{MaxVersion: version, Certificates: []gotls.Certificate{cert}}
		pieces := talk(t, client, server, ask, answer)
		for _, chunk := range []int{1, 100_000} {
			w := newWatcher(t)
			feed(w, Config{}, New(Config{}), pieces, chunk)
			hs := w.handshakes[0]
			if hs.Outcome != "established" || hs.Decryption != "opaque" || hs.Opaque != whyUnknown || len(w.violations) > 0 {
				t.Errorf("%s: outcome %s, %s because %q, anomalies %v", hs.Version, hs.Outcome, hs.Decryption, hs.Opaque, w.violations)
			}
			if w.plain[0].Len()+w.plain[1].Len() > 0 {
				t.Error("plaintext without keys")
			}
			if w.opaque[0] < int64(len(ask)) || w.opaque[0] > int64(len(ask))+200 {
				t.Errorf("%s: %d bytes of the client counted, want about %d", hs.Version, w.opaque[0], len(ask))
			}
			if w.end.Client.End != endAlert {
				t.Errorf("%s: the client ended with %s, want %s", hs.Version, w.end.Client.End, endAlert)
			}
		}
	}
}

// TestAlteredRecord wants a record that was altered reported and not shown.
func TestAlteredRecord(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, true, "mail.example", nil)
	suites := map[uint16]uint16{
		gotls.TLS_AES_128_GCM_SHA256: gotls.VersionTLS13, gotls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: gotls.VersionTLS12,
		gotls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: gotls.VersionTLS12, gotls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: gotls.VersionTLS12,
	}
	for id, version := range suites {
		var log bytes.Buffer
		client := &gotls.Config{MaxVersion: version, CipherSuites: []uint16{id}, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log}
		server := &gotls.Config{MaxVersion: version, CipherSuites: []uint16{id}, Certificates: []gotls.Certificate{cert}}
		ask := []byte("the secret of the client")
		pieces := talk(t, client, server, ask, []byte("the answer"))
		for i := range pieces { // the client's first application record
			p := &pieces[i]
			size := recordHeader + len(ask) + 17
			if version == gotls.VersionTLS13 && len(p.b) != size { // the client's Finished looks alike
				continue
			}
			if p.dir == c2s && p.b[0] == typeApplicationData {
				p.b[len(p.b)-3] ^= 1
				break
			}
		}
		keys := NewKeys()
		keys.AddKeyLog(log.Bytes())
		cfg := Config{Keys: keys}
		w := newWatcher(t)
		feed(w, cfg, New(cfg), pieces, 1000)
		name := gotls.CipherSuiteName(id)
		if w.plain[0].Len() > 0 {
			t.Errorf("%s: shown %q", name, w.plain[0].String())
		}
		if len(w.violations) == 0 || w.violations[0].Code != "tls_bad_record" {
			t.Errorf("%s: anomalies %v", name, w.violations)
		}
		if w.plain[1].String() != "the answer" {
			t.Errorf("%s: the other direction: %q", name, w.plain[1].String())
		}
	}
}

// TestHoles wants reading to go on behind missing bytes where the cipher
// allows it, and nothing spliced.
func TestHoles(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, true, "mail.example", nil)
	suites := map[uint16]uint16{
		gotls.TLS_AES_128_GCM_SHA256: gotls.VersionTLS13, gotls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: gotls.VersionTLS12,
		gotls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: gotls.VersionTLS12, gotls.TLS_RSA_WITH_AES_256_CBC_SHA: gotls.VersionTLS10,
		gotls.TLS_ECDHE_RSA_WITH_RC4_128_SHA: gotls.VersionTLS11,
	}
	for id, version := range suites {
		var log bytes.Buffer
		client := &gotls.Config{
			MinVersion: version, MaxVersion: version, CipherSuites: []uint16{id}, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log,
			DynamicRecordSizingDisabled: true,
		}
		server := &gotls.Config{MinVersion: version, MaxVersion: version, CipherSuites: []uint16{id}, Certificates: []gotls.Certificate{cert}}
		ask := make([]byte, 200_000)
		for i := range ask {
			ask[i] = byte(i >> 8)
		}
		pieces := talk(t, client, server, ask, []byte("the answer"))
		// Packets of 1400 bytes, of which three in the middle are missing.
		var cut []piece
		n := 0
		for _, p := range pieces {
			for b := p.b; len(b) > 0; {
				k := min(1400, len(b))
				q := piece{dir: p.dir, b: b[:k]}
				if p.dir == c2s && k == 1400 {
					if n++; n >= 40 && n < 43 {
						q = piece{dir: p.dir, gap: int64(k)}
					}
				}
				cut = append(cut, q)
				b = b[k:]
			}
		}
		keys := NewKeys()
		keys.AddKeyLog(log.Bytes())
		cfg := Config{Keys: keys}
		w := newWatcher(t)
		feed(w, cfg, New(cfg), cut, 1400)
		name := gotls.CipherSuiteName(id)
		got := w.plain[0].Bytes()
		same := 0
		for same < len(got) && got[same] == ask[same] {
			same++
		}
		if same < 30_000 {
			t.Errorf("%s: only %d bytes read before the hole", name, same)
		}
		rest := got[same:]
		if id == gotls.TLS_ECDHE_RSA_WITH_RC4_128_SHA {
			if len(rest) > 0 || w.end.Opaque == "" {
				t.Errorf("%s: %d bytes read behind the hole; why not: %q", name, len(rest), w.end.Opaque)
			}
			continue
		}
		if len(rest) < 90_000 || !bytes.HasSuffix(ask, rest) {
			t.Errorf("%s: %d bytes read behind the hole, and they are the last ones: %v; %q", name, len(rest), bytes.HasSuffix(ask, rest), w.end.Opaque)
		}
		if w.gaps[0] == 0 {
			t.Errorf("%s: the protocol was not told of the hole", name)
		}
	}
}
