package tls

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"sniff/dissect"
	"sniff/record"
)

// Types of handshake messages.
const (
	msgHelloRequest       = 0
	msgClientHello        = 1
	msgServerHello        = 2
	msgNewSessionTicket   = 4
	msgEndOfEarlyData     = 5
	msgEncryptedExts      = 8
	msgCertificate        = 11
	msgServerKeyExchange  = 12
	msgCertificateRequest = 13
	msgCertificateVerify  = 15
	msgClientKeyExchange  = 16
	msgFinished           = 20
	msgCertificateStatus  = 22
	msgKeyUpdate          = 24
	msgCompressedCert     = 25
)

const (
	messageHeader = 4
	// maxMessage is the longest handshake message that is put together;
	// certificate chains are the longest by far.
	maxMessage = 256 << 10
)

// record takes a record whose payload is there.
func (l *layer) record(dir dissect.Dir, typ uint8, version uint16, payload []byte) {
	s := &l.sides[dir]
	if l.hs == nil {
		l.begin(l.env.At(0))
	}
	h := l.hs
	tls13 := h.version == versionTLS13
	switch {
	case s.sealed && tls13 && typ == typeChangeCipherSpec:
	case s.sealed && tls13 && typ == typeAlert && len(payload) == 2:
		l.content(dir, typ, payload, false)
	case s.sealed && tls13 && typ != typeApplicationData:
		l.env.Violation(dissect.Violation{
			Code: "tls_unexpected", Dir: dir, Stamp: l.env.At(0),
			Detail: fmt.Sprintf("a record of type %d in the clear, where all are encrypted", typ),
		})
	case s.sealed:
		l.sealedRecord(dir, typ, version, payload)
	case typ == typeApplicationData && dir == dissect.ClientToServer && h.client != nil && h.client.early && h.server == nil:
		if l.cfg.Wait {
			payload = bytes.Clone(payload)
		}
		l.need(l.hasEarly, func() { l.openEarly(dir, typ, version, payload) })
	case typ == typeApplicationData:
		h.partial, s.sealed = true, true
		l.giveUp(dir, whyStart)
		l.pass(dir, typ, len(payload))
	default:
		if typ == typeHandshake && len(s.msg) == 0 && len(payload) > 0 && payload[0] == msgClientHello && h.client == nil && h.server == nil {
			h.rec.Stamp(l.env.At(0), dissect.ClientToServer)
			h.began = l.env.At(0)
		}
		l.clearVersion(dir, typ, version)
		l.content(dir, typ, payload, false)
	}
}

// clearVersion notes the version of the record that a ClientHello begins in.
func (l *layer) clearVersion(dir dissect.Dir, typ uint8, version uint16) {
	if dir == dissect.ClientToServer && typ == typeHandshake && len(l.sides[dir].msg) == 0 {
		l.sides[dir].version = version
	}
}

// content takes the content of a record, decrypted or in the clear.
func (l *layer) content(dir dissect.Dir, typ uint8, b []byte, encrypted bool) {
	s := &l.sides[dir]
	switch typ {
	case typeApplicationData:
		s.stats.Plaintext += int64(len(b))
		l.complete(l.version() != versionTLS13)
		l.env.Plain(dir, b, l.env.At(0))
	case typeHandshake:
		l.handshakeBytes(dir, b)
	case typeAlert:
		l.alertMessage(dir, b, encrypted)
	case typeChangeCipherSpec:
		l.changeCipherSpec(dir)
	case typeHeartbeat:
		l.heartbeat(dir, b)
	default:
		l.malformed(dir, fmt.Sprintf("a record of type %d", typ))
	}
}

// heartbeat reports a heartbeat (RFC 6520), and one that asks for more bytes
// back than it brings (CVE-2014-0160).
func (l *layer) heartbeat(dir dissect.Dir, b []byte) {
	if len(b) < 3 {
		l.malformed(dir, "heartbeat")
		return
	}
	if claimed := int(binary.BigEndian.Uint16(b[1:])); b[0] == 1 && 3+claimed > len(b) {
		l.env.Violation(dissect.Violation{
			Code: "tls_heartbleed", Dir: dir, Stamp: l.env.At(0),
			Detail: fmt.Sprintf("a heartbeat of %d bytes asks for %d bytes back", len(b)-3, claimed),
		})
	}
}

// handshakeBytes puts handshake messages together: a record may hold several,
// and a message may span several records.
func (l *layer) handshakeBytes(dir dissect.Dir, b []byte) {
	s := &l.sides[dir]
	if len(s.msg) == 0 {
		s.msgAt = l.env.At(0)
	}
	s.msg = append(s.msg, b...)
	for len(s.msg) >= messageHeader {
		n := int(s.msg[1])<<16 | int(s.msg[2])<<8 | int(s.msg[3])
		if n > maxMessage {
			l.env.Violation(dissect.Violation{
				Code: "tls_message_too_long", Dir: dir, Stamp: s.msgAt,
				Detail: fmt.Sprintf("a handshake message of %d bytes: the rest of the handshake is not read", n),
			})
			s.msg, l.hs.partial = nil, true
			return
		}
		if len(s.msg) < messageHeader+n {
			return
		}
		raw := s.msg[:messageHeader+n]
		l.message(dir, raw[0], raw[messageHeader:], raw)
		if s.msg == nil { // the message changed the keys: nothing may follow
			return
		}
		s.msg = s.msg[messageHeader+n:]
		s.msgAt = l.env.At(0)
	}
	if len(s.msg) == 0 {
		s.msg = nil
	}
}

// message takes one handshake message.
func (l *layer) message(dir dissect.Dir, typ uint8, body, raw []byte) {
	h := l.hs
	if typ == msgClientHello && dir == dissect.ClientToServer {
		if h.emitted || h.server != nil { // a renegotiation
			if !h.emitted {
				l.complete(true)
			}
			l.begin(l.sides[dir].msgAt)
			h = l.hs
		}
	}
	if h.encrypted == nil && len(h.transcript)+len(raw) <= maxTranscript && !h.emitted {
		h.transcript = append(h.transcript, raw...)
	}
	s := cryptobyte.String(body)
	ok := true
	switch typ {
	case msgClientHello:
		c, err := parseClientHello(body)
		ok = err == nil
		l.clientHello(c, l.sides[dir].version)
	case msgServerHello:
		c, err := parseServerHello(body)
		ok = err == nil
		if len(c.suites) == 0 {
			break
		}
		l.serverHello(c)
		if c.isRetry() {
			return
		}
	case msgEncryptedExts:
		ok = l.encryptedExtensions(s)
	case msgCertificate:
		ok = l.certificates(dir, s)
	case msgCompressedCert:
		ok = l.compressedCertificate(dir, s)
	case msgCertificateStatus:
		ok = h.certificateStatus(s)
	case msgServerKeyExchange:
		ok = h.serverKeyExchange(s)
	case msgCertificateRequest:
		h.rec.CertificateRequested = true
	case msgCertificateVerify:
		var scheme uint16
		if dir == dissect.ServerToClient && s.ReadUint16(&scheme) {
			h.rec.Signature = signatureName(scheme)
		}
	case msgClientKeyExchange:
		h.clientKeyExchange(s)
	case msgNewSessionTicket:
		ok = l.newSessionTicket(s)
	case msgFinished:
		l.finishedMessage(dir)
	case msgEndOfEarlyData:
		l.hs.settleEarly(true)
		if !l.sides[dir].advance(epochHandshake) {
			l.giveUp(dir, "the client's handshake secret is not known")
		}
	case msgKeyUpdate:
		l.keyUpdate(dir)
	case msgHelloRequest:
	}
	if !ok {
		l.malformed(dir, fmt.Sprintf("handshake message of type %d", typ))
	}
}

// encryptedExtensions is RFC 8446, section 4.3.1.
func (l *layer) encryptedExtensions(s cryptobyte.String) bool {
	h := l.hs
	var e hello
	if e.readExtensions(s, false) != nil {
		return false
	}
	if len(e.alpn) > 0 {
		h.rec.ALPN = e.alpn[0]
	}
	if h.rec.Server != nil {
		h.rec.Server.Extensions = append(h.rec.Server.Extensions, names(e.extensions, extensionName)...)
		h.rec.Server.ALPN = e.alpn
	}
	l.env.Established(h.rec)
	h.settleEarly(e.early)
	return true
}

// serverKeyExchange reads the group and the signature scheme (RFC 5246,
// section 7.4.3; RFC 8422, section 5.4).
func (h *handshake) serverKeyExchange(s cryptobyte.String) bool {
	switch h.suite.exchange {
	case "ECDHE", "ECDH-anon":
		var kind uint8
		var group uint16
		var point cryptobyte.String
		if !s.ReadUint8(&kind) || kind != 3 || !s.ReadUint16(&group) || !s.ReadUint8LengthPrefixed(&point) {
			return kind != 3 // explicit curves are not taken apart
		}
		h.rec.Group = groupName(group)
	case "DHE", "DH-anon":
		var p, g, y cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&p) || !s.ReadUint16LengthPrefixed(&g) || !s.ReadUint16LengthPrefixed(&y) {
			return false
		}
		for len(p) > 0 && p[0] == 0 {
			p = p[1:]
		}
		if len(p) > 0 {
			h.rec.GroupBits = 8 * len(p)
			for b := p[0]; b < 0x80; b <<= 1 {
				h.rec.GroupBits--
			}
		}
	default:
		return true
	}
	var scheme uint16
	if h.version == versionTLS12 && !s.Empty() && s.ReadUint16(&scheme) {
		h.rec.Signature = signatureName(scheme)
	}
	return true
}

// clientKeyExchange keeps a premaster secret that the server's key decrypts
// (RFC 5246, section 7.4.7.1).
func (h *handshake) clientKeyExchange(s cryptobyte.String) {
	h.encrypted = []byte{} // the transcript ends here
	if h.suite.exchange != "RSA" {
		return
	}
	e := s // SSL 3.0 has it without a length (RFC 6101, section 5.6.7.1)
	if h.version > versionSSL3 && !s.ReadUint16LengthPrefixed(&e) {
		return
	}
	h.encrypted = append(h.encrypted, e...)
}

// newSessionTicket is RFC 5077, section 3.3, and RFC 8446, section 4.6.1.
func (l *layer) newSessionTicket(s cryptobyte.String) bool {
	h := l.hs
	var life, age, early uint32
	var nonce, ticket, exts cryptobyte.String
	if !s.ReadUint32(&life) {
		return false
	}
	if h.version == versionTLS13 {
		if !s.ReadUint32(&age) || !s.ReadUint8LengthPrefixed(&nonce) || !s.ReadUint16LengthPrefixed(&ticket) || !s.ReadUint16LengthPrefixed(&exts) {
			return false
		}
		for !exts.Empty() {
			var typ uint16
			var body cryptobyte.String
			if !exts.ReadUint16(&typ) || !exts.ReadUint16LengthPrefixed(&body) {
				return false
			}
			if typ == extEarlyData {
				body.ReadUint32(&early)
			}
		}
		l.memory.put(ticket, origin{session: l.env.Conn().Session, server: h.rec.ServerName})
	} else {
		if !s.ReadUint16LengthPrefixed(&ticket) {
			return false
		}
		h.tickets = append(h.tickets, append([]byte(nil), ticket...))
	}
	if h.emitted {
		l.end.Tickets++
		return true
	}
	if len(h.rec.Tickets) < maxAlerts {
		h.rec.Tickets = append(h.rec.Tickets, record.TLSTicket{Lifetime: int(life), Size: len(ticket), ID: shortID(ticket), EarlyData: int64(early)})
	}
	return true
}

// finishedMessage notes that a side has finished, behind which TLS 1.3
// protects with its traffic secret.
func (l *layer) finishedMessage(dir dissect.Dir) {
	h, s := l.hs, &l.sides[dir]
	h.finished[dir] = true
	if h.version == versionTLS13 {
		s.msg = nil
		if dir == dissect.ClientToServer {
			h.settleEarly(false)
			h.finished[dissect.ServerToClient] = true
		}
		if s.epoch < epochTraffic && !s.advance(epochTraffic) {
			l.giveUp(dir, "the key log lacks the "+dir.String()+"'s traffic secret")
		}
		if dir == dissect.ServerToClient && !h.finished[dissect.ClientToServer] {
			return
		}
	}
	if h.rec.CertificateRequested && dir == dissect.ClientToServer && len(h.rec.ClientCertificates) == 0 {
		h.rec.NoClientCertificate = true
	}
	l.complete(false)
}

// keyUpdate goes on to the next secret of a direction (RFC 8446, section
// 4.6.3).
func (l *layer) keyUpdate(dir dissect.Dir) {
	s := &l.sides[dir]
	if l.hs.version != versionTLS13 || s.epoch != epochTraffic {
		l.malformed(dir, "key update")
		return
	}
	s.msg = nil
	s.stats.KeyUpdates++
	s.adopt(secret{epoch: epochTraffic, secret: nextSecret(s.suite.prf, s.secret)})
}
