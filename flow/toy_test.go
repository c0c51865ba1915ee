package flow

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// said is the record of the toy protocol: one line of one side, or what else
// its dissector was told.
type said struct {
	record.Header
	Text string
}

func (*said) Kind() record.Kind { return "toy.said" }
func (s *said) Summary() string { return s.Text }
func (s *said) Tell(o *record.Outline) {
	f := o.Fact("said")
	f.N++
	f.Text = fmt.Sprintf("%d things said", f.N)
}

// toy reads lines. A line that begins with one of its words asks the session
// for something.
type toy struct {
	env   dissect.Env
	x     dissect.Expected
	ready bool
}

// Ready makes the toy a Waiter: it waits until somebody sets ready.
func (d *toy) Ready(last bool) bool {
	switch {
	case d.ready:
		d.say(0, "[ready]")
	case last:
		d.say(0, "[gave up]")
	}
	return d.ready || last
}

var toyActions = map[string]dissect.Action{
	"HOLD": dissect.HoldClient, "GO": dissect.ReleaseClient, "HOLDSERVER": dissect.HoldServer, "GOSERVER": dissect.ReleaseServer,
	"WAIT": dissect.Wait, "UPGRADE": dissect.Upgrade, "DOWNGRADE": dissect.Downgrade, "HANDOFF": dissect.Handoff,
}

func (d *toy) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, dissect.Continue, nil
	}
	text := string(b[:i])
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "ERROR":
		return 0, dissect.Continue, errors.New("toy: asked for it")
	case "PANIC":
		panic("toy was asked to")
	case "VIOLATE":
		d.env.Violation(dissect.Violation{Code: "toy_odd", Dir: dir, Stamp: d.env.At(0), Detail: rest})
		return i + 1, dissect.Continue, nil
	case "EXPECT":
		d.x = d.env.Expect(dissect.Expectation{
			Server: netip.MustParseAddrPort(rest), Protocol: "toy-data", TTL: 10 * time.Second,
			New:     func(env dissect.Env) dissect.Dissector { d.say(dir, "made"); return &toy{env: env} },
			Expired: func() { d.say(dir, "expired") },
		})
	case "CANCEL":
		if d.x != nil {
			d.x.Cancel()
		}
	}
	d.say(dir, text)
	return i + 1, toyActions[word], nil
}

func (d *toy) say(dir dissect.Dir, text string) {
	r := &said{Text: text}
	r.Stamp(d.env.At(0), dir)
	d.env.Emit(r)
}

func (d *toy) Gap(dir dissect.Dir, n int64) { d.say(dir, fmt.Sprintf("[gap %d]", n)) }
func (d *toy) EOF(dir dissect.Dir)          { d.say(dir, "[eof]") }
func (d *toy) Closed(end, by string)        { d.say(0, "[closed "+end+"]") }

func newToy(env dissect.Env) dissect.Dissector { return &toy{env: env} }

// toyProtocol is recognised by a first line of the client that holds "toy".
var toyProtocol = dissect.Protocol{
	Name: "toy", Ports: []uint16{4000}, New: newToy,
	Probe: func(in *dissect.Input) dissect.Verdict {
		switch {
		case bytes.HasPrefix(in.Client, []byte("toy")):
			return dissect.Accept
		case bytes.HasPrefix(in.Server, []byte("toy")) && !in.Oriented:
			return dissect.AcceptSwapped
		case len(in.Client) < 3:
			return dissect.More
		}
		return dissect.Reject
	},
}

// xorTLS is a layer with TLS's record format whose cipher is to turn bits.
type xorTLS struct {
	env  dissect.LayerEnv
	down bool
	shut [2]bool
}

func newXorTLS(env dissect.LayerEnv) dissect.Layer { return &xorTLS{env: env} }

func (l *xorTLS) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if l.shut[dir] {
		l.env.Plain(dir, b, record.Stamp{Time: l.env.At(0).Time, Packet: l.env.At(0).Packet})
		return len(b), dissect.Continue, nil
	}
	if len(b) < 5 {
		return 0, dissect.Continue, nil
	}
	n := 5 + int(b[3])<<8 + int(b[4])
	if b[1] != 3 {
		return 0, dissect.Continue, errors.New("tls: no record")
	}
	if len(b) < n {
		return 0, dissect.Continue, nil
	}
	switch b[0] {
	case 0x16:
		l.env.Established(&record.TLSHandshake{ALPN: "toy"})
	case 0x15:
		if l.down {
			l.shut[dir] = true
		} else {
			l.env.PlainEOF(dir)
		}
	case 0x17:
		l.env.Plain(dir, turn(b[5:n]), l.env.At(0))
	}
	return n, dissect.Continue, nil
}

func (l *xorTLS) Gap(dir dissect.Dir, n int64) { l.env.PlainGap(dir, -1) }
func (l *xorTLS) EOF(dir dissect.Dir)          { l.env.PlainEOF(dir) }
func (l *xorTLS) Downgrade()                   { l.down = true }

func turn(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x55
	}
	return out
}

// The records that xorTLS reads.
var (
	clientHello = tlsRecord(0x16, "\x01hello")
	serverHello = tlsRecord(0x16, "\x02hello")
	closeNotify = tlsRecord(0x15, "\x01\x00")
)

func tlsRecord(kind byte, payload string) string {
	return string([]byte{kind, 3, 3, 0, byte(len(payload))}) + payload
}

func sealed(text string) string { return tlsRecord(0x17, string(turn([]byte(text)))) }

// bench is one engine with one session, and what came out of it.
type bench struct {
	t       *testing.T
	e       *Engine
	s       *Session
	now     time.Time
	records []record.Record
}

var (
	t0     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	client = netip.MustParseAddrPort("192.0.2.1:40000")
	server = netip.MustParseAddrPort("198.51.100.1:4000")
)

const c2s, s2c = dissect.ClientToServer, dissect.ServerToClient

func newBench(t *testing.T, cfg Config, conn Conn) *bench {
	t.Helper()
	b := &bench{t: t, now: t0}
	if cfg.Protocols == nil {
		cfg.Protocols = []dissect.Protocol{toyProtocol}
	}
	cfg.Inline = true
	cfg.Sink = record.SinkFunc(func(r record.Record) error {
		b.records = append(b.records, r)
		return nil
	})
	b.e = New(cfg)
	b.s = b.open(conn)
	return b
}

func (b *bench) open(conn Conn) *Session {
	if !conn.Client.IsValid() {
		conn.Client = client
	}
	if !conn.Server.IsValid() {
		conn.Server = server
	}
	conn.Start = b.now
	return b.e.Open(conn)
}

// at lets a millisecond pass.
func (b *bench) at() record.Stamp {
	b.now = b.now.Add(time.Millisecond)
	return record.Stamp{Time: b.now}
}

func (b *bench) c(text string) *bench { b.s.Data(c2s, []byte(text), b.at()); return b }
func (b *bench) r(text string) *bench { b.s.Data(s2c, []byte(text), b.at()); return b }

// close ends the session and returns its record.
func (b *bench) close() *record.Session {
	b.t.Helper()
	b.s.Close(record.EndClosed, "client", b.at())
	s, ok := b.records[len(b.records)-1].(*record.Session)
	if !ok {
		b.t.Fatalf("the last record is a %T", b.records[len(b.records)-1])
	}
	return s
}

// want compares what was said so far, and anomalies, with a list; each entry
// is "C text", "S text" or "! code".
func (b *bench) want(want ...string) {
	b.t.Helper()
	var got []string
	for _, r := range b.records {
		switch r := r.(type) {
		case *said:
			got = append(got, strings.ToUpper(strings.NewReplacer("client", "c", "server", "s").Replace(r.Dir))+" "+r.Text)
		case *record.Anomaly:
			got = append(got, "! "+r.Code)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// anomaly returns the first anomaly with the code.
func (b *bench) anomaly(code string) *record.Anomaly {
	b.t.Helper()
	for _, r := range b.records {
		if a, ok := r.(*record.Anomaly); ok && a.Code == code {
			return a
		}
	}
	b.t.Fatalf("no anomaly %s", code)
	return nil
}
