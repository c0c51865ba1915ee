package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// tour returns the commands of the README's console blocks, and what they print
// there.
func tour(t *testing.T) (commands []string, output map[string]string) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	output = map[string]string{}
	console, command := false, ""
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "```"):
			console, command = strings.TrimSpace(line) == "```console", ""
		case console && strings.HasPrefix(line, "$ "):
			command = strings.TrimSpace(strings.TrimPrefix(line, "$ "))
			commands = append(commands, command)
		case command != "":
			output[command] += line
		}
	}
	return commands, output
}

// TestTourIsComplete: every command of the program, every output format and
// every kind of export is in the README's tour, with what it prints.
func TestTourIsComplete(t *testing.T) {
	commands, output := tour(t)
	shown := func(pattern string) bool {
		re := regexp.MustCompile(`^(sudo )?sniff ` + pattern)
		for i, c := range commands {
			if !re.MatchString(c) {
				continue
			}
			if output[c] != "" || i+1 < len(commands) && !strings.HasPrefix(commands[i+1], "sniff") && output[commands[i+1]] != "" {
				return true // or the next one shows what it wrote
			}
		}
		return false
	}
	var walk func(c *cobra.Command, path string)
	walk = func(c *cobra.Command, path string) {
		for _, below := range c.Commands() {
			if !below.IsAvailableCommand() || below.Name() == "help" || c.Name() == "completion" {
				continue
			}
			if p := path + below.Name(); !shown(p + `\b`) {
				t.Errorf("the tour has no sniff %s with its output", p)
			}
			walk(below, path+below.Name()+" ")
		}
	}
	a := &app{}
	root := a.root()
	root.InitDefaultCompletionCmd()
	walk(root, "")
	for _, format := range []string{"text", "jsonl", "csv", "eve", "zeek", "parquet"} {
		if !shown(`read .*-o ` + format + `\b`) {
			t.Errorf("the tour has no -o %s with its output", format)
		}
	}
	for _, flag := range []string{"mail", "attachments", "files", "soap", "streams", "certs", "known-hosts", "pcap", "anonymise", "decrypted"} {
		if !shown(`export .*--` + flag + `\b`) {
			t.Errorf("the tour has no export --%s with its output", flag)
		}
	}
	for _, format := range []string{"sarif", "junit"} {
		if !shown(`findings .*-o ` + format + `\b`) {
			t.Errorf("the tour has no findings -o %s with its output", format)
		}
	}
}

// TestTourListens plays the commands of the tour that run until they are
// stopped, the way a reader would: a mail is sent by them. What they print is
// held against the README, apart from numbers.
func TestTourListens(t *testing.T) {
	commands, output := tour(t)
	for _, command := range commands {
		words := commandWords(command)
		live := strings.HasPrefix(command, "sudo sniff live ")
		if !live && (!strings.HasPrefix(command, "sniff proxy ") || words[2] == "setup" || words[2] == "teardown") {
			continue
		}
		t.Run(strings.Join(words[:min(4, len(words))], " "), func(t *testing.T) {
			if live && (runtime.GOOS != "linux" || os.Geteuid() != 0) {
				t.Skip("capturing needs root on Linux")
			}
			printed := listen(t, words)
			if !excerpt(blind(output[command]), blind(printed)) {
				t.Errorf("%s does not print what the README shows, numbers aside; it prints:\n%s", command, printed)
			}
		})
	}
}

// listen runs the command with addresses of the test's own, sends a mail, and
// interrupts it.
func listen(t *testing.T, words []string) string {
	t.Helper()
	server := mailServer(t)
	_, port, _ := net.SplitHostPort(server)
	if words[0] == "sudo" {
		words = words[1:]
	}
	dir := t.TempDir()
	for i, w := range words[:len(words)-1] {
		switch w {
		case "-f":
			words[i+1] = "port " + port
		case "--listen":
			words[i+1] = "127.0.0.1:0"
		case "--to":
			words[i+1] = server
		case "-w":
			words[i+1] = dir + "/" + words[i+1]
		}
	}
	// An interface that is busy with the traffic of others loses packets, and a
	// mail with them: then another one is sent to another process.
	for range 5 {
		cmd := exec.Command(os.Args[0], words[1:]...)
		cmd.Args[0] = "sniff"
		p := startCommand(t, 1, cmd)
		to := p.addrs[0]
		if words[1] == "live" {
			to = server
		}
		if err := sendMail(to, "Subject: hello\r\n\r\nThere you are."); err != nil {
			t.Fatal(err)
		}
		seen := p.stdout.comes("b@y.test", 10*time.Second)
		stdout := p.stop()
		if seen {
			return strings.ReplaceAll(p.errors()+stdout, dir+"/", "")
		}
	}
	t.Fatal("of five mails none was seen whole")
	return ""
}
