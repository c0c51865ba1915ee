package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// needs skips a test that cannot run here.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
}

// readable is a folder that servers can read which give up their rights.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sniff-proxy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// localhost makes the key and certificate of a server on this host.
func localhost(t *testing.T, p *pki) (both string, ca string) {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(3), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.cert, &key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pair := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return write(t, dir+"/server.pem", pair), write(t, dir+"/ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
}

// startProcess runs a server until the test ends, and waits until it accepts.
func startProcess(t *testing.T, addr string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() && out.Len() > 0 {
			t.Logf("%s: %.4000s", name, out.String())
		}
	})
	for deadline := time.After(2 * time.Minute); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended: %s\n%s", name, cmd.ProcessState, out.String())
		case <-deadline:
			t.Fatalf("%s does not accept: %v", name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddr is an address that nobody listens on. Its port is none of those that
// the system gives to whoever asks for any, so nobody comes by it by chance
// before the server does that is meant to have it.
func freeAddr(t *testing.T, host string) string {
	t.Helper()
	const from, to = 20_000, 32_000 // the system's begin at 32768
	var err error
	for range 100 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(from+mathrand.IntN(to-from)))); err == nil {
			ln.Close()
			return ln.Addr().String()
		}
	}
	t.Skipf("no address %s here: %v", host, err)
	return ""
}

// vsftpd runs an anonymous FTP server on host and returns its address.
func vsftpd(t *testing.T, host string, more ...string) string {
	t.Helper()
	needs(t, "vsftpd")
	if os.Getuid() != 0 {
		t.Skip("vsftpd must be started by root")
	}
	root := readable(t)
	big := randomBytes(3_000_000)
	write(t, root+"/big.bin", big)
	if err := os.Mkdir(root+"/incoming", 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(root+"/incoming", 0o777)
	_ = os.Chmod(root, 0o555)
	_ = os.MkdirAll("/var/run/vsftpd/empty", 0o755)
	addr := freeAddr(t, host)
	_, port, _ := net.SplitHostPort(addr)
	listen := []string{"listen=YES", "listen_address=" + host}
	if strings.Contains(host, ":") {
		listen = []string{"listen=NO", "listen_ipv6=YES", "listen_address6=" + host}
	}
	conf := append(listen, "listen_port="+port, "background=NO", "anonymous_enable=YES", "no_anon_password=YES", "local_enable=NO",
		"write_enable=YES", "anon_upload_enable=YES", "anon_other_write_enable=YES", "anon_umask=022", "anon_root="+root,
		"anon_world_readable_only=NO", "secure_chroot_dir=/var/run/vsftpd/empty", "seccomp_sandbox=NO", "pasv_enable=YES", "port_enable=YES",
		"connect_from_port_20=NO", "xferlog_enable=NO", "max_per_ip=0")
	path := write(t, t.TempDir()+"/vsftpd.conf", []byte(strings.Join(append(conf, more...), "\n")+"\n"))
	startProcess(t, addr, "vsftpd", path)
	return addr
}

// secureFTP are vsftpd's settings for TLS with sessions that must be resumed.
func secureFTP(both string, more ...string) []string {
	return append([]string{"ssl_enable=YES", "allow_anon_ssl=YES", "require_ssl_reuse=YES", "ssl_ciphers=HIGH",
		"rsa_cert_file=" + both, "rsa_private_key_file=" + both}, more...)
}

// TestFTPTransfers holds that a session through the proxy comes to what it
// comes to without, reply for reply and file for file.
func TestFTPTransfers(t *testing.T) {
	needs(t, "python3")
	world := newPKI(t)
	both, worldCA := localhost(t, world)
	plain := vsftpd(t, "127.0.0.1")
	secure := vsftpd(t, "127.0.0.1", secureFTP(both, "force_anon_logins_ssl=YES", "force_anon_data_ssl=NO")...)
	implicit := vsftpd(t, "127.0.0.1", secureFTP(both, "implicit_ssl=YES")...)
	type session struct{ name, server, mode, secure, version string }
	sessions := []session{
		{"passive", plain, "passive", "plain", "-"},
		{"active", plain, "active", "plain", "-"},
	}
	for _, v := range []string{"1.2", "1.3"} {
		for _, mode := range []string{"passive", "active"} {
			sessions = append(sessions,
				session{"data in the clear " + mode + " " + v, secure, mode, "clear", v},
				session{"data private " + mode + " " + v, secure, mode, "private", v},
				session{"implicit " + mode + " " + v, implicit, mode, "implicit", v})
		}
	}
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		ln.Close()
		six := vsftpd(t, "::1")
		sessions = append(sessions, session{"IPv6 passive", six, "passive", "plain", "-"}, session{"IPv6 active", six, "active", "plain", "-"})
	}
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) {
			authority, _ := newCA(t)
			host, port, _ := net.SplitHostPort(s.server)
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: net.JoinHostPort(host, "0"), To: s.server}}}, "")
			trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
			_, proxied, _ := net.SplitHostPort(l.addr)
			run := func(port, ca string) string {
				out, err := exec.Command(python(), "testdata/ftp_client.py", host, port, s.mode, s.secure, s.version, ca).CombinedOutput()
				if err != nil {
					t.Errorf("port %s: %v\n%s", port, err, out)
				}
				return string(out)
			}
			direct, through := run(port, worldCA), run(proxied, trust)
			if direct != through {
				t.Errorf("direct:\n%s\nthrough the proxy:\n%s", direct, through)
			}
			l.session()
			transfers, wanted := 0, map[bool]int{true: 1, false: 0}
			for _, r := range l.all() {
				switch r := r.(type) {
				case *record.FTPTransfer:
					transfers++
				case *record.Anomaly:
					if strings.HasPrefix(r.Code, "proxy_") {
						t.Errorf("%s: %s", r.Code, r.Detail)
					}
				}
			}
			if transfers < 9*wanted[true] {
				t.Errorf("%d transfers recorded", transfers)
			}
		})
	}
}

// TestFTPClients fetches and stores a file with the clients that people use.
func TestFTPClients(t *testing.T) {
	needs(t, "curl", "lftp")
	world := newPKI(t)
	both, _ := localhost(t, world)
	server := vsftpd(t, "127.0.0.1", secureFTP(both)...)
	authority, _ := newCA(t)
	l := startLab(t, Config{CA: authority, Roots: world.pool}, server)
	dir := t.TempDir()
	trust := write(t, dir+"/proxy.pem", authority.PEM())
	_, port, _ := net.SplitHostPort(l.addr)
	_, directPort, _ := net.SplitHostPort(server)
	if out, err := exec.Command("curl", "-sS", "-o", dir+"/want", "ftp://127.0.0.1:"+directPort+"/big.bin").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, _ := os.ReadFile(dir + "/want")
	url := "ftp://localhost:" + port
	lftp := func(settings, commands string) []string {
		return []string{"lftp", "-c", "set net:timeout 100; set net:max-retries 1; set ssl:ca-file " + trust + "; " + settings + "; open -u ftp,x " + url + "; " + commands}
	}
	for name, cmd := range map[string][]string{
		"curl passive":     {"curl", "-sS", "-m", "100", "-4", "-o", "OUT", url + "/big.bin"},
		"curl active":      {"curl", "-sS", "-m", "100", "-4", "-P", "-", "-o", "OUT", url + "/big.bin"},
		"curl PASV":        {"curl", "-sS", "-m", "100", "-4", "--disable-epsv", "-o", "OUT", url + "/big.bin"},
		"curl resumed":     {"sh", "-c", "head -c 1000 WANT > OUT; curl -sS -m 100 -4 -C - -o OUT " + url + "/big.bin"},
		"curl FTPS":        {"curl", "-sS", "-m", "100", "-4", "--ssl-reqd", "--cacert", trust, "-o", "OUT", url + "/big.bin"},
		"curl FTPS 1.2":    {"curl", "-sS", "-m", "100", "-4", "--tls-max", "1.2", "--ssl-reqd", "--cacert", trust, "-o", "OUT", url + "/big.bin"},
		"curl FTPS twice":  {"curl", "-sS", "-m", "100", "-4", "--ssl-reqd", "--cacert", trust, "-o", "OUT", url + "/big.bin", "-o", "OUT", url + "/big.bin"},
		"curl FTPS upload": {"sh", "-c", "curl -sS -m 100 -4 --ssl-reqd --cacert " + trust + " -T WANT " + url + "/incoming/c.bin && curl -sS -m 100 -4 -o OUT " + url + "/incoming/c.bin"},
		"lftp":             lftp("set ftp:ssl-allow no", "get big.bin -o OUT"),
		"lftp active":      lftp("set ftp:ssl-allow no; set ftp:passive-mode no", "get big.bin -o OUT"),
		"lftp FTPS":        lftp("set ftp:ssl-force yes; set ftp:ssl-protect-data yes", "ls; get big.bin -o OUT"),
		"lftp FTPS active": lftp("set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:passive-mode no", "get big.bin -o OUT"),
		"lftp FTPS upload": lftp("set ftp:ssl-force yes; set ftp:ssl-protect-data yes", "put WANT -o incoming/l.bin; get incoming/l.bin -o OUT"),
		"lftp segments":    lftp("set ftp:ssl-allow no", "pget -n 3 big.bin -o OUT"),
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "got")
			args := make([]string, len(cmd))
			for i, a := range cmd {
				args[i] = strings.NewReplacer("OUT", out, "WANT", dir+"/want").Replace(a)
			}
			said, err := exec.Command("timeout", append([]string{"200"}, args...)...).CombinedOutput()
			got, _ := os.ReadFile(out)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: %d of %d bytes\n%s", err, len(got), len(want), said)
			}
		})
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(want))
	whole := 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.FTPTransfer:
			if r.Content != nil && r.Content.SHA256 == sum {
				whole++
			}
		case *record.Anomaly:
			if strings.HasPrefix(r.Code, "proxy_") {
				t.Errorf("%s: %s", r.Code, r.Detail)
			}
		}
	}
	if whole < 12 {
		t.Errorf("%d files were recorded with the right digest", whole)
	}
}
