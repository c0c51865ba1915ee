package flow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// TestSessionsDoNotDependOnCuts plays random dialogues, in which both sides
// ask for everything a dissector can ask for, whole and in pieces.
func TestSessionsDoNotDependOnCuts(t *testing.T) {
	words := []string{
		"plain\n", "HOLD\n", "GO\n", "HOLDSERVER\n", "GOSERVER\n", "UPGRADE\n", "DOWNGRADE\n", "HANDOFF\n", "VIOLATE x\n",
		"toy\n", "unfinished", "one\nHOLD\ntwo\n", "ERROR\n", announce, "CANCEL\n" + announce,
		clientHello, serverHello, closeNotify, sealed("in\n"), sealed("HOLD\nin"), sealed("GO\n"), sealed("UPGRADE\n"),
		"PROXY UNKNOWN\r\n", strings.Repeat("y", 40),
	}
	for seed := range uint64(1500) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		var script []event
		for range 3 + rnd.IntN(25) {
			ev := event{dir: dissect.Dir(rnd.IntN(2))}
			switch rnd.IntN(20) {
			case 0:
				ev.kind, ev.n = evGap, int64(rnd.IntN(8))-1
			case 1:
				ev.kind = evEOF
			default:
				ev.b = []byte(words[rnd.IntN(len(words))])
			}
			script = append(script, ev)
		}
		conn := Conn{Oriented: rnd.IntN(2) == 0, Midstream: rnd.IntN(4) == 0}
		if rnd.IntN(3) > 0 {
			conn.Protocol = "toy"
		}
		whole := playScript(t, conn, script, nil)
		cut := playScript(t, conn, script, rnd)
		if whole != cut {
			var lines []string
			for _, ev := range script {
				lines = append(lines, fmt.Sprintf("%d %v %q %d", ev.kind, ev.dir, ev.b, ev.n))
			}
			t.Fatalf("seed %d, %+v:\n%s\nwhole:\n%s\nin pieces:\n%s", seed, conn, strings.Join(lines, "\n"), whole, cut)
		}
		if strings.Contains(whole, codeInternal) {
			t.Fatalf("seed %d: %s", seed, whole)
		}
	}
}

// playScript returns what came out of a script, whose bytes are cut at random
// places unless rnd is nil.
func playScript(t *testing.T, conn Conn, script []event, rnd *rand.Rand) string {
	var cfg Config
	cfg.TLS = newXorTLS
	// Held is left large: which bytes wait when it strikes does depend on cuts.
	cfg.Limits = Limits{Pending: 30, HoldTime: 8 * time.Millisecond}
	b := newBench(t, cfg, conn)
	for _, ev := range script {
		at := b.at()
		switch ev.kind {
		case evGap:
			b.s.Gap(ev.dir, ev.n, at)
		case evEOF:
			b.s.EOF(ev.dir, at)
		case evData:
			for rest := ev.b; len(rest) > 0; {
				n := len(rest)
				if rnd != nil {
					n = 1 + rnd.IntN(n)
				}
				lent := append([]byte(nil), rest[:n]...)
				b.s.Data(ev.dir, lent, at)
				clear(lent)
				rest = rest[n:]
			}
		}
	}
	rec := b.close()
	var out strings.Builder
	for _, r := range b.records {
		h := r.Head()
		fmt.Fprintf(&out, "%s %s %d %d %v %s\n", h.Protocol, h.Dir, h.Offset, h.StreamOffset, h.Time.Sub(t0), r.Summary())
	}
	fmt.Fprintf(&out, "%v %v %q %v %+v %+v", rec.OpaqueFrom, rec.Layers, rec.TLS, rec.Proxied, rec.ClientSide, rec.ServerSide)
	return out.String()
}

// TestFaultsAnywhere panics at every place a dissector can.
func TestFaultsAnywhere(t *testing.T) {
	for _, where := range []string{"new", "gap", "eof", "closed"} {
		t.Run(where, func(t *testing.T) {
			p := toyProtocol
			p.New = func(env dissect.Env) dissect.Dissector {
				if where == "new" {
					panic(where)
				}
				return &faulty{toy{env: env}, where}
			}
			b := newBench(t, Config{Protocols: []dissect.Protocol{p}}, toyConn)
			b.c("one\n").r("two\n")
			b.s.Gap(c2s, 3, b.at())
			b.c("three\n").close()
			a := b.anomaly(codeInternal)
			if !strings.Contains(a.Detail, where) {
				t.Errorf("detail %q", a.Detail)
			}
			if _, ok := b.records[len(b.records)-1].(*record.Session); !ok {
				t.Error("no record of the session")
			}
		})
	}
}

// faulty panics where it is told to.
type faulty struct {
	toy
	where string
}

func (d *faulty) at(where string) {
	if d.where == where {
		panic(where)
	}
}
func (d *faulty) Gap(dissect.Dir, int64) { d.at("gap") }
func (d *faulty) EOF(dissect.Dir)        { d.at("eof") }
func (d *faulty) Closed(string, string)  { d.at("closed") }
