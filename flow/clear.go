package flow

import "sniff/record"

// goesOnInTheClear recognises a dialogue that agreed on TLS and of which the
// capture has the plaintext: it was taken behind something that ends TLS, or
// written by a proxy. The client has said something that holds no TLS, and the
// server's first byte in answer is none either: so a command that was slipped
// in front of a hello is still told from it. It is decided when the server
// speaks, because then all that the client said before is there, however it
// was cut. The layer is taken out again.
func (st *stage) goesOnInTheClear() bool {
	c, s := &st.dirs[record.ClientToServer], &st.dirs[record.ServerToClient]
	if st.inner == nil || !st.inner.answered || !c.gated || len(c.unread) == 0 || startsTLS(c.unread) || findTLS(c.unread) >= 0 || startsTLS(s.unread[:1]) {
		return false
	}
	in := st.inner
	for d := range st.dirs {
		st.dirs[d].move(&in.dirs[d])
		st.dirs[d].gated = false
	}
	in.outer, in.tls = st.outer, &record.TLSHandshake{}
	if st.outer != nil {
		st.outer.inner = in
	} else {
		st.s.root = in
	}
	st.inner, st.dissector, st.mode = nil, nil, opaque
	st.s.rec.tls = tlsClear
	st.s.changed()
	for d := range in.dirs {
		in.run(record.Dir(d))
		in.dirs[d].keep()
	}
	return true
}
