package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
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
		"  - {listen: '127.0.0.1:0', to: '" + silent + "'}\nhandshake-timeout: 200ms\ndial-timeout: 300ms\noutput: jsonl\n"
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
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
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
