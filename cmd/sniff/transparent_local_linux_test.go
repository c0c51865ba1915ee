package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sniff/proxy"
)

// ownNetwork is a network namespace of its own, with a mail server at every loopback
// address and this binary as a program that any user may run.
func ownNetwork(t *testing.T) (ns, sniff string) {
	t.Helper()
	needsFirewall(t)
	ns = fmt.Sprintf("sniff-test-%d-o", os.Getpid())
	namespace(t, ns)
	ln := listenWithin(t, ns, "0.0.0.0:25")
	go accept(ln, takeMail)
	dir, err := os.MkdirTemp("", "sniff-local-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, "cp", os.Args[0], dir+"/sniff")
	must(t, "chmod", "0755", dir+"/sniff")
	return ns, dir + "/sniff"
}

// asNobody are the words before a command that is run without any rights.
func asNobody(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed")
	}
	return []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
}

// greeting is what a server in the namespace says first.
func greeting(t *testing.T, ns, addr string) (string, error) {
	t.Helper()
	var line string
	var err error
	within(t, ns, func() {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", addr, time.Minute); err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		line, err = bufio.NewReader(c).ReadString('\n')
	})
	return line, err
}

// TestTransparentWithoutRights: a proxy that may not mark its connections gets
// them back from the firewall. It notices, says why and ends it; told its user,
// the firewall leaves its connections alone.
func TestTransparentWithoutRights(t *testing.T) {
	ns, sniff := ownNetwork(t)
	nobody := asNobody(t)
	in := []string{"netns", "exec", ns}
	start := func() *running {
		args := append(append(append([]string{}, in...), nobody...), sniff, "proxy", "--mode", "transparent", "--listen", "127.0.0.1:9040", "--tls", "passthrough", "-o", "jsonl")
		cmd := exec.Command("ip", args...)
		cmd.Dir = "/"
		return startCommand(t, 1, cmd)
	}
	setup := []string{"proxy", "setup", "--listen", "127.0.0.1:9040", "--local", "--no-forwarded", "--ports", "25"}

	out, err := on(ns, nobody[0], append(append(append([]string{}, nobody[1:]...), sniff), setup...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "changing the firewall needs root") || !strings.Contains(string(out), "--dry-run") {
		t.Errorf("setup by nobody: %v, %s", err, out)
	}
	rules, err := on(ns, nobody[0], append(append(append(append([]string{}, nobody[1:]...), sniff), setup...), "--dry-run", "--uid", "65534")...).CombinedOutput()
	if err != nil || !strings.Contains(string(rules), "meta skuid 65534 return") {
		t.Errorf("a dry run by nobody: %v, %s", err, rules)
	}

	must(t, "ip", append(append(append([]string{}, in...), sniff), setup...)...)
	p := start()
	if line, err := greeting(t, ns, "127.0.0.2:25"); err == nil {
		t.Errorf("through a loop came %q", line)
	}
	printed := p.stop()
	const why = "the firewall brings the proxy's own connections back to it"
	if !strings.Contains(p.errors(), why) || !strings.Contains(p.errors(), "--uid") || !strings.Contains(printed, why) {
		t.Errorf("the loop was not explained:\n%s\n%s", p.errors(), printed)
	}
	if n := strings.Count(p.errors(), "\n"); n > 100 {
		t.Errorf("%d lines about one loop", n)
	}

	must(t, "ip", append(append(append(append([]string{}, in...), sniff), setup...), "--uid", "65534")...)
	p = start()
	if line, err := greeting(t, ns, "127.0.0.2:25"); err != nil || !strings.HasPrefix(line, "220 mail.test") {
		t.Errorf("with --uid: %q, %v", line, err)
	}
	if printed := p.stop(); !strings.Contains(printed, `"server":"127.0.0.2:25"`) || strings.Contains(printed, `"code":"proxy_`) {
		t.Errorf("recorded: %s\n%s", printed, p.errors())
	}
}

// TestTransparentSharesPorts: programs of the proxy's host call other servers
// from the ports from which the proxy calls some; that is no loop. Where a host
// has eight ports only, it comes to that soon.
func TestTransparentSharesPorts(t *testing.T) {
	ns, sniff := ownNetwork(t)
	var err error
	within(t, ns, func() {
		err = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40007"), 0o644)
	})
	if err != nil {
		t.Skipf("the range of ports cannot be changed: %v", err)
	}
	go accept(listenWithin(t, ns, "0.0.0.0:26"), func(c net.Conn) {
		fmt.Fprintln(c, c.RemoteAddr())
		_, _ = io.Copy(io.Discard, c)
	})
	must(t, "ip", "netns", "exec", ns, sniff, "proxy", "setup", "--listen", "127.0.0.1:9040", "--local", "--no-forwarded", "--ports", "26")
	p := startCommand(t, 1, exec.Command("ip", "netns", "exec", ns, sniff, "proxy", "--mode", "transparent", "--listen", "127.0.0.1:9040", "--tls", "passthrough", "-o", "jsonl"))
	// call returns the port that the client has, and the one that the server sees.
	call := func(addr string, mark int) (client, seen string) {
		t.Helper()
		var c net.Conn
		var err error
		how := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
		}}
		within(t, ns, func() { c, err = how.Dial("tcp", addr) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatalf("%s, from %s: %v\n%s", addr, c.LocalAddr(), err, p.errors())
		}
		return c.LocalAddr().String(), strings.TrimSpace(line)
	}
	calls := map[string]bool{} // from where the proxy calls
	shared := 0
	for i := range 20 {
		addr := fmt.Sprintf("127.0.0.%d:26", 2+i)
		for range i % 4 {
			// Takes a port towards this server, past the proxy.
			if client, seen := call(addr, proxy.Mark); client != seen {
				t.Fatalf("what is marked comes from %s, not from %s", seen, client)
			}
		}
		client, seen := call(addr, 0)
		if client == seen {
			t.Fatalf("%s did not go through the proxy", client)
		}
		if calls[client] {
			shared++
		}
		calls[seen] = true
	}
	if shared == 0 {
		t.Error("no port came to be shared, so nothing is shown")
	}
}

// TestTransparentBesideOthers: where one listener of a process is transparent,
// the firewall must leave alone what the others connect to as well.
func TestTransparentBesideOthers(t *testing.T) {
	ns, sniff := ownNetwork(t)
	in := []string{"netns", "exec", ns}
	must(t, "ip", append(append([]string{}, in...), sniff, "proxy", "setup", "--listen", "127.0.0.1:9040", "--local", "--no-forwarded", "--ports", "25")...)
	config := t.TempDir() + "/sniff.yaml"
	err := os.WriteFile(config, []byte(`listeners:
  - {listen: "127.0.0.1:9040", mode: transparent}
  - {listen: "127.0.0.1:2525", to: "127.0.0.2:25"}
  - {listen: "127.0.0.1:1080", mode: socks}
tls: passthrough
output: jsonl
kind: session
fields: server,via
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := startCommand(t, 3, exec.Command("ip", append(append([]string{}, in...), sniff, "proxy", "-c", config)...))
	for _, addr := range []string{"127.0.0.2:25", "127.0.0.1:2525"} {
		if line, err := greeting(t, ns, addr); err != nil || !strings.HasPrefix(line, "220 mail.test") {
			t.Errorf("%s: %q, %v", addr, line, err)
		}
	}
	within(t, ns, func() {
		c, err := net.Dial("tcp", "127.0.0.1:1080")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprint(c, "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x02\x00\x19")
		const answers = 2 + 10
		said := make([]byte, answers+len("220 mail.test"))
		if _, err := io.ReadFull(c, said); err != nil || string(said[answers:]) != "220 mail.test" {
			t.Errorf("by SOCKS: %q, %v", said, err)
		}
	})
	// Each connection was seen once, by the listener that it came to.
	printed := p.stop()
	for _, via := range []string{"transparent 127.0.0.1:9040", "127.0.0.1:2525 to 127.0.0.2:25", "socks 127.0.0.1:1080"} {
		if strings.Count(printed, `{"server":"127.0.0.2:25","via":"`+via+`"}`) != 1 || strings.Count(printed, "\n") != 3 {
			t.Errorf("one session via %s is wanted, and 3 in all:\n%s\n%s", via, printed, p.errors())
		}
	}
}
