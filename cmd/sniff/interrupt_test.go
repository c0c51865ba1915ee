//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// endless writes a capture again and again until it has written so much that
// the reader must have begun; then it calls begun, and goes on until it fails.
func endless(t *testing.T, w io.Writer, begun func()) {
	b, err := os.ReadFile("../../samples/smtp/plain.pcapng")
	if err != nil {
		t.Error(err)
		return
	}
	for written := 0; ; written += len(b) {
		if before := written - len(b); before < 8<<20 && written >= 8<<20 {
			begun()
		}
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func interrupt(t *testing.T) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Error(err)
	}
}

// TestInterruptedFile wants what was read until the interrupt.
func TestInterruptedFile(t *testing.T) {
	fixedKey(t)
	fifo := filepath.Join(t.TempDir(), "growing.pcapng")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("no named pipes: ", err)
	}
	go func() {
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Close()
		endless(t, w, func() { interrupt(t) })
	}()
	var stdout, stderr safe
	if status := run([]string{"read", fifo}, nil, &stdout, &stderr); status != exitDamaged {
		t.Errorf("exit status %d", status)
	}
	if !strings.HasPrefix(stderr.String(), "sniff: interrupted after ") {
		t.Errorf("standard error: %s", stderr.String())
	}
	if !strings.Contains(stdout.String(), "alice@client.example to bob@server.example") {
		t.Errorf("what was read is not told:\n%s", stdout.String())
	}
}

// TestInterruptedPipe wants all that comes through standard input, whose writer
// takes the interrupt as the sign to write the rest.
func TestInterruptedPipe(t *testing.T) {
	fixedKey(t)
	r, w := io.Pipe()
	var stdout, stderr safe
	go endless(t, w, func() {
		interrupt(t)
		stderr.eventually(t, "interrupted: reads standard input to its end")
		b, err := os.ReadFile("../../samples/ftp/passive-download.pcapng")
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(b)
		w.Close()
	})
	if status := run([]string{"read", "-"}, r, &stdout, &stderr); status != exitDone {
		t.Errorf("exit status %d: %s", status, stderr.String())
	}
	if !strings.Contains(stdout.String(), "ftp") {
		t.Errorf("the last is not told:\n%s", stdout.String())
	}
}
