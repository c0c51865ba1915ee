package proxy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/record"
	"sniff/render"
)

// cast is an asciicast as its format says (docs.asciinema.org/manual/asciicast/v2).
type cast struct {
	header struct {
		Version, Width, Height int
		Timestamp              int64
		Command, Title         string
		Env                    map[string]string
	}
	events [][3]any
	output string
}

func readCast(t *testing.T, path string) cast {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has the mode %v", path, info.Mode())
	}
	b, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	var c cast
	if err := json.Unmarshal(lines[0], &c.header); err != nil {
		t.Fatalf("%s: %v: %s", path, err, lines[0])
	}
	last := 0.0
	for _, line := range lines[1:] {
		var e [3]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v: %s", path, err, line)
		}
		at, ok := e[0].(float64)
		if !ok || at < last {
			t.Errorf("event %s is before the one at %v", line, last)
		}
		last = at
		if e[1] == "o" {
			c.output += e[2].(string)
		}
		c.events = append(c.events, e)
	}
	return c
}

// shown gathers what a terminal shows.
type shown struct {
	t  *testing.T
	mu sync.Mutex
	b  strings.Builder
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shown) wait(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		have := s.b.String()
		s.mu.Unlock()
		if strings.Contains(have, text) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q was not shown, but\n%s", text, have)
		}
	}
}

// TestScreensOfSSH records a login shell of a real server as asciicast v2: its
// size, what it shows, changes of the window, and nothing that is typed without
// an echo; and a command on a terminal, beside one without.
func TestScreensOfSSH(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "casts")
	casts, err := render.OpenAsciicasts(folder)
	if err != nil {
		t.Fatal(err)
	}
	o := startOpenSSH(t, func(c *Config) { c.SSH.Screens = casts })
	pem, _ := os.ReadFile(o.key)
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	client, _, err := o.client(o.user, ssh.PublicKeys(key))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	screen := &shown{t: t}
	session.Stdout = screen
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("xterm", 31, 97, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	say := func(s string) { _, _ = in.Write([]byte(s + "\n")) }
	say("stty size")
	screen.wait("31 97")
	if err := session.WindowChange(40, 132); err != nil {
		t.Fatal(err)
	}
	say(`while [ "$(stty size)" != "40 132" ]; do sleep 0.05; done; printf 'caf\303\251 chan''ged\n'`)
	screen.wait("café changed")
	say("stty -echo; echo rea''dy; read x; stty echo; echo length=${#x}")
	screen.wait("ready")
	say("not to be seen")
	screen.wait("length=14")
	say("exit 7")
	var exit *ssh.ExitError
	if err := session.Wait(); err == nil {
		t.Error("the shell ended with 0")
	} else if exit, _ = err.(*ssh.ExitError); exit == nil || exit.ExitStatus() != 7 {
		t.Errorf("the shell ended with %v", err)
	}
	for _, terminal := range []bool{true, false} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if terminal {
			_ = s.RequestPty("vt100", 24, 80, ssh.TerminalModes{})
		}
		if out, err := s.Output("echo from the command"); err != nil || !bytes.Contains(out, []byte("from the command")) {
			t.Errorf("%q, %v", out, err)
		}
	}
	client.Close()
	all := o.stop()
	if err := casts.Close(); err != nil {
		t.Error(err)
	}
	files, _ := filepath.Glob(folder + "/*.cast")
	if len(files) != 2 {
		t.Fatalf("files: %v, want two: a command without a terminal is none", files)
	}
	id := of[*record.Session](all)[0].Session
	shell := readCast(t, filepath.Join(folder, id+"-0.cast"))
	h := shell.header
	if h.Version != 2 || h.Width != 97 || h.Height != 31 || h.Env["TERM"] != "xterm" || h.Command != "" || !strings.HasPrefix(h.Title, o.user+"@127.0.0.1:") ||
		time.Since(time.Unix(h.Timestamp, 0)).Abs() > time.Hour {
		t.Errorf("header: %+v", h)
	}
	if screen.mu.Lock(); shell.output != screen.b.String() {
		t.Errorf("recorded:\n%q\nthe client saw:\n%q", shell.output, screen.b.String())
	}
	if strings.Contains(shell.output, "not to be seen") {
		t.Error("what was typed without an echo is in the recording")
	}
	resized := false
	for _, e := range shell.events {
		resized = resized || e[1] == "r" && e[2] == "132x40"
	}
	if !resized {
		t.Error("the new size of the window is not recorded")
	}
	if c := readCast(t, filepath.Join(folder, id+"-1.cast")); c.header.Command != "echo from the command" || c.header.Width != 80 || c.output != "from the command\r\n" {
		t.Errorf("%+v, %q", c.header, c.output)
	}
}

// TestCastOfBytes cuts characters between writes, and shows bytes that are none.
func TestCastOfBytes(t *testing.T) {
	folder := t.TempDir()
	casts, err := render.OpenAsciicasts(folder)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	c := casts.Open(record.Screen{Session: "s", Start: start})
	text := "aé€😀\xffz"
	for i := range len(text) {
		c.Output([]byte(text[i:i+1]), start.Add(time.Duration(i)*time.Second))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	got := readCast(t, folder+"/s-0.cast")
	if got.output != "aé€😀\uFFFDz" || got.header.Width != 80 || got.header.Height != 24 {
		t.Errorf("%q, %+v", got.output, got.header)
	}
	// The same session cannot be written twice.
	c = casts.Open(record.Screen{Session: "s", Start: start})
	c.Output([]byte("x"), start)
	_ = c.Close()
	if err := casts.Close(); err == nil {
		t.Error("no error for a file that was there")
	}
}
