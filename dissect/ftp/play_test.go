package ftp_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/flow"
	"sniff/record"
)

const (
	client = "192.0.2.10:40000"
	server = "192.0.2.20:21"
)

// play drives an engine with the connections of one scene. Each thing that
// happens takes a second.
type play struct {
	t       *testing.T
	engine  *flow.Engine
	records []record.Record
	now     time.Time
	cut     int // feed in pieces of this size; 0: whole
}

type conn struct {
	p *play
	*flow.Session
}

func newPlay(t *testing.T, cut int) *play {
	p := &play{t: t, cut: cut, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	p.engine = flow.New(flow.Config{
		Protocols: []dissect.Protocol{ftp.Protocol()},
		TLS:       func(env dissect.LayerEnv) dissect.Layer { return &blind{env} },
		Secrets:   record.NewKeyer([]byte("key")),
		Inline:    true,
		Sink: record.SinkFunc(func(r record.Record) error {
			p.records = append(p.records, r)
			return nil
		}),
	})
	t.Cleanup(func() {
		if err := p.engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// blind is a TLS layer without keys: it counts what is in application data.
type blind struct{ env dissect.LayerEnv }

func (l *blind) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if len(b) < 5 {
		return 0, dissect.Continue, nil
	}
	n := 5 + int(b[3])<<8 + int(b[4])
	if len(b) < n {
		return 0, dissect.Continue, nil
	}
	if b[0] == 0x17 {
		l.env.Opaque(dir, int64(n-5))
	}
	return n, dissect.Continue, nil
}

func (l *blind) Gap(dissect.Dir, int64) {}
func (l *blind) EOF(dissect.Dir)        {}
func (l *blind) Downgrade()             {}

func (p *play) stamp() record.Stamp {
	p.now = p.now.Add(time.Second)
	return record.Stamp{Time: p.now}
}

func (p *play) open(from, to string) *conn {
	at := p.stamp()
	s := p.engine.Open(flow.Conn{
		Client: netip.MustParseAddrPort(from), Server: netip.MustParseAddrPort(to),
		Start: at.Time, Oriented: true,
	})
	return &conn{p, s}
}

func (c *conn) send(dir dissect.Dir, b string) {
	at := c.p.stamp()
	if c.p.cut == 0 {
		c.Data(dir, []byte(b), at)
		return
	}
	for len(b) > 0 {
		n := min(c.p.cut, len(b))
		c.Data(dir, []byte(b[:n]), at)
		b = b[n:]
	}
}

// talk says lines that begin with "C: " or "S: ".
func (c *conn) talk(lines ...string) {
	c.p.t.Helper()
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "C: "):
			c.send(dissect.ClientToServer, l[3:]+"\r\n")
		case strings.HasPrefix(l, "S: "):
			c.send(dissect.ServerToClient, l[3:]+"\r\n")
		default:
			c.p.t.Fatalf("who says %q?", l)
		}
	}
}

func (c *conn) end(how, by string) {
	at := c.p.stamp()
	if how == record.EndClosed {
		c.EOF(dissect.ClientToServer, at)
		c.EOF(dissect.ServerToClient, at)
	}
	c.Close(how, by, at)
}

func (c *conn) done() { c.end(record.EndClosed, "client") }

func all[T record.Record](p *play) []T {
	var out []T
	for _, r := range p.records {
		if x, ok := r.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

func (p *play) transfer() *record.FTPTransfer {
	p.t.Helper()
	ts := all[*record.FTPTransfer](p)
	if len(ts) != 1 {
		p.t.Fatalf("got %d transfers, want 1: %s", len(ts), p.dump())
	}
	return ts[0]
}

func (p *play) dump() string {
	var b strings.Builder
	for _, r := range p.records {
		b.WriteString("\n" + string(r.Kind()) + " " + r.Summary())
	}
	return b.String()
}

func (p *play) what(session string) string {
	for _, s := range all[*record.Session](p) {
		if s.Header.Session == session {
			return s.What
		}
	}
	p.t.Fatalf("no record of session %s", session)
	return ""
}

var login = []string{"S: 220 Welcome", "C: USER bob", "S: 331 Password?", "C: PASS secret", "S: 230 In"}

// scenes plays f whole and byte by byte: what comes out must be the same.
func scenes(t *testing.T, f func(p *play)) {
	t.Helper()
	var first string
	for _, cut := range []int{0, 1, 3} {
		p := newPlay(t, cut)
		f(p)
		b, err := json.Marshal(p.records)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		} else if string(b) != first {
			t.Errorf("pieces of %d bytes change the records:\nwhole: %s\npieces: %s", cut, first, b)
		}
		if t.Failed() {
			return
		}
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
