package capture

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r, err := OpenLive("lo", Options{Filter: "tcp port " + port})
	if err != nil {
		t.Skip("no capture on lo: ", err)
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
	watchdog := time.AfterFunc(20*time.Second, func() { r.Close() })
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
