package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLiveNamesInterfaces(t *testing.T) {
	_, err := OpenLive("no-such-interface", Options{})
	if err == nil || !strings.Contains(err.Error(), `no interface "no-such-interface"`) || !strings.Contains(err.Error(), "lo") {
		t.Errorf("got %v", err)
	}
}

func TestLive(t *testing.T) {
	if os.Geteuid() != 0 {
		_, err := OpenLive("lo", Options{})
		if err != nil && !strings.Contains(err.Error(), "CAP_NET_RAW") {
			t.Errorf("without privileges: %v", err)
		}
		t.Skip("capturing needs root")
	}
	for _, iface := range []string{"lo", AnyInterface} {
		t.Run(iface, func(t *testing.T) { liveLoopback(t, iface) })
	}
}

// liveLoopback sees a connection on lo, every packet of it once.
func liveLoopback(t *testing.T, iface string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r, err := OpenLive(iface, Options{Filter: "tcp port " + port})
	if err != nil {
		t.Skip("no capture on "+iface+": ", err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.WriteString(c, "220 hello\r\n")
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(c)
	c.Close()
	watchdog := time.AfterFunc(time.Minute, func() { r.Close() })
	defer watchdog.Stop()
	var s Segment
	text, syns := "", 0
	for text == "" {
		if err := r.Next(&s); err != nil {
			t.Fatalf("%v after %q", err, text)
		}
		text += string(s.Payload)
		if s.Flags == SYN {
			syns++
		}
	}
	if text != "220 hello\r\n" || syns != 1 {
		t.Errorf("payload %q, %d SYNs", text, syns)
	}
	if name := r.Stats().Interfaces[s.Interface].Name; name != "lo" {
		t.Errorf("captured on %q", name)
	}
	// Close wakes a Next that waits.
	go func() {
		time.Sleep(50 * time.Millisecond)
		r.Close()
	}()
	for err = nil; err == nil; {
		err = r.Next(&s)
	}
	if err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}

// onWire runs f in a network of its own, with two interfaces va and vb that are
// connected and silent.
func onWire(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network of its own needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip (iproute2) is not installed")
	}
	failed := make(chan error)
	go func() {
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		defer close(failed)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		for _, args := range []string{
			"link add va type veth peer name vb",
			"link set va addrgenmode none", "link set vb addrgenmode none",
			"link set va up", "link set vb up",
		} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				failed <- fmt.Errorf("ip %s: %v: %s", args, err, out)
				return
			}
		}
		f()
	}()
	if err := <-failed; err != nil {
		t.Skip("no network of its own: ", err)
	}
}

// sender writes frames to an interface.
func sender(t *testing.T, iface string) (send func([]byte), stop func()) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := net.InterfaceByName(iface)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrLinklayer{Ifindex: dev.Index}
	return func(frame []byte) {
		if err := unix.Sendto(fd, frame, 0, to); err != nil {
			t.Error(err)
		}
	}, func() { unix.Close(fd) }
}

// last is a frame that every filter of a test lets pass.
var last = ether("\x88\xb5", []byte("the last frame, long enough to be one on an Ethernet"))

// wireFrames differ in what filters look at.
func wireFrames(t *testing.T) [][]byte {
	v4, v6 := tcp4(t, 1, "HELO client"), tcp6(t, 1, "HELO client")
	return [][]byte{
		ether("\x08\x00", v4),
		ether("\x86\xdd", v6),
		ether("\x81\x00\x00\x07\x08\x00", v4),
		ether("\x81\x00\x00\x08\x86\xdd", v6),
		ether("\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00", v4),
		ether("\x81\x00\x00\x07\x81\x00\x00\x08\x08\x00", v4),
		ether("\x08\x00", udp4(t, 5000, 53, bytes.Repeat([]byte("u"), 300))),
		ether("\x88\x47", cat("\x00\x01\x01\x40", v4)),
		last,
	}
}

// recordLive sends the frames and returns what is captured.
func recordLive(t *testing.T, iface string, o Options, frames [][]byte) (seen [][]byte, stats Stats) {
	r, err := OpenLive(iface, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer time.AfterFunc(time.Minute, func() { r.Close() }).Stop()
	send, stop := sender(t, "va")
	defer stop()
	for _, f := range frames {
		send(f)
	}
	ends := 1
	if iface == AnyInterface { // as it leaves, and as it comes
		ends = 2
	}
	for ends > 0 {
		if err := r.read(); err != nil {
			t.Errorf("%q: %v after %d packets", o.Filter, err, len(seen))
			return seen, r.Stats()
		}
		seen = append(seen, bytes.Clone(r.pkt.data))
		if bytes.HasSuffix(r.pkt.data, last[14:]) {
			ends--
		}
	}
	return seen, r.Stats()
}

// TestLiveFilter holds what is captured with a filter, part of which the
// kernel runs on packets whose VLAN tag or link header it has taken off,
// against what the same filter selects of all packets.
func TestLiveFilter(t *testing.T) {
	onWire(t, func() {
		frames := wireFrames(t)
		for _, iface := range []string{"vb", AnyInterface} {
			all, stats := recordLive(t, iface, Options{}, frames)
			if iface == "vb" && !slices.EqualFunc(all, frames, bytes.Equal) {
				t.Errorf("sent %d frames, captured %d others or in another order: %x", len(frames), len(all), all)
			}
			if stats.Skipped.Filtered != 0 {
				t.Errorf("%s: %+v", iface, stats)
			}
			for _, expr := range []string{
				"tcp", "tcp port 25", "udp", "port 53 or port 25", "ip6", "ip6 and tcp port 25", "vlan", "vlan 7", "vlan 7 and tcp",
				"vlan 7 and vlan 8 and tcp port 25", "not vlan", "not tcp", "mpls", "mpls and tcp", "greater 200", "less 100",
				"tcp[tcpflags] & tcp-syn = 0", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x48454c4f", "ip[2:2] > 60", "inbound", "net 10.0.0.0/8",
			} {
				filter := "ether proto 0x88b5 or (" + expr + ")"
				link := uint32(linkEthernet)
				if iface == AnyInterface {
					link = linkSLL2
				}
				r, err := newReader(nil, &shared{}, Options{Filter: filter})
				if err != nil {
					t.Fatal(err)
				}
				program, err := r.filters.program(link)
				if err != nil { // "inbound" on an Ethernet, "vlan" on all interfaces
					if _, live := OpenLive(iface, Options{Filter: filter}); live == nil || live.Error() != err.Error() {
						t.Errorf("%q on %s: %v, but live %v", filter, iface, err, live)
					}
					continue
				}
				var want [][]byte
				for _, p := range all {
					if program.Match(p, len(p)) {
						want = append(want, p)
					}
				}
				got, stats := recordLive(t, iface, Options{Filter: filter}, frames)
				if !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("%s, %q: %d packets captured, %d wanted", iface, expr, len(got), len(want))
				}
				if expr == "udp" && stats.Packets == uint64(len(all)) {
					t.Errorf("%s: the kernel let all %d packets pass, of which %q wants %d", iface, stats.Packets, expr, len(want))
				}
			}
		}
	})
}

func TestLiveCountsDrops(t *testing.T) {
	onWire(t, func() {
		r, err := OpenLive("vb", Options{Buffer: 1})
		if err != nil {
			t.Fatal(err)
		}
		send, stop := sender(t, "va")
		defer stop()
		frame := ether("\x88\xb5", make([]byte, 1400))
		const sent = 3000
		for range sent {
			send(frame)
		}
		dropped := func() uint64 { return r.Stats().Interfaces[0].Dropped }
		for end := time.Now().Add(time.Minute); dropped() == 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		r.Close()
		if n := dropped(); n == 0 || n >= sent {
			t.Errorf("%d of %d packets counted as lost with a buffer of %d bytes", n, sent, minBuffer)
		}
	})
}

func TestLiveInterfaceGoesDown(t *testing.T) {
	onWire(t, func() {
		r, err := OpenLive("vb", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if out, err := exec.Command("ip", "link", "set", "vb", "down").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		defer time.AfterFunc(time.Minute, func() { r.Close() }).Stop()
		var s Segment
		var damage *Damage
		if err := r.Next(&s); !errors.As(err, &damage) || err.Error() != "vb: the interface went down" {
			t.Errorf("got %v", err)
		}
		if err := r.Next(&s); err != io.EOF {
			t.Errorf("then %v", err)
		}
	})
}
