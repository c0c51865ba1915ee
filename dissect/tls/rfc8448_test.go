package tls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"sniff/record"
)

// trace is one of the traces of RFC 8448: what both sides sent, and what its
// secrets follow from.
type trace struct {
	name    string
	private *ecdh.PrivateKey // the client's
	psk     []byte
	pieces  []piece
}

func rfc8448(t *testing.T) (out []*trace) {
	t.Helper()
	text, err := os.ReadFile("testdata/rfc8448.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			out = append(out, &trace{name: strings.Trim(line, "[]")})
			continue
		}
		tr := out[len(out)-1]
		what, value, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		switch what {
		case "C":
			tr.pieces = append(tr.pieces, piece{dir: c2s, b: b})
		case "S":
			tr.pieces = append(tr.pieces, piece{dir: s2c, b: b})
		case "x25519":
			tr.private, err = ecdh.X25519().NewPrivateKey(b)
		case "p256":
			tr.private, err = ecdh.P256().NewPrivateKey(b)
		case "psk":
			tr.psk = b
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// derive is Derive-Secret and HKDF-Expand-Label of RFC 8446, section 7.1,
// written anew: the layer's own must agree with it.
func derive(t *testing.T, secret []byte, label string, context []byte, n int) []byte {
	t.Helper()
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 "+label)))
	info = append(info, "tls13 "+label...)
	info = append(append(info, byte(len(context))), context...)
	out, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func extract(t *testing.T, salt, secret []byte) []byte {
	t.Helper()
	out, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// keyLog computes the secrets of a trace from the client's private key, as the
// client does, and writes them down as it would.
func (tr *trace) keyLog(t *testing.T) string {
	t.Helper()
	var transcript, flight, hello []byte
	for _, p := range tr.pieces {
		b := p.b
		if b[0] == typeChangeCipherSpec {
			b = b[6:]
		}
		body := b[recordHeader:]
		switch {
		case b[0] == typeHandshake && p.dir == c2s:
			hello = body
			transcript = append(transcript, body...)
		case b[0] == typeHandshake && bytes.Equal(body[6:38], retryRandom[:]):
			sum := sha256.Sum256(transcript)
			transcript = append(append([]byte{254, 0, 0, 32}, sum[:]...), body...)
		case b[0] == typeHandshake:
			transcript = append(transcript, body...)
		case p.dir == s2c && flight == nil:
			flight = b
		}
	}
	hash := func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }
	zero, nothing := make([]byte, 32), hash(nil)
	psk := tr.psk
	if psk == nil {
		psk = zero
	}
	var log strings.Builder
	write := func(label string, secret []byte) { fmt.Fprintf(&log, "%s %x %x\n", label, hello[6:38], secret) }
	early := extract(t, zero, psk)
	if tr.psk != nil {
		write("CLIENT_EARLY_TRAFFIC_SECRET", derive(t, early, "c e traffic", hash(hello), 32))
	}
	// The server's share: group, length, and the key up to its next extension.
	mark := []byte{0, 0x1d, 0, 32}
	if tr.private.Curve() == ecdh.P256() {
		mark = []byte{0, 0x17, 0, 65}
	}
	at := bytes.LastIndex(transcript, mark) + len(mark)
	public, err := tr.private.Curve().NewPublicKey(transcript[at : at+int(mark[3])])
	if err != nil {
		t.Fatal(err)
	}
	shared, err := tr.private.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	handshake := extract(t, derive(t, early, "derived", nothing, 32), shared)
	server := derive(t, handshake, "s hs traffic", hash(transcript), 32)
	write("CLIENT_HANDSHAKE_TRAFFIC_SECRET", derive(t, handshake, "c hs traffic", hash(transcript), 32))
	write("SERVER_HANDSHAKE_TRAFFIC_SECRET", server)
	block, err := aes.NewCipher(derive(t, server, "key", nil, 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, derive(t, server, "iv", nil, 12), flight[recordHeader:], flight[:recordHeader])
	if err != nil {
		t.Fatalf("%s: the server's flight: %v", tr.name, err)
	}
	transcript = append(transcript, plain[:len(plain)-1]...)
	master := extract(t, derive(t, handshake, "derived", nothing, 32), zero)
	write("CLIENT_TRAFFIC_SECRET_0", derive(t, master, "c ap traffic", hash(transcript), 32))
	write("SERVER_TRAFFIC_SECRET_0", derive(t, master, "s ap traffic", hash(transcript), 32))
	return log.String()
}

// TestRFC8448 reads all traces of the RFC, with secrets that follow from the
// private keys that it gives.
func TestRFC8448(t *testing.T) {
	traces := rfc8448(t)
	if len(traces) != 5 {
		t.Fatalf("%d traces, want 5", len(traces))
	}
	keys := NewKeys()
	for _, tr := range traces {
		if n, bad := keys.AddKeyLog([]byte(tr.keyLog(t))); n < 4 || bad != 0 {
			t.Fatalf("%s: %d secrets, %d bad lines", tr.name, n, bad)
		}
	}
	// The RFC prints this one; the others follow in the same way.
	if got, want := hex.EncodeToString(keys.lookup([32]byte(traces[0].pieces[0].b[11:43]), func(*secrets) bool { return true }).traffic[0]),
		"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"; got != want {
		t.Errorf("client_application_traffic_secret_0 is %s, want %s", got, want)
	}
	var count []byte
	for i := range 50 {
		count = append(count, byte(i))
	}
	for _, chunk := range []int{1, 7, 1000} {
		cfg := Config{Keys: keys}
		layers := New(cfg)
		for i, tr := range traces {
			w := newWatcher(t)
			w.session = fmt.Sprint("s", i)
			feed(w, cfg, layers, tr.pieces, chunk)
			var ask, answer []byte
			switch i {
			case 0:
				ask, answer = count, count
			case 1:
				ask, answer = append([]byte("ABCDEF"), count...), count
			}
			w.wantRead(ask, answer)
			hs, want := w.handshakes[0], rfcTold[i]
			got := record.TLSHandshake{
				Group: hs.Group, Resumed: hs.Resumed, ResumedFrom: hs.ResumedFrom, EarlyData: hs.EarlyData,
				CertificateRequested: hs.CertificateRequested, HelloRetry: hs.HelloRetry, Signature: hs.Signature,
			}
			if got.Summary() != want.Summary() || fmt.Sprint(got.Group, got.Resumed, got.ResumedFrom, got.EarlyData, got.CertificateRequested, got.Signature) !=
				fmt.Sprint(want.Group, want.Resumed, want.ResumedFrom, want.EarlyData, want.CertificateRequested, want.Signature) {
				t.Errorf("%s: %+v, want %+v", tr.name, got, want)
			}
			if (got.HelloRetry == nil) != (want.HelloRetry == nil) || got.HelloRetry != nil && fmt.Sprint(*got.HelloRetry) != fmt.Sprint(*want.HelloRetry) {
				t.Errorf("%s: HelloRetryRequest %+v, want %+v", tr.name, got.HelloRetry, want.HelloRetry)
			}
			if hs.Cipher != "TLS_AES_128_GCM_SHA256" || hs.ServerName != "server" || hs.Outcome != "established" ||
				w.end.Client.End != endCloseNotify || w.end.Server.End != endCloseNotify || w.end.Decryption != "read" {
				t.Errorf("%s: %s; the client ended with %s, the server with %s", tr.name, hs.Summary(), w.end.Client.End, w.end.Server.End)
			}
			if n := len(hs.ClientCertificates); (n == 1) != want.CertificateRequested {
				t.Errorf("%s: %d client certificates", tr.name, n)
			}
		}
	}
}

// rfcTold is what the handshakes are to be told as.
var rfcTold = []record.TLSHandshake{
	{Group: "x25519", Signature: "rsa_pss_rsae_sha256"},
	{Group: "x25519", Resumed: "psk", ResumedFrom: "s0", EarlyData: "accepted"},
	{Group: "secp256r1", Signature: "rsa_pss_rsae_sha256", HelloRetry: &record.TLSHelloRetry{
		Group: "secp256r1", Cookie: true, Cipher: "TLS_AES_128_GCM_SHA256", Before: []string{"x25519"},
	}},
	{Group: "x25519", CertificateRequested: true, Signature: "ecdsa_secp256r1_sha256"},
	{Group: "x25519", Signature: "rsa_pss_rsae_sha256"},
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
