package flow

import (
	"slices"

	"sniff/dissect"
	"sniff/record"
)

const (
	// probeWindow is how much of each side a probe may look at.
	probeWindow = 4 << 10
	// maxProbeEvents bounds what a stream without bytes (holes only) keeps.
	maxProbeEvents = 4 * probeWindow
)

// prober finds out which protocol a stage's stream speaks. It keeps what
// arrived, in order of arrival, to play it to the dissector once that is
// known.
//
// The protocols are asked in a fixed order, those whose port it is first, and
// one is only taken when all before it have refused: so the outcome does not
// depend on how the bytes were cut.
type prober struct {
	st     *stage
	in     dissect.Input
	queue  []event
	size   [2]int  // bytes that came
	frozen [2]bool // a hole or the end: the window takes no more
	final  bool
	header bool // a PROXY protocol header may stand in front
	tls    bool // TLS may begin here
	forced string
	order  []candidate
}

// candidate is a protocol that was not refused yet.
type candidate struct {
	*dissect.Protocol
	hint bool
}

// event is one thing that arrived.
type event struct {
	kind eventKind
	dir  dissect.Dir
	b    []byte
	n    int64
	at   record.Stamp
}

type eventKind uint8

const (
	evData eventKind = iota
	evGap
	evEOF
)

func newProber(st *stage) *prober {
	s := st.s
	p := &prober{st: st, tls: true, header: s.root == st && !s.conn.Midstream}
	p.in.Oriented = s.conn.Oriented || st.nested
	p.in.Midstream = s.conn.Midstream
	p.in.ALPN = s.conn.ALPN
	p.rank()
	return p
}

// rank puts the protocols into the order in which they are asked. In a stream
// whose sides are not certain, either port may be the server's.
func (p *prober) rank() {
	s, st := p.st.s, p.st
	protocols := s.e.cfg.Protocols
	p.order = p.order[:0]
	for i := range protocols {
		pr := &protocols[i]
		ports := pr.Ports
		if st.inTLS {
			ports = pr.TLSPorts
		}
		hint := slices.Contains(ports, s.server.Port()) ||
			!p.in.Oriented && slices.Contains(ports, s.client.Port()) ||
			!st.inTLS && slices.Contains(pr.From, s.client.Port()) ||
			p.in.ALPN != "" && slices.Contains(pr.ALPN, p.in.ALPN)
		p.order = append(p.order, candidate{pr, hint})
	}
	slices.SortStableFunc(p.order, func(a, b candidate) int {
		switch {
		case a.hint == b.hint:
			return 0
		case a.hint:
			return -1
		}
		return 1
	})
}

func (p *prober) data(dir dissect.Dir, b []byte, at record.Stamp) {
	if p.size[0]+p.size[1] == 0 {
		p.in.ServerFirst = dir == dissect.ServerToClient
	}
	p.size[dir] += len(b)
	if w := p.window(dir); !p.frozen[dir] {
		*w = append(*w, b[:min(len(b), probeWindow-len(*w))]...)
	}
	if n := len(p.queue); n > 0 {
		l := &p.queue[n-1]
		if l.kind == evData && l.dir == dir && l.at.Packet == at.Packet && l.at.Time.Equal(at.Time) {
			l.b = append(l.b, b...)
			return
		}
	}
	p.queue = append(p.queue, event{kind: evData, dir: dir, b: slices.Clone(b), at: at})
}

func (p *prober) gap(dir dissect.Dir, n int64, at record.Stamp) {
	if p.size[dir] == 0 {
		p.in.Midstream, p.header = true, false
	} else {
		p.freeze(dir)
	}
	p.queue = append(p.queue, event{kind: evGap, dir: dir, n: n, at: at})
}

func (p *prober) eof(dir dissect.Dir, at record.Stamp) {
	p.freeze(dir)
	p.queue = append(p.queue, event{kind: evEOF, dir: dir, at: at})
}

func (p *prober) freeze(dir dissect.Dir) {
	p.frozen[dir] = true
	if dir == dissect.ClientToServer {
		p.in.ClientEnded = true
	} else {
		p.in.ServerEnded = true
	}
}

func (p *prober) window(dir dissect.Dir) *[]byte {
	if dir == dissect.ClientToServer {
		return &p.in.Client
	}
	return &p.in.Server
}

// isFinal reports whether no more will be waited for.
func (p *prober) isFinal() bool {
	return p.final || p.frozen[0] && p.frozen[1] ||
		p.size[0] >= probeWindow || p.size[1] >= probeWindow || len(p.queue) >= maxProbeEvents
}

// swap exchanges the two sides.
func (p *prober) swap() {
	p.in.Client, p.in.Server = p.in.Server, p.in.Client
	p.in.ClientEnded, p.in.ServerEnded = p.in.ServerEnded, p.in.ClientEnded
	p.in.ServerFirst = !p.in.ServerFirst
	p.size[0], p.size[1] = p.size[1], p.size[0]
	p.frozen[0], p.frozen[1] = p.frozen[1], p.frozen[0]
	for i := range p.queue {
		p.queue[i].dir = p.queue[i].dir.Other()
	}
}

// skip takes the first n bytes of the client away.
func (p *prober) skip(n int) {
	p.in.Client = slices.Clone(p.in.Client[n:])
	p.size[0] -= n
	for i := 0; n > 0 && i < len(p.queue); i++ {
		if ev := &p.queue[i]; ev.kind == evData && ev.dir == dissect.ClientToServer {
			k := min(n, len(ev.b))
			ev.b, n = ev.b[k:], n-k
		}
	}
	if p.size[0]+p.size[1] == 0 {
		p.in.ServerFirst = false
	}
}

// decide looks at what has come, and starts the stage when that is enough.
func (st *stage) decide() {
	p := st.probe
	p.in.Final = p.isFinal()
	if p.header && !st.readProxyHeader() && !p.in.Final {
		return
	}
	if p.size[0]+p.size[1] == 0 && !p.in.Final {
		return
	}
	if p.tls {
		switch begins, d := p.beginsTLS(); begins {
		case dissect.Accept:
			st.startTLS(d)
			return
		case dissect.More:
			return
		}
		p.tls = false
		if st.dissector != nil {
			st.inTLS = st.s.conn.TLS // TLS was announced and did not come
		}
	}
	switch {
	case st.dissector != nil: // made by an expectation
		st.start(st.protocol, nil)
	case p.forced != "":
		for i := range st.s.e.cfg.Protocols {
			if pr := &st.s.e.cfg.Protocols[i]; pr.Name == p.forced {
				st.start(pr.Name, pr.New)
				return
			}
		}
		st.giveUp()
	default:
		st.ask()
	}
}

// ask lets the protocols look.
func (st *stage) ask() {
	p := st.probe
	for len(p.order) > 0 {
		c := p.order[0]
		p.in.Hint = c.hint
		verdict := dissect.Reject
		if c.Probe != nil {
			st.call(st.dir, func() { verdict = c.Probe(&p.in) })
		}
		switch {
		case st.s.broken:
			return
		case verdict == dissect.Accept, verdict == dissect.AcceptSwapped && !p.in.Oriented:
			if verdict == dissect.AcceptSwapped {
				st.s.swap()
			}
			if !p.in.Oriented {
				st.s.rec.orientation = "content"
			}
			st.start(c.Name, c.New)
			return
		case verdict == dissect.More && !p.in.Final:
			return
		}
		p.order = p.order[1:]
	}
	st.giveUp()
}

// start begins to read, and plays what has come to the dissector.
func (st *stage) start(protocol string, make func(dissect.Env) dissect.Dissector) {
	st.s.leaveProbing(st)
	st.protocol, st.head = protocol, nil
	st.s.recognised(st, protocol)
	st.mode = reading
	if make != nil {
		st.call(st.dir, func() { st.dissector = make(st) })
	}
	if st.dissector == nil {
		st.mode = opaque
	}
	st.replay(st)
}

// startTLS puts a layer under the stage, which is probed again inside. Who
// sends the first hello, in direction d, is the client if that is not known.
func (st *stage) startTLS(d dissect.Dir) {
	p := st.probe
	st.s.leaveProbing(st)
	if d == dissect.ServerToClient && !p.in.Oriented {
		st.s.swap()
	}
	if !p.in.Oriented {
		st.s.rec.orientation = "content"
	}
	layer := st.wrap()
	layer.protocol = "tls"
	st.s.recognised(layer, "tls")
	st.inTLS = true
	outside := p.take()
	if st.dissector != nil {
		st.probe, st.mode = nil, reading
	} else {
		forced := p.forced
		st.probe = newProber(st)
		st.probe.forced, st.probe.in.Oriented, st.probe.header = forced, true, false
		st.probe.rank()
	}
	layer.beginTLS()
	layer.play(outside)
}

// giveUp makes the stage count its bytes: nobody knows the protocol.
func (st *stage) giveUp() {
	if st.concludeClear() {
		return
	}
	st.s.leaveProbing(st)
	st.mode = opaque
	for d := range st.dirs {
		if h := &st.dirs[d]; h.read > 0 {
			st.s.opaqueFrom(dissect.Dir(d), h.read)
		}
	}
	st.replay(st)
}

// replay plays to the stage what its prober kept.
func (st *stage) replay(to *stage) {
	queue := st.probe.take()
	st.probe = nil
	to.play(queue)
}

func (p *prober) take() []event {
	q := p.queue
	p.queue = nil
	return q
}

// play gives the stage events as they arrived. A layer that the stage gets in
// between takes the rest.
func (st *stage) play(queue []event) {
	outer := st.outer
	for _, ev := range queue {
		to := st.below(outer)
		switch ev.kind {
		case evData:
			to.data(ev.dir, ev.b, ev.at)
		case evGap:
			to.gap(ev.dir, ev.n, ev.at)
		case evEOF:
			to.eof(ev.dir, ev.at)
		}
	}
}

// beginsTLS reports whether the stream begins with a TLS handshake, or, where
// its beginning was not captured, goes on with TLS records. The direction is
// that of the ClientHello.
func (p *prober) beginsTLS() (dissect.Verdict, dissect.Dir) {
	verdict := dissect.Reject
	for _, d := range []dissect.Dir{dissect.ClientToServer, dissect.ServerToClient} {
		w := *p.window(d)
		if yes, more := isSSLv2Hello(w); yes {
			return dissect.Accept, d
		} else if more && !p.frozen[d] && !p.in.Final {
			verdict = dissect.More
			continue
		}
		if len(w) == 0 || !isTLSRecord(w, p.in.Midstream) {
			continue
		}
		const enough = 6 // record header and type of the first message
		switch {
		case len(w) < enough:
			if !p.frozen[d] && !p.in.Final {
				verdict = dissect.More
			}
		case w[0] != 0x16 || w[5] != 1 && p.in.Midstream:
			return dissect.Accept, dissect.ClientToServer // sides as they are
		case w[5] == 1: // ClientHello
			return dissect.Accept, d
		case w[5] == 2 && len(*p.window(d.Other())) == 0: // ServerHello, alone
			return dissect.Accept, d.Other()
		}
	}
	return verdict, dissect.ClientToServer
}

// isSSLv2Hello reports whether w begins with a ClientHello in the format of
// SSL 2.0, by which old clients open (RFC 5246, appendix E.2): its lengths must
// add up. more says that w is too short to tell.
func isSSLv2Hello(w []byte) (yes, more bool) {
	const head = 11 // two bytes of length, type, version, three lengths
	switch {
	case len(w) == 0 || w[0]&0x80 == 0:
		return false, false
	case len(w) > 2 && w[2] != 1, len(w) > 4 && (w[3] != 3 || w[4] > 4) && (w[3] != 0 || w[4] != 2):
		return false, false
	case len(w) < head:
		return false, len(w) > 2 // up to there it can be anything
	}
	at := func(i int) int { return int(w[i])<<8 | int(w[i+1]) }
	suites, session, challenge := at(5), at(7), at(9)
	return suites > 0 && suites%3 == 0 && challenge >= 16 && challenge <= 32 && at(0)&0x7fff == head-2+suites+session+challenge, false
}

// isTLSRecord reports whether w can be the front of a TLS record: a handshake,
// or, in mid-stream, any.
func isTLSRecord(w []byte, midstream bool) bool {
	if w[0] != 0x16 && !(midstream && w[0] >= 0x14 && w[0] <= 0x17) {
		return false
	}
	if len(w) > 1 && w[1] != 3 || len(w) > 2 && w[2] > 4 {
		return false
	}
	const maxRecord = 1<<14 + 2048
	return len(w) < 5 || (int(w[3])<<8|int(w[4])) <= maxRecord && w[3]|w[4] != 0
}
