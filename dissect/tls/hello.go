package tls

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"sniff/record"
)

// maxList bounds the lists of a hello in records.
const maxList = 512

var errHello = errors.New("tls: hello cannot be decoded")

// hello is a ClientHello or ServerHello as it was sent.
type hello struct {
	legacy      uint16
	random      [32]byte
	session     []byte
	suites      []uint16 // one in a ServerHello
	compression []byte
	extensions  []uint16

	versions      []uint16
	groups        []uint16
	shares        []uint16
	points        []byte
	signatures    []uint16
	certSigs      []uint16
	alpn          []string
	serverName    string
	pskModes      []byte
	identities    [][]byte
	pskChosen     bool // ServerHello: a PSK was selected
	ticket        []byte
	hasTicket     bool
	early         bool
	cookie        bool
	masterSecret  bool
	etm           bool
	heartbeat     bool
	ocsp, sct     bool
	ech           bool
	renegotiation bool
	size          int
}

// has reports whether the hello carries the extension.
func (h *hello) has(ext uint16) bool {
	for _, e := range h.extensions {
		if e == ext {
			return true
		}
	}
	return false
}

// version is the version that a ServerHello chose.
func (h *hello) version() uint16 {
	if len(h.versions) == 1 {
		return h.versions[0]
	}
	return h.legacy
}

// retryRandom is the random of a HelloRetryRequest: SHA-256 of
// "HelloRetryRequest" (RFC 8446, section 4.1.3).
var retryRandom = sha256.Sum256([]byte("HelloRetryRequest"))

func (h *hello) isRetry() bool { return h.random == retryRandom }

// parseClientHello reads the body of a ClientHello (RFC 8446, section 4.1.2;
// RFC 5246, section 7.4.1.2).
func parseClientHello(b []byte) (*hello, error) {
	h := &hello{size: len(b)}
	s := cryptobyte.String(b)
	var session, suites, compression cryptobyte.String
	if !s.ReadUint16(&h.legacy) || !s.CopyBytes(h.random[:]) || !s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compression) {
		return h, errHello
	}
	h.session, h.compression = bytes.Clone(session), bytes.Clone(compression)
	h.suites = list16(suites)
	return h, h.readExtensions(s, true)
}

// parseServerHello reads the body of a ServerHello or HelloRetryRequest
// (RFC 8446, section 4.1.3; RFC 5246, section 7.4.1.3).
func parseServerHello(b []byte) (*hello, error) {
	h := &hello{size: len(b)}
	s := cryptobyte.String(b)
	var session cryptobyte.String
	var suite uint16
	var compression uint8
	if !s.ReadUint16(&h.legacy) || !s.CopyBytes(h.random[:]) {
		return h, errHello
	}
	if h.legacy>>8 == 0x7f && h.legacy&0xff < 22 { // drafts of TLS 1.3 without session id
		if !s.ReadUint16(&suite) {
			return h, errHello
		}
	} else if !s.ReadUint8LengthPrefixed(&session) || !s.ReadUint16(&suite) || !s.ReadUint8(&compression) {
		return h, errHello
	}
	h.session, h.suites, h.compression = bytes.Clone(session), []uint16{suite}, []byte{compression}
	return h, h.readExtensions(s, false)
}

// readExtensions reads what follows the fixed part, if anything does. An
// extension that is malformed is listed and its content skipped.
func (h *hello) readExtensions(s cryptobyte.String, client bool) error {
	if s.Empty() {
		return nil
	}
	var all cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&all) {
		return errHello
	}
	broken := !s.Empty()
	for !all.Empty() {
		var typ uint16
		var body cryptobyte.String
		if !all.ReadUint16(&typ) || !all.ReadUint16LengthPrefixed(&body) {
			return errHello
		}
		h.extensions = append(h.extensions, typ)
		if client {
			broken = !h.clientExtension(typ, body) || broken
		} else {
			broken = !h.serverExtension(typ, body) || broken
		}
	}
	if broken {
		return errHello
	}
	return nil
}

func (h *hello) clientExtension(typ uint16, s cryptobyte.String) bool {
	var list cryptobyte.String
	switch typ {
	case extServerName: // RFC 6066, section 3
		if !s.ReadUint16LengthPrefixed(&list) {
			return false
		}
		for !list.Empty() {
			var kind uint8
			var name cryptobyte.String
			if !list.ReadUint8(&kind) || !list.ReadUint16LengthPrefixed(&name) {
				return false
			}
			if kind == 0 && h.serverName == "" {
				h.serverName = string(name[:min(len(name), 255)])
			}
		}
	case extStatusRequest:
		h.ocsp = true
	case extVersions:
		if !s.ReadUint8LengthPrefixed(&list) {
			return false
		}
		h.versions = list16(list)
	case extGroups:
		return read16(&s, &h.groups)
	case extSignatures:
		return read16(&s, &h.signatures)
	case extCertSignatures:
		return read16(&s, &h.certSigs)
	case extPSKModes:
		if !s.ReadUint8LengthPrefixed(&list) {
			return false
		}
		h.pskModes = bytes.Clone(list)
	case extKeyShare: // RFC 8446, section 4.2.8
		if !s.ReadUint16LengthPrefixed(&list) {
			return false
		}
		for !list.Empty() {
			var group uint16
			var key cryptobyte.String
			if !list.ReadUint16(&group) || !list.ReadUint16LengthPrefixed(&key) {
				return false
			}
			h.shares = append(h.shares, group)
		}
	case extPreSharedKey: // RFC 8446, section 4.2.11
		if !s.ReadUint16LengthPrefixed(&list) {
			return false
		}
		for !list.Empty() {
			var id cryptobyte.String
			var age uint32
			if !list.ReadUint16LengthPrefixed(&id) || !list.ReadUint32(&age) {
				return false
			}
			if len(h.identities) < 16 {
				h.identities = append(h.identities, bytes.Clone(id))
			}
		}
	case extTicket:
		h.hasTicket, h.ticket = true, bytes.Clone(s)
	case extECH:
		h.ech = true
	default:
		return h.commonExtension(typ, s)
	}
	return true
}

func (h *hello) serverExtension(typ uint16, s cryptobyte.String) bool {
	switch typ {
	case extVersions:
		var v uint16
		if !s.ReadUint16(&v) {
			return false
		}
		h.versions = []uint16{v}
	case extKeyShare: // group, and in a ServerHello its key
		var group uint16
		if !s.ReadUint16(&group) {
			return false
		}
		h.shares = []uint16{group}
	case extPreSharedKey:
		h.pskChosen = true
	case extTicket:
		h.hasTicket = true
	case extStatusRequest:
		h.ocsp = true
	case extServerName:
	default:
		return h.commonExtension(typ, s)
	}
	return true
}

// commonExtension reads extensions that are alike in both hellos.
func (h *hello) commonExtension(typ uint16, s cryptobyte.String) bool {
	var list cryptobyte.String
	switch typ {
	case extALPN: // RFC 7301, section 3.1
		if !s.ReadUint16LengthPrefixed(&list) {
			return false
		}
		for !list.Empty() {
			var name cryptobyte.String
			if !list.ReadUint8LengthPrefixed(&name) {
				return false
			}
			h.alpn = append(h.alpn, string(name))
		}
	case extPointFormats:
		if !s.ReadUint8LengthPrefixed(&list) {
			return false
		}
		h.points = bytes.Clone(list)
	case extSCT:
		h.sct = true
	case extHeartbeat:
		h.heartbeat = true
	case extEarlyData:
		h.early = true
	case extCookie:
		h.cookie = true
	case extMasterSecret:
		h.masterSecret = true
	case extEncryptThenMAC:
		h.etm = true
	case extRenegotiationInf:
		h.renegotiation = true
	}
	return true
}

func list16(s cryptobyte.String) []uint16 {
	out := make([]uint16, 0, len(s)/2)
	var v uint16
	for s.ReadUint16(&v) {
		out = append(out, v)
	}
	return out
}

func read16(s *cryptobyte.String, to *[]uint16) bool {
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) {
		return false
	}
	*to = list16(list)
	return true
}

// isSSLv2Hello reports whether b begins with a ClientHello in the format of
// SSL 2.0, by which old clients open (RFC 5246, appendix E.2). more says that
// b is too short to tell.
func isSSLv2Hello(b []byte) (yes, more bool) {
	if len(b) == 0 || b[0]&0x80 == 0 {
		return false, len(b) == 0
	}
	if len(b) < 5 {
		return false, true
	}
	return b[2] == 1 && (b[3] == 3 && b[4] <= 4 || b[3] == 0 && b[4] == 2), false
}

// parseSSLv2Hello reads such a hello behind its two bytes of length. Suites of
// SSL 2.0 proper have three bytes of which the first is not 0: they have no
// number in TLS and are left out.
func parseSSLv2Hello(b []byte) (*hello, error) {
	h := &hello{size: len(b), compression: []byte{0}}
	s := cryptobyte.String(b)
	var nSuites, nSession, nChallenge uint16
	var suites, session, challenge []byte
	if !s.Skip(1) || !s.ReadUint16(&h.legacy) || !s.ReadUint16(&nSuites) || !s.ReadUint16(&nSession) || !s.ReadUint16(&nChallenge) ||
		!s.ReadBytes(&suites, int(nSuites)) || !s.ReadBytes(&session, int(nSession)) || !s.ReadBytes(&challenge, int(nChallenge)) {
		return h, errHello
	}
	for ; len(suites) >= 3; suites = suites[3:] {
		if suites[0] == 0 {
			h.suites = append(h.suites, uint16(suites[1])<<8|uint16(suites[2]))
		}
	}
	h.session = bytes.Clone(session)
	if n := len(challenge); n > 32 {
		challenge = challenge[n-32:]
	}
	copy(h.random[32-len(challenge):], challenge) // right-aligned, zeroes in front
	return h, nil
}

// record describes the hello.
func (h *hello) record() *record.TLSHello {
	r := &record.TLSHello{
		LegacyVersion:  versionName(h.legacy),
		Versions:       names(h.versions, versionName),
		Random:         hex.EncodeToString(h.random[:]),
		SessionID:      hex.EncodeToString(h.session),
		Ciphers:        names(h.suites, suiteName),
		Extensions:     names(h.extensions, extensionName),
		Groups:         names(h.groups, groupName),
		KeyShares:      names(h.shares, groupName),
		Signatures:     names(h.signatures, signatureName),
		CertSignatures: names(h.certSigs, signatureName),
		ALPN:           h.alpn[:min(len(h.alpn), maxList)],
		PSKs:           len(h.identities),
		SecureReneg:    h.renegotiation,
		Heartbeat:      h.heartbeat,
		OCSP:           h.ocsp,
		SCT:            h.sct,
		Size:           h.size,
	}
	for i, a := range r.ALPN {
		if len(a) == 2 && isGREASE(uint16(a[0])<<8|uint16(a[1])) {
			r.ALPN = append([]string(nil), r.ALPN...)
			r.ALPN[i], r.GREASE = grease, true
		}
	}
	for _, c := range h.compression {
		r.Compression = append(r.Compression, name8(compressionNames, c))
	}
	for _, p := range h.points {
		r.PointFormats = append(r.PointFormats, name8(pointFormatNames, p))
	}
	for _, m := range h.pskModes {
		r.PSKModes = append(r.PSKModes, name8(pskModeNames, m))
	}
	switch {
	case len(h.identities) > 0:
		r.Ticket = shortID(h.identities[0])
	case len(h.ticket) > 0:
		r.Ticket = shortID(h.ticket)
	}
	for _, l := range [][]uint16{h.suites, h.extensions, h.groups, h.versions} {
		for _, v := range l {
			r.GREASE = r.GREASE || isGREASE(v)
			r.FallbackSCSV = r.FallbackSCSV || v == 0x5600
			r.SecureReneg = r.SecureReneg || v == 0x00ff
		}
	}
	return r
}

func names(list []uint16, name func(uint16) string) []string {
	var out []string
	for _, v := range list[:min(len(list), maxList)] {
		out = append(out, name(v))
	}
	return out
}

// shortID names a ticket by the front of its digest.
func shortID(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
