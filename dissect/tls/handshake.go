package tls

import (
	"sniff/dissect"
	"sniff/record"
)

// Where keys came from, as record.TLSHandshake.Keys says.
const (
	byKeyLog  = "keylog"
	byRSA     = "rsa key"
	byResumed = "resumed"
)

// Why a session is not read.
const (
	whyUnknown = "no secrets of this session are known"
	whyLate    = "no secrets of this session came as long as it was waited for them"
	whyStart   = "the beginning of the handshake was not captured"
)

// handshake gathers what a handshake says until both sides have finished.
type handshake struct {
	l       *layer
	rec     *record.TLSHandshake
	began   record.Stamp
	emitted bool
	partial bool // something of it was not captured
	failed  bool // an alert ended it

	client, server *hello
	version        uint16
	suite          suite

	// TLS 1.2 and below.
	transcript []byte // up to the ClientKeyExchange, for RFC 7627
	encrypted  []byte // premaster secret, by the server's RSA key
	master     []byte
	masterBy   string
	openers    *[2]opener
	derived    bool
	tickets    [][]byte
	changed    [2]bool // ChangeCipherSpec was seen
	finished   [2]bool

	early      []byte
	earlyAt    record.Stamp // of its first record
	earlyState earlyState
}

// maxTranscript is how much of a handshake is kept.
const maxTranscript = 256 << 10

// begin starts a handshake.
func (l *layer) begin(at record.Stamp) {
	l.rounds++
	rec := &record.TLSHandshake{Renegotiation: l.rounds > 1}
	rec.Stamp(at, dissect.ClientToServer)
	l.hs = &handshake{l: l, rec: rec, began: at}
}

// clientHello takes the client's offer. version is that of its record.
func (l *layer) clientHello(c *hello, version uint16) {
	h := l.hs
	h.client = c
	r := h.rec
	r.Client = c.record()
	if version != 0 {
		r.Client.RecordVersion = versionName(version)
	}
	r.ServerName = c.serverName
	if h.rec.HelloRetry == nil { // fingerprints are of the first hello
		r.JA3String = c.ja3()
		r.JA3 = digestMD5(r.JA3String)
		r.JA4, r.JA4String = c.ja4()
	}
	if c.ech {
		r.ECH = "offered"
	}
	if c.early {
		r.EarlyData = "offered"
	}
}

// serverHello takes the server's choice, after which the keys are known.
func (l *layer) serverHello(s *hello) {
	h, r := l.hs, l.hs.rec
	if s.isRetry() {
		r.HelloRetry = &record.TLSHelloRetry{Cookie: s.cookie, Cipher: suiteName(s.suites[0])}
		if len(s.shares) > 0 {
			r.HelloRetry.Group = groupName(s.shares[0])
		}
		if h.client != nil {
			r.HelloRetry.Before = names(h.client.shares, groupName)
			if h.client.early {
				r.EarlyData, h.earlyState, h.early = "rejected", earlyRefused, nil
			}
		}
		return
	}
	h.server, h.version = s, s.version()
	h.suite = suiteOf(s.suites[0])
	r.Server = s.record()
	r.Version = versionName(h.version)
	r.Cipher = suiteName(s.suites[0])
	r.JA3SString = s.ja3s()
	r.JA3S = digestMD5(r.JA3SString)
	r.KeyExchange = h.suite.exchange
	r.MasterSecret = s.masterSecret && (h.client == nil || h.client.masterSecret)
	r.EtM = s.etm
	r.Heartbeat = s.heartbeat && (h.client == nil || h.client.heartbeat)
	if len(s.alpn) > 0 {
		r.ALPN = s.alpn[0]
	}
	if c := s.compression[0]; c != 0 {
		r.Compression = name8(compressionNames, c)
	}
	switch string(s.random[24:]) { // RFC 8446, section 4.1.3
	case "DOWNGRD\x01":
		r.Sentinel = "TLS 1.3"
	case "DOWNGRD\x00":
		r.Sentinel = "TLS 1.2"
	}
	if h.version == versionTLS13 {
		l.need(l.has13, l.protect13)
	} else if h.client != nil && len(s.session) > 0 && string(s.session) == string(h.client.session) {
		r.Resumed = "session_id" // unless a certificate follows
		id := s.session
		if len(h.client.ticket) > 0 {
			r.Resumed, id = "ticket", h.client.ticket
		}
		if o, ok := l.memory.get(id); ok {
			r.ResumedFrom = o.session
		}
	}
	h.secrecy()
	l.env.Established(r)
}

// secrecy says whether the key exchange is forward secret.
func (h *handshake) secrecy() {
	r := h.rec
	exchange := h.suite.exchange
	if h.version == versionTLS13 {
		exchange = "PSK"
		if len(h.server.shares) > 0 {
			exchange = "ECDHE"
			if g := h.server.shares[0]; g >= 256 && g <= 511 {
				exchange = "DHE"
			}
			r.Group = groupName(h.server.shares[0])
			if h.server.pskChosen {
				exchange += "-PSK"
			}
		}
		r.KeyExchange = exchange
	}
	switch {
	case exchange == "":
	case forwardSecret(exchange):
		r.Secrecy = "yes"
	default:
		r.Secrecy = "no"
	}
}

// has13 reports whether the key log holds all secrets of a TLS 1.3 session.
func (l *layer) has13() bool {
	h := l.hs
	if h.client == nil || h.suite.mode == modeUnknown {
		return true // they are of no use
	}
	all := func(s *secrets) bool {
		return s.handshake[0] != nil && s.handshake[1] != nil && s.traffic[0] != nil && s.traffic[1] != nil
	}
	return all(l.cfg.Keys.lookup(h.client.random, all))
}

// protect13 takes the secrets of a TLS 1.3 session into use: behind the
// ServerHello both sides protect their records.
func (l *layer) protect13() {
	h := l.hs
	var random [32]byte
	if h.client != nil {
		random = h.client.random
	}
	sec := l.cfg.Keys.lookup(random, func(s *secrets) bool {
		return s.handshake[0] != nil || s.handshake[1] != nil || s.traffic[0] != nil || s.traffic[1] != nil
	})
	if h.server.pskChosen {
		h.rec.Resumed = "psk"
		if h.client != nil && len(h.client.identities) > 0 {
			if o, ok := l.memory.get(h.client.identities[0]); ok {
				h.rec.ResumedFrom = o.session
			}
		}
	}
	early := h.client != nil && h.client.early && h.earlyState != earlyRefused
	any := false
	for d := range l.sides {
		s := &l.sides[d]
		s.sealed, s.suite, s.tagLen = true, h.suite, h.suite.tagLen+1
		s.ahead = nil
		if sec.handshake[d] != nil {
			s.ahead = append(s.ahead, secret{epoch: epochHandshake, secret: sec.handshake[d]})
		}
		if sec.traffic[d] != nil {
			s.ahead = append(s.ahead, secret{epoch: epochTraffic, secret: sec.traffic[d]})
		}
		if h.suite.mode == modeUnknown || len(s.ahead) == 0 {
			continue
		}
		any = true
		if d == int(dissect.ClientToServer) && early {
			continue // until its first record that is not early
		}
		if s.ahead[0].epoch == epochHandshake {
			s.advance(epochHandshake)
		}
	}
	if any {
		h.rec.Keys = byKeyLog
	}
	for d := range l.sides {
		switch s := &l.sides[d]; {
		case h.suite.mode == modeUnknown:
			l.giveUp(dissect.Dir(d), h.rec.Cipher+" is not supported")
		case len(s.ahead) == 0 && s.opener == nil:
			l.giveUp(dissect.Dir(d), l.whyNoKeys())
		}
	}
}

// changeCipherSpec begins the protection of a direction in TLS 1.2 and below.
func (l *layer) changeCipherSpec(dir dissect.Dir) {
	h := l.hs
	switch {
	case h.version == versionTLS13:
		return // for the sake of middleboxes (RFC 8446, appendix D.4)
	case h.server == nil && !h.partial:
		return // the same, before the ServerHello
	case h.emitted:
		l.env.Violation(dissect.Violation{Code: "tls_unexpected", Dir: dir, Stamp: l.env.At(0), Detail: "ChangeCipherSpec outside of a handshake"})
		return
	}
	h.changed[dir] = true
	l.need(func() bool { return h.derived || h.has12() }, func() { l.protect12(dir) })
}

// has12 reports whether the master secret of a TLS 1.2 session is known, or
// would be of no use.
func (h *handshake) has12() bool {
	if h.master == nil && h.whyOpaque() == "" {
		h.findMaster()
	}
	return h.master != nil || h.whyOpaque() != ""
}

// protect12 takes the keys of a direction into use.
func (l *layer) protect12(dir dissect.Dir) {
	h, s := l.hs, &l.sides[dir]
	s.sealed = true
	s.protector = protector{suite: h.suite, buf: s.buf, missing: s.missing}
	openers, why := h.openers12()
	if openers == nil {
		s.tagLen = overhead12(h.version, h.suite)
		l.giveUp(dir, why)
		return
	}
	s.opener = openers[dir]
	s.tagLen = s.opener.overhead()
	if h.rec.Keys == "" {
		h.rec.Keys = h.masterBy
	}
}

// overhead12 is how much of a record is no content, as far as the suite tells.
func overhead12(version uint16, s suite) int {
	switch {
	case s.mode == modeGCM, s.mode == modeCCM:
		return 8 + s.tagLen
	case s.mode == modeChaCha:
		return s.tagLen
	case s.mac == 0:
		return 0
	case s.mode == modeCBC && version > versionTLS10:
		return s.ivLen + s.mac.Size() + 1
	case s.mode == modeCBC:
		return s.mac.Size() + 1
	}
	return s.mac.Size()
}

// openers12 derives the keys of TLS 1.2 and below, once; why says what is in
// the way.
func (h *handshake) openers12() (o *[2]opener, why string) {
	if !h.derived {
		h.derived = true
		if h.has12(); h.master != nil && h.whyOpaque() == "" {
			h.openers = protection12(h.version, h.suite, h.master, h.client.random, h.server.random, h.rec.EtM)
		}
	}
	if h.openers != nil {
		return h.openers, ""
	}
	if why = h.whyOpaque(); why == "" {
		why = h.l.whyNoKeys()
	}
	return nil, why
}

// whyOpaque says why a session could not be read even with keys at hand, ""
// when it could.
func (h *handshake) whyOpaque() string {
	switch {
	case h.client == nil || h.server == nil:
		return whyStart
	case h.version < versionSSL3:
		return h.rec.Version + " is not supported"
	case h.suite.mode == modeUnknown:
		return h.rec.Cipher + " is not supported"
	case h.rec.Compression != "":
		return "it is compressed"
	}
	return ""
}

// findMaster looks for the master secret: in the key log, by the server's RSA
// key, or where the session was resumed from.
func (h *handshake) findMaster() {
	keys := h.l.cfg.Keys
	sec := keys.lookup(h.client.random, func(s *secrets) bool { return s.master != nil || s.premaster != nil })
	if len(sec.master) == 48 {
		h.master, h.masterBy = sec.master, byKeyLog
		return
	}
	premaster, by := sec.premaster, byKeyLog
	if premaster == nil && h.encrypted != nil {
		premaster, by = keys.premaster(h.encrypted)
	}
	if premaster != nil {
		var sum []byte
		if h.rec.MasterSecret {
			sum = sessionHash(h.version, h.suite.prf, h.transcript)
		}
		h.master = masterSecret(h.version, h.suite.prf, premaster, h.client.random, h.server.random, sum)
		h.masterBy = by
		return
	}
	if h.rec.Resumed == "" {
		return
	}
	for _, id := range [][]byte{h.client.ticket, h.server.session} {
		if o, ok := h.l.memory.get(id); ok && o.master != nil {
			h.master, h.masterBy = o.master, byResumed
			return
		}
	}
}

// alert adds an alert of the handshake.
func (h *handshake) alert(a record.TLSAlert) {
	if len(h.rec.Alerts) < maxAlerts {
		h.rec.Alerts = append(h.rec.Alerts, a)
	}
	if a.Level == "fatal" {
		h.failed = true
	}
}

// complete writes the handshake when both sides have finished, or whenever it
// is forced.
func (l *layer) complete(force bool) {
	h := l.hs
	if h == nil || h.emitted || !force && !(h.finished[0] && h.finished[1]) {
		return
	}
	h.emitted = true
	r := h.rec
	done := h.finished[0] && h.finished[1]
	switch {
	case h.failed:
		r.Outcome = "alert"
	case done:
		r.Outcome = "established"
	case h.partial || h.client == nil || l.env.Conn().OneSided || l.env.Conn().Midstream:
		r.Outcome = "partial"
	default:
		r.Outcome = "closed"
	}
	at := l.env.At(0)
	if done && h.client != nil {
		r.Took = record.Between(h.began.Time, at.Time)
	}
	if r.Decryption == "" && h.server != nil {
		r.Decryption = "opaque"
		if r.Opaque == "" && !h.failed {
			r.Opaque = l.whyNoKeys()
		}
	} else if r.Decryption == "read" {
		r.Opaque = ""
	}
	h.remember()
	h.transcript, h.encrypted = nil, nil
	l.env.Emit(r)
}

// remember keeps the session for those that resume it.
func (h *handshake) remember() {
	if h.server == nil || h.version == versionTLS13 {
		return
	}
	o := origin{session: h.l.env.Conn().Session, master: h.master, server: h.rec.ServerName}
	h.l.memory.put(h.server.session, o)
	for _, t := range h.tickets {
		h.l.memory.put(t, o)
	}
}
