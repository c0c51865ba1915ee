package tls

import (
	"bytes"
	gotls "crypto/tls"
	"testing"

	"sniff/dissect"
)

// TestLateKeys wants a session that may wait to wait for its keys, once, and
// to be read when they come; without them to say that it was waited for them.
func TestLateKeys(t *testing.T) {
	root := newAuthority(t)
	cert := root.sign(t, true, "mail.example", nil)
	ask, answer := []byte("NOOP\r\n"), []byte("250 OK\r\n")
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		var log bytes.Buffer
		client := &gotls.Config{MaxVersion: version, ServerName: "mail.example", RootCAs: root.pool, KeyLogWriter: &log}
		pieces := talk(t, client, &gotls.Config{MaxVersion: version, Certificates: []gotls.Certificate{cert}}, ask, answer)
		for _, come := range []bool{true, false} {
			keys := NewKeys()
			cfg := Config{Keys: keys, Wait: true}
			w := newWatcher(t)
			feed(w, cfg, func(env dissect.LayerEnv) dissect.Layer {
				l := New(cfg)(env)
				if come {
					return &punctual{l.(*layer), func() { keys.AddKeyLog(log.Bytes()) }}
				}
				return l
			}, pieces, 1000)
			if w.waited != 1 {
				t.Errorf("%s: waited %d times", gotls.VersionName(version), w.waited)
			}
			if come {
				w.wantRead(ask, answer)
				continue
			}
			if hs := w.handshakes[0]; hs.Decryption != "opaque" || hs.Opaque != whyLate || w.plain[0].Len() > 0 {
				t.Errorf("%s: %s because %q", gotls.VersionName(version), hs.Decryption, hs.Opaque)
			}
		}
	}
}

// punctual is a layer whose keys come while it waits.
type punctual struct {
	*layer
	come func()
}

func (p *punctual) Ready(last bool) bool {
	if p.layer.Ready(false) {
		p.t().Error("ready without keys")
	}
	p.come()
	return p.layer.Ready(last)
}

func (p *punctual) t() testing.TB { return p.env.(*watcher).t }
