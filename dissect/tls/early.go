package tls

import "sniff/dissect"

// earlyState is what is known of 0-RTT data (RFC 8446, section 2.3).
type earlyState uint8

const (
	earlyUnknown earlyState = iota // whether the server takes it
	earlyTaken
	earlyRefused
)

// maxEarly is how much 0-RTT data is kept until the server's answer shows
// whether it counts.
const maxEarly = 256 << 10

// hasEarly reports whether the secret of 0-RTT data is there, or was looked for
// already.
func (l *layer) hasEarly() bool {
	there := func(s *secrets) bool { return s.early != nil }
	return l.sides[dissect.ClientToServer].epoch != epochNone || there(l.cfg.Keys.lookup(l.hs.client.random, there))
}

// openEarly tries the early secret on the first record that the client sends
// before the ServerHello (RFC 8446, section 4.2.10). The suite is that of the
// pre-shared key, one of those offered.
func (l *layer) openEarly(dir dissect.Dir, typ uint8, version uint16, payload []byte) {
	h, s := l.hs, &l.sides[dir]
	if s.opener == nil && s.epoch == epochNone {
		s.epoch = epochEarly
		sec := l.cfg.Keys.lookup(h.client.random, func(s *secrets) bool { return s.early != nil })
		for _, id := range h.client.suites {
			su := suiteOf(id)
			if id>>8 != 0x13 || su.mode == modeUnknown || su.prf.Size() != len(sec.early) {
				continue
			}
			o := protection13(su, sec.early)
			if o == nil {
				continue
			}
			p := protector{opener: o}
			if _, _, ok := p.open(typ, version, payload); ok {
				s.opener, s.tagLen, s.seq = o, su.tagLen+1, 0
				break
			}
		}
	}
	if s.opener == nil {
		s.stats.Opaque += int64(len(payload))
		return
	}
	if plain, inner, ok := s.open(typ, version, payload); ok && inner == typeApplicationData {
		s.stats.Plaintext += int64(len(plain))
		h.earlyData(plain)
	}
}

// earlyData takes 0-RTT data. It counts once the server has accepted it;
// rejected, it is sent again.
func (h *handshake) earlyData(b []byte) {
	switch h.earlyState {
	case earlyTaken:
		h.l.env.Plain(dissect.ClientToServer, b, h.l.env.At(0))
	case earlyUnknown:
		if len(h.early) == 0 {
			h.earlyAt = h.l.env.At(0)
		}
		if len(h.early)+len(b) <= maxEarly {
			h.early = append(h.early, b...)
		} else {
			h.l.env.Violation(dissect.Violation{
				Code: "tls_early_data", Dir: dissect.ClientToServer, Stamp: h.l.env.At(0),
				Detail: "more 0-RTT data than is kept until the server's answer; what is over is not read",
			})
		}
	}
}

// settleEarly decides what becomes of 0-RTT data.
func (h *handshake) settleEarly(taken bool) {
	if h.earlyState != earlyUnknown || h.client == nil || !h.client.early {
		return
	}
	h.earlyState, h.rec.EarlyData = earlyRefused, "rejected"
	if taken {
		h.earlyState, h.rec.EarlyData = earlyTaken, "accepted"
		s := &h.l.sides[dissect.ClientToServer]
		if s.opener == nil {
			h.l.env.PlainGap(dissect.ClientToServer, -1)
		} else if len(h.early) > 0 {
			h.l.env.Plain(dissect.ClientToServer, h.early, h.earlyAt)
		}
	}
	h.early = nil
}
