package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// running is a `sniff proxy` of its own process.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	addrs  []string // it listens there
	stdout *safe
	done   chan struct{}

	mu     sync.Mutex
	stderr strings.Builder
}

// startProxy runs `sniff proxy` with a configuration folder of its own until
// it listens at as many addresses as expected.
func startProxy(t *testing.T, listeners int, args ...string) *running {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"proxy"}, args...)...)
	cmd.Args[0] = "sniff"
	return startCommand(t, listeners, cmd)
}

// startCommand is startProxy with a command of one's own.
func startCommand(t *testing.T, listeners int, cmd *exec.Cmd) *running {
	t.Helper()
	p := &running{t: t, cmd: cmd, stdout: &safe{}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir(), "NO_COLOR=1")
	p.cmd.Stdout = p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, listeners)
	go func() {
		defer close(p.done)
		defer close(heard)
		lines := bufio.NewScanner(stderr)
		listens := regexp.MustCompile(`listens on (\S+)`)
		for n := 0; lines.Scan(); {
			p.mu.Lock()
			p.stderr.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if m := listens.FindStringSubmatch(lines.Text()); m != nil && n < listeners {
				heard <- m[1]
				n++
			}
		}
	}()
	t.Cleanup(func() { _ = p.end(syscall.SIGKILL) })
	for range listeners {
		select {
		case addr, ok := <-heard:
			if !ok {
				t.Fatalf("the proxy ended: %s", p.errors())
			}
			p.addrs = append(p.addrs, addr)
		case <-time.After(30 * time.Second):
			t.Fatalf("the proxy does not listen: %s", p.errors())
		}
	}
	return p
}

func (p *running) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// end sends a signal and waits until the proxy is gone.
func (p *running) end(sig os.Signal) error {
	_ = p.cmd.Process.Signal(sig)
	<-p.done
	return p.cmd.Wait()
}

// stop interrupts the proxy and returns what it printed.
func (p *running) stop() string {
	p.t.Helper()
	if err := p.end(os.Interrupt); err != nil {
		p.t.Errorf("the proxy ended with %v: %s", err, p.errors())
	}
	return p.stdout.String()
}

// mailServer takes every message.
func mailServer(t *testing.T) string { return serve(t, takeMail) }

func takeMail(c net.Conn) {
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 mail.test ESMTP\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch strings.ToUpper(strings.TrimSpace(line)) {
		case "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case "QUIT":
			fmt.Fprint(c, "221 2.0.0 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

// serve runs a server until the test ends.
func serve(t *testing.T, handle func(net.Conn)) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go accept(ln, handle)
	return ln.Addr().String()
}

func accept(ln net.Listener, handle func(net.Conn)) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			handle(c)
		}()
	}
}

// sendMail sends one message and returns an error unless it was taken.
func sendMail(addr, message string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	for _, line := range []string{"", "EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA", message + "\r\n.", "QUIT"} {
		if line != "" {
			fmt.Fprintf(c, "%s\r\n", line)
		}
		if reply, err := in.ReadString('\n'); err != nil || reply[0] > '3' {
			return fmt.Errorf("to %.20q: %q, %v", line, reply, err)
		}
	}
	return nil
}

// TestProxyWritesFolders: messages and envelopes as they were sent, Zeek's
// logs, a capture, all at a time.
func TestProxyWritesFolders(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><r/></e:Body></e:Envelope>`)
	}))
	t.Cleanup(web.Close)
	dir := t.TempDir()
	p := startProxy(t, 2, "--listen", "127.0.0.1:0", "--to", mailServer(t), "--listen", "127.0.0.1:0", "--to", web.Listener.Addr().String(),
		"-o", "zeek", "-w", dir+"/logs", "-w", dir+"/out", "-w", dir+"/traffic.pcapng")
	const message = "Subject: hi\r\n\r\nhello"
	if err := sendMail(p.addrs[0], message); err != nil {
		t.Fatal(err)
	}
	const envelope = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><q/></e:Body></e:Envelope>`
	answer, err := http.Post("http://"+p.addrs[1]+"/service", "text/xml", strings.NewReader(envelope))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	p.stop()

	one := func(pattern, want string) {
		t.Helper()
		names, _ := filepath.Glob(pattern)
		for _, n := range names {
			if b, _ := os.ReadFile(n); strings.Contains(string(b), want) {
				return
			}
		}
		t.Errorf("none of %s (%q) holds %q", pattern, names, want)
	}
	one(dir+"/out/mail/*.eml", message+"\r\n")
	one(dir+"/out/soap/*.xml", envelope)
	one(dir+"/out/index.jsonl", `"path":"mail/`)
	one(dir+"/logs/smtp.log", "a@x.test")
	one(dir+"/logs/http.log", "/service")
	out, stderr, status := sniff(t, nil, "read", dir+"/traffic.pcapng")
	if status != exitDone || !strings.Contains(out, "2 sessions") {
		t.Errorf("the capture: status %d, %s%s", status, out, stderr)
	}
}

// TestProxyChoosesRecords: --where is the one of the other commands.
func TestProxyChoosesRecords(t *testing.T) {
	p := startProxy(t, 1, "--listen", "127.0.0.1:0", "--to", mailServer(t), "-o", "jsonl", "-Y", `kind == "smtp.message" && from == "a@x.test"`, "--fields", "from,outcome")
	if err := sendMail(p.addrs[0], "Subject: hi\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	if got := p.stop(); got != `{"from":"a@x.test","outcome":"delivered"}`+"\n" {
		t.Errorf("printed %q", got)
	}
}

// TestProxyKilled: the capture of a proxy that was killed can be read, whenever
// that happened, and has everything but the last second; so have the files of one
// that began a new one every few messages.
func TestProxyKilled(t *testing.T) {
	server := mailServer(t)
	for i := range 4 {
		dir := t.TempDir()
		file := dir + "/traffic.pcapng"
		args := []string{"--listen", "127.0.0.1:0", "--to", server, "-w", file}
		if i >= 2 {
			args = append(args, "--rotate", "60KB")
		}
		p := startProxy(t, 1, args...)
		var sent []time.Time
		killed := make(chan time.Time)
		go func() {
			time.Sleep(time.Duration(1700+rand.IntN(700)) * time.Millisecond)
			at := time.Now()
			_ = p.end(syscall.SIGKILL)
			killed <- at
		}()
		for n := 0; ; n++ {
			err := sendMail(p.addrs[0], fmt.Sprintf("Subject: %d\r\n\r\n%s", n, strings.Repeat("0123456789abcdef\r\n", 1+rand.IntN(2000))))
			if err != nil {
				break
			}
			sent = append(sent, time.Now())
		}
		cut := <-killed
		due := 0
		for _, at := range sent {
			if cut.Sub(at) > 1100*time.Millisecond {
				due++
			}
		}
		files, _ := filepath.Glob(dir + "/*.pcapng")
		if len(files) == 0 || (len(files) > 1) != (i >= 2) {
			t.Errorf("kill %d: files %q", i, files)
		}
		out, stderr, status := sniff(t, nil, append([]string{"read", "-o", "jsonl", "--kind", "smtp.message"}, files...)...)
		if status != exitDone || stderr != "" {
			t.Errorf("kill %d: status %d, %s", i, status, stderr)
		}
		if got := strings.Count(out, "\n"); got < due {
			t.Errorf("kill %d: %d messages in the capture, at least %d of %d were due", i, got, due, len(sent))
		}
		if tshark, err := exec.LookPath("tshark"); err == nil && i == 0 {
			if out, err := exec.Command(tshark, "-n", "-q", "-z", "io,stat,0", "-r", file).CombinedOutput(); err != nil || strings.Contains(string(out), "cut short") {
				t.Errorf("tshark: %v, %s", err, out)
			}
		}
	}
}

// TestProxyInterruptedTwice: open connections may finish, until the next
// interrupt.
func TestProxyInterruptedTwice(t *testing.T) {
	p := startProxy(t, 1, "--listen", "127.0.0.1:0", "--to", mailServer(t), "--grace", "1h", "-o", "jsonl", "--kind", "session", "--fields", "end")
	c, err := net.Dial("tcp", p.addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.errors(), "or until the next interrupt"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it says %s", p.errors())
		}
	}
	if printed := p.stop(); printed != `{"end":"open"}`+"\n" || !strings.Contains(p.errors(), "sniff: cut 1 connection that had not finished\n") {
		t.Errorf("it printed %s and said %s", printed, p.errors())
	}
}

// TestTsharkReadsTheCapture: what -w writes has valid checksums and sequence
// numbers, over IPv4 and IPv6, of connections that ended and that were cut, and
// tshark understands the dialogues.
func TestTsharkReadsTheCapture(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	file := t.TempDir() + "/traffic.pcapng"
	server := mailServer(t)
	args := []string{"--listen", "127.0.0.1:0", "--to", server, "-w", file}
	addresses := 1
	if six, err := net.Listen("tcp", "[::1]:0"); err == nil {
		t.Cleanup(func() { six.Close() })
		go accept(six, takeMail)
		args = append(args, "--listen", "[::1]:0", "--to", six.Addr().String())
		addresses++
	}
	p := startProxy(t, addresses, args...)
	big := "Subject: big\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 20_000)
	for _, addr := range p.addrs {
		for _, message := range []string{"Subject: hi\r\n\r\nhello", big} {
			if err := sendMail(addr, message); err != nil {
				t.Fatal(err)
			}
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = bufio.NewReader(c).ReadString('\n')
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	p.stop()
	fields := func(filter string, names ...string) string {
		t.Helper()
		args := []string{"-n", "-r", file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-d", "tcp.port==" + server[strings.LastIndex(server, ":")+1:] + ",smtp", "-Y", filter, "-T", "fields"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		out, err := exec.Command(tshark, args...).Output()
		if err != nil {
			t.Fatalf("tshark %q: %v", args, err)
		}
		return string(out)
	}
	const good = "1"
	sums := map[string]int{}
	for line := range strings.Lines(fields("tcp", "ip.checksum.status", "tcp.checksum.status")) {
		sums[strings.TrimSuffix(line, "\n")]++
	}
	if four, six := sums[good+"\t"+good], sums["\t"+good]; four < 50 || six < 50*(addresses-1) || len(sums) != addresses {
		t.Errorf("packets by the state of their checksums (1 is good): %v", sums)
	}
	if odd := fields("tcp.analysis.flags || _ws.malformed", "frame.number", "_ws.expert.message"); odd != "" {
		t.Errorf("tshark finds fault with\n%s", odd)
	}
	if commands := fields("smtp.req.command == MAIL && ip", "smtp.req.parameter"); commands != "FROM:<a@x.test>\nFROM:<a@x.test>\n" {
		t.Errorf("tshark reads %q", commands)
	}
	if resets := strings.Count(fields("tcp.flags.reset == 1", "frame.number"), "\n"); resets != addresses {
		t.Errorf("%d resets, %d connections were cut", resets, addresses)
	}
}

// TestProxyRotates: every file is a capture of its own, no packet is lost
// between two, and numbers that are taken are left out.
func TestProxyRotates(t *testing.T) {
	server := mailServer(t)
	for _, limit := range []string{"40KB", "1s"} {
		t.Run(limit, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/traffic-0002.pcapng", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			p := startProxy(t, 1, "--listen", "127.0.0.1:0", "--to", server, "-o", "jsonl", "--kind", "smtp.message", "--fields", "outcome", "-w", dir+"/traffic.pcapng", "--rotate", limit)
			for range 6 {
				if err := sendMail(p.addrs[0], "Subject: hi\r\n\r\n"+strings.Repeat("0123456789abcdef\r\n", 1000)); err != nil {
					t.Fatal(err)
				}
				if limit == "1s" {
					time.Sleep(350 * time.Millisecond)
				}
			}
			printed := p.stop()
			if err := os.Remove(dir + "/traffic-0002.pcapng"); err != nil {
				t.Fatal(err)
			}
			files, _ := filepath.Glob(dir + "/traffic-*.pcapng")
			if len(files) < 2 || filepath.Base(files[0]) != "traffic-0001.pcapng" || filepath.Base(files[1]) != "traffic-0003.pcapng" {
				t.Fatalf("files %q", files)
			}
			for _, f := range files {
				if out, stderr, status := sniff(t, nil, "read", f); status != exitDone || stderr != "" {
					t.Errorf("%s alone: status %d, %s%s", f, status, out, stderr)
				}
				st, _ := os.Stat(f)
				if st.Mode().Perm() != 0o600 || limit == "40KB" && st.Size() > 45_000 {
					t.Errorf("%s: mode %o, %d bytes", f, st.Mode().Perm(), st.Size())
				}
			}
			together, _, status := sniff(t, nil, append([]string{"read", "-o", "jsonl", "--kind", "smtp.message", "--fields", "outcome"}, files...)...)
			if status != exitDone || strings.Count(together, `"outcome":"delivered"`) != 6 || strings.Count(printed, `"outcome":"delivered"`) != 6 {
				t.Errorf("status %d; read from all files:\n%s\nprinted:\n%s", status, together, printed)
			}
		})
	}
}

// TestProxyUsage: mistakes are told with what to do, before anything listens.
func TestProxyUsage(t *testing.T) {
	kept := t.TempDir() + "/kept.pcapng"
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-w " + kept:                         "hint: name another file, or number them with --rotate",
		"--rotate 100MB":                     "--rotate without a capture",
		"-w t.pcapng --rotate many":          "neither a size nor a time",
		"-w t.pcap":                          "hint: -w t.pcapng",
		"-w a.pcapng -w b.pcapng":            "several captures",
		"-o zeek":                            "hint: name a folder: -o zeek -w DIR",
		"-o zeek -w t.pcapng":                "hint: name a folder: -o zeek -w DIR",
		"--tls sideways":                     "hint: it is one of intercept, passthrough, strip, require",
		"--allow 192.0.2.0":                  "hint: write it like 192.0.2.0/24",
		"--max-connections 0":                "--max-connections: 0 would let nobody in",
		"--max-per-client -1":                "--max-per-client: -1 would let nobody in",
		"--idle 0s":                          "--idle: 0s is no time to wait",
		"--grace -1s":                        "--grace: -1s has passed",
		"--proxy-protocol-out 3":             "it is one of 0, 1, 2",
		"--listen mail --to 127.0.0.1:1":     "hint: write it like 127.0.0.1:2525",
		"--listen 127.0.0.1:1x --to a:1":     "1x is no port",
		"--mode socks":                       "with --mode socks, in which clients say where",
		"--listen 127.0.0.1:0 --to a":        "hint: write it like mail.example.org:25",
		"--client-cert c.pem":                "go together",
		"--client-cert c.pem --client-key k": "the certificate for upstreams, c.pem with the key k",
		"--where 'nothing == 1'":             "nothing",
		"-w " + t.TempDir() + "/no/t.pcapng": "no such file or directory",
	} {
		all := append([]string{"proxy", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--ca-dir", t.TempDir()}, commandWords(args)...)
		_, stderr, status := sniff(t, nil, all...)
		if status == exitDone || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %q; want %q", args, status, stderr, want)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "another program listens there",
		"192.0.2.77:2525":     "no interface of this host has that address",
	} {
		file := t.TempDir() + "/traffic.pcapng"
		stdout, stderr, status := sniff(t, nil, "proxy", "--listen", addr, "--to", "127.0.0.1:1", "--ca-dir", t.TempDir(), "-w", file)
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: a capture was left behind, in the way of the next attempt", addr)
		}
		if status != exitUsage || !strings.Contains(stderr, "hint: "+want) || stdout != "" {
			t.Errorf("%s: status %d, %q, printed %q; want %q and nothing printed", addr, status, stderr, stdout, want)
		}
	}
}
