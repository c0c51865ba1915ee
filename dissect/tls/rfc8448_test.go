package tls

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The trace of RFC 8448, section 3: a simple handshake.
const (
	rfcClientHello = `16 03 01 00 c4 010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000910000000b
		0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400230000003300260024001d002099381de560e4bd43d2
		3d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206
		020202002d00020101001c00024001`
	rfcServerHello = `16 03 03 00 5a 020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020c9
		828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304`
	rfcClientFinished = `17 03 03 00 35 75 ec 4d c2 38 cc e6 0b 29 80 44 a7 1e 21 9c 56 cc 77 b0 51 7f e9 b9 3c 7a 4b fc 44 d8 7f 38 f8 03
		38 ac 98 fc 46 de b3 84 bd 1c ae ac ab 68 67 d7 26 c4 05 46`
	rfcClientData = `17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4
		6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4`
	rfcClientAlert = `17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3`
	rfcKeyLog      = `CLIENT_HANDSHAKE_TRAFFIC_SECRET cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21
CLIENT_TRAFFIC_SECRET_0 cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5
`
)

// TestRFC8448Keys holds the key schedule against the values of the RFC.
func TestRFC8448Keys(t *testing.T) {
	for _, v := range [][3]string{
		{"b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21", "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"},
		{"b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38", "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
		{"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
	} {
		s := suiteOf(0x1301)
		key, iv := expandLabel(s.prf, unhex(t, v[0]), "key", 16), expandLabel(s.prf, unhex(t, v[0]), "iv", 12)
		if hex.EncodeToString(key) != v[1] || hex.EncodeToString(iv) != v[2] {
			t.Errorf("secret %s: key %x, iv %x", v[0], key, iv)
		}
	}
}

// TestRFC8448 reads the client's side of the trace.
func TestRFC8448(t *testing.T) {
	keys := NewKeys()
	if n, bad := keys.AddKeyLog([]byte(rfcKeyLog)); n != 2 || bad != 0 {
		t.Fatalf("%d secrets, %d bad lines", n, bad)
	}
	pieces := []piece{{dir: c2s, b: unhex(t, rfcClientHello)}, {dir: s2c, b: unhex(t, rfcServerHello)},
		{dir: c2s, b: unhex(t, rfcClientFinished)}, {dir: c2s, b: unhex(t, rfcClientData)}, {dir: c2s, b: unhex(t, rfcClientAlert)}}
	for _, chunk := range []int{1, 1000} {
		w := newWatcher(t)
		cfg := Config{Keys: keys}
		feed(w, cfg, New(cfg), pieces, chunk)
		var want []byte
		for i := range 50 {
			want = append(want, byte(i))
		}
		if !bytes.Equal(w.plain[0].Bytes(), want) || len(w.violations) > 0 {
			t.Errorf("the client said %x; anomalies %v", w.plain[0].Bytes(), w.violations)
		}
		hs := w.handshakes[0]
		if hs.Cipher != "TLS_AES_128_GCM_SHA256" || hs.Group != "x25519" || hs.ServerName != "server" || w.end.Client.End != endCloseNotify {
			t.Errorf("%s; the client ended with %s", hs.Summary(), w.end.Client.End)
		}
	}
}

// TestFingerprintsLeaveOutGREASE wants GREASE values, which change from one
// hello to the next, out of the fingerprints.
func TestFingerprintsLeaveOutGREASE(t *testing.T) {
	h := &hello{
		legacy: versionTLS12, versions: []uint16{0x2a2a, versionTLS13, versionTLS12}, suites: []uint16{0xdada, 0x1301, 0x1302},
		extensions: []uint16{0x1a1a, 0, 0x10, 0x2b, 0xd}, groups: []uint16{0x3a3a, 29}, points: []byte{0},
		signatures: []uint16{0x0403, 0x0804}, alpn: []string{"h2"},
	}
	if got, want := h.ja3(), "771,4865-4866,0-16-43-13,29,0"; got != want {
		t.Errorf("JA3 string %s, want %s", got, want)
	}
	_, raw := h.ja4()
	if want := "t13d0204h2_1301,1302_000d,002b_0403,0804"; raw != want {
		t.Errorf("JA4 string %s, want %s", raw, want)
	}
}
