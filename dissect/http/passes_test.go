package http_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sniff/dissect"
	"sniff/dissect/dissecttest"
	"sniff/dissect/http"
	"sniff/flow"
	"sniff/record"
)

// promising holds a dissector to its promises.
type promising struct {
	dissect.Dissector
	t        *testing.T
	promises *atomic.Int64
	eager    bool     // asks for one whenever there is something to consume
	read     [2]int64 // was consumed
	asked    [2]int64 // was promised for
}

func (d *promising) Passes(dir dissect.Dir, b []byte, read bool) bool {
	if read {
		d.asked = d.read
	}
	if !d.Dissector.(dissect.Passer).Passes(dir, b, read) {
		return false
	}
	d.promises.Add(1)
	d.asked[dir] += int64(len(b))
	return true
}

func (d *promising) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if d.eager {
		d.Passes(dir, b, true)
	}
	n, act, err := d.Dissector.Consume(dir, b)
	if act != dissect.Continue && d.read[dir]+int64(n) <= d.asked[dir] {
		d.t.Errorf("promised to pass, but asked for action %v: %q", act, b)
	}
	d.read[dir] += int64(n)
	return n, act, err
}

func (d *promising) protocol() dissect.Protocol {
	p := http.Protocol()
	make := p.New
	p.New = func(env dissect.Env) dissect.Dissector {
		return &promising{Dissector: make(env), t: d.t, promises: d.promises, eager: d.eager}
	}
	return p
}

// TestPromises reads all transcripts, cut everywhere, with CONNECT and upgrades
// among them.
func TestPromises(t *testing.T) {
	var promises atomic.Int64
	dissecttest.Run(t, (&promising{t: t, promises: &promises, eager: true}).protocol(), dissecttest.WithContent(reader))
	if promises.Load() == 0 {
		t.Error("nothing was promised")
	}
}

const connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n    "

// exchanges are what a kept connection may carry: a request, and its answers.
var exchanges = [][2]string{
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
	{"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 10\r\n\r\n0123456789", "HTTP/1.1 200 OK\r\nContent-Length:3\r\n\r\nabc"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
	{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n"},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n"},
	{"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nhello\r\n0\r\n\r\n"},
	{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 14\r\n\r\nGET / HTTP/1.1", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 14\r\n\r\nGET / HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n 2\r\n\r\nx"},
	{"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"},
	{"GET / HTTP/1.1\r\nHost: a\r\nX: \"Content-Length: 5\"\r\n\r\n", "HTTP/1.0 200\r\nContent-Length: 2\r\n\r\n\r\n"},
	// Bodies of doubtful length that another reader takes for requests.
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 44\r\n\r\n" + "aaaa" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\nContent-Length: 4\r\n\r\n" + "aaaa" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n" + "0\r\n\r\n" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 40\r\n\r\n" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST/HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"POST HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n" + connect, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\n"},
	// Behind an answer that is shorter than it says, and behind none, this one
	// hands the connection on although nobody asked.
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 103 Hints\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"what?\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"},
}

// piece is what a proxy reads at a time.
type piece struct {
	dir dissect.Dir
	b   []byte
}

// ahead reads connections as a proxy does that reads late: what passes is
// forwarded, and is given some time later.
type ahead struct {
	promises, onTop atomic.Int64
}

// check wants promises given on top of promises to hold, and the records to be
// those of reading at once.
func (a *ahead) check(t *testing.T, pieces []piece, rnd *rand.Rand) {
	t.Helper()
	read := func(late bool) (out []string) {
		engine := flow.New(flow.Config{
			Protocols: []dissect.Protocol{(&promising{t: t, promises: &a.promises}).protocol()}, Inline: true,
			Sink: record.SinkFunc(func(r record.Record) error {
				b, err := json.Marshal(r)
				out = append(out, string(b))
				return err
			}),
		})
		s := engine.Open(flow.Conn{Client: netip.MustParseAddrPort("192.0.2.1:1024"), Server: netip.MustParseAddrPort("192.0.2.2:80"), Oriented: true})
		var waiting []piece
		catchUp := func() {
			for _, p := range waiting {
				s.Data(p.dir, p.b, record.Stamp{})
			}
			waiting = nil
		}
		for _, p := range pieces {
			if len(waiting) > 0 && rnd.IntN(8) == 0 {
				catchUp()
			}
			if late && len(waiting) > 0 {
				if s.Passes(p.dir, p.b, false) {
					a.onTop.Add(1)
					waiting = append(waiting, p)
					continue
				}
				catchUp()
			}
			if late && s.Passes(p.dir, p.b, true) {
				waiting = append(waiting, p)
				continue
			}
			s.Data(p.dir, p.b, record.Stamp{})
		}
		catchUp()
		s.EOF(dissect.ClientToServer, record.Stamp{})
		s.EOF(dissect.ServerToClient, record.Stamp{})
		s.Close(record.EndClosed, "client", record.Stamp{})
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		return out
	}
	if at, after := read(false), read(true); !slices.Equal(at, after) {
		t.Errorf("read late it is\n%s\nand at once\n%s", strings.Join(after, "\n"), strings.Join(at, "\n"))
	}
	if t.Failed() {
		t.Fatalf("the pieces: %q", fmt.Sprint(pieces))
	}
}

func TestPromisesAhead(t *testing.T) {
	var a ahead
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var pieces []piece
		for range 1 + rnd.IntN(8) {
			x := exchanges[rnd.IntN(len(exchanges))]
			if rnd.IntN(3) > 0 {
				x = exchanges[rnd.IntN(3)]
			}
			for dir, b := range x {
				for len(b) > 0 {
					n := len(b)
					if rnd.IntN(4) == 0 {
						n = 1 + rnd.IntN(len(b))
					}
					pieces = append(pieces, piece{dissect.Dir(dir), []byte(b[:n])})
					b = b[n:]
				}
			}
		}
		a.check(t, pieces, rnd)
	}
	if a.onTop.Load() < 1000 {
		t.Errorf("%d promises on top of others, of %d", a.onTop.Load(), a.promises.Load())
	}
}

// FuzzPromises does the same with whatever peers may say: pieces of either side,
// each behind a byte for the side and the length.
func FuzzPromises(f *testing.F) {
	for _, x := range exchanges {
		var input []byte
		for dir, b := range x {
			for len(b) > 0 {
				n := min(len(b), 127)
				input = append(append(input, byte(dir<<7|(n-1))), b[:n]...)
				b = b[n:]
			}
		}
		f.Add(input, uint64(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		begun := []piece{
			{dissect.ClientToServer, []byte(exchanges[0][0])}, {dissect.ServerToClient, []byte(exchanges[0][1])},
		}
		pieces := begun
		for len(input) > 0 {
			dir, n := dissect.Dir(input[0]>>7), min(int(input[0]&127)+1, len(input)-1)
			if pieces, input = append(pieces, piece{dir, input[1 : 1+n]}), input[1+n:]; n == 0 {
				break
			}
		}
		new(ahead).check(t, pieces, rand.New(rand.NewPCG(seed, 1)))
	})
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
		if s.Passes(dissect.ClientToServer, []byte(get), true) {
			t.Errorf("%s: passes before the protocol is known", c.name)
		}
		s.Data(dissect.ClientToServer, []byte(get), record.Stamp{})
		s.Data(dissect.ServerToClient, []byte("HTTP/1.1 204 No Content\r\n\r\n"), record.Stamp{})
		s.Data(dissect.ClientToServer, []byte(c.before), record.Stamp{})
		if got := s.Passes(c.dir, []byte(c.b), true); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		s.Data(c.dir, []byte(c.b[:5]), record.Stamp{})
		if c.before == "" && s.Passes(c.dir, []byte(c.b[5:]), true) {
			t.Errorf("%s: passes behind half a line", c.name)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLengthAhead: where a message that was not read yet ends is told only of
// what gives its length in the plainest of words.
func TestLengthAhead(t *testing.T) {
	const get, ok = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
	for _, c := range []struct {
		name, request, answer string
		want                  bool // the next ten bytes pass for a body
	}{
		{"a request", "POST / HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH:20 \r\n\r\n", "", true},
		{"a request with a piece of its body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789", "", true},
		{"a request with nearly all of its body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n01234567890", "", false},
		{"a request with more than its body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n012345678901234567890", "", false},
		{"a request with two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nContent-Length: 20\r\n\r\n", "", false},
		{"a request with a coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n", "", false},
		{"a request with a folded line", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n 1\r\n\r\n", "", false},
		{"a request with a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 20\r\n\r\n", "", false},
		{"a request with a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +20\r\n\r\n", "", false},
		{"a request with fields beyond those read", "POST / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 100) + "Content-Length: 20\r\n\r\n", "", false},
		{"a request whose head goes on", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n", "", false},
		{"an answer", get, ok, true},
		{"an answer without a length", get, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", false},
		{"an answer to HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ok, false},
		{"an answer without content", get, "HTTP/1.1 204 No Content\r\nContent-Length: 20\r\n\r\n", false},
		{"an answer that names what is kept", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", false},
		{"an interim answer", get, "HTTP/1.1 103 Hints\r\nContent-Length: 20\r\n\r\n", false},
		{"an answer with another status", get, "HTTP/1.1 2000 OK\r\nContent-Length: 20\r\n\r\n", false},
	} {
		engine := flow.New(flow.Config{Protocols: []dissect.Protocol{http.Protocol()}})
		s := engine.Open(flow.Conn{Client: netip.MustParseAddrPort("192.0.2.1:1024"), Server: netip.MustParseAddrPort("192.0.2.2:80"), Oriented: true})
		s.Data(dissect.ClientToServer, []byte(get), record.Stamp{})
		s.Data(dissect.ServerToClient, []byte("HTTP/1.1 204 No Content\r\n\r\n"), record.Stamp{})
		last := dissect.ClientToServer
		if !s.Passes(dissect.ClientToServer, []byte(c.request), true) {
			t.Errorf("%s: it does not pass itself", c.name)
		}
		if c.answer != "" {
			last = dissect.ServerToClient
			if !s.Passes(last, []byte(c.answer), false) {
				t.Errorf("%s: it does not pass itself", c.name)
			}
		}
		if got := s.Passes(last, []byte("0123456789"), false); got != c.want {
			t.Errorf("%s: what comes behind it passes: %v, want %v", c.name, got, c.want)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}
