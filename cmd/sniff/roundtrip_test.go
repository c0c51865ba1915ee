package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMailRoundTrip sends mail with real clients through the proxy into a
// server that keeps what it took, and holds that the messages exported from the
// proxy's capture are those, byte for byte.
func TestMailRoundTrip(t *testing.T) {
	python := "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import aiosmtpd").Run(); err != nil {
		t.Skip("needs python3-aiosmtpd")
	}
	for _, program := range []string{"swaks", "smtp-source"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program)
		}
	}
	fixedKey(t)
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(server)
	start(t, exec.Command(python, "testdata/keep_mail.py", port, kept))
	waitFor(t, server)

	capture := filepath.Join(dir, "traffic.pcapng")
	proxy := exec.Command("sniff", "proxy", "--listen", "127.0.0.1:0", "--to", server, "-w", capture, "-o", "jsonl")
	stderr, err := proxy.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, proxy)
	listens := regexp.MustCompile(`listens on (\S+)`)
	addr := ""
	for lines := bufio.NewScanner(stderr); addr == "" && lines.Scan(); {
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	if addr == "" {
		t.Fatal("the proxy does not say where it listens")
	}
	go func() { _, _ = bufio.NewReader(stderr).WriteTo(&bytes.Buffer{}) }()

	attachment := filepath.Join(dir, "binary.bin")
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	if err := os.WriteFile(attachment, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(addr)
	for _, c := range []*exec.Cmd{
		exec.Command("swaks", "--server", host, "--port", port, "--from", "a@x.example", "--to", "b@y.example", "--helo", "me.example",
			"--body", "one\n.\n..two dots\n. \nthe end", "--attach", "@"+attachment),
		exec.Command("smtp-source", "-c", "-m", "20", "-s", "4", "-l", "7000", "-f", "a@x.example", "-t", "b@y.example", "-M", "me.example", addr),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
	}
	_ = proxy.Process.Signal(syscall.SIGTERM)
	_ = proxy.Wait()

	mails := func(files map[string][]byte) (list []string) {
		for path, b := range files {
			if strings.HasSuffix(path, ".eml") {
				list = append(list, string(b))
			}
		}
		slices.Sort(list)
		return slices.Compact(list) // exports are named by digest: equal ones are one
	}
	sent := map[string][]byte{}
	names, _ := filepath.Glob(kept + "/*.eml")
	for _, n := range names {
		sent[n], _ = os.ReadFile(n)
	}
	if len(sent) != 21 {
		t.Fatalf("the server took %d messages, 21 were sent", len(sent))
	}
	got, want := mails(exported(t, "--mail", capture)), mails(sent)
	if !slices.Equal(got, want) {
		t.Errorf("%d messages exported, %d different ones taken by the server; the first of each:\n%.400q\n%.400q", len(got), len(want), first(got), first(want))
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// start runs a process until the test ends.
func start(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// waitFor waits until somebody listens.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens on %s: %v", addr, err)
		}
	}
}
