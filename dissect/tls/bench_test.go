package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// mute is a LayerEnv that keeps nothing.
type mute struct{ plain, opaque int64 }

func (*mute) Conn() dissect.Conn                                  { return dissect.Conn{} }
func (*mute) At(int) record.Stamp                                 { return record.Stamp{} }
func (*mute) Emit(record.Record)                                  {}
func (*mute) Defer(record.Record, func(emit func(record.Record))) {}
func (*mute) Violation(v dissect.Violation)                       { panic(v.Detail) }
func (*mute) Secret(string) record.Secret                         { return record.Secret{} }
func (*mute) Body(content.Info) content.Body                      { return nil }
func (*mute) Expect(dissect.Expectation) dissect.Expected         { return nil }
func (*mute) Open(string, string) dissect.Stream                  { return nil }
func (*mute) TLS() *record.TLSHandshake                           { return nil }
func (m *mute) Plain(_ dissect.Dir, b []byte, _ record.Stamp)     { m.plain += int64(len(b)) }
func (*mute) PlainGap(dissect.Dir, int64)                         {}
func (*mute) PlainEOF(dissect.Dir)                                {}
func (m *mute) Opaque(_ dissect.Dir, n int64)                     { m.opaque += n }
func (*mute) Established(*record.TLSHandshake)                    {}

// established is a layer behind its handshake, with or without keys.
func established(env dissect.LayerEnv, id uint16, secret []byte) *layer {
	l := New(Config{})(env).(*layer)
	l.begin(record.Stamp{})
	l.hs.version, l.hs.suite, l.hs.emitted = versionTLS13, suiteOf(id), true
	for d := range l.sides {
		s := &l.sides[d]
		s.started, s.sealed, s.suite, s.tagLen = true, true, l.hs.suite, l.hs.suite.tagLen+1
		if secret == nil {
			s.blind = true
			continue
		}
		s.epoch, s.opener, s.opened = epochTraffic, protection13(s.suite, secret), true
	}
	return l
}

// sealed returns n records of TLS 1.3 with full payloads, from sequence
// number 0 on.
func sealed(t testing.TB, id uint16, secret []byte, n int) (records [][]byte) {
	t.Helper()
	su := suiteOf(id)
	aead, err := newAEAD(su, expandLabel(su.prf, secret, "key", su.keyLen))
	if err != nil {
		t.Fatal(err)
	}
	iv := [12]byte(expandLabel(su.prf, secret, "iv", 12))
	for seq := range n {
		inner := append(make([]byte, 1<<14), typeApplicationData)
		head := binary.BigEndian.AppendUint16([]byte{typeApplicationData, 3, 3}, uint16(len(inner)+aead.Overhead()))
		var nonce [12]byte
		xorNonce(&nonce, &iv, uint64(seq))
		records = append(records, aead.Seal(head, nonce[:], inner, head))
	}
	return records
}

var benchSuites = map[string]uint16{"AES-128-GCM": 0x1301, "AES-256-GCM": 0x1302, "ChaCha20-Poly1305": 0x1303, "AES-128-CCM": 0x1304}

func TestRecordsDoNotAllocate(t *testing.T) {
	for name, id := range benchSuites {
		secret := make([]byte, suiteOf(id).prf.Size())
		records := sealed(t, id, secret, 1)
		for _, with := range []bool{true, false} {
			env := &mute{}
			sec := secret
			if !with {
				sec = nil
			}
			l := established(env, id, sec)
			send := func() {
				l.sides[s2c].seq = 0
				if n, _, err := l.Consume(s2c, records[0]); n != len(records[0]) || err != nil {
					t.Fatalf("%s: consumed %d: %v", name, n, err)
				}
			}
			send()
			if n := testing.AllocsPerRun(100, send); n != 0 {
				t.Errorf("%s, keys %v: %v allocations a record", name, with, n)
			}
			if with && env.plain == 0 || !with && env.opaque == 0 {
				t.Errorf("%s, keys %v: %d bytes read, %d counted", name, with, env.plain, env.opaque)
			}
		}
	}
}

// BenchmarkDecrypt reads full records of TLS 1.3. BenchmarkCipher is what the
// cipher alone takes: the two should hardly differ.
func BenchmarkDecrypt(b *testing.B) {
	for name, id := range benchSuites {
		b.Run(name, func(b *testing.B) {
			secret := make([]byte, suiteOf(id).prf.Size())
			records := sealed(b, id, secret, 64)
			l := established(&mute{}, id, secret)
			b.SetBytes(1 << 14)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(records) == 0 {
					l.sides[s2c].seq = 0
				}
				l.Consume(s2c, records[i%len(records)])
			}
		})
	}
}

func BenchmarkCipher(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	nonce, head := make([]byte, 12), make([]byte, 5)
	packed := gcm.Seal(nil, nonce, make([]byte, 1<<14), head)
	plain := make([]byte, 0, 1<<14)
	b.SetBytes(1 << 14)
	for b.Loop() {
		if _, err := gcm.Open(plain, nonce, packed, head); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpaque counts records without keys, in segments.
func BenchmarkOpaque(b *testing.B) {
	secret := make([]byte, 32)
	records := sealed(b, 0x1301, secret, 1)
	l := established(&mute{}, 0x1301, nil)
	b.SetBytes(int64(len(records[0])))
	b.ReportAllocs()
	for b.Loop() {
		for p := records[0]; len(p) > 0; {
			n, _, _ := l.Consume(s2c, p[:min(len(p), 1460)])
			p = p[n:]
		}
	}
}
