package smtp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// sinkEnv is an Env whose bodies only count: what is left is the dissector.
type sinkEnv struct {
	bytes int64
}

func (e *sinkEnv) Conn() dissect.Conn {
	return dissect.Conn{Client: netip.MustParseAddrPort("192.0.2.1:1"), Server: netip.MustParseAddrPort("192.0.2.2:25")}
}
func (e *sinkEnv) At(i int) record.Stamp {
	return record.Stamp{Time: time.Unix(1, 0), Offset: int64(i)}
}
func (e *sinkEnv) Emit(record.Record) {}
func (e *sinkEnv) Defer(r record.Record, finish func(emit func(record.Record))) {
	finish(func(record.Record) {})
}
func (e *sinkEnv) Violation(dissect.Violation)                 {}
func (e *sinkEnv) Secret(text string) record.Secret            { return record.NewSecret(text, "") }
func (e *sinkEnv) Body(content.Info) content.Body              { return e }
func (e *sinkEnv) Expect(dissect.Expectation) dissect.Expected { return nil }
func (e *sinkEnv) Open(protocol, label string) dissect.Stream  { return nil }
func (e *sinkEnv) TLS() *record.TLSHandshake                   { return nil }
func (e *sinkEnv) Write(p []byte)                              { e.bytes += int64(len(p)) }
func (e *sinkEnv) Gap(int64)                                   {}
func (e *sinkEnv) Close(complete bool) content.Result          { return e }
func (e *sinkEnv) Wait() *record.Content                       { return &record.Content{Size: e.bytes} }
func (e *sinkEnv) Loaded() []content.Loaded                    { return nil }

// feed gives b to the dissector as the session would.
func feed(t interface{ Fatal(...any) }, d dissect.Dissector, dir dissect.Dir, b []byte) {
	for len(b) > 0 {
		n, _, err := d.Consume(dir, b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		b = b[n:]
	}
}

// inMessage returns a dissector that stands at the first byte of a message.
func inMessage(t interface{ Fatal(...any) }, env dissect.Env) dissect.Dissector {
	d := New(env)
	feed(t, d, dissect.ServerToClient, []byte("220 mx ESMTP\r\n"))
	for _, x := range [][2]string{{"HELO a", "250 mx"}, {"MAIL FROM:<a@x>", "250 ok"}, {"RCPT TO:<b@y>", "250 ok"}, {"DATA", "354 go"}} {
		feed(t, d, dissect.ClientToServer, []byte(x[0]+"\r\n"))
		feed(t, d, dissect.ServerToClient, []byte(x[1]+"\r\n"))
	}
	return d
}

func mailLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%076d\r\n", i)
	}
	return b.Bytes()
}

// TestDataDoesNotAllocate pins that the data of a message passes without an
// allocation for each segment.
func TestDataDoesNotAllocate(t *testing.T) {
	env := &sinkEnv{}
	d := inMessage(t, env)
	segment := mailLines(19)[:1448]
	feed(t, d, dissect.ClientToServer, segment)
	if n := testing.AllocsPerRun(1000, func() { feed(t, d, dissect.ClientToServer, segment) }); n > 0 {
		t.Errorf("%v allocations for a segment of data, want none", n)
	}
	if env.bytes == 0 {
		t.Error("nothing reached the body")
	}
}

func BenchmarkData(b *testing.B) {
	d := inMessage(b, &sinkEnv{})
	segment := mailLines(19)[:1448]
	b.SetBytes(int64(len(segment)))
	b.ReportAllocs()
	for b.Loop() {
		feed(b, d, dissect.ClientToServer, segment)
	}
}

// keepEnv keeps what reaches the body.
type keepEnv struct {
	sinkEnv
	got []byte
}

func (e *keepEnv) Body(content.Info) content.Body { return e }
func (e *keepEnv) Write(p []byte)                 { e.got = append(e.got, p...) }

// TestDotStuffingIsUndoneExactly sends random messages made of the bytes that
// matter, stuffed as a client must (RFC 5321, section 4.5.2), in random pieces.
func TestDotStuffingIsUndoneExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Lines without LF; a lone CR is allowed in the middle of one.
		lines := rapid.SliceOfN(rapid.StringMatching(`[.a\rb]{0,6}`), 0, 8).Draw(t, "lines")
		var want, wire []byte
		for _, l := range lines {
			l = strings.TrimRight(l, "\r")
			want = append(want, l+"\r\n"...)
			if strings.HasPrefix(l, ".") {
				l = "." + l
			}
			wire = append(wire, l+"\r\n"...)
		}
		wire = append(wire, ".\r\nNOOP\r\n"...)
		env := &keepEnv{}
		d := inMessage(t, env)
		var unread []byte
		for len(wire) > 0 {
			n := rapid.IntRange(1, len(wire)).Draw(t, "piece")
			unread, wire = append(unread, wire[:n]...), wire[n:]
			for len(unread) > 0 {
				used, _, err := d.Consume(dissect.ClientToServer, unread)
				if err != nil {
					t.Fatal(err)
				}
				if used == 0 {
					break
				}
				unread = unread[used:]
			}
		}
		if !bytes.Equal(env.got, want) {
			t.Fatalf("body %q, want %q", env.got, want)
		}
		if q := d.(*dissector).queue; len(q) != 2 || q[1].rec.Verb != "NOOP" {
			t.Fatalf("behind the message %d commands wait", len(q))
		}
	})
}
