package dissecttest

import (
	"bytes"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// echoed is the record of the toy protocol: a line that the client sent and
// the line that answered it.
type echoed struct {
	record.Header
	Asked  string `json:"asked"`
	Answer string `json:"answer,omitempty"`
	Lost   bool   `json:"lost,omitempty"`
}

func (*echoed) Kind() record.Kind { return "toy.echo" }
func (e *echoed) Summary() string { return e.Asked + " -> " + e.Answer }
func (e *echoed) Tell(o *record.Outline) {
	f := o.Fact("echo")
	f.N++
	f.Text = fmt.Sprintf("%d echoes", f.N)
}

// toy reads lines of both sides and pairs them. It must be a pointer's worth
// of state only.
type toy struct {
	env     dissect.Env
	waiting []*echoed
}

func toyProtocol(make func(env dissect.Env) dissect.Dissector) dissect.Protocol {
	return dissect.Protocol{
		Name:  "toy",
		Ports: []uint16{4000},
		Probe: func(in *dissect.Input) dissect.Verdict {
			if len(in.Client) < 3 {
				return dissect.More
			}
			if bytes.HasPrefix(in.Client, []byte("ask")) {
				return dissect.Accept
			}
			return dissect.Reject
		},
		New: make,
	}
}

func newToy(env dissect.Env) dissect.Dissector { return &toy{env: env} }

func (d *toy) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, dissect.Continue, nil
	}
	text := string(bytes.TrimRight(b[:i], "\r\n"))
	if dir == dissect.ClientToServer {
		e := &echoed{Asked: text}
		e.Stamp(d.env.At(0), dir)
		d.waiting = append(d.waiting, e)
		return i + 1, dissect.Continue, nil
	}
	if len(d.waiting) > 0 {
		e := d.waiting[0]
		d.waiting = d.waiting[1:]
		e.Answer = text
		d.env.Emit(e)
	}
	return i + 1, dissect.Continue, nil
}

func (d *toy) Gap(dir dissect.Dir, n int64) {
	for _, e := range d.waiting {
		e.Lost = true
		d.env.Emit(e)
	}
	d.waiting = nil
}

func (d *toy) EOF(dir dissect.Dir) {
	if dir == dissect.ServerToClient {
		d.Gap(dir, 0)
	}
}

// greedy reports how many bytes it was offered: its records depend on cuts.
type greedy struct{ toy }

func (d *greedy) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	d.env.Emit(&echoed{Asked: fmt.Sprint(len(b))})
	return len(b), dissect.Continue, nil
}

// keeper keeps what it was lent and tells it at the end.
type keeper struct {
	toy
	kept [][]byte
}

func (d *keeper) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	d.kept = append(d.kept, b)
	return len(b), dissect.Continue, nil
}

func (d *keeper) EOF(dir dissect.Dir) {
	for _, b := range d.kept {
		d.env.Emit(&echoed{Asked: string(b)})
	}
	d.kept = nil
}

// faulty panics at the word "boom".
type faulty struct{ toy }

func (d *faulty) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	if bytes.Contains(b, []byte("boom")) {
		panic("at the word")
	}
	return d.toy.Consume(dir, b)
}
