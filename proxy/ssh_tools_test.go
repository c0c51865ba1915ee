package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"sniff/record"
)

// shell returns the command of an SSH client as other programs take it.
func (o *openSSH) shell() string { return "ssh " + strings.Join(o.options(), " ") }

// tool runs a program in dir with more in its environment.
func (o *openSSH) tool(dir string, env []string, name string, args ...string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("%s %.200q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// commands returns the commands that were run, and how they ended.
func commands(all []record.Record) []string {
	var out []string
	for _, c := range of[*record.SSHChannel](all) {
		status := "?"
		if c.ExitStatus != nil {
			status = fmt.Sprint(*c.ExitStatus)
		}
		word, _, _ := strings.Cut(c.Command.String(), " ")
		out = append(out, word+" "+status)
	}
	return out
}

// TestRsync copies a tree to the server and back, then what has changed.
func TestRsync(t *testing.T) {
	o := startOpenSSH(t, nil)
	needsSSH(t, "rsync")
	from, there, back := filepath.Join(o.dir, "from"), filepath.Join(o.dir, "there"), filepath.Join(o.dir, "back")
	for i := range 20 {
		path := filepath.Join(from, strconv.Itoa(i%4), strconv.Itoa(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, randomBytes(1+i*i*1000))
	}
	copied := func() {
		t.Helper()
		for _, way := range [][2]string{{from + "/", o.user + "@127.0.0.1:" + there}, {o.user + "@127.0.0.1:" + there + "/", back}} {
			o.tool(o.dir, nil, "rsync", "-az", "--delete", "--timeout=60", "-e", o.shell(), way[0], way[1])
		}
		o.tool(o.dir, nil, "diff", "-r", from, there)
		o.tool(o.dir, nil, "diff", "-r", from, back)
	}
	copied()
	big := randomBytes(300_000)
	write(t, from+"/3/19", big)
	copied()
	write(t, from+"/3/19", append([]byte("changed"), big...))
	os.Remove(from + "/2/18")
	copied()
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	if got := strings.Join(commands(all), ", "); got != strings.TrimSuffix(strings.Repeat("rsync 0, ", 6), ", ") {
		t.Errorf("recorded: %s", got)
	}
}

// TestGit clones a repository over SSH, pushes to it and fetches from it.
func TestGit(t *testing.T) {
	o := startOpenSSH(t, nil)
	needsSSH(t, "git")
	env := []string{"GIT_SSH_COMMAND=" + o.shell(), "HOME=" + o.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@x.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@x.test"}
	git := func(dir string, args ...string) string {
		t.Helper()
		return strings.TrimSpace(o.tool(dir, env, "git", args...))
	}
	origin, one, two := filepath.Join(o.dir, "origin.git"), filepath.Join(o.dir, "one"), filepath.Join(o.dir, "two")
	git(o.dir, "init", "-q", "--bare", "-b", "main", origin)
	url := "ssh://" + o.user + "@127.0.0.1" + origin
	git(o.dir, "clone", "-q", url, one)
	content := randomBytes(3_000_000)
	write(t, one+"/big", content)
	git(one, "add", "big")
	git(one, "commit", "-q", "-m", "first")
	git(one, "push", "-q", "origin", "HEAD:main")
	git(o.dir, "clone", "-q", url, two)
	if got := read(t, two+"/big"); !bytes.Equal(got, content) {
		t.Errorf("%d of %d bytes came with the clone", len(got), len(content))
	}
	git(two, "commit", "-q", "--allow-empty", "-m", "second")
	git(two, "push", "-q", "origin", "HEAD:main")
	git(one, "pull", "-q", "--ff-only", "origin", "main")
	if a, b := git(one, "rev-parse", "HEAD"), git(two, "rev-parse", "HEAD"); a != b {
		t.Errorf("pulled %s, pushed %s", a, b)
	}
	git(one, "fsck", "--strict")
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	const want = "git-upload-pack 0, git-receive-pack 0, git-upload-pack 0, git-receive-pack 0, git-upload-pack 0"
	if got := strings.Join(commands(all), ", "); got != want {
		t.Errorf("recorded: %s, want %s", got, want)
	}
}

// TestX11: a program at the server reaches the client's display.
func TestX11(t *testing.T) {
	o := startOpenSSH(t, nil)
	needsSSH(t, "xauth", "python3")
	// The display says what it got, the cookie replaced, and then echoes.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	if port < 6000 {
		t.Skip("no port that a display can have")
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				setup := make([]byte, 12+20+16)
				if _, err := io.ReadFull(c, setup); err == nil {
					fmt.Fprintf(c, "%s", setup[12:30])
					_, _ = io.Copy(c, c)
				}
			}()
		}
	}()
	const program = `
import os, socket, struct, subprocess, threading
d = os.environ["DISPLAY"]
cookie = bytes.fromhex(subprocess.check_output(["xauth", "list", d], text=True).split()[-1])
name = b"MIT-MAGIC-COOKIE-1"
s = socket.create_connection(("127.0.0.1", 6000 + int(d.split(":")[1].split(".")[0])))
s.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie)) + name + bytes(2) + cookie)
threading.Thread(target=s.sendall, args=[bytes(1000000)]).start()
got = b""
while len(got) < 1000018:
    got += s.recv(65536)
print(got[:len(name)].decode(), len(got))
`
	display := filepath.Join(o.dir, "xauth")
	write(t, display, nil)
	cmd := exec.Command("ssh", append(o.options("-Y"), o.user+"@127.0.0.1", "python3 -")...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("DISPLAY=127.0.0.1:%d", port-6000), "XAUTHORITY="+display)
	cmd.Stdin = strings.NewReader(program)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != "MIT-MAGIC-COOKIE-1 1000018" {
		t.Errorf("%v: %s%s", err, out, errs.String())
	}
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	kinds := map[string]int{}
	for _, c := range of[*record.SSHChannel](all) {
		kinds[c.Type]++
	}
	if kinds["x11"] != 1 || kinds["session"] != 1 {
		t.Errorf("channels: %v", kinds)
	}
}

// startDropbear starts dropbear as the server behind the proxy.
func startDropbear(t *testing.T, change func(*Config)) *openSSH {
	t.Helper()
	needsSSH(t, "ssh", "dropbear", "dbclient", "dropbearconvert", "unshare")
	if os.Getuid() != 0 {
		t.Skip("dropbear must be started by root")
	}
	o := &openSSH{t: t, dir: t.TempDir(), user: "root"}
	hostPath, host := writeKey(t, o.dir, "host")
	var id ssh.Signer
	o.key, id = writeKey(t, o.dir, "id")
	o.tool(o.dir, nil, "dropbearconvert", "openssh", "dropbear", hostPath, o.dir+"/host.dropbear")
	o.tool(o.dir, nil, "dropbearconvert", "openssh", "dropbear", o.key, o.dir+"/id.dropbear")
	// It looks for keys in the home folder only: for it that is one of the test's.
	home := filepath.Join(t.TempDir(), "home")
	if err := os.MkdirAll(home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home+"/.ssh/authorized_keys", ssh.MarshalAuthorizedKey(id.PublicKey()))
	addr := freeAddr(t, "127.0.0.1")
	startProcess(t, addr, "unshare", "-m", "sh", "-c", `mount --bind "$0" /root && exec dropbear -F -E -P "$1" -r "$2" -p "$3"`,
		home, o.dir+"/pid", o.dir+"/host.dropbear", addr)
	o.sshBench = startSSH(t, addr, host.PublicKey(), func(c *Config) {
		c.SSH.Identities = []ssh.Signer{id}
		if change != nil {
			change(c)
		}
	})
	known := knownhosts.Line([]string{o.addr}, o.host.PublicKey()) + "\n"
	write(t, o.dir+"/known", []byte(known))
	return o
}

func (o *openSSH) dbclient(env []string, options []string, command string) (stdout, stderr []byte, err error) {
	o.t.Helper()
	args := append([]string{"-y", "-y", "-i", o.dir + "/id.dropbear", "-p", o.port()}, options...)
	cmd := exec.CommandContext(o.t.Context(), "dbclient", append(args, o.user+"@127.0.0.1", command)...)
	cmd.Env = append(append(os.Environ(), "HOME="+o.dir), env...)
	cmd.Stdin = strings.NewReader("over\n")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err = cmd.Output()
	return stdout, errs.Bytes(), err
}

// TestDropbearServer: dropbear behind the proxy, for its own client and for
// OpenSSH's.
func TestDropbearServer(t *testing.T) {
	o := startDropbear(t, nil)
	out, errs, err := o.dbclient(nil, nil, "cat; echo oops >&2; exit 3")
	if exitCode(err) != 3 || string(out) != "over\n" || !strings.Contains(string(errs), "oops\n") {
		t.Errorf("dbclient: %v, output %q, errors %q", err, out, errs)
	}
	out, errs, err = o.ssh(strings.NewReader("over\n"), nil, "cat; echo oops >&2; exit 3")
	if exitCode(err) != 3 || string(out) != "over\n" || string(errs) != "oops\n" {
		t.Errorf("ssh: %v, output %q, errors %q", err, out, errs)
	}
	const size = 10 << 20
	out, errs, err = o.ssh(nil, []string{"-o", "RekeyLimit=1M"}, fmt.Sprintf("head -c %d /dev/zero >&2 & head -c %[1]d /dev/zero; wait", size))
	if err != nil || len(out) != size || len(errs) != size {
		t.Errorf("%v: %d and %d bytes, want %d on both streams", err, len(out), len(errs), size)
	}
	out, _, err = o.ssh(nil, []string{"-tt"}, "stty size; tty >/dev/null && echo tty")
	if err != nil || !strings.Contains(string(out), "tty") {
		t.Errorf("with a terminal: %v, %q", err, out)
	}
	echoAddr := listen(t, echo)
	l, r := freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1")
	cmd := o.background("-N", "-o", "ExitOnForwardFailure=yes", "-L", l+":"+echoAddr, "-R", r+":"+echoAddr)
	echoed(t, l, nil)
	echoed(t, r, nil)
	_ = cmd.Process.Signal(os.Interrupt)
	all := o.stop()
	if a := anomalies(all); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	kinds := map[string]int{}
	for _, c := range of[*record.SSHChannel](all) {
		kinds[c.Type]++
	}
	if kinds["session"] != 4 || kinds["direct-tcpip"] != 1 || kinds["forwarded-tcpip"] != 1 {
		t.Errorf("channels: %v", kinds)
	}
	for _, h := range of[*record.SSHHandshake](all) {
		if h.ServerID == nil || h.ServerID.Software != "Dropbear" {
			t.Errorf("handshake %s", h.Summary())
		}
	}
}

// serveKeys runs an SSH agent with the client's key and returns its socket.
func (o *openSSH) serveKeys() string {
	o.t.Helper()
	text, err := os.ReadFile(o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		o.t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private, Comment: "alice's"}); err != nil {
		o.t.Fatal(err)
	}
	socket := filepath.Join(o.dir, "agent")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = agent.ServeAgent(ring, c)
			}()
		}
	}()
	return socket
}

// TestDropbearAgent: dropbear's client forwards its agent to the proxy, which
// logs in with it, and on to dropbear's server.
func TestDropbearAgent(t *testing.T) {
	o := startDropbear(t, func(c *Config) { c.SSH.Identities, c.SSH.Agent = nil, true })
	needsSSH(t, "ssh-add")
	env := []string{"SSH_AUTH_SOCK=" + o.serveKeys()}
	out, errs, err := o.dbclient(env, []string{"-A"}, "ssh-add -l; exit 3")
	if exitCode(err) != 3 || !strings.Contains(string(out), "alice's") {
		t.Errorf("dbclient -A: %v, output %q, errors %q", err, out, errs)
	}
	if _, errs, err := o.dbclient(env, nil, "true"); err == nil || !strings.Contains(string(errs), "ssh -A") {
		t.Errorf("without -A: %v, errors %q", err, errs)
	}
	o.stop()
}
