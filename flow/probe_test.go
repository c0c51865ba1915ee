package flow

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"sniff/dissect"
	"sniff/record"
)

func TestProbingKeepsTheOrderOfBothSides(t *testing.T) {
	b := newBench(t, Config{}, Conn{Oriented: true})
	b.r("hello\n").c("to").r("again\n")
	b.want()
	if off, held := b.s.Limit(c2s); off != 0 || held {
		t.Errorf("Limit while probing is %d, %v", off, held)
	}
	b.c("y\nmore\n").r("yes\n")
	b.want("S hello", "S again", "C toy", "C more", "S yes")
	if at := b.records[2].Head(); at.Time != t0.Add(2e6) || at.Offset != 0 {
		t.Errorf("the line that began in the second packet is stamped %v, %d", at.Time, at.Offset)
	}
	if b.s.Protocol() != "toy" {
		t.Errorf("protocol %q", b.s.Protocol())
	}
}

func TestProbeDecidesWhoIsTheClient(t *testing.T) {
	b := newBench(t, Config{}, Conn{Client: server, Server: client})
	b.r("toy HOLD\n").c("answer\n")
	b.want("C toy HOLD", "S answer")
	h := b.records[0].Head()
	if h.Client != client || h.Server != server {
		t.Errorf("client %v, server %v", h.Client, h.Server)
	}
	b.s.Gap(s2c, 5, b.at())
	rec := b.close()
	if rec.Client != client || rec.Orientation != "content" || rec.EndedBy != "server" {
		t.Errorf("session of %v, by %s, ended by %s", rec.Client, rec.Orientation, rec.EndedBy)
	}
	if rec.ClientSide.Bytes != 9 || rec.ClientSide.Missing != 5 || rec.ServerSide.Bytes != 7 {
		t.Errorf("sides: %+v, %+v", rec.ClientSide, rec.ServerSide)
	}
}

// word recognises a protocol by its first client bytes.
func word(name string, ports ...uint16) dissect.Protocol {
	return dissect.Protocol{Name: name, Ports: ports, New: newToy, Probe: func(in *dissect.Input) dissect.Verdict {
		switch n := min(len(name), len(in.Client)); {
		case string(in.Client[:n]) != name[:n]:
			return dissect.Reject
		case n < len(name):
			return dissect.More
		}
		return dissect.Accept
	}}
}

func TestProtocolsAreAskedInOneOrder(t *testing.T) {
	tests := []struct {
		name   string
		ports  [2]uint16
		text   string
		expect string
	}{
		{"the first that accepts", [2]uint16{1, 2}, "abc\n", "ab"},
		{"the one whose port it is", [2]uint16{1, server.Port()}, "abc\n", "abc"},
		{"a port is no proof", [2]uint16{1, server.Port()}, "abx\n", "ab"},
		{"nobody's", [2]uint16{1, server.Port()}, "xyz\n", ""},
	}
	for _, tt := range tests {
		for _, chunk := range []int{1, 100} {
			b := newBench(t, Config{Protocols: []dissect.Protocol{word("ab", tt.ports[0]), word("abc", tt.ports[1])}}, Conn{Oriented: true})
			for i := 0; i < len(tt.text); i += chunk {
				b.c(tt.text[i:min(i+chunk, len(tt.text))])
			}
			if got := b.close().Protocol; got != tt.expect {
				t.Errorf("%s, chunks of %d: %q, want %q", tt.name, chunk, got, tt.expect)
			}
		}
	}
}

func TestProbingEnds(t *testing.T) {
	patient := toyProtocol
	patient.Probe = func(in *dissect.Input) dissect.Verdict {
		if in.Final && bytes.HasPrefix(in.Client, []byte("maybe")) {
			return dissect.Accept
		}
		return dissect.More
	}
	cfg := Config{Protocols: []dissect.Protocol{patient}}
	t.Run("at the limit", func(t *testing.T) {
		b := newBench(t, cfg, Conn{Oriented: true})
		b.c("maybe\n" + strings.Repeat("x", probeWindow) + "\n")
		if len(b.records) != 2 {
			t.Errorf("%d records", len(b.records))
		}
	})
	t.Run("when both sides end", func(t *testing.T) {
		b := newBench(t, cfg, Conn{Oriented: true})
		b.c("maybe\n")
		b.s.EOF(c2s, b.at())
		b.want()
		b.s.EOF(s2c, b.at())
		b.want("C maybe", "C [eof]", "S [eof]")
	})
	t.Run("when the session ends", func(t *testing.T) {
		b := newBench(t, cfg, Conn{Oriented: true})
		b.c("maybe\n").close()
		b.want("C maybe", "C [eof]", "S [eof]", "C [closed closed]")
	})
	t.Run("not at a gap", func(t *testing.T) {
		b := newBench(t, Config{}, Conn{Oriented: true})
		b.r("hello\n")
		b.s.Gap(s2c, 4, b.at())
		b.c("toy\n")
		b.want("S hello", "S [gap 4]", "C toy")
	})
	t.Run("unknown", func(t *testing.T) {
		b := newBench(t, Config{}, Conn{Oriented: true})
		b.c("who knows\n").r("nobody\n")
		rec := b.close()
		b.want()
		if rec.Protocol != "" || rec.ClientSide.Bytes != 10 || rec.ServerSide.Bytes != 7 || rec.OpaqueFrom != nil {
			t.Errorf("session %+v", rec)
		}
	})
	t.Run("a probe panics", func(t *testing.T) {
		faulty := toyProtocol
		faulty.Probe = func(*dissect.Input) dissect.Verdict { panic("probe") }
		b := newBench(t, Config{Protocols: []dissect.Protocol{faulty}}, Conn{Oriented: true})
		b.c("toy\n").r("x\n").close()
		b.want("! internal_error")
	})
}

func TestForcedProtocolWithoutBytes(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.close()
	b.want("C [eof]", "S [eof]", "C [closed closed]")
}

func TestProxyHeaderIsSkipped(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x09\x12\x34\x00\x19"
	tests := []struct {
		name, header string
		want         record.ProxyHeader
	}{
		{"v1", "PROXY TCP4 192.0.2.7 198.51.100.9 4660 25\r\n", record.ProxyHeader{Version: 1,
			Source: netip.MustParseAddrPort("192.0.2.7:4660"), Destination: netip.MustParseAddrPort("198.51.100.9:25")}},
		{"v1 over IPv6", "PROXY TCP6 2001:db8::7 2001:db8::9 4660 25\r\n", record.ProxyHeader{Version: 1,
			Source: netip.MustParseAddrPort("[2001:db8::7]:4660"), Destination: netip.MustParseAddrPort("[2001:db8::9]:25")}},
		{"v1 unknown", "PROXY UNKNOWN\r\n", record.ProxyHeader{Version: 1}},
		{"v2", v2, record.ProxyHeader{Version: 2,
			Source: netip.MustParseAddrPort("192.0.2.7:4660"), Destination: netip.MustParseAddrPort("198.51.100.9:25")}},
		{"v2 local", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", record.ProxyHeader{Version: 2}},
	}
	for _, tt := range tests {
		for _, conn := range []Conn{{Oriented: true}, toyConn} {
			for _, chunk := range []int{1, 1000} {
				b := newBench(t, Config{}, conn)
				stream := tt.header + "toy\n"
				for i := 0; i < len(stream); i += chunk {
					b.c(stream[i:min(i+chunk, len(stream))])
				}
				b.want("C toy")
				if off := b.records[0].Head().Offset; off != int64(len(tt.header)) {
					t.Errorf("%s: the dialogue begins at %d, want %d", tt.name, off, len(tt.header))
				}
				rec := b.close()
				if rec.Proxied == nil || *rec.Proxied != tt.want || strings.Join(rec.Layers, " ") != "proxy" {
					t.Errorf("%s: %+v, layers %v", tt.name, rec.Proxied, rec.Layers)
				}
			}
		}
	}
}

func TestProxyHeaderInFrontOfTLS(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, Conn{Oriented: true})
	b.c("PROXY UNKNOWN\r\n" + clientHello).r(serverHello).c(sealed("toy\n"))
	b.want("C toy")
	if rec := b.close(); strings.Join(rec.Layers, " ") != "proxy tls" {
		t.Errorf("layers %v", rec.Layers)
	}
}

func TestWhatOnlyLooksLikeAProxyHeader(t *testing.T) {
	for _, text := range []string{"PROXY nonsense\r\n", "PROXY TCP4 1 2 3 4\r\n", "PROXY " + strings.Repeat("x", 200) + "\n"} {
		b := newBench(t, Config{}, toyConn)
		b.c(text)
		if len(b.records) != 1 || b.records[0].Head().Offset != 0 {
			t.Errorf("%q: %d records", text, len(b.records))
		}
		if rec := b.close(); rec.Proxied != nil {
			t.Errorf("%q was taken for a header", text)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.9 4660 25\r\n"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x09\x12\x34\x00\x19"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, more := parseProxyHeader(b)
		if n > len(b) || n > 0 && (h == nil || more) || n == 0 && h != nil {
			t.Fatalf("header %+v of %d bytes, more %v", h, n, more)
		}
	})
}
