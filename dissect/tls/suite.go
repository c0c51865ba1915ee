package tls

import (
	"crypto"
	_ "crypto/md5"    // HMAC of old suites
	_ "crypto/sha1"   // HMAC of old suites
	_ "crypto/sha256" // HMAC and key schedule
	_ "crypto/sha512" // SHA-384
	"strings"
)

// mode is how a suite protects records.
type mode uint8

const (
	modeUnknown mode = iota
	modeNull
	modeRC4
	modeCBC
	modeGCM
	modeCCM
	modeChaCha
)

// suite is a cipher suite taken apart. All of it follows from the name.
type suite struct {
	exchange string // ECDHE, DHE, RSA, PSK, ECDHE-PSK, DH-anon; "" in TLS 1.3
	mode     mode
	triple   bool // 3DES rather than AES
	keyLen   int
	ivLen    int // TLS 1.2 and below: from the key block
	tagLen   int
	mac      crypto.Hash // 0 for AEADs
	prf      crypto.Hash // of TLS 1.2 and 1.3
}

// suiteOf takes a suite's name apart.
func suiteOf(id uint16) suite {
	s := suite{prf: crypto.SHA256}
	name := strings.TrimPrefix(suiteNames[id], "TLS_")
	exchange, cipher, old := strings.Cut(name, "_WITH_")
	if old {
		s.exchange = exchangeOf(exchange)
	} else {
		cipher = name
	}
	switch {
	case strings.HasSuffix(cipher, "_SHA384"):
		s.prf, s.mac = crypto.SHA384, crypto.SHA384
	case strings.HasSuffix(cipher, "_SHA256"):
		s.mac = crypto.SHA256
	case strings.HasSuffix(cipher, "_SHA"):
		s.mac = crypto.SHA1
	case strings.HasSuffix(cipher, "_MD5"):
		s.mac = crypto.MD5
	}
	switch {
	case strings.HasPrefix(cipher, "AES_128"):
		s.keyLen = 16
	case strings.HasPrefix(cipher, "AES_256"):
		s.keyLen = 32
	case strings.HasPrefix(cipher, "3DES_EDE_CBC"):
		s.mode, s.triple, s.keyLen, s.ivLen = modeCBC, true, 24, 8
		return s
	case strings.HasPrefix(cipher, "RC4_128"):
		s.mode, s.keyLen = modeRC4, 16
		return s
	case strings.HasPrefix(cipher, "NULL_"):
		if s.mac != 0 {
			s.mode = modeNull
		}
		return s
	case strings.HasPrefix(cipher, "CHACHA20_POLY1305"):
		s.mode, s.keyLen, s.ivLen, s.tagLen, s.mac = modeChaCha, 32, 12, 16, 0
		return s
	default:
		return s // ARIA, Camellia, SEED, IDEA, DES, export suites, GOST, SM4
	}
	switch {
	case strings.Contains(cipher, "_GCM"):
		s.mode, s.ivLen, s.tagLen, s.mac = modeGCM, 4, 16, 0
	case strings.Contains(cipher, "_CCM_8"):
		s.mode, s.ivLen, s.tagLen, s.mac = modeCCM, 4, 8, 0
	case strings.Contains(cipher, "_CCM"):
		s.mode, s.ivLen, s.tagLen, s.mac = modeCCM, 4, 16, 0
	case strings.Contains(cipher, "_CBC"):
		s.mode, s.ivLen = modeCBC, 16
	}
	return s
}

// exchangeOf names the key exchange of a suite's front, such as ECDHE_RSA.
func exchangeOf(s string) string {
	switch {
	case strings.HasPrefix(s, "ECDHE_PSK"):
		return "ECDHE-PSK"
	case strings.HasPrefix(s, "DHE_PSK"), strings.HasPrefix(s, "PSK_DHE"):
		return "DHE-PSK"
	case strings.HasPrefix(s, "RSA_PSK"):
		return "RSA-PSK"
	case strings.Contains(s, "_anon"):
		return strings.Replace(strings.TrimSuffix(s, "_EXPORT"), "_", "-", 1)
	}
	front, _, _ := strings.Cut(s, "_")
	return front
}

// forwardSecret reports whether a key exchange leaves nothing behind that
// could decrypt the session later.
func forwardSecret(exchange string) bool {
	return strings.HasPrefix(exchange, "ECDHE") || strings.HasPrefix(exchange, "DHE") || strings.HasSuffix(exchange, "-anon")
}
