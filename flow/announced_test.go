package flow

import (
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// announcer is a control channel that announces a data connection to port 5000
// of the server with its first bytes.
type announcer struct{ env dissect.Env }

func (a *announcer) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if a.env != nil && dir == dissect.ServerToClient {
		a.env.Expect(dissect.Expectation{
			Server: withPort(serverAddr.Addr(), 5000), Client: clientAddr.Addr(), Protocol: "data",
			New: func(dissect.Env) dissect.Dissector { return &announcer{} },
		})
		a.env = nil
	}
	return len(b), dissect.Continue, nil
}
func (a *announcer) Gap(dissect.Dir, int64) {}
func (a *announcer) EOF(dissect.Dir)        {}

// TestRefusedAnnouncedConnectionEndsAtOnce, so that the control connection can
// tell of it: its session ends before the control connection's.
func TestRefusedAnnouncedConnectionEndsAtOnce(t *testing.T) {
	for name, answer := range map[string]seg{
		"RST":                             {from: "S", flags: "RA", ack: 1},
		"ICMP, nobody listens":            {from: "C", flags: "S", icmp: [2]int{3, 3}},
		"ICMP, prohibited by a filter":    {from: "C", flags: "S", icmp: [2]int{3, 13}},
		"ICMPv6, prohibited by a filter":  {from: "C", flags: "S", icmp: [2]int{1, 1}},
		"ICMP, which may pass, for later": {from: "C", flags: "S", icmp: [2]int{3, 1}},
	} {
		var ended []string
		e := New(Config{Inline: true, Protocols: []dissect.Protocol{{
			Name:  "control",
			Probe: func(*dissect.Input) dissect.Verdict { return dissect.Accept },
			New:   func(env dissect.Env) dissect.Dissector { return &announcer{env} },
		}}, Sink: record.SinkFunc(func(r record.Record) error {
			if s, ok := r.(*record.Session); ok {
				ended = append(ended, s.Protocol+" "+s.End)
			}
			return nil
		})})
		w := &wire{e: e, isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
		w.play(handshake...)
		w.play(seg{from: "S", flags: "PA", seq: 1, ack: 1, data: "227"})
		for _, s := range []seg{{from: "C", flags: "S"}, answer, {from: "C", flags: "S"}} {
			cs := w.segment(s)
			from, to := uint16(50000), uint16(5000)
			if s.from == "S" {
				from, to = to, from
			}
			cs.Src, cs.Dst = withPort(cs.Src.Addr(), from), withPort(cs.Dst.Addr(), to)
			e.Segment(cs)
		}
		now := strings.Join(ended, ", ")
		e.Close()
		want, whole := "data unreachable", "data unreachable, control open"
		switch {
		case answer.from == "S":
			want, whole = "data refused", "data refused, control open"
		case answer.icmp == [2]int{3, 1}:
			want, whole = "", "control open, data unreachable"
		}
		if got := strings.Join(ended, ", "); now != want || got != whole {
			t.Errorf("%s: ended at once %q, all %q; want %q, %q", name, now, got, want, whole)
		}
	}
}

// TestAnnouncedConnectionIsBoundByItsSYN although it comes to nothing, and
// although the control connection ends before that is certain.
func TestAnnouncedConnectionIsBoundByItsSYN(t *testing.T) {
	for _, answer := range []struct {
		flags, end string
	}{{"RA", record.EndRefused}, {"", record.EndUnanswered}, {"SA", record.EndOpen}} {
		ends := map[string]string{}
		parents := map[string]string{}
		control := ""
		e := New(Config{Inline: true, Protocols: []dissect.Protocol{{
			Name:  "control",
			Probe: func(*dissect.Input) dissect.Verdict { return dissect.Accept },
			New:   func(env dissect.Env) dissect.Dissector { return &announcer{env} },
		}}, Sink: record.SinkFunc(func(r record.Record) error {
			if s, ok := r.(*record.Session); ok {
				ends[s.Protocol], parents[s.Protocol] = s.End, s.Parent
				if s.Protocol == "control" {
					control = s.Session
				}
			}
			return nil
		})})
		w := &wire{e: e, isn: map[string]uint32{"C": 1000, "S": 5000}, now: begin}
		w.play(handshake...)
		w.play(seg{from: "S", flags: "PA", seq: 1, ack: 1, data: "227"})
		data := func(s seg) {
			cs := w.segment(s)
			from, to := uint16(50000), uint16(5000)
			if s.from == "S" {
				from, to = to, from
			}
			cs.Src, cs.Dst = withPort(cs.Src.Addr(), from), withPort(cs.Dst.Addr(), to)
			e.Segment(cs)
		}
		data(seg{from: "C", flags: "S"})
		if answer.flags != "" {
			data(seg{from: "S", flags: answer.flags, ack: 1})
		}
		w.play(
			seg{from: "S", flags: "FA", seq: 4, ack: 1},
			seg{from: "C", flags: "FA", seq: 1, ack: 5},
			seg{from: "S", flags: "A", seq: 5, ack: 2},
			seg{from: "C", flags: "A", seq: 900, after: time.Second},
		)
		e.Close()
		if ends["data"] != answer.end || parents["data"] != control || control == "" {
			t.Errorf("answer %q: sessions ended %v with parents %v; want the data connection %s, parent %s",
				answer.flags, ends, parents, answer.end, control)
		}
	}
}
