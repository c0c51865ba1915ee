package tls

import (
	"crypto"
	"hash"
)

// What SSL 3.0 does unlike TLS (RFC 6101): its own key derivation, a MAC that
// is older than HMAC, and padding that may hold anything.

// ssl3PRF derives the master secret and the key block (RFC 6101, sections 6.1
// and 6.2.2): MD5 over the secret and SHA-1 of A, BB, CCC and so on with it.
func ssl3PRF(secret, seed []byte, n int) []byte {
	var out []byte
	for i := 1; len(out) < n; i++ {
		inner, outer := crypto.SHA1.New(), crypto.MD5.New()
		for range i {
			inner.Write([]byte{'A' + byte(i-1)})
		}
		inner.Write(secret)
		inner.Write(seed)
		outer.Write(secret)
		outer.Write(inner.Sum(nil))
		out = outer.Sum(out)
	}
	return out[:n]
}

// ssl3MAC is the MAC of SSL 3.0 (RFC 6101, section 5.2.3.1) as a hash.Hash that
// is given, as HMAC is, what stands before the content first.
type ssl3MAC struct {
	hash   hash.Hash
	secret []byte
	pad    int // bytes of padding in front of both passes
	inner  []byte
}

func newSSL3MAC(h crypto.Hash, secret []byte) *ssl3MAC {
	m := &ssl3MAC{hash: h.New(), secret: secret, pad: 40}
	if h == crypto.MD5 {
		m.pad = 48
	}
	m.Reset()
	return m
}

func (m *ssl3MAC) begin(pad byte) {
	m.hash.Reset()
	m.hash.Write(m.secret)
	for range m.pad {
		m.hash.Write([]byte{pad})
	}
}

func (m *ssl3MAC) Reset()                      { m.begin(0x36) }
func (m *ssl3MAC) Write(b []byte) (int, error) { return m.hash.Write(b) }
func (m *ssl3MAC) Size() int                   { return m.hash.Size() }
func (m *ssl3MAC) BlockSize() int              { return m.hash.BlockSize() }

func (m *ssl3MAC) Sum(b []byte) []byte {
	m.inner = m.hash.Sum(m.inner[:0])
	m.begin(0x5c)
	m.hash.Write(m.inner)
	return m.hash.Sum(b)
}
