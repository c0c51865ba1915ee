package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// network is a client, a router and a server, each a network namespace:
//
//	client 192.0.2.10, 2001:db8:1::10 — router .1, ::1 — server 198.51.100.20, 2001:db8:2::20
type network struct {
	t                      *testing.T
	client, router, server string
	sniff                  string // this binary, as the program
}

// hosts are the client's and the server's address by family.
var hosts = map[string][2]string{"4": {"192.0.2.10", "198.51.100.20"}, "6": {"2001:db8:1::10", "2001:db8:2::20"}}

func newNetwork(t *testing.T) *network {
	t.Helper()
	needsFirewall(t)
	n := &network{t: t, sniff: program(t)}
	tag := fmt.Sprintf("sniff-test-%d", os.Getpid())
	n.client, n.router, n.server = tag+"-c", tag+"-r", tag+"-s"
	for _, ns := range []string{n.client, n.router, n.server} {
		namespace(t, ns)
	}
	n.wire(n.client, n.router, "192.0.2.10/24", "192.0.2.1/24", "2001:db8:1::10/64", "2001:db8:1::1/64", "lan")
	n.wire(n.server, n.router, "198.51.100.20/24", "198.51.100.1/24", "2001:db8:2::20/64", "2001:db8:2::1/64", "wan")
	for _, ns := range []string{n.client, n.server} {
		gate4, gate6 := "192.0.2.1", "2001:db8:1::1"
		if ns == n.server {
			gate4, gate6 = "198.51.100.1", "2001:db8:2::1"
		}
		must(t, "ip", "-n", ns, "route", "add", "default", "via", gate4)
		must(t, "ip", "-n", ns, "-6", "route", "add", "default", "via", gate6)
	}
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		must(t, "ip", "netns", "exec", n.router, "sh", "-c", "echo 1 > /proc/sys/"+key)
	}
	return n
}

// needsFirewall skips without what namespaces and rules take.
func needsFirewall(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("makes network namespaces")
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	probe := fmt.Sprintf("sniff-probe-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %s", out)
	}
	out, err := exec.Command("ip", "netns", "exec", probe, "nft", "add", "table", "inet", "probe").CombinedOutput()
	_ = exec.Command("ip", "netns", "del", probe).Run()
	if err != nil {
		t.Skipf("no nftables here: %s", out)
	}
}

// program is a file named sniff that is this binary.
func program(t *testing.T) string {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/sniff"
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// namespace makes a network namespace for the time of the test.
func namespace(t *testing.T, name string) {
	t.Helper()
	must(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	must(t, "ip", "-n", name, "link", "set", "lo", "up")
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// wire connects eth0 of a host with an interface of the router.
func (n *network) wire(host, router, host4, router4, host6, router6, name string) {
	end := fmt.Sprintf("v%d%s", os.Getpid()%100000, name[:1])
	must(n.t, "ip", "link", "add", end, "type", "veth", "peer", "name", end+"r")
	must(n.t, "ip", "link", "set", end, "netns", host, "name", "eth0")
	must(n.t, "ip", "link", "set", end+"r", "netns", router, "name", name)
	for _, e := range [][4]string{{host, "eth0", host4, host6}, {router, name, router4, router6}} {
		must(n.t, "ip", "-n", e[0], "addr", "add", e[2], "dev", e[1])
		must(n.t, "ip", "-n", e[0], "addr", "add", e[3], "dev", e[1], "nodad")
		must(n.t, "ip", "-n", e[0], "link", "set", e[1], "up")
	}
}

// on runs a command in a namespace.
func on(ns string, name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", ns, "timeout", "200", name}, args...)...)
}

// daemon runs a server in a namespace until the test ends.
func daemon(t *testing.T, ns, addr, name string, args ...string) {
	t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns, name}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		var err error
		within(t, ns, func() {
			var c net.Conn
			if c, err = net.DialTimeout("tcp", addr, time.Second); err == nil {
				c.Close()
			}
		})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not accept at %s: %v\n%s", name, addr, err, out.String())
		}
	}
}

// within runs f in a namespace. Its sockets stay there.
func within(t *testing.T, ns string, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		file, err := os.Open("/run/netns/" + ns)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("entering %s: %v", ns, err)
	}
}

// listenWithin opens a listener in a namespace.
func listenWithin(t *testing.T, ns, addr string) net.Listener {
	t.Helper()
	var ln net.Listener
	var err error
	within(t, ns, func() { ln, err = net.Listen("tcp", addr) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// TestTransparent: a client that knows of no proxy reaches a server through a
// router with one, over IPv4 and IPv6, by REDIRECT and by TPROXY. What arrives is
// what arrives without, and the records name both ends.
func TestTransparent(t *testing.T) {
	for _, tool := range []string{"curl", "vsftpd", "ssh", "/usr/sbin/sshd", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	n := newNetwork(t)
	content := make([]byte, 300_000)
	_, _ = rand.Read(content)
	root, err := os.MkdirTemp("", "sniff-transparent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.WriteFile(root+"/big.bin", content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	_ = os.MkdirAll("/var/run/vsftpd/empty", 0o755)
	conf := t.TempDir() + "/vsftpd.conf"
	if err := os.WriteFile(conf, []byte("listen=NO\nlisten_ipv6=YES\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\nanon_root="+root+
		"\nsecure_chroot_dir=/var/run/vsftpd/empty\nseccomp_sandbox=NO\nconnect_from_port_20=NO\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon(t, n.server, "198.51.100.20:21", "vsftpd", conf)
	mail := listenWithin(t, n.server, "[::]:25")
	go accept(mail, takeMail)
	web := listenWithin(t, n.server, "[::]:80")
	go func() {
		_ = http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	}()

	keys := t.TempDir()
	for _, k := range []string{"host", "id"} {
		must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys+"/"+k)
	}
	_ = os.MkdirAll("/run/sshd", 0o755)
	daemon(t, n.server, "198.51.100.20:22", "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", keys+"/host", "-o", "AuthorizedKeysFile="+keys+"/id.pub",
		"-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "PidFile=none")
	ssh := []string{"ssh", "-F", "none", "-i", keys + "/id", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
	letter := t.TempDir() + "/letter"
	if err := os.WriteFile(letter, []byte("Subject: hi\r\n\r\nhello\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, kind := range []string{"redirect", "tproxy"} {
		t.Run(kind, func(t *testing.T) {
			setup := []string{"proxy", "setup", "--listen", "0.0.0.0:9040", "--interface", "lan"}
			if kind == "tproxy" {
				setup = append(setup, "--tproxy")
			}
			for range 2 { // again is no error
				if out, err := on(n.router, n.sniff, setup...).CombinedOutput(); err != nil {
					t.Fatalf("setup: %v: %s", err, out)
				}
			}
			p := startCommand(t, 1, exec.Command("ip", "netns", "exec", n.router, n.sniff, "proxy", "--mode", "transparent", "--listen", "[::]:9040",
				"--allow", "192.0.2.0/24", "--allow", "2001:db8:1::/64", "--ca-dir", t.TempDir(),
				"--ssh-identity", keys+"/id", "--ssh-accept-new", "--known-hosts", t.TempDir()+"/known", "-o", "jsonl"))
			for family, ends := range hosts {
				to := ends[1]
				if family == "6" {
					to = "[" + to + "]"
				}
				for name, cmd := range map[string][]string{
					"http":     {"curl", "-sS", "-m", "100", "http://" + to + "/"},
					"ftp EPSV": {"curl", "-sS", "-m", "100", "ftp://" + to + "/big.bin"},
					"ftp PASV": {"curl", "-sS", "-m", "100", "--disable-epsv", "ftp://" + to + "/big.bin"},
					"ftp EPRT": {"curl", "-sS", "-m", "100", "-P", "-", "ftp://" + to + "/big.bin"},
					"ftp PORT": {"curl", "-sS", "-m", "100", "--disable-eprt", "-P", "-", "ftp://" + to + "/big.bin"},
					"smtp":     {"curl", "-sS", "-m", "100", "smtp://" + to, "--mail-from", "a@x.test", "--mail-rcpt", "b@y.test", "-T", letter},
					"ssh":      append(ssh, "root@"+ends[1], "cat "+root+"/big.bin"),
				} {
					if family == "6" && (name == "ftp PASV" || name == "ftp PORT") {
						continue // have no IPv6 addresses
					}
					var stderr bytes.Buffer
					c := on(n.client, cmd[0], cmd[1:]...)
					c.Stderr = &stderr
					out, err := c.Output()
					if err != nil || name != "smtp" && !bytes.Equal(out, content) {
						t.Errorf("IPv%s %s: %v, %d of %d bytes: %s", family, name, err, len(out), len(content), stderr.String())
					}
				}
			}
			printed := p.stop()
			count := func(what string, want int) {
				t.Helper()
				if got := strings.Count(printed, what); got != want {
					t.Errorf("%d times %s, want %d", got, what, want)
				}
			}
			count(`"kind":"smtp.message"`, 2)
			count(`"kind":"ftp.transfer"`, 6)
			count(`"outcome":"complete"`, 6)
			count(`"kind":"ssh.channel"`, 2)
			count(`"code":"proxy_`, 0)
			if !strings.Contains(printed, `"client":"192.0.2.10:`) || !strings.Contains(printed, `"server":"[2001:db8:2::20]:25"`) {
				t.Errorf("the records do not name the ends")
			}
			if t.Failed() {
				t.Logf("logged:\n%s\nrules:\n%s", p.errors(), must(t, "ip", "netns", "exec", n.router, "nft", "list", "ruleset"))
			}
			if out, err := on(n.router, n.sniff, "proxy", "teardown").CombinedOutput(); err != nil {
				t.Errorf("teardown: %v: %s", err, out)
			}
			left := must(t, "ip", "netns", "exec", n.router, "nft", "list", "ruleset") + must(t, "ip", "-n", n.router, "rule", "list") + must(t, "ip", "-n", n.router, "-6", "rule", "list")
			if strings.Contains(left, "sniff") || strings.Contains(left, "fwmark") {
				t.Errorf("teardown leaves behind:\n%s", left)
			}
		})
	}
}

// TestPythonSuites: Python's own tests of its mail and file transfer clients
// pass, unmodified, with every connection that they make redirected through the
// proxy, the encrypted ones intercepted.
func TestPythonSuites(t *testing.T) {
	needsFirewall(t)
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import test.test_ftplib, test.test_smtplib").Run(); err != nil {
		t.Skip("Python's own tests are not installed")
	}
	ns := fmt.Sprintf("sniff-test-%d-p", os.Getpid())
	namespace(t, ns)
	sniff := program(t)
	must(t, "ip", "netns", "exec", ns, sniff, "proxy", "setup", "--listen", "127.0.0.1:9040", "--local", "--no-forwarded", "--ports", "1-65535")
	p := startCommand(t, 2, exec.Command("ip", "netns", "exec", ns, sniff, "proxy", "--mode", "transparent", "--listen", "127.0.0.1:9040", "--listen", "[::1]:9040",
		"--upstream-verify", "off", "--ca-dir", t.TempDir(), "-o", "jsonl"))
	cmd := exec.Command("ip", "netns", "exec", ns, "timeout", "300", python, "-m", "test", "test_smtplib", "test_ftplib")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	printed := p.stop()
	for what, least := range map[string]int{`"kind":"smtp.message"`: 15, `"kind":"ftp.transfer"`: 50, `"protocol":"ftp-data"`: 20} {
		if got := strings.Count(printed, what); got < least {
			t.Errorf("%d times %s, want %d at least", got, what, least)
		}
	}
	if strings.Contains(p.errors(), "bug:") {
		t.Error(p.errors())
	}
}
