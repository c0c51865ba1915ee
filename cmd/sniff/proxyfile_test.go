package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// TestExampleConfiguration loads the documented file, and what --print-config
// makes of it, which must mean the same.
func TestExampleConfiguration(t *testing.T) {
	const example = "../../docs/sniff.yaml"
	once, stderr, status := sniff(t, nil, "proxy", "-c", example, "--print-config")
	if status != exitDone {
		t.Fatalf("status %d, %s", status, stderr)
	}
	for _, want := range []string{
		"- listen: \"0.0.0.0:2587\"\n    mode: reverse\n    tls: require\n    to: \"mail.example.org:587\"\n    allow: [\"192.0.2.0/24\", \"2001:db8:1::/64\"]\n",
		"mode: socks\n    tls: intercept\n    via: \"socks5://proxy.example.org:1080\"\n",
		"write: [\"traffic.pcapng\", \"kept/\"]\n", "idle: \"30m0s\"\n", "max-per-client: \"200\"\n",
		"to: \"soap.example.org:443\"\n    client-cert: \"shop.pem\"\n    client-key: \"shop.key\"\n", "dial-timeout: \"10s\"\n", "handshake-timeout: \"20s\"\n",
	} {
		if !strings.Contains(once, want) {
			t.Errorf("lacks %q:\n%s", want, once)
		}
	}
	path := t.TempDir() + "/again.yaml"
	if err := os.WriteFile(path, []byte(once), 0o600); err != nil {
		t.Fatal(err)
	}
	if twice, stderr, _ := sniff(t, nil, "proxy", "-c", path, "--print-config"); twice != once {
		t.Errorf("read again it becomes\n%s%s\nfrom\n%s", twice, stderr, once)
	}
	over, _, _ := sniff(t, nil, "proxy", "-c", example, "--print-config", "--tls", "passthrough", "--idle", "1m", "--allow", "198.51.100.0/24")
	if strings.Count(over, "tls: passthrough") != 6 || !strings.Contains(over, `idle: "1m0s"`) || strings.Contains(over, "192.0.2.0") {
		t.Errorf("flags do not go before the file:\n%s", over)
	}
	alone, _, _ := sniff(t, nil, "proxy", "-c", example, "--print-config", "--listen", "127.0.0.1:1", "--to", "127.0.0.1:2")
	if strings.Count(alone, "- listen:") != 1 || !strings.Contains(alone, `grace: "10s"`) {
		t.Errorf("--listen does not replace the listeners:\n%s", alone)
	}
}

// TestConfigurationMistakes are told with the line, and with what was meant.
func TestConfigurationMistakes(t *testing.T) {
	const listener = "listeners:\n  - listen: 127.0.0.1:0\n    to: 127.0.0.1:1\n"
	for text, want := range map[string]string{
		listener + "upstream-verfy: on\n":                   `:4: unknown key "upstream-verfy"; did you mean upstream-verify?`,
		listener + "    modus: socks\n":                     `:4: unknown key "modus"; did you mean mode?`,
		listener + "    tls: never\n":                       `:4: tls: "never" is not known; it is one of intercept, passthrough, strip, require`,
		listener + "    allow: [192.0.2.0/24, 192.0.2.1]\n": ":4: allow: netip.ParsePrefix",
		listener + "    to: elsewhere\n":                    `:4: mapping key "to" already defined`,
		"listeners:\n  - listen: nowhere\n":                 ":2: listen: address nowhere: missing port",
		"listeners:\n  - to: 127.0.0.1:1\n":                 ":2: a listener without listen",
		"listeners:\n  listen: 127.0.0.1:0\n":               ":2: listeners is a list",
		"listeners:\n  - listen: 127.0.0.1:0\n":             "where it relays to is missing",
		listener + "max-connections: many\n":                `:4: max-connections: "many" is no int`,
		listener + "max-per-client: 0\n":                    ":4: max-per-client: 0 would let nobody in",
		"listeners:\n  - {listen: ':1', to: 'mail:9x'}\n":   ":2: to: address mail:9x: 9x is no port",
		listener + "idle: [1m, 2m]\n":                       ":4: idle has one value, and here are 2",
		listener + "rotate: often\nwrite: t.pcapng\n":       `:4: rotate: "often" is not known; write it like 100MB`,
		listener + "where: nothing ==\n":                    ":4: where: ",
		listener + "via: ftp://u:secret@h:1\n":              ":4: via: proxy: upstream proxy ftp://u:xxxxx@h:1: the scheme",
		listener + "    client-cert: c.pem\n":               "--client-cert and --client-key go together",
		listener + "handshake-timeout: soon\n":              `:4: handshake-timeout: "soon" is no duration`,
		listener + "proxy-protocol-out: 3\n":                `:4: proxy-protocol-out: "3" is not known`,
		listener + "output: {a: b}\n":                       ":4: a word, a number or a list",
		"just words\n":                                      ":1: keys with values are expected",
		"listeners: [\n":                                    ":1: sequence end token",
		"":                                                  "no address to listen on",
		listener + "config: other.yaml\n":                   `:4: unknown key "config"`,
	} {
		path := t.TempDir() + "/sniff.yaml"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := sniff(t, nil, "proxy", "-c", path)
		if status != exitUsage || !strings.Contains(stderr, want) || strings.Contains(stderr, "secret") {
			t.Errorf("%q: status %d, %s; want %s", text, status, stderr, want)
		}
	}
	if _, stderr, status := sniff(t, nil, "proxy", "-c", t.TempDir()+"/none.yaml"); status != exitDamaged || !strings.Contains(stderr, "no such file") {
		t.Errorf("no file: status %d, %s", status, stderr)
	}
}

// TestProxyFromFile runs two listeners of a file, with what it says about all.
func TestProxyFromFile(t *testing.T) {
	dir := t.TempDir()
	path := t.TempDir() + "/sniff.yaml"
	text := "listeners:\n  - {listen: '127.0.0.1:0', to: '" + mailServer(t) + "', tls: passthrough}\n  - {listen: '127.0.0.1:0', mode: socks}\noutput: csv\nkind: smtp.message\nfields: from,outcome\nwrite: " + dir + "/traffic.pcapng\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, 2, "-c", path)
	if err := sendMail(p.addrs[0], "Subject: hi\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	if got := p.stop(); got != "from,outcome\r\na@x.test,delivered\r\n" {
		t.Errorf("printed %q", got)
	}
	if out, stderr, status := sniff(t, nil, "read", dir+"/traffic.pcapng"); status != exitDone || !strings.Contains(out, "1 session") {
		t.Errorf("the capture: status %d, %s%s", status, out, stderr)
	}
}

// TestProxyTimeouts: peers that say nothing are given up after the time that
// was set, which here is much shorter than the default.
func TestProxyTimeouts(t *testing.T) {
	silent := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	path := t.TempDir() + "/sniff.yaml"
	text := "listeners:\n  - {listen: '127.0.0.1:0', mode: socks}\n  - {listen: '127.0.0.1:0', to: '192.0.2.1:25', via: 'http://" + silent + "'}\n" +
		"  - {listen: '127.0.0.1:0', to: '" + silent + "'}\nhandshake-timeout: 1s\ndial-timeout: 1s\noutput: jsonl\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, 3, "-c", path)
	for i, what := range []string{"a client of SOCKS that says nothing", "a further proxy that does not answer", "a server that does not answer TLS"} {
		c, err := net.Dial("tcp", p.addrs[i])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if i == 2 {
			err = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
		} else {
			_, err = c.Read(make([]byte, 1))
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
	printed := p.stop()
	for _, want := range []string{"192.0.2.1:25 was not reached", "TLS handshake with the upstream failed"} {
		if !strings.Contains(printed, want) {
			t.Errorf("not recorded: %s\n%s\n%s", want, printed, p.errors())
		}
	}
}

// TestClientCertificatesFromFile: each listener shows the certificate that the
// file gives it, or none; servers that demand one take it or refuse it, and who
// asked reads why.
func TestClientCertificatesFromFile(t *testing.T) {
	world, strangers := newAuthority(t, "world"), newAuthority(t, "strangers")
	trusted := x509.NewCertPool()
	trusted.AddCert(world.cert)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			dir := t.TempDir()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "hello %s\n", r.TLS.PeerCertificates[0].Subject.CommonName)
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{
				Certificates: []tls.Certificate{world.pair(t, dir+"/server", "localhost")},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: trusted, MinVersion: version, MaxVersion: version,
			}
			server.StartTLS()
			defer server.Close()
			world.pair(t, dir+"/shop", "shop")
			world.pair(t, dir+"/office", "office")
			strangers.pair(t, dir+"/stranger", "stranger")
			_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
			var text strings.Builder
			text.WriteString("listeners:\n")
			for _, who := range []string{"shop", "office", "stranger", ""} {
				fmt.Fprintf(&text, "  - listen: 127.0.0.1:0\n    to: localhost:%s\n", port)
				if who != "" {
					fmt.Fprintf(&text, "    client-cert: %[1]s/%[2]s.pem\n    client-key: %[1]s/%[2]s.key\n", dir, who)
				}
			}
			fmt.Fprintf(&text, "ca-dir: %[1]s/ca\nupstream-ca: %[1]s/world.pem\noutput: jsonl\nkind: finding\nfields: code,title\n", dir)
			for name, b := range map[string][]byte{"/sniff.yaml": []byte(text.String()), "/world.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: world.cert.Raw})} {
				if err := os.WriteFile(dir+name, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := startProxy(t, 4, "-c", dir+"/sniff.yaml")
			ours, err := os.ReadFile(dir + "/ca/ca.pem")
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ours)
			client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: "localhost", RootCAs: roots}}}
			for i, want := range []string{
				"200 hello shop\n", "200 hello office\n",
				"it asked for a client's certificate, and was shown that of CN=stranger",
				"it asked for a client's certificate, and the proxy was given none (--client-cert)",
			} {
				answer, err := client.Get("https://" + p.addrs[i] + "/")
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				got := fmt.Sprintf("%d %s", answer.StatusCode, body)
				if i < 2 && got != want || i >= 2 && (!strings.HasPrefix(got, "502 sniff proxy: ") || !strings.Contains(got, want)) {
					t.Errorf("listener %d: %q, want %q", i, got, want)
				}
			}
			printed := p.stop()
			if n := strings.Count(printed, `"code":"tls.proxy_upstream_failed"`); n != 2 || !strings.Contains(printed, "CN=stranger") {
				t.Errorf("%d connections were refused, found:\n%s\n%s", n, printed, p.errors())
			}
		})
	}
}

// authority issues certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// pair issues a certificate for a name, in the files path.pem and path.key.
func (a *authority) pair(t *testing.T, path, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for file, b := range map[string][]byte{path + ".pem": cert, path + ".key": secret} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := tls.X509KeyPair(cert, secret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
