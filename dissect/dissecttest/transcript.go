package dissecttest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sniff/dissect"
)

// transcript is a parsed dialogue.
type transcript struct {
	steps     []step
	conns     []conn // the first is the main one
	midstream bool
	tls       bool
	alpn      string
	probe     bool
	port      uint16
}

// conn is one connection of a transcript.
type conn struct {
	name           string
	client, server netip.AddrPort // of the main connection: zero
}

type stepKind uint8

const (
	data stepKind = iota
	gap
	eof
	reset
	open
)

// step is one line of a dialogue.
type step struct {
	kind stepKind
	conn int
	dir  dissect.Dir
	b    []byte
	n    int64
	at   time.Duration // since the start
	line int
}

const tick = time.Millisecond

// parse reads the dialogue section of a transcript.
func parse(text string) (*transcript, error) {
	tr := &transcript{conns: []conn{{}}}
	var now time.Duration
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		var err error
		if line[0] == '@' {
			err = tr.directive(line[1:], &now, i+1)
		} else {
			var st step
			if st, err = tr.parseStep(line); err == nil {
				st.at, st.line = now, i+1
				now += tick
				tr.steps = append(tr.steps, st)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d %q: %w", i+1, line, err)
		}
	}
	return tr, nil
}

func (tr *transcript) directive(text string, now *time.Duration, line int) error {
	f := strings.Fields(text)
	if len(f) == 0 {
		return errors.New("empty directive")
	}
	if seconds, err := strconv.ParseFloat(f[0], 64); err == nil {
		*now += time.Duration(seconds * float64(time.Second))
		return nil
	}
	switch {
	case f[0] == "midstream":
		tr.midstream = true
	case f[0] == "probe":
		tr.probe = true
	case f[0] == "tls":
		tr.tls = true
		if len(f) > 1 {
			tr.alpn = f[1]
		}
	case f[0] == "port" && len(f) == 2:
		port, err := strconv.ParseUint(f[1], 10, 16)
		if err != nil {
			return err
		}
		tr.port = uint16(port)
	case f[0] == "open" && (len(f) == 3 || len(f) == 4):
		c := conn{name: f[1]}
		var err error
		if c.server, err = netip.ParseAddrPort(f[2]); err != nil {
			return err
		}
		c.client = netip.AddrPortFrom(mainClient.Addr(), mainClient.Port()+uint16(len(tr.conns)))
		if len(f) == 4 {
			if c.client, err = netip.ParseAddrPort(f[3]); err != nil {
				return err
			}
		}
		tr.conns = append(tr.conns, c)
		tr.steps = append(tr.steps, step{kind: open, conn: len(tr.conns) - 1, at: *now, line: line})
		*now += tick
	default:
		return errors.New("unknown directive")
	}
	return nil
}

// parseStep reads a line of one of the sides.
func (tr *transcript) parseStep(line string) (step, error) {
	var st step
	for i, c := range tr.conns {
		if rest, ok := strings.CutPrefix(line, c.name+" "); ok && c.name != "" {
			st.conn, line = i, rest
		}
	}
	switch line[0] {
	case 'C':
		st.dir = dissect.ClientToServer
	case 'S':
		st.dir = dissect.ServerToClient
	default:
		return st, errors.New("a line begins with C or S, or the name of an open connection")
	}
	rest, times := line[1:], 1
	if r, ok := strings.CutPrefix(rest, "*"); ok {
		end := strings.IndexAny(r, ":|<")
		if end < 0 {
			return st, errors.New("no text behind the count")
		}
		var err error
		if times, err = strconv.Atoi(r[:end]); err != nil {
			return st, err
		}
		rest = r[end:]
	}
	var err error
	switch {
	case strings.HasPrefix(rest, ":"):
		st.b, err = unescape(strings.TrimPrefix(rest[1:], " "))
		st.b = append(st.b, "\r\n"...)
	case strings.HasPrefix(rest, "|"):
		st.b, err = unescape(strings.TrimPrefix(rest[1:], " "))
	case strings.HasPrefix(rest, "<<"):
		st.b, err = hex.DecodeString(strings.Join(strings.Fields(rest[2:]), ""))
	case strings.HasPrefix(rest, "!"):
		return st, st.parseEvent(strings.Fields(rest[1:]))
	default:
		return st, errors.New("want :, |, << or ! behind C or S")
	}
	st.b = slices.Repeat(st.b, times)
	return st, err
}

func (st *step) parseEvent(f []string) (err error) {
	switch {
	case len(f) == 1 && f[0] == "eof":
		st.kind = eof
	case len(f) == 1 && f[0] == "reset":
		st.kind = reset
	case len(f) == 2 && f[0] == "gap":
		st.kind = gap
		st.n, err = strconv.ParseInt(f[1], 10, 64)
	default:
		err = errors.New("want gap N, eof or reset behind the exclamation mark")
	}
	return err
}

// unescape undoes Go's escapes; other bytes stand for themselves.
func unescape(s string) ([]byte, error) {
	var b []byte
	for len(s) > 0 {
		if s[0] != '\\' {
			b = append(b, s[0])
			s = s[1:]
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return nil, fmt.Errorf("escape at %q: %w", s, err)
		}
		if multibyte {
			b = append(b, string(r)...)
		} else {
			b = append(b, byte(r))
		}
		s = tail
	}
	return b, nil
}

// size is how many bytes were sent in all.
func (tr *transcript) size() int {
	n := 0
	for _, st := range tr.steps {
		n += len(st.b)
	}
	return n
}

// stamped gives the lines that one side sends in a row the time of the first.
func (tr *transcript) stamped() *transcript {
	out := *tr
	out.steps = slices.Clone(tr.steps)
	for i := range out.steps {
		if i > 0 && tr.steps[i].follows(tr.steps[i-1]) {
			out.steps[i].at = out.steps[i-1].at
		}
	}
	return &out
}

// merged puts the lines that one side sends in a row together.
func (tr *transcript) merged() *transcript {
	out := *tr
	out.steps = nil
	for i, st := range tr.stamped().steps {
		if i > 0 && st.follows(tr.steps[i-1]) {
			l := &out.steps[len(out.steps)-1]
			l.b = append(slices.Clip(l.b), st.b...)
			continue
		}
		out.steps = append(out.steps, st)
	}
	return &out
}

// follows reports whether st goes on behind prev on the same side, soon
// enough for the two to be one packet.
func (st step) follows(prev step) bool {
	return st.kind == data && prev.kind == data && st.conn == prev.conn && st.dir == prev.dir &&
		st.at-prev.at <= tick
}
