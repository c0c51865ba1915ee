package proxy

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"sniff/record"
)

// needsSSH skips a test that needs programs which are not installed.
func needsSSH(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("real peers take a while")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// writeKey makes a key pair in dir and returns its path.
func writeKey(t *testing.T, dir, name string) (string, ssh.Signer) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(key.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, key
}

// openSSH is an sshd with the proxy in front of it and a client's settings.
type openSSH struct {
	*sshBench
	t    *testing.T
	dir  string
	user string
	key  string // path of the client's key
}

// startOpenSSH starts an sshd and a proxy that logs in with the client's key.
func startOpenSSH(t *testing.T, change func(*Config)) *openSSH {
	t.Helper()
	needsSSH(t, "ssh", "sshd")
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	hostPath, host := writeKey(t, dir, "host")
	o := &openSSH{t: t, dir: dir, user: me.Username}
	var id ssh.Signer
	o.key, id = writeKey(t, dir, "id")
	to := freeAddr(t, "127.0.0.1")
	config := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf(`ListenAddress %s
HostKey %s
AuthorizedKeysFile %s.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
AcceptEnv LANG TEST_*
AllowAgentForwarding yes
X11Forwarding yes
SetEnv XAUTHORITY=%s.xauth
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
`, to, hostPath, o.key, o.key)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(sshd, "-D", "-e", "-f", config)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Skipf("sshd does not start: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	for {
		c, err := net.Dial("tcp", to)
		if err == nil {
			c.Close()
			break
		}
		select {
		case <-exited:
			t.Skipf("sshd does not run here: %s", log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	o.sshBench = startSSH(t, to, host.PublicKey(), func(c *Config) {
		c.SSH.Identities = []ssh.Signer{id}
		if change != nil {
			change(c)
		}
	})
	known := knownhosts.Line([]string{o.addr}, o.host.PublicKey()) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "known"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// options are what every client program is given.
func (o *openSSH) options(more ...string) []string {
	args := []string{"-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + filepath.Join(o.dir, "known"), "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-i", o.key, "-o", "Port=" + o.port()}
	return append(args, more...)
}

func (o *openSSH) port() string {
	_, port, _ := net.SplitHostPort(o.addr)
	return port
}

// run runs a program of the client and returns what it said.
func (o *openSSH) run(stdin io.Reader, name string, args ...string) (stdout, stderr []byte, err error) {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

func (o *openSSH) ssh(stdin io.Reader, options []string, command string) (stdout, stderr []byte, err error) {
	o.t.Helper()
	return o.run(stdin, "ssh", append(o.options(options...), o.user+"@127.0.0.1", command)...)
}

func TestOpenSSHExec(t *testing.T) {
	o := startOpenSSH(t, nil)
	out, errs, err := o.ssh(strings.NewReader("over\n"), []string{"-o", "SetEnv=TEST_A=b"}, "cat; echo $TEST_A; echo oops >&2; exit 3")
	if code := exitCode(err); code != 3 || string(out) != "over\nb\n" || string(errs) != "oops\n" {
		t.Errorf("status %d, output %q, errors %q", code, out, errs)
	}
	out, _, err = o.ssh(nil, nil, "kill -TERM $$")
	if code := exitCode(err); code != 255 && code != 143 {
		t.Errorf("a command that was killed: status %d, %q", code, out)
	}
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	ch := of[*record.SSHChannel](all)
	if len(ch) != 2 || ch[0].ExitStatus == nil || *ch[0].ExitStatus != 3 || ch[0].ClientBytes != 5 || ch[0].ServerBytes != 12 || len(ch[0].Env) != 1 {
		t.Errorf("channels: %+v", ch)
	}
	if len(ch) == 2 && ch[1].ExitSignal != "TERM" {
		t.Errorf("the signal was not seen: %+v", ch[1])
	}
}

func exitCode(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// TestOpenSSHBulk sends 50 MB each way and on the error stream, and some more
// with keys renewed every megabyte: nothing may stall or be lost.
func TestOpenSSHBulk(t *testing.T) {
	o := startOpenSSH(t, nil)
	const size = 50 << 20
	for _, c := range []struct {
		name, command string
		out, errs     int
		options       []string
	}{
		{"stdout", "head -c 52428800 /dev/zero", size, 0, nil},
		{"stderr", "head -c 52428800 /dev/zero >&2", 0, size, nil},
		{"both", "head -c 5242880 /dev/zero >&2 & head -c 5242880 /dev/zero; wait", 5 << 20, 5 << 20, []string{"-o", "RekeyLimit=1M"}},
	} {
		out, errs, err := o.ssh(nil, c.options, c.command)
		if err != nil {
			t.Errorf("%s: %v: %.200s", c.name, err, errs)
		}
		if len(out) != c.out || len(errs) != c.errs {
			t.Errorf("%s: %d and %d bytes, want %d and %d", c.name, len(out), len(errs), c.out, c.errs)
		}
	}
	data := make([]byte, 5<<20)
	out, errs, err := o.ssh(bytes.NewReader(data), []string{"-o", "RekeyLimit=1M"}, "sha256sum")
	if want := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("5 MB to the server: %v, %s, %s, want %s", err, out, errs, want)
	}
}

func TestOpenSSHFiles(t *testing.T) {
	o := startOpenSSH(t, nil)
	needsSSH(t, "sftp", "scp")
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content)
	local, remote := filepath.Join(o.dir, "local"), filepath.Join(o.dir, "remote")
	if err := os.WriteFile(local, content, 0o600); err != nil {
		t.Fatal(err)
	}
	same := func(what, path string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes came, want %d: %v", what, len(got), len(content), err)
		}
		os.Remove(path)
	}
	batch := fmt.Sprintf("put %s %s\nget %s %s\n", local, remote, remote, local+".back")
	if _, errs, err := o.run(strings.NewReader(batch), "sftp", append(o.options("-b", "-"), o.user+"@127.0.0.1")...); err != nil {
		t.Fatalf("sftp: %v: %s", err, errs)
	}
	same("sftp put", remote)
	same("sftp get", local+".back")
	for _, mode := range [][]string{nil, {"-O"}} {
		for _, way := range [][2]string{{local, o.user + "@127.0.0.1:" + remote}, {o.user + "@127.0.0.1:" + local, remote}} {
			if _, errs, err := o.run(nil, "scp", append(append(o.options(), mode...), way[0], way[1])...); err != nil {
				t.Fatalf("scp %v %v: %v: %s", mode, way, err, errs)
			}
			same(fmt.Sprintf("scp %v %v", mode, way), remote)
		}
	}
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	ways := map[string]int{}
	for _, x := range of[*record.SFTPTransfer](all) {
		if x.Direction != "listing" {
			ways[x.Direction]++
			if x.Outcome != record.TransferComplete || x.Content == nil || x.Content.SHA256 != digest || x.Substream == "" {
				t.Errorf("transfer %+v, want the digest %s", x, digest)
			}
		}
	}
	if ways["upload"] != 3 || ways["download"] != 3 {
		t.Errorf("transfers: %v, want one of each by sftp, by scp, and by scp as it was once", ways)
	}
	kinds := map[string]int{}
	for _, c := range of[*record.SSHChannel](all) {
		kinds[c.What]++
	}
	if kinds["sftp"] != 3 || kinds["file_transfer"] != 2 {
		t.Errorf("channels: %v", kinds)
	}
}

// background starts a client that runs until the test ends it.
func (o *openSSH) background(options ...string) *exec.Cmd {
	o.t.Helper()
	cmd := exec.Command("ssh", append(o.options(options...), o.user+"@127.0.0.1")...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	o.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if o.t.Failed() {
			o.t.Logf("ssh: %s", errs.String())
		}
	})
	return cmd
}

// echoed says hello to an address until something echoes it.
func echoed(t *testing.T, addr string, say func(net.Conn)) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			defer c.Close()
			_ = c.SetDeadline(end)
			if say != nil {
				say(c)
			}
			fmt.Fprint(c, "hello")
			_ = c.(*net.TCPConn).CloseWrite()
			got, err := io.ReadAll(c)
			if string(got) != "hello" {
				t.Errorf("through %s came %q: %v", addr, got, err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nothing listens on %s: %v", addr, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestOpenSSHForwarding(t *testing.T) {
	o := startOpenSSH(t, nil)
	echoAddr := listen(t, func(c *net.TCPConn) {
		_, _ = io.Copy(c, c)
		_ = c.CloseWrite()
	})
	_, echoPort, _ := net.SplitHostPort(echoAddr)
	l, r, d := freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1")
	cmd := o.background("-N", "-o", "ExitOnForwardFailure=yes", "-L", l+":"+echoAddr, "-R", r+":"+echoAddr, "-D", d)
	echoed(t, l, nil)
	echoed(t, r, nil)
	echoed(t, d, func(c net.Conn) {
		// SOCKS5 without a login, then CONNECT to the echo.
		port, _ := strconv.Atoi(echoPort)
		_, _ = c.Write([]byte{5, 1, 0})
		_, _ = io.ReadFull(c, make([]byte, 2))
		_, _ = c.Write([]byte{5, 1, 0, 1, 127, 0, 0, 1, byte(port >> 8), byte(port)})
		_, _ = io.ReadFull(c, make([]byte, 10))
	})
	_ = cmd.Process.Signal(os.Interrupt)
	all := o.stop()
	kinds := map[string]int{}
	for _, c := range of[*record.SSHChannel](all) {
		kinds[c.Type]++
		if c.ClientBytes != 5 || c.ServerBytes != 5 || c.What != "tunnel" {
			t.Errorf("channel %+v, want 5 bytes each way", c)
		}
	}
	if kinds["direct-tcpip"] != 2 || kinds["forwarded-tcpip"] != 1 {
		t.Errorf("channels: %v", kinds)
	}
}

func TestOpenSSHMaster(t *testing.T) {
	o := startOpenSSH(t, nil)
	socket := filepath.Join(o.dir, "m")
	o.background("-N", "-M", "-S", socket)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the master did not come up")
		}
	}
	for i := range 10 {
		out, errs, err := o.ssh(nil, []string{"-S", socket}, fmt.Sprintf("echo %d", i))
		if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(i) {
			t.Errorf("session %d over the master: %q, %v, %s", i, out, err, errs)
		}
	}
	if _, errs, err := o.ssh(nil, []string{"-S", socket, "-O", "exit"}, "true"); err != nil {
		t.Errorf("ending the master: %v: %s", err, errs)
	}
	all := o.stop()
	if n := len(of[*record.Session](all)); n != 1 {
		t.Errorf("%d connections, want one for all sessions", n)
	}
	if n := len(of[*record.SSHChannel](all)); n != 10 {
		t.Errorf("%d channels, want 10", n)
	}
}

func TestDropbear(t *testing.T) {
	o := startOpenSSH(t, nil)
	needsSSH(t, "dbclient", "dropbearconvert")
	key := filepath.Join(o.dir, "dropbear_id")
	if out, err := exec.Command("dropbearconvert", "openssh", "dropbear", o.key, key).CombinedOutput(); err != nil {
		t.Fatalf("dropbearconvert: %v: %s", err, out)
	}
	out, errs, err := o.run(strings.NewReader("over\n"), "dbclient", "-y", "-y", "-i", key, "-p", o.port(), o.user+"@127.0.0.1", "cat; echo oops >&2; exit 3")
	if code := exitCode(err); code != 3 || string(out) != "over\n" || !strings.Contains(string(errs), "oops\n") {
		t.Errorf("status %d, output %q, errors %q", code, out, errs)
	}
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	for _, h := range of[*record.SSHHandshake](all) {
		if h.ClientID == nil || h.ClientID.Software != "Dropbear" || h.ServerID == nil || h.ServerID.Software != "OpenSSH" {
			t.Errorf("handshake %s", h.Summary())
		}
	}
}
