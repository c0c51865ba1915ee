package http

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"sniff/record"
)

// negotiate reads a token of NTLM or SPNEGO (RFC 4559). Only the last message
// of NTLM says who logs in; Kerberos tickets say nothing to an observer.
func (d *dissector) negotiate(scheme, rest string) *record.Credential {
	b, err := decodeBase64(rest)
	if err != nil {
		return nil
	}
	i := bytes.Index(b, []byte("NTLMSSP\x00"))
	if i < 0 {
		if scheme == "ntlm" || len(b) == 0 {
			return nil
		}
		return &record.Credential{Mechanism: "Negotiate Kerberos", Secret: d.env.Secret(rest), Exposure: record.ExposureCrackable}
	}
	m, ok := parseNTLM(b[i:])
	if !ok {
		return nil
	}
	c := &record.Credential{
		Mechanism: "NTLM", Account: m.user, Realm: m.domain,
		Secret: d.env.Secret(hex.EncodeToString(m.nt)), Exposure: record.ExposureCrackable,
	}
	if scheme == "negotiate" {
		c.Mechanism = "Negotiate NTLM"
	}
	if line, mode := m.hashcat(d.auth.challenge); line != "" {
		c.Hash, c.HashMode = d.env.Secret(line), mode
	}
	return c
}

// ntlmAuth is NTLM's AUTHENTICATE_MESSAGE: MS-NLMP, section 2.2.1.3.
type ntlmAuth struct {
	user, domain string
	lm, nt       []byte
}

// ntlmChallenge returns the server's challenge out of a CHALLENGE_MESSAGE:
// MS-NLMP, section 2.2.1.2.
func ntlmChallenge(b []byte) []byte {
	i := bytes.Index(b, []byte("NTLMSSP\x00\x02\x00\x00\x00"))
	if i < 0 || len(b) < i+32 {
		return nil
	}
	return bytes.Clone(b[i+24 : i+32])
}

func parseNTLM(b []byte) (m ntlmAuth, ok bool) {
	if len(b) < 64 || binary.LittleEndian.Uint32(b[8:]) != 3 {
		return m, false
	}
	field := func(at int) []byte {
		n, off := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint32(b[at+4:]))
		if off < 0 || off > len(b) || n > len(b)-off {
			return nil
		}
		return b[off : off+n]
	}
	wide := binary.LittleEndian.Uint32(b[60:])&1 != 0
	m.lm, m.nt = field(12), field(20)
	m.domain, m.user = ntlmString(field(28), wide), ntlmString(field(36), wide)
	return m, true
}

func ntlmString(b []byte, wide bool) string {
	if !wide {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// hashcat writes the answer as hashcat's NetNTLMv1 (5500) or v2 (5600).
func (m *ntlmAuth) hashcat(challenge []byte) (line string, mode int) {
	switch {
	case len(challenge) != 8 || len(m.nt) < 24:
		return "", 0
	case len(m.nt) == 24:
		return strings.Join([]string{m.user, "", m.domain, hex.EncodeToString(m.lm), hex.EncodeToString(m.nt), hex.EncodeToString(challenge)}, ":"), 5500
	}
	return strings.Join([]string{m.user, "", m.domain, hex.EncodeToString(challenge), hex.EncodeToString(m.nt[:16]), hex.EncodeToString(m.nt[16:])}, ":"), 5600
}
