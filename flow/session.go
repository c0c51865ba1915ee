package flow

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// Conn describes a connection to Engine.Open.
type Conn struct {
	Client, Server netip.AddrPort
	Start          time.Time
	// Protocol is known without probing; "" to probe.
	Protocol string
	// Parent is the session that announced this one, when the caller knows.
	Parent *Session
	// Via is the proxy's listener or the capture's interface.
	Via string
	// Oriented: it is certain who is the client. Midstream: the beginning
	// was not captured.
	Oriented, Midstream bool
	// TLS: the bytes come out of TLS that the caller terminated at the
	// connection's start. ALPN is what was negotiated there.
	TLS  bool
	ALPN string
}

// Session is one connection: its stages, its record in the making, and what
// the proxy asks about it. All methods may be called from any goroutine;
// sessions of one family (a control connection and those it announced) take
// turns. What its hooks and dissectors are called with must not call back.
type Session struct {
	e      *Engine
	family atomic.Pointer[family]
	conn   Conn

	client, server netip.AddrPort // conn's, exchanged once if they were swapped
	histories      [2]string      // see trace
	swapped        dissect.Dir    // 1: the caller's directions are the other way
	id             string
	number         uint64
	protocol       string
	parent         *Session

	root   *stage   // reads the connection's bytes
	nested []*stage // opened inside, not ended yet

	rec     facts                // for its record
	side    [2]record.SideStats  // by the caller's direction
	offset  [2]int64             // bytes delivered or missing, by the caller's direction
	outline record.Outline       // belongs to the output
	tap     *tapped              // nil until something was said
	counts  map[string]*repeated // violations by code

	expects    []*expectation // announced and not here yet
	unseen     *unseen        // announcements that could not be read
	nextExpiry time.Time
	onExpect   func(*dissect.Expectation)

	waiting     bool     // in the engine's list of sessions in probing
	older       *Session // its neighbours there
	newer       *Session
	broken      bool     // a dissector panicked: nothing is read any more
	ending      bool     // nothing is waited for any more
	closing     *closing // the connection has ended, and a stage still waits
	closed      bool
	wasReset    bool // the dissectors were told
	downgrading bool
	signal      chan struct{}
}

// facts are what the session's record will say. The record itself is several
// times as large, and there may be hundreds of thousands of open sessions.
type facts struct {
	packet              uint64
	handshake, active   record.Seconds
	midstream, oneSided bool
	orientation         string
	inferred, tls, via  string
	layers              []string
	proxied             *record.ProxyHeader
	opaqueFrom          map[string]int64
}

// family is what sessions share that share the state of a dissector.
type family struct {
	sync.Mutex
	after []func() // run behind the event that is going on
}

// Open begins a session. Unless conn says otherwise its protocol is found by
// content; a connection that a control channel announced is bound to it.
func (e *Engine) Open(conn Conn) *Session {
	s := &Session{e: e, conn: conn, client: conn.Client, server: conn.Server, parent: conn.Parent}
	s.number = e.sessions.Add(1)
	s.rec.orientation = "first"
	if conn.Oriented {
		s.rec.orientation = "handshake"
	}
	s.rec.midstream, s.rec.via = conn.Midstream, conn.Via
	if conn.TLS {
		s.rec.tls, s.rec.layers = tlsRead, []string{"tls"}
	}
	s.root = &stage{s: s, inTLS: conn.TLS, now: record.Stamp{Time: conn.Start}}

	x := e.claim(s)
	switch {
	case x != nil:
		s.family.Store(x.parent.family.Load())
	case conn.Parent != nil:
		s.family.Store(conn.Parent.family.Load())
	default:
		s.family.Store(new(family))
	}
	s.lock()
	defer s.unlock()
	s.root.probe = newProber(s.root)
	s.root.probe.forced = conn.Protocol
	if x != nil {
		s.bind(x)
	} else if conn.Protocol == "" {
		e.waitFor(s)
	}
	return s
}

// Data takes the next bytes of dir. at says when they came; the session counts
// offsets itself. b is not kept.
func (s *Session) Data(dir dissect.Dir, b []byte, at record.Stamp) {
	s.lock()
	defer s.unlock()
	if s.closed {
		return
	}
	s.side[dir].Bytes += int64(len(b))
	s.offset[dir] += int64(len(b))
	s.expire(at.Time)
	s.root.data(dir^s.swapped, b, at)
}

// Gap says that the next n bytes of dir were not seen; n < 0: unknown how many.
func (s *Session) Gap(dir dissect.Dir, n int64, at record.Stamp) {
	s.lock()
	defer s.unlock()
	if s.closed || n == 0 {
		return
	}
	side, from := &s.side[dir], s.offset[dir]
	s.offset[dir] += max(n, 0)
	side.Missing += max(n, 0)
	if len(side.Gaps) < maxGaps {
		side.Gaps = append(side.Gaps, record.Range{From: from, To: s.offset[dir]})
	}
	s.expire(at.Time)
	s.root.gap(dir^s.swapped, n, at)
}

// maxGaps is how many holes of a direction a session's record lists.
const maxGaps = 16

// EOF says that dir ended.
func (s *Session) EOF(dir dissect.Dir, at record.Stamp) {
	s.lock()
	defer s.unlock()
	if s.closed {
		return
	}
	s.expire(at.Time)
	s.root.eof(dir^s.swapped, at)
	if s.unseen != nil {
		s.unseen.eof(dir, at.Time)
	}
}

// reset tells the dissectors that a peer has reset the connection.
func (s *Session) reset(by string) {
	s.lock()
	defer s.unlock()
	if s.closed {
		return
	}
	s.tellReset(s.seen(by))
}

// tellReset does so once, ahead of the EOFs that come of it. by is as the
// dissectors see it.
func (s *Session) tellReset(by string) {
	if s.wasReset {
		return
	}
	s.wasReset = true
	for st := s.root; st != nil; st = st.inner {
		if r, ok := st.dissector.(dissect.Resetter); ok && !s.broken {
			st.call(st.dir, func() { r.Reset(by) })
		}
	}
}

// seen is the side that the dissectors take by for.
func (s *Session) seen(by string) string {
	if s.swapped == 1 && by != "" {
		return map[string]string{"client": "server", "server": "client"}[by]
	}
	return by
}

// Close ends the session and emits its record. end is one of record's End
// constants, by "client", "server" or "", as the caller sees them; at is when
// the last packet came.
func (s *Session) Close(end, by string, at record.Stamp) {
	s.lock()
	defer s.unlock()
	if s.closed {
		return
	}
	if s.awaits() && !s.e.stopped {
		s.closing = &closing{end, by, at} // when what it waits for is there
		return
	}
	s.close(end, by, at)
}

func (s *Session) close(end, by string, at record.Stamp) {
	s.ending = true
	by = s.seen(by)
	if end == record.EndReset {
		s.tellReset(by)
	}
	s.root.close(end, by, at)
	for len(s.nested) > 0 {
		n := s.nested[0]
		s.nested = s.nested[1:]
		n.entry().close(end, by, at)
	}
	s.expireAll()
	if s.unseen != nil {
		s.unseen.Cancel()
	}
	s.leaveProbing(s.root)
	s.tap.close(end, by, at.Time)
	s.closed = true
	s.changed()
	s.emitCounts()

	f := &s.rec
	r := &record.Session{
		End: end, EndedBy: by, Duration: record.Between(s.conn.Start, at.Time), Active: f.active, Handshake: f.handshake,
		Midstream: f.midstream, OneSided: f.oneSided, Orientation: f.orientation, Inferred: f.inferred,
		Layers: f.layers, TLS: f.tls, Proxied: f.proxied, OpaqueFrom: f.opaqueFrom, Via: f.via,
		ClientSide: s.side[s.swapped], ServerSide: s.side[s.swapped^1], History: s.histories[s.swapped],
	}
	r.Packet = f.packet
	if s.parent != nil {
		r.Parent = s.parent.identity()
	}
	r.Time = s.conn.Start
	if r.Time.IsZero() {
		r.Time = at.Time
	}
	s.root.head = nil
	s.top().head = nil
	s.emit(r)
}

// ID returns the session's id.
func (s *Session) ID() string {
	s.lock()
	defer s.unlock()
	return s.identity()
}

// Protocol returns the protocol that was recognised, "" while none was.
func (s *Session) Protocol() string {
	s.lock()
	defer s.unlock()
	return s.protocol
}

// Emit writes a record of the caller's into the session.
func (s *Session) Emit(r record.Record) {
	s.lock()
	defer s.unlock()
	s.emit(r)
}

// emit writes a record that is about the session and not of one stream in it.
func (s *Session) emit(r record.Record) {
	s.top().complete(r)
	s.e.put(item{record: r, outline: &s.outline})
}

// top returns the stage of the session's own protocol.
func (s *Session) top() *stage {
	st := s.root
	for st.inner != nil {
		st = st.inner
	}
	return st
}

func (s *Session) identity() string {
	if s.id == "" {
		s.id = sessionID(s.conn.Start, s.conn.Client, s.conn.Server)
	}
	return s.id
}

// header is what the records of one of the session's stages have in common.
func (s *Session) header(protocol string) *record.Header {
	if protocol == "" {
		protocol = s.protocol
	}
	return &record.Header{
		Session: s.identity(), Number: s.number, CommunityID: record.CommunityID(s.client, s.server),
		Client: s.client, Server: s.server, Protocol: protocol,
	}
}

// recognised notes the protocol of a stage. What is inside TLS, or behind a
// handoff, is what the session is about.
func (s *Session) recognised(st *stage, protocol string) {
	if !st.nested && protocol != "" {
		s.protocol = protocol
	}
}

// swap exchanges client and server. Nothing was consumed yet.
func (s *Session) swap() {
	s.client, s.server = s.server, s.client
	s.swapped ^= 1
	st := s.root
	st.head = nil
	st.dirs[0], st.dirs[1] = st.dirs[1], st.dirs[0]
	if st.probe != nil {
		st.probe.swap()
	}
}

// opaqueFrom notes from where dir could not be read any more.
func (s *Session) opaqueFrom(dir dissect.Dir, offset int64) {
	if s.rec.opaqueFrom == nil {
		s.rec.opaqueFrom = map[string]int64{}
	}
	if _, ok := s.rec.opaqueFrom[dir.String()]; !ok {
		s.rec.opaqueFrom[dir.String()] = offset
	}
}

// fail gives the session up after a fault of ours. The others go on.
func (s *Session) fail(st *stage, what, place string) {
	s.broken = true
	if place != "" {
		what += " in " + place
	}
	at := st.now
	if st.consuming {
		at = st.dirs[st.dir].stamp(0)
	}
	s.violation(st, dissect.Violation{Code: codeInternal, Dir: st.dir, Stamp: at, Detail: what})
	for d := range s.root.dirs {
		h := &s.root.dirs[d]
		h.held = false
		s.opaqueFrom(dissect.Dir(d), h.read)
	}
	s.changed()
}

// lock takes the family's lock. The family may change while waiting for it.
func (s *Session) lock() {
	for {
		f := s.family.Load()
		f.Lock()
		if f == s.family.Load() {
			return
		}
		f.Unlock()
	}
}

func (s *Session) unlock() {
	f := s.family.Load()
	for len(f.after) > 0 {
		next := f.after[0]
		f.after = f.after[1:]
		next()
	}
	f.Unlock()
}
