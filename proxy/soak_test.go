package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sniff/record"
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

// TestSoak opens, uses, closes and cuts connections at random, in the clear and
// in TLS: every byte that comes back is right, and in the end no socket, no
// memory and no goroutine (startLab looks for these) is left behind.
func TestSoak(t *testing.T) {
	duration, concurrent := soakTime(t)
	before := sockets(t)
	clear, secure := soakServers(t)
	authority, roots := newCA(t)
	var records atomic.Int64
	l := startLab(t, Config{
		CA: authority, Verify: VerifyOff, Limits: Limits{PerClient: 4 * concurrent},
		Listeners: []Listener{
			{Listen: "127.0.0.1:0", To: clear}, {Listen: "127.0.0.1:0", To: secure},
		},
	}, "")
	l.count = &records
	noise := randomBytes(200_000)
	data := [][]byte{
		noise,
		append(bytes.Repeat([]byte("POST /orders HTTP/1.1\r\nHost: x.test\r\nContent-Length: 11\r\n\r\nhello there"), 20), noise...),
		append(bytes.Repeat([]byte("EHLO me\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRSET\r\n"), 20), noise...),
	}
	client := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	run := func(until time.Time) (used, whole int64) {
		var all, complete atomic.Int64
		var wg sync.WaitGroup
		for i := range concurrent {
			wg.Go(func() {
				for time.Now().Before(until) {
					all.Add(1)
					d := data[rand.IntN(len(data))]
					// Mostly little, so that thousands come to their end every minute.
					if d = d[:1+rand.IntN(len(d))]; rand.IntN(5) > 0 {
						d = d[:1+len(d)/10]
					}
					addr, cfg := l.srv.Addrs()[0].String(), (*tls.Config)(nil)
					if i%10 == 0 {
						addr, cfg = l.srv.Addrs()[1].String(), client
					}
					if soakOnce(t, addr, cfg, d) {
						complete.Add(1)
					}
				}
			})
		}
		wg.Wait()
		return all.Load(), complete.Load()
	}
	// What is allocated once, and kept for the next, is no leak.
	run(time.Now().Add(duration / 10))
	// However slow the machine, some connection ends every so often.
	drain := func() {
		t.Helper()
		begun, open := time.Now(), l.srv.Stats().Active
		for moved := time.Now(); open > 0; time.Sleep(20 * time.Millisecond) {
			if now := l.srv.Stats().Active; now != open {
				open, moved = now, time.Now()
			}
			if time.Since(moved) > time.Minute {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d ends of connections stay open:\n%s", open, buf[:runtime.Stack(buf, true)])
			}
		}
		t.Logf("all connections ended %v later", time.Since(begun).Round(time.Millisecond))
	}
	drain()
	heap := heapInUse()
	used, whole := run(time.Now().Add(duration))
	t.Logf("%d connections, %d echoed everything, %d records", used, whole, records.Load())
	if whole == 0 {
		t.Error("no connection came to an orderly end")
	}
	drain()
	// A leak of a kilobyte for each connection would show.
	if grown := heapInUse() - heap; grown > max(8<<20, used<<10) {
		t.Errorf("%s more in use than before %d connections", record.Bytes(grown), used)
	} else {
		t.Logf("%d KiB more in use than before", grown>>10)
	}
	l.srv.Shutdown(2 * time.Second)
	for deadline := time.Now().Add(time.Minute); sockets(t) > before+2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets, %d before", sockets(t), before)
		}
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestMain lets the test's binary be the server of the soak test: with client,
// proxy and server in one process the descriptors would not do for thousands
// of connections.
func TestMain(m *testing.M) {
	if pair := os.Getenv("SNIFF_SOAK_SERVER"); pair != "" {
		log.Fatal(serveSoak(pair))
	}
	os.Exit(m.Run())
}

// soakServers starts the server and returns its addresses, in the clear and in
// TLS.
func soakServers(t *testing.T) (clear, secure string) {
	t.Helper()
	both, _ := localhost(t, newPKI(t))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SNIFF_SOAK_SERVER="+both)
	cmd.Stderr = os.Stderr
	// The pipe ends with this process, however it ends, and the server with it.
	alive, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		alive.Close()
		_ = cmd.Wait()
	})
	if _, err := fmt.Fscan(out, &clear, &secure); err != nil {
		t.Fatal(err)
	}
	return clear, secure
}

// serveSoak echoes; at times only some of it, or with a reset at the end.
func serveSoak(both string) error {
	pair, err := tls.LoadX509KeyPair(both, both)
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for _, cfg := range []*tls.Config{nil, {Certificates: []tls.Certificate{pair}}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(ln.Addr())
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					failed <- err
					return
				}
				go soakEcho(c.(*net.TCPConn), cfg)
			}
		}()
	}
	return <-failed
}

func soakEcho(raw *net.TCPConn, cfg *tls.Config) {
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(60 * time.Second))
	c := net.Conn(raw)
	if cfg != nil {
		c = tls.Server(raw, cfg)
	}
	switch rand.IntN(10) {
	case 0:
		_, _ = io.CopyN(c, c, rand.Int64N(50_000))
		_ = raw.SetLinger(0)
	case 1:
		_, _ = io.CopyN(c, c, rand.Int64N(50_000))
	default:
		_, _ = io.Copy(c, c)
		closeWrite(c)
	}
}

// soakOnce uses one connection, and reports whether all came back.
func soakOnce(t *testing.T, addr string, cfg *tls.Config, data []byte) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	if cfg != nil {
		c = tls.Client(c, cfg)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
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
		closeWrite(c)
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
