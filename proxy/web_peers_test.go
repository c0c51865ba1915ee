package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"sniff/record"
)

// loaded is the server's side of TLS with a certificate from a file.
func loaded(t *testing.T, both string) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(both, both)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// TestSOAPClients: what zeep gets from spyne through the proxy is what it gets
// without, in the clear and in TLS.
func TestSOAPClients(t *testing.T) {
	needs(t, "python3")
	if err := exec.Command(python(), "-c", "import spyne, zeep").Run(); err != nil {
		t.Skip("Python has no spyne or zeep")
	}
	world := newPKI(t)
	both, worldCA := localhost(t, world)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			addr := freeAddr(t, "127.0.0.1")
			_, port, _ := net.SplitHostPort(addr)
			server := []string{"testdata/soap_server.py", port}
			if scheme == "https" {
				server = append(server, both)
			}
			startProcess(t, addr, python(), server...)
			authority, _ := newCA(t)
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: addr}}}, "")
			_, proxied, _ := net.SplitHostPort(l.addr)
			call := func(port, ca string) string {
				t.Helper()
				out, err := command(t, python(), "testdata/soap_client.py", scheme+"://localhost:"+port, ca)
				if err != nil {
					t.Fatalf("port %s: %v\n%s", port, err, out)
				}
				return out
			}
			direct, through := call(port, worldCA), call(proxied, write(t, t.TempDir()+"/proxy.pem", authority.PEM()))
			if direct != through || !strings.Contains(direct, "less than nothing was ordered") {
				t.Errorf("direct:\n%s\nthrough the proxy:\n%s", direct, through)
			}
			l.session()
			posts := map[int]int{}
			for _, r := range l.all() {
				switch r := r.(type) {
				case *record.HTTPExchange:
					if r.Method == "POST" {
						posts[r.Status]++
					}
				case *record.Anomaly:
					t.Errorf("%s: %s", r.Code, r.Detail)
				}
			}
			if posts[200] != 3 || posts[500] != 1 {
				t.Errorf("recorded: %v", posts)
			}
		})
	}
}

// TestHTTP2Server: curl and nghttp with nghttpd, in the clear (h2c by prior
// knowledge) and in TLS, one stream and many on a connection.
func TestHTTP2Server(t *testing.T) {
	needs(t, "nghttpd", "nghttp", "curl")
	world := newPKI(t)
	both, _ := localhost(t, world)
	root := t.TempDir()
	big := randomBytes(3_000_000)
	write(t, root+"/big.bin", big)
	authority, _ := newCA(t)
	trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
	clear, secure := freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1")
	_, clearPort, _ := net.SplitHostPort(clear)
	_, securePort, _ := net.SplitHostPort(secure)
	startProcess(t, clear, "nghttpd", "-a", "127.0.0.1", "-d", root, "--no-tls", clearPort)
	startProcess(t, secure, "nghttpd", "-a", "127.0.0.1", "-d", root, securePort, both, both)
	l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{
		{Listen: "127.0.0.1:0", To: clear}, {Listen: "127.0.0.1:0", To: secure},
	}}, "")
	url := func(i int, scheme string) string {
		_, port, _ := net.SplitHostPort(l.srv.Addrs()[i].String())
		return fmt.Sprintf("%s://localhost:%s/big.bin", scheme, port)
	}
	for name, args := range map[string][]string{
		"h2c": {"--http2-prior-knowledge", url(0, "http")},
		"h2":  {"--http2", "--cacert", trust, url(1, "https")},
	} {
		out := t.TempDir() + "/got"
		said := curl(t, append([]string{"-4", "-m", "50", "-w", "%{http_version} %{http_code}", "-o", out}, args...)...)
		if got := read(t, out); said != "2 200" || !bytes.Equal(got, big) {
			t.Errorf("%s: curl said %q, %d of %d bytes", name, said, len(got), len(big))
		}
	}
	const streams = 10
	for i, scheme := range []string{"http", "https"} {
		if out, err := command(t, "nghttp", "-n", "-s", "-y", "-m", fmt.Sprint(streams), url(i, scheme)); err != nil || strings.Count(out, " 200 ") != streams {
			t.Errorf("%s: %v\n%s", scheme, err, out)
		}
	}
	l.srv.Shutdown(0)
	whole := 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.HTTPExchange:
			if r.Status == 200 && r.Version == "2" && r.ResponseSize == int64(len(big)) {
				whole++
			}
		case *record.Anomaly:
			t.Errorf("%s: %s", r.Code, r.Detail)
		}
	}
	if whole != 2+2*streams {
		t.Errorf("%d whole answers recorded, want %d", whole, 2+2*streams)
	}
}
