package http_test

import (
	"net/netip"
	"sync/atomic"
	"testing"

	"sniff/dissect"
	"sniff/dissect/dissecttest"
	"sniff/dissect/http"
	"sniff/flow"
	"sniff/record"
)

// promising asks for a promise before it consumes, and holds it.
type promising struct {
	dissect.Dissector
	t        *testing.T
	promises *atomic.Int64
	read     [2]int64
	until    [2]int64 // what was promised for
}

func (d *promising) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if d.Dissector.(dissect.Passer).Passes(dir, b) {
		d.promises.Add(1)
		d.until[dir] = d.read[dir] + int64(len(b))
	}
	n, act, err := d.Dissector.Consume(dir, b)
	if act != dissect.Continue && d.read[dir]+int64(n) <= d.until[dir] {
		d.t.Errorf("promised to pass, but asked for action %v: %q", act, b)
	}
	d.read[dir] += int64(n)
	return n, act, err
}

// TestPromises reads all transcripts, cut everywhere, with CONNECT and upgrades
// among them.
func TestPromises(t *testing.T) {
	var promises atomic.Int64
	p := http.Protocol()
	make := p.New
	p.New = func(env dissect.Env) dissect.Dissector {
		return &promising{Dissector: make(env), t: t, promises: &promises}
	}
	dissecttest.Run(t, p, dissecttest.WithContent(reader))
	if promises.Load() == 0 {
		t.Error("nothing was promised")
	}
}

func TestPasses(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
	for _, c := range []struct {
		name, before string // requests that were read already
		dir          dissect.Dir
		b            string
		want         bool
	}{
		{"request", "", dissect.ClientToServer, get, true},
		{"request with its body", "", dissect.ClientToServer, post + "0123456789", true},
		{"body", post, dissect.ClientToServer, "0123456789", true},
		{"more than the body", post, dissect.ClientToServer, "0123456789G", false},
		{"CONNECT", "", dissect.ClientToServer, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"CONNECT behind another", "", dissect.ClientToServer, get + "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"CONNECT behind an old request", "", dissect.ClientToServer, "GET /\r\nCONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"CONNECT behind empty lines", "", dissect.ClientToServer, "\r\n\r\nCONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"half a line", "", dissect.ClientToServer, "GET / HTTP/1.", false},
		{"upgrade", "", dissect.ClientToServer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: uPGRADE\r\nuPGRADE: chat\r\n\r\n", false},
		{"HTTP/2", "", dissect.ClientToServer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false},
		{"response", get, dissect.ServerToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"response that nobody asked for", "", dissect.ServerToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"switching", get, dissect.ServerToClient, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n", false},
		{"switching behind another", get, dissect.ServerToClient, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n", false},
		{"answer to CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", dissect.ServerToClient, "HTTP/1.1 200 OK\r\n\r\n", false},
	} {
		engine := flow.New(flow.Config{Protocols: []dissect.Protocol{http.Protocol()}})
		s := engine.Open(flow.Conn{Client: netip.MustParseAddrPort("192.0.2.1:1024"), Server: netip.MustParseAddrPort("192.0.2.2:80"), Oriented: true})
		if s.Passes(dissect.ClientToServer, []byte(get)) {
			t.Errorf("%s: passes before the protocol is known", c.name)
		}
		s.Data(dissect.ClientToServer, []byte(get), record.Stamp{})
		s.Data(dissect.ServerToClient, []byte("HTTP/1.1 204 No Content\r\n\r\n"), record.Stamp{})
		s.Data(dissect.ClientToServer, []byte(c.before), record.Stamp{})
		if got := s.Passes(c.dir, []byte(c.b)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		s.Data(c.dir, []byte(c.b[:5]), record.Stamp{})
		if c.before == "" && s.Passes(c.dir, []byte(c.b[5:])) {
			t.Errorf("%s: passes behind half a line", c.name)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}
