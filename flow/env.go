package flow

import (
	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// The stage is its dissector's Env, and its layer's LayerEnv.
var _ dissect.LayerEnv = (*stage)(nil)

func (st *stage) Conn() dissect.Conn {
	s := st.s
	return dissect.Conn{
		Client: s.client, Server: s.server,
		Session:   s.identity(),
		Start:     s.conn.Start,
		Midstream: s.conn.Midstream,
		OneSided:  s.rec.oneSided,
		TLS:       st.inTLS,
	}
}

func (st *stage) At(i int) (at record.Stamp) {
	if st.consuming {
		st.dirs[st.dir].stampTo(&at, i)
		return at
	}
	return st.now
}

func (st *stage) Emit(r record.Record) {
	st.fill(r)
	st.s.e.put(item{record: r, outline: &st.s.outline})
}

func (st *stage) Defer(r record.Record, finish func(emit func(record.Record))) {
	st.fill(r)
	st.s.e.put(item{record: r, finish: finish, outline: &st.s.outline})
}

// fill completes the header of a record of the dissector's.
func (st *stage) fill(r record.Record) {
	st.complete(r)
	if h := r.Head(); h.Substream == "" {
		h.Substream = st.label
	}
}

// complete fills in what all records of a session have.
func (st *stage) complete(r record.Record) {
	h := r.Head()
	if h.Time.IsZero() {
		h.Stamp(st.At(0), st.dir)
	}
	if st.head == nil {
		st.head = st.s.header(st.protocol)
	}
	h.RecordKind = r.Kind()
	h.Session, h.Number, h.CommunityID = st.head.Session, st.head.Number, st.head.CommunityID
	h.Client, h.Server = st.head.Client, st.head.Server
	if h.Protocol == "" {
		h.Protocol = st.head.Protocol
	}
}

func (st *stage) Violation(v dissect.Violation) { st.s.violation(st, v) }

func (st *stage) Secret(text string) record.Secret { return st.s.e.cfg.Secrets.Secret(text) }

func (st *stage) Body(info content.Info) content.Body {
	if info.Session == "" {
		info.Session = st.s.identity()
	}
	return st.s.e.cfg.Content.Open(info)
}

func (st *stage) Expect(x dissect.Expectation) dissect.Expected { return st.s.expect(st, x) }

func (st *stage) Open(protocol, label string) dissect.Stream {
	n := st.s.nest(protocol, label)
	if n == nil {
		return nil
	}
	return &stream{of: st, to: n}
}

func (st *stage) TLS() *record.TLSHandshake { return st.tls }

func (st *stage) Plain(dir dissect.Dir, b []byte, at record.Stamp) {
	if st.inner != nil && len(b) > 0 {
		st.s.rec.tls = tlsRead
		st.inner.data(dir, b, carried(at))
	}
}

// carried is the stamp of plaintext that came out of the record at the given
// place: of TLS inside of TLS it is the outer record that names the stream's.
func carried(at record.Stamp) record.Stamp {
	if at.Carrier == 0 {
		at.Carrier = at.Offset
	}
	return at
}

// carrier is where a layer stands in dir while it says something of the
// plaintext.
func (st *stage) carrier(dir dissect.Dir) record.Stamp {
	at := st.At(0)
	if dir != st.dir { // the other side's words tell it
		at.Offset = st.dirs[dir].read
	}
	return carried(at)
}

func (st *stage) PlainGap(dir dissect.Dir, n int64) {
	if st.inner != nil {
		st.inner.gap(dir, n, st.carrier(dir))
	}
}

func (st *stage) PlainEOF(dir dissect.Dir) {
	if st.inner != nil {
		st.inner.eof(dir, st.carrier(dir))
	}
}

func (st *stage) Opaque(dir dissect.Dir, n int64) {
	if st.inner == nil {
		return
	}
	if st.s.rec.tls == "" {
		st.s.rec.tls = tlsOpaque
	}
	st.inner.cannotRead(dir, n, st.carrier(dir))
}

func (st *stage) Established(hs *record.TLSHandshake) {
	if st.inner == nil {
		return
	}
	st.inner.tls = hs
	if st.inner.probe != nil && hs != nil {
		st.inner.probe.in.ALPN = hs.ALPN
	}
}

// stream feeds a nested stage from inside its parent's dissector: the time of
// its bytes is that of the bytes under the parent's cursor.
type stream struct{ of, to *stage }

func (n *stream) Data(dir dissect.Dir, b []byte) { n.to.entry().data(dir, b, n.of.At(0)) }
func (n *stream) Gap(dir dissect.Dir, k int64)   { n.to.entry().gap(dir, k, n.of.At(0)) }
func (n *stream) EOF(dir dissect.Dir)            { n.to.s.endNested(n.to, dir, n.of.At(0)) }
