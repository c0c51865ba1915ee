package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// legPair returns a leg and the peer's end of its connection.
func legPair(t *testing.T) (*leg, *net.TCPConn) {
	t.Helper()
	peer := make(chan *net.TCPConn, 1)
	over := make(chan struct{})
	c, err := net.Dial("tcp", listen(t, func(c *net.TCPConn) {
		peer <- c
		<-over
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		close(over)
	})
	return newLeg(c), <-peer
}

// TestLegUnderLoad: what does not fit into the system's buffers arrives whole and
// in order, in both directions at a time, and pieces that several goroutines
// write are not torn apart.
func TestLegUnderLoad(t *testing.T) {
	l, peer := legPair(t)
	big := randomBytes(8 << 20)
	var all sync.WaitGroup
	all.Go(func() {
		if n, err := l.Write(big); n != len(big) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		_ = l.CloseWrite()
	})
	all.Go(func() {
		if _, err := peer.Write(big); err != nil {
			t.Error(err)
		}
		_ = peer.CloseWrite()
	})
	all.Go(func() {
		time.Sleep(50 * time.Millisecond) // the writer has to wait
		if got, err := io.ReadAll(peer); !bytes.Equal(got, big) || err != nil {
			t.Errorf("the peer read %d bytes, %v", len(got), err)
		}
	})
	if got, err := io.ReadAll(l); !bytes.Equal(got, big) || err != nil {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	all.Wait()

	l, peer = legPair(t)
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				_, _ = l.Write(bytes.Repeat([]byte{byte(i)}, 100_000))
			}
		})
	}
	piece := make([]byte, 100_000)
	for range 8 * 50 {
		if _, err := io.ReadFull(peer, piece); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(piece, piece[:1]) != len(piece) {
			t.Fatal("pieces of two goroutines are mixed")
		}
	}
	all.Wait()
}

// TestLegDeadlines: deadlines and closing end reads and writes that wait, say so
// in the usual way, and what was written by then is known.
func TestLegDeadlines(t *testing.T) {
	l, peer := legPair(t)
	_ = l.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := l.Read(make([]byte, 10)); n != 0 || !isTimeout(err) {
		t.Errorf("read %d, %v; want a timeout", n, err)
	}
	_ = l.SetReadDeadline(time.Time{})
	if _, err := peer.Write([]byte("on")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := l.Read(b); string(b[:n]) != "on" || err != nil {
		t.Errorf("behind the deadline: %q, %v", b[:n], err)
	}
	if n, err := l.Read(nil); n != 0 || err != nil {
		t.Errorf("into no buffer: %d, %v", n, err)
	}
	big := randomBytes(64 << 20)
	_ = l.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	n, err := l.Write(big)
	if n == 0 || n == len(big) || !isTimeout(err) {
		t.Errorf("wrote %d of %d, %v; want a timeout in the middle", n, len(big), err)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(peer, got); !bytes.Equal(got, big[:n]) {
		t.Errorf("the peer did not get what was said to be written: %v", err)
	}

	ended := make(chan error)
	go func() {
		_, err := l.Read(make([]byte, 10))
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the read ended with %v, want that the connection was closed", err)
	}
	if _, err := l.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write behind the end: %v", err)
	}
}

// TestResetThatAWriteMet: the system reports a reset once. Whether a write takes
// the report or a read, the other one still sees a reset, and an orderly end stays
// one.
func TestResetThatAWriteMet(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the state of a connection is known on Linux only")
	}
	ours, peer := legPair(t)
	abort(peer)
	for i := 0; ; i++ {
		_, err := ours.Write([]byte("x"))
		if errors.Is(err, syscall.ECONNRESET) {
			break
		}
		if err != nil || i == 10_000 {
			t.Fatalf("write %d: %v, want a reset", i, err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("behind the reset: %v, want it again", err)
	}
	ours, peer = legPair(t)
	abort(peer)
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %v, want a reset", err)
	}
	for range 2 {
		if _, err := ours.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a write behind a reset that a read met: %v, want it again", err)
		}
	}
	// A peer that has closed in order resets what comes afterwards.
	ours, peer = legPair(t)
	peer.Close()
	for i := 0; ; i++ {
		_, err := ours.Write([]byte("x"))
		if errors.Is(err, syscall.EPIPE) {
			break
		}
		if err != nil || i == 10_000 {
			t.Fatalf("write %d: %v, want a broken pipe", i, err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("behind an orderly end that a write met: %v, want EOF", err)
	}
	for _, first := range []bool{false, true} {
		ours, peer = legPair(t)
		if first {
			_ = ours.CloseWrite()
		}
		_ = peer.CloseWrite()
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("behind an orderly end: %v, want EOF (our direction closed first: %v)", err, first)
		}
	}
}
