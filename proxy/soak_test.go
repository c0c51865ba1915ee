package proxy

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soakTime is how long TestSoak runs: SNIFF_SOAK seconds, else a moment.
func soakTime(t *testing.T) (time.Duration, int) {
	if s := os.Getenv("SNIFF_SOAK"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("SNIFF_SOAK: %v", err)
		}
		return time.Duration(n) * time.Second, 5000
	}
	return 2 * time.Second, 100
}

// sockets counts the process's open sockets. Go's pool of pipes for io.Copy,
// which the test's own server fills, does not count.
func sockets(t *testing.T) int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("descriptors cannot be counted here")
	}
	n := 0
	for _, f := range names {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// TestSoak opens, uses, closes and cuts connections at random: every byte that
// comes back is right, and in the end nothing is left behind (startLab looks
// for goroutines).
func TestSoak(t *testing.T) {
	duration, concurrent := soakTime(t)
	before := sockets(t)
	l := startLab(t, Config{Limits: Limits{PerClient: 2 * concurrent}}, listen(t, func(c *net.TCPConn) {
		switch rand.IntN(10) {
		case 0:
			_, _ = io.CopyN(c, c, rand.Int64N(50_000))
			_ = c.SetLinger(0)
		case 1:
			_, _ = io.CopyN(c, c, rand.Int64N(50_000))
		default:
			echo(c)
		}
	}))
	data := randomBytes(1 << 20)
	var used, whole atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(duration)
	for range concurrent {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(end) {
				used.Add(1)
				if soakOnce(t, l.addr, data[:1+rand.IntN(200_000)]) {
					whole.Add(1)
				}
			}
		}()
	}
	wg.Wait()
	t.Logf("%d connections, %d echoed everything", used.Load(), whole.Load())
	if whole.Load() == 0 {
		t.Error("no connection came to an orderly end")
	}
	l.srv.Shutdown(2 * time.Second)
	for deadline := time.Now().Add(5 * time.Second); sockets(t) > before+1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets, %d before", sockets(t), before)
		}
	}
}

// soakOnce uses one connection, and reports whether all came back.
func soakOnce(t *testing.T, addr string, data []byte) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	c := conn.(*net.TCPConn)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fate := rand.IntN(10)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		for rest := data; len(rest) > 0; {
			n := min(1+rand.IntN(40_000), len(rest))
			if _, err := c.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
			if fate == 0 && rand.IntN(4) == 0 {
				abort(c)
				return
			}
		}
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if len(got) > len(data) || !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("wrong bytes came back")
	}
	return err == nil && len(got) == len(data)
}

// TestMemoryOfIdleConnections bounds what a connection costs that has spoken
// and is silent now, both of its legs and the session together.
func TestMemoryOfIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens many connections")
	}
	const n, most = 500, 40 << 10
	l := startLab(t, Config{}, listen(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "220 mail.test ESMTP\r\n")
		b := make([]byte, 64)
		k, _ := c.Read(b)
		_, _ = c.Write([]byte("250 ok\r\n"))
		_, _ = c.Read(b[:k])
	}))
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := measure()
	for range n {
		c := l.dial()
		expect(t, c, "220")
		_, _ = io.WriteString(c, "EHLO me\r\n")
		expect(t, c, "250")
	}
	each := int(measure()-before) / n
	t.Logf("%d bytes for an idle connection, the test's own client and server included", each)
	if each > most {
		t.Errorf("%d bytes for an idle connection, at most %d wanted", each, most)
	}
}
