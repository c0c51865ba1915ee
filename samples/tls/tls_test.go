package tls

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/capture"
	"sniff/dissect"
	"sniff/dissect/http"
	"sniff/dissect/smtp"
	"sniff/dissect/tls"
	"sniff/flow"
	"sniff/record"
)

// reading is what came out of one recording.
type reading struct {
	records []record.Record
	plain   [][2]bytes.Buffer // of each TLS connection, in order of their hellos
	sealed  [][2]bytes.Buffer // what it was read from
}

func (r *reading) handshakes() (out []*record.TLSHandshake) {
	for _, rec := range r.records {
		if h, ok := rec.(*record.TLSHandshake); ok {
			out = append(out, h)
		}
	}
	return out
}

// tap keeps the plaintext that passes.
type tap struct {
	dissect.LayerEnv
	to *[2]bytes.Buffer
}

func (t tap) Plain(dir dissect.Dir, b []byte, at record.Stamp) {
	t.to[dir].Write(b)
	t.LayerEnv.Plain(dir, b, at)
}

// listener keeps what a layer reads.
type listener struct {
	dissect.Layer
	to *[2]bytes.Buffer
}

func (l listener) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	n, act, err := l.Layer.Consume(dir, b)
	l.to[dir].Write(b[:n])
	return n, act, err
}

func read(t *testing.T, name string, keys *tls.Keys) *reading {
	t.Helper()
	return readAltered(t, name, keys, nil)
}

// readAltered reads a recording, each packet's bytes changed as wanted.
func readAltered(t *testing.T, name string, keys *tls.Keys, change func(payload []byte)) *reading {
	t.Helper()
	out := &reading{plain: make([][2]bytes.Buffer, 0, 8), sealed: make([][2]bytes.Buffer, 0, 8)}
	layers := tls.New(tls.Config{Keys: keys})
	engine := flow.New(flow.Config{
		Protocols: []dissect.Protocol{smtp.Protocol(), http.Protocol()}, Inline: true,
		TLS: func(env dissect.LayerEnv) dissect.Layer {
			out.plain, out.sealed = append(out.plain, [2]bytes.Buffer{}), append(out.sealed, [2]bytes.Buffer{})
			i := len(out.plain) - 1
			return listener{layers(tap{env, &out.plain[i]}), &out.sealed[i]}
		},
		Sink: record.SinkFunc(func(r record.Record) error { out.records = append(out.records, r); return nil }),
	})
	r, err := capture.OpenFiles([]string{name + ".pcapng"}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var seg capture.Segment
	for {
		err := r.Next(&seg)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(seg.Payload)
		}
		engine.Segment(&seg)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func keyLog(t *testing.T, name string) *tls.Keys {
	t.Helper()
	keys := tls.NewKeys()
	b, err := os.ReadFile(name + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	if _, bad := keys.AddKeyLog(b); bad > 0 {
		t.Errorf("%s.keys: %d lines cannot be read", name, bad)
	}
	return keys
}

// dialogue returns the SMTP records as JSON without what differs from one
// connection to the next; inside: only of what was read out of TLS.
func dialogue(t *testing.T, r *reading, inside bool) []string {
	t.Helper()
	var out []string
	for _, rec := range r.records {
		if !strings.HasPrefix(string(rec.Kind()), "smtp.") || inside && rec.Head().StreamOffset == 0 {
			continue
		}
		b, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		strip(m)
		b, _ = json.Marshal(m)
		out = append(out, string(b))
	}
	return out
}

// strip removes times, places and the TLS state, at any depth.
func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch {
			case strings.Contains(k, "time"), strings.Contains(k, "tls"), strings.Contains(k, "phase"), k == "offset", k == "stream_offset", k == "packet",
				strings.HasPrefix(k, "data_at"), k == "data_end", k == "session", k == "community_id", k == "client", k == "server", k == "number", k == "rate", k == "encrypted":
				delete(v, k)
			default:
				if slices.Contains([]string{"wait", "took", "idle", "duration"}, k) {
					delete(v, k)
					continue
				}
				strip(x)
			}
		}
	case []any:
		for _, x := range v {
			strip(x)
		}
	}
}

// keyed are the recordings with a static RSA exchange, which the server's key
// opens.
var keyed = []string{"ssl30-java-3des", "ssl30-java-aes", "ssl30-java-rc4", "tls10-java-3des", "tls10-v2hello", "tls11-java-rc4"}

func keysOf(t *testing.T, name string) *tls.Keys {
	t.Helper()
	if !slices.Contains(keyed, name) {
		return keyLog(t, name)
	}
	b, err := os.ReadFile("server.key")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	keys := tls.NewKeys()
	keys.AddRSA(key.(*rsa.PrivateKey))
	return keys
}

func recordings(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.keys")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings with key logs", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".keys")
	}
	return files
}

// TestSameDialogue wants the records of a mail that was sent inside of TLS to
// be those of the same mail in the clear.
func TestSameDialogue(t *testing.T) {
	want := dialogue(t, read(t, "clear", nil), false)
	if len(want) < 7 {
		t.Fatalf("the clear dialogue has %d records", len(want))
	}
	compared := 0
	for _, name := range append(recordings(t), keyed...) {
		r := read(t, name, keysOf(t, name))
		got := dialogue(t, r, true)
		if len(got) == 0 || name == "tls12-camellia" || name == "postfix" {
			continue // not SMTP inside; another server
		}
		compared++
		wanted := want
		if strings.HasPrefix(name, "starttls") {
			wanted = want[1:]    // the greeting was in the clear
			for i := range got { // which aiosmtpd offers there only
				got[i] = strings.ReplaceAll(got[i], `"AUTH LOGIN PLAIN",`, "")
			}
		}
		if strings.HasSuffix(name, "-resumed") {
			wanted = append(append([]string(nil), wanted...), wanted...)
		}
		if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
			for i := range max(len(got), len(wanted)) {
				if i >= len(got) || i >= len(wanted) || got[i] != wanted[i] {
					t.Errorf("%s: record %d of %d, %d in the clear, differs:\n%s\n%s", name, i, len(got), len(wanted), got[min(i, len(got)-1)], wanted[min(i, len(wanted)-1)])
					break
				}
			}
		}
		for _, rec := range r.records {
			if a, ok := rec.(*record.Anomaly); ok {
				t.Errorf("%s: %s", name, a.Summary())
			}
		}
	}
	if compared < 44 {
		t.Errorf("only %d recordings hold the dialogue", compared)
	}
}

// TestPlaces wants a record to name both the place of its plaintext and that
// of the TLS record which carried it.
func TestPlaces(t *testing.T) {
	places := 0
	for _, name := range append(recordings(t), keyed...) {
		r := read(t, name, keysOf(t, name))
		if len(r.plain) != 1 || strings.HasPrefix(name, "starttls") || name == "postfix" {
			continue // offsets count from where TLS began
		}
		last := int64(0)
		for _, rec := range r.records {
			x, ok := rec.(*record.SMTPExchange)
			if !ok || x.Command.IsZero() {
				continue
			}
			places++
			if plain := r.plain[0][0].String(); !strings.HasPrefix(plain[x.Offset:], x.Command.Clear()+"\r\n") {
				t.Errorf("%s: no %s at %d of the plaintext", name, x.Command, x.Offset)
			}
			if b := r.sealed[0][0].Bytes()[x.StreamOffset:]; b[0] != 23 || b[1] != 3 || x.StreamOffset <= last {
				t.Errorf("%s: no record that can carry %s at %d of the stream, behind %d: % x", name, x.Command, x.StreamOffset, last, b[:min(5, len(b))])
			}
			last = x.StreamOffset
		}
	}
	if places < 100 {
		t.Errorf("only %d places were looked at", places)
	}
}

// TestPlaintextIsTsharks compares the plaintext of every recording with what
// tshark makes of it.
func TestPlaintextIsTsharks(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	compared := 0
	for _, name := range append(recordings(t), keyed...) {
		r := read(t, name, keysOf(t, name))
		for i := range r.plain {
			got := [2]string{r.plain[i][0].String(), r.plain[i][1].String()}
			want := follow(t, name, i)
			if name == "tls12-camellia" || want[0]+want[1] == "" {
				continue // a cipher that is not read here; one that tshark does not read
			}
			compared++
			for d, who := range []string{"client", "server"} {
				if got[d] != want[d] {
					t.Errorf("%s, connection %d: the %s said %d bytes, tshark reads %d", name, i, who, len(got[d]), len(want[d]))
				}
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d connections were compared", compared)
	}
}

// follow asks tshark for the plaintext of a connection.
func follow(t *testing.T, name string, stream int) (out [2]string) {
	t.Helper()
	keys := "tls.keylog_file:" + name + ".keys"
	if slices.Contains(keyed, name) {
		keys = `uat:rsa_keys:"server.key",""`
	}
	cmd := exec.Command("tshark", "-r", name+".pcapng", "-o", keys, "-o", "tcp.reassemble_out_of_order:TRUE",
		"-q", "-z", "follow,tls,raw,"+string(rune('0'+stream)))
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	swapped := false // node 0 is whoever spoke first
	for s.Scan() {
		line, d := s.Text(), 0
		swapped = swapped || strings.HasPrefix(line, "Node 0: 192.0.2.20")
		if strings.HasPrefix(line, "\t") {
			line, d = line[1:], 1
		}
		if raw, err := hex.DecodeString(line); err == nil {
			out[d] += string(raw)
		}
	}
	if swapped {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// TestHandshakes wants the recordings to be told as what they are.
func TestHandshakes(t *testing.T) {
	for name, want := range map[string]record.TLSHandshake{
		"ssl30-java-3des":          {Version: "SSL 3.0", Cipher: "TLS_RSA_WITH_3DES_EDE_CBC_SHA", Secrecy: "no"},
		"tls10-cbc":                {Version: "TLS 1.0", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Secrecy: "yes"},
		"tls10-etm":                {Version: "TLS 1.0", Cipher: "TLS_RSA_WITH_AES_256_CBC_SHA", EtM: true, Secrecy: "no"},
		"tls12-ccm8":               {Version: "TLS 1.2", Cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", Secrecy: "yes"},
		"tls12-static-rsa":         {Version: "TLS 1.2", Cipher: "TLS_RSA_WITH_AES_128_GCM_SHA256", Secrecy: "no"},
		"tls13-retry":              {Version: "TLS 1.3", Cipher: "TLS_AES_256_GCM_SHA384", Group: "secp384r1", Secrecy: "yes"},
		"tls13-client-certificate": {Version: "TLS 1.3", Cipher: "TLS_AES_256_GCM_SHA384", CertificateRequested: true, Secrecy: "yes"},
	} {
		h := read(t, name, keysOf(t, name)).handshakes()[0]
		if h.Version != want.Version || h.Cipher != want.Cipher || h.EtM != want.EtM || h.Secrecy != want.Secrecy ||
			h.CertificateRequested != want.CertificateRequested || want.Group != "" && h.Group != want.Group ||
			h.ServerName != "server.example" || h.Outcome != "established" || h.Decryption != "read" {
			t.Errorf("%s: %s; decryption %s", name, h.Summary(), h.Decryption)
		}
		if (name == "tls13-retry") != (h.HelloRetry != nil) {
			t.Errorf("%s: HelloRetryRequest %v", name, h.HelloRetry)
		}
		if want.CertificateRequested && (len(h.ClientCertificates) == 0 || h.ClientCertificates[0].CommonName != "client.example") {
			t.Errorf("%s: client certificates %v", name, h.ClientCertificates)
		}
	}
	resumed, err := filepath.Glob("*-resumed.keys")
	if err != nil || len(resumed) < 18 {
		t.Fatal("recordings of resumption:", resumed, err)
	}
	for _, name := range resumed {
		name = strings.TrimSuffix(name, ".keys")
		hs := read(t, name, keyLog(t, name)).handshakes()
		if len(hs) != 2 || hs[1].Resumed == "" || hs[1].ResumedFrom != hs[0].Session || hs[0].Resumed != "" {
			t.Errorf("%s: %d handshakes, the second resumed by %q from %q", name, len(hs), hs[1].Resumed, hs[1].ResumedFrom)
		}
	}
}

// TestExtensions wants what few peers do told.
func TestExtensions(t *testing.T) {
	first := func(name string, keys *tls.Keys) *record.TLSHandshake {
		hs := read(t, name, keys).handshakes()
		if len(hs) == 0 {
			t.Fatalf("%s: no handshake", name)
		}
		return hs[0]
	}
	if h := first("tls10-v2hello", keysOf(t, "tls10-v2hello")); !h.SSLv2Hello || h.Version != "TLS 1.0" || h.Decryption != "read" {
		t.Errorf("a hello in the format of SSL 2.0: %s; %v, decryption %s", h.Summary(), h.SSLv2Hello, h.Decryption)
	}
	for name, status := range map[string]string{"tls12-ocsp": "good", "tls13-ocsp": "good", "tls12-ocsp-revoked": "revoked"} {
		h := first(name, keyLog(t, name))
		if h.OCSP == nil || h.OCSP.Status != status || (status == "revoked") == h.OCSP.RevokedAt.IsZero() {
			t.Errorf("%s: the stapled response is %+v", name, h.OCSP)
		}
	}
	if h := first("tls12-heartbeat", keyLog(t, "tls12-heartbeat")); !h.Heartbeat {
		t.Errorf("heartbeats: %s", h.Summary())
	}
	if h := first("tls13-ech", nil); h.ECH != "offered" || h.ServerName != "server.example" {
		t.Errorf("an encrypted ClientHello: %q, %s", h.ECH, h.Summary())
	}
}

// TestCourse wants what goes on behind a handshake told.
func TestCourse(t *testing.T) {
	ends := func(r *reading) (out []*record.TLSEnd) {
		for _, rec := range r.records {
			if e, ok := rec.(*record.TLSEnd); ok {
				out = append(out, e)
			}
		}
		return out
	}
	r := read(t, "tls13-key-update", keyLog(t, "tls13-key-update"))
	if e := ends(r)[0]; e.Client.KeyUpdates != 1 || e.Client.End != "close_notify" || e.Tickets != 2 {
		t.Errorf("key update: %+v", e)
	}
	r = read(t, "tls12-renegotiation", keyLog(t, "tls12-renegotiation"))
	if hs := r.handshakes(); len(hs) != 2 || !hs[1].Renegotiation || hs[1].Decryption != "read" || hs[1].Outcome != "established" {
		t.Errorf("renegotiation: %d handshakes, the last: %s", len(hs), hs[len(hs)-1].Summary())
	}
	r = read(t, "tls13-early-data", keyLog(t, "tls13-early-data"))
	hs := r.handshakes()
	if len(hs) != 2 || hs[1].EarlyData != "accepted" || hs[1].Resumed != "psk" || hs[1].ResumedFrom != hs[0].Session {
		t.Fatalf("0-RTT: %d handshakes, the last: %+v", len(hs), hs[len(hs)-1])
	}
	if got := r.plain[1][0].String(); got != "the quick brown fox\nthird\n" {
		t.Errorf("0-RTT: the client said %q", got)
	}
}

// TestFailures wants handshakes that fail told with the alert and who sent it.
func TestFailures(t *testing.T) {
	for name, want := range map[string][2]string{
		"failed-version":          {"server", "protocol_version"},
		"failed-suite":            {"server", "handshake_failure"},
		"failed-group":            {"server", "handshake_failure"},
		"failed-unknown-ca":       {"client", "unknown_ca"},
		"failed-unknown-ca-tls13": {"client", "unknown_ca"},
		"failed-name":             {"server", "unrecognized_name"},
		"failed-alpn":             {"server", "no_application_protocol"},
		"failed-fallback":         {"server", "inappropriate_fallback"},
	} {
		hs := read(t, name, nil).handshakes()
		if len(hs) != 1 || hs[0].Outcome != "alert" || len(hs[0].Alerts) == 0 || hs[0].Alerts[0].By != want[0] || hs[0].Alerts[0].Name != want[1] {
			t.Errorf("%s: %d handshakes, the first: %s", name, len(hs), hs[0].Summary())
		}
	}
}
