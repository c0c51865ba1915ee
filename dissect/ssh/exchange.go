package ssh

import (
	"crypto/ecdh"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"strings"

	"sniff/dissect"
)

// exchange is one key exchange as far as the exchange hash needs it. It is
// kept only while there is a key log.
type exchange struct {
	init     [2][]byte // KEXINIT payloads, by direction
	method   string
	messages []kexMessage
	kept     int
	skip     [2]bool // the side's first message was a wrong guess
}

// maxKeptInit bounds the KEXINITs that are kept for the exchange hash.
const maxKeptInit = 64 << 10

// secrets are what a key exchange yields (RFC 4253, section 7.2).
type secrets struct {
	newHash func() hash.Hash
	shared  []byte // K as it stands in hashes
	h       []byte // H
	session []byte // H of the first exchange
}

// publicValues are the parts of the messages that the hash covers.
type publicValues struct {
	hostKey        []byte
	client, server []byte // as sent: without the length of the string or mpint
	asked          []byte // group exchange: min, n, max as sent
	prime, gen     []byte
}

var errExchangeCut = errors.New("the key exchange was not captured whole")

// read takes the values out of the messages.
func (x *exchange) read() (v publicValues, err error) {
	skip := x.skip
	gex := family(x.method) == "dh-gex"
	for _, m := range x.messages {
		if skip[m.dir] {
			skip[m.dir] = false
			continue
		}
		r := reader{b: m.payload[1:]}
		client := m.dir == dissect.ClientToServer
		switch t := m.payload[0]; {
		case gex && client && (t == 34 || t == 30):
			v.asked = m.payload[1:]
		case gex && client && t == 32, !gex && client && t == 30:
			v.client = r.string()
		case gex && !client && t == 31:
			v.prime, v.gen = r.string(), r.string()
		case gex && !client && t == 33, !gex && !client && t == 31:
			v.hostKey, v.server = r.string(), r.string()
		}
		if r.bad {
			return v, errExchangeCut
		}
	}
	if v.hostKey == nil || v.client == nil || v.server == nil || gex && (v.asked == nil || v.prime == nil) {
		return v, errExchangeCut
	}
	return v, nil
}

// derive works out the secrets. idents are the identifications, session the
// first exchange's hash, nil in the first itself.
func (x *exchange) derive(log *KeyLog, idents [2][]byte, session []byte) (*secrets, error) {
	var cookies [2][]byte
	for i, init := range x.init {
		if len(init) >= 17 {
			cookies[i] = init[1:17]
		}
	}
	known, of, ok := log.find(cookies)
	if !ok {
		return nil, errors.New("the key log does not know this key exchange")
	}
	s := &secrets{newHash: exchangeHash(x.method)}
	if s.newHash == nil {
		return nil, fmt.Errorf("key exchange %s is not known to us", x.method)
	}
	if x.init[0] == nil || x.init[1] == nil || idents[0] == nil || idents[1] == nil {
		return nil, errExchangeCut
	}
	v, err := x.read()
	if err != nil {
		return nil, err
	}
	shared := known.key
	if known.private {
		if shared, err = agree(x.method, known.key, of, &v); err != nil {
			return nil, err
		}
	}
	if family(x.method) == "hybrid" {
		// The hybrids hash both secrets to one, which stands as a string.
		s.shared = appendString(nil, shared)
	} else {
		s.shared = appendMPInt(nil, shared)
	}
	h := s.newHash()
	write := func(p []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	// RFC 4253, section 8; RFC 4419, section 3; RFC 5656, section 4.
	for _, p := range [][]byte{idents[0], idents[1], x.init[0], x.init[1], v.hostKey} {
		write(p)
	}
	if v.prime != nil {
		h.Write(v.asked)
		write(v.prime)
		write(v.gen)
	}
	write(v.client)
	write(v.server)
	h.Write(s.shared)
	s.h = h.Sum(nil)
	if s.session = session; session == nil {
		s.session = s.h
	}
	return s, nil
}

// key makes n bytes of the key that a letter stands for (RFC 4253, section
// 7.2).
func (s *secrets) key(letter byte, n int) []byte {
	var out []byte
	for len(out) < n {
		h := s.newHash()
		h.Write(s.shared)
		h.Write(s.h)
		if len(out) == 0 {
			h.Write([]byte{letter})
			h.Write(s.session)
		} else {
			h.Write(out)
		}
		out = h.Sum(out)
	}
	return out[:n]
}

// exchangeHash is the hash that a method's name ends with; nil when it does
// not say.
func exchangeHash(method string) func() hash.Hash {
	base, _, _ := strings.Cut(method, "@")
	switch {
	case family(method) == "gss" || family(method) == "rsa":
		return nil // their hashes cover other values
	case strings.HasSuffix(base, "-sha1"):
		return sha1.New
	case strings.HasSuffix(base, "-sha256"), base == "ecdh-sha2-nistp256":
		return sha256.New
	case strings.HasSuffix(base, "-sha384"), base == "ecdh-sha2-nistp384":
		return sha512.New384
	case strings.HasSuffix(base, "-sha512"), base == "ecdh-sha2-nistp521":
		return sha512.New
	}
	return nil
}

// maxPrime bounds the work of a Diffie-Hellman computation.
const maxPrime = 16384 / 8

// agree computes the shared secret from one side's private value and the other
// side's public one. Hybrids have two private keys, so a log gives their
// shared secret.
func agree(method string, private []byte, of int, v *publicValues) ([]byte, error) {
	other := v.server
	if of == 1 {
		other = v.client
	}
	base, _, _ := strings.Cut(method, "@")
	var curve ecdh.Curve
	switch {
	case strings.HasPrefix(base, "curve25519-"):
		curve = ecdh.X25519()
	case base == "ecdh-sha2-nistp256":
		curve = ecdh.P256()
	case base == "ecdh-sha2-nistp384":
		curve = ecdh.P384()
	case base == "ecdh-sha2-nistp521":
		curve = ecdh.P521()
	case strings.HasPrefix(base, "diffie-hellman-"):
		p, ok := primeOf(base, v)
		if !ok || len(private) > maxPrime || len(other) > maxPrime {
			return nil, fmt.Errorf("the prime of %s is not usable", method)
		}
		return new(big.Int).Exp(new(big.Int).SetBytes(other), new(big.Int).SetBytes(private), p).Bytes(), nil
	default:
		return nil, fmt.Errorf("a PRIVATE_KEY does not open %s, its SHARED_SECRET would", method)
	}
	// Logs drop leading zeros, or keep the sign byte of a number.
	size := map[ecdh.Curve]int{ecdh.X25519(): 32, ecdh.P256(): 32, ecdh.P384(): 48, ecdh.P521(): 66}[curve]
	for len(private) > size && private[0] == 0 {
		private = private[1:]
	}
	if len(private) < size {
		private = append(make([]byte, size-len(private)), private...)
	}
	key, err := curve.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("private key in the key log: %w", err)
	}
	public, err := curve.NewPublicKey(other)
	if err != nil {
		return nil, fmt.Errorf("public value of the exchange: %w", err)
	}
	return key.ECDH(public)
}

// appendString appends a string (RFC 4251, section 5).
func appendString(b, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
}

// appendMPInt appends a positive number (RFC 4251, section 5).
func appendMPInt(b, p []byte) []byte {
	for len(p) > 0 && p[0] == 0 {
		p = p[1:]
	}
	if len(p) > 0 && p[0]&0x80 != 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)+1))
		return append(append(b, 0), p...)
	}
	return appendString(b, p)
}
