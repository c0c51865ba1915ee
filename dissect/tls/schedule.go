package tls

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"hash"

	"golang.org/x/crypto/cryptobyte"
)

// expandLabel is HKDF-Expand-Label (RFC 8446, section 7.1) with an empty
// context.
func expandLabel(h crypto.Hash, secret []byte, label string, n int) []byte {
	var b cryptobyte.Builder
	b.AddUint16(uint16(n))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("tls13 " + label)) })
	b.AddUint8(0)
	info := b.BytesOrPanic() // the label is a constant that fits
	out, err := hkdf.Expand(h.New, secret, string(info), n)
	if err != nil {
		return nil // a secret too short for the hash, under FIPS rules
	}
	return out
}

// nextSecret is the traffic secret behind a KeyUpdate (RFC 8446, section 7.2).
func nextSecret(h crypto.Hash, secret []byte) []byte {
	return expandLabel(h, secret, "traffic upd", h.Size())
}

// prf is the pseudorandom function of TLS 1.2 (RFC 5246, section 5) with the
// suite's hash, of TLS 1.0 and 1.1 (RFC 2246, section 5), which mixes MD5 and
// SHA-1, and of SSL 3.0.
func prf(version uint16, h crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	if version == versionSSL3 {
		return ssl3PRF(secret, seed, n) // without a label
	}
	seed = append([]byte(label), seed...)
	out := make([]byte, n)
	if version >= versionTLS12 {
		expandHMAC(out, h.New, secret, seed)
		return out
	}
	half := (len(secret) + 1) / 2
	expandHMAC(out, crypto.MD5.New, secret[:half], seed)
	other := make([]byte, n)
	expandHMAC(other, crypto.SHA1.New, secret[len(secret)-half:], seed)
	for i := range out {
		out[i] ^= other[i]
	}
	return out
}

// expandHMAC is P_hash (RFC 5246, section 5).
func expandHMAC(out []byte, h func() hash.Hash, secret, seed []byte) {
	mac := hmac.New(h, secret)
	mac.Write(seed)
	a := mac.Sum(nil)
	for len(out) > 0 {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		out = out[copy(out, mac.Sum(nil)):]
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

// masterSecret derives the master secret of TLS 1.2 and below. sessionHash is
// that of RFC 7627, nil without the extension.
func masterSecret(version uint16, h crypto.Hash, premaster []byte, clientRandom, serverRandom [32]byte, sessionHash []byte) []byte {
	if sessionHash != nil {
		return prf(version, h, premaster, "extended master secret", sessionHash, 48)
	}
	return prf(version, h, premaster, "master secret", append(clientRandom[:], serverRandom[:]...), 48)
}

// sessionHash is the hash of the handshake so far (RFC 7627, section 3).
func sessionHash(version uint16, h crypto.Hash, transcript []byte) []byte {
	if version >= versionTLS12 {
		d := h.New()
		d.Write(transcript)
		return d.Sum(nil)
	}
	a, b := crypto.MD5.New(), crypto.SHA1.New()
	a.Write(transcript)
	b.Write(transcript)
	return b.Sum(a.Sum(nil))
}

// protection12 derives what opens the records of both directions in TLS 1.2
// and below (RFC 5246, section 6.3). nil means that the suite is none that is
// read here.
func protection12(version uint16, s suite, master []byte, clientRandom, serverRandom [32]byte, etm bool) *[2]opener {
	if s.mode == modeUnknown || version < versionSSL3 || version > versionTLS12 {
		return nil
	}
	macLen, ivLen := 0, s.ivLen
	if s.mac != 0 {
		macLen = s.mac.Size()
	}
	if s.mode == modeCBC && version > versionTLS10 {
		ivLen = 0 // every record brings its own
	}
	block := prf(version, s.prf, master, "key expansion", append(serverRandom[:], clientRandom[:]...), 2*(macLen+s.keyLen+ivLen))
	take := func(n int) (b []byte) { b, block = block[:n], block[n:]; return b }
	var macs, keys, ivs [2][]byte
	for _, p := range []struct {
		to *[2][]byte
		n  int
	}{{&macs, macLen}, {&keys, s.keyLen}, {&ivs, ivLen}} {
		p.to[0], p.to[1] = take(p.n), take(p.n)
	}
	var out [2]opener
	for d := range out {
		o, err := newOpener12(version, s, keys[d], ivs[d], macs[d], etm)
		if err != nil {
			return nil
		}
		out[d] = o
	}
	return &out
}

// protection13 derives what opens records under a traffic secret (RFC 8446,
// section 7.3).
func protection13(s suite, secret []byte) opener {
	key := expandLabel(s.prf, secret, "key", s.keyLen)
	iv := expandLabel(s.prf, secret, "iv", 12)
	if key == nil || iv == nil {
		return nil
	}
	aead, err := newAEAD(s, key)
	if err != nil {
		return nil
	}
	return &opener13{aead: aead, iv: [12]byte(iv)}
}
