package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// opener undoes the protection of records of one direction.
type opener interface {
	// open authenticates and decrypts the payload of a record into dst, which
	// it may use up to its capacity. typ is the type inside. On failure, or
	// when a stateless one is tried with the wrong sequence number, ok is
	// false and nothing of dst may be used.
	open(dst []byte, seq uint64, typ uint8, version uint16, payload []byte) (plain []byte, inner uint8, ok bool)
	// overhead is how many bytes of a payload are no content, at least.
	overhead() int
	// sequential says that a record cannot be opened unless all before it
	// were: a stream cipher's.
	sequential() bool
}

var errSuite = errors.New("tls: suite is not read here")

// newAEAD returns the AEAD of a suite.
func newAEAD(s suite, key []byte) (cipher.AEAD, error) {
	switch s.mode {
	case modeChaCha:
		return chacha20poly1305.New(key)
	case modeGCM, modeCCM:
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if s.mode == modeCCM {
			return newCCM(block, s.tagLen), nil
		}
		return cipher.NewGCM(block)
	}
	return nil, errSuite
}

// opener13 opens records of TLS 1.3 (RFC 8446, section 5.2).
type opener13 struct {
	aead  cipher.AEAD
	iv    [12]byte
	nonce [12]byte
	head  [5]byte
}

func (o *opener13) open(dst []byte, seq uint64, typ uint8, version uint16, payload []byte) ([]byte, uint8, bool) {
	xorNonce(&o.nonce, &o.iv, seq)
	o.head[0] = typ
	binary.BigEndian.PutUint16(o.head[1:], version)
	binary.BigEndian.PutUint16(o.head[3:], uint16(len(payload)))
	plain, err := o.aead.Open(dst[:0], o.nonce[:], payload, o.head[:])
	if err != nil {
		return nil, 0, false
	}
	// The type stands behind the content, zeroes of padding behind it.
	n := len(plain)
	for n > 0 && plain[n-1] == 0 {
		n--
	}
	if n == 0 {
		return plain[:0], 0, true
	}
	return plain[:n-1], plain[n-1], true
}

func (o *opener13) overhead() int    { return o.aead.Overhead() + 1 }
func (o *opener13) sequential() bool { return false }

func xorNonce(nonce, iv *[12]byte, seq uint64) {
	*nonce = *iv
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^seq)
}

// openerAEAD opens records of TLS 1.2 with an AEAD: GCM and CCM with an
// explicit nonce (RFC 5288, RFC 6655), ChaCha20-Poly1305 without (RFC 7905).
type openerAEAD struct {
	aead     cipher.AEAD
	explicit int
	iv       [12]byte
	nonce    [12]byte
	head     [13]byte
}

func (o *openerAEAD) open(dst []byte, seq uint64, typ uint8, version uint16, payload []byte) ([]byte, uint8, bool) {
	n := len(payload) - o.explicit - o.aead.Overhead()
	if n < 0 {
		return nil, 0, false
	}
	if o.explicit > 0 {
		o.nonce = o.iv
		copy(o.nonce[4:], payload[:o.explicit])
	} else {
		xorNonce(&o.nonce, &o.iv, seq)
	}
	macHead(&o.head, seq, typ, version, n)
	plain, err := o.aead.Open(dst[:0], o.nonce[:], payload[o.explicit:], o.head[:])
	return plain, typ, err == nil
}

func (o *openerAEAD) overhead() int    { return o.explicit + o.aead.Overhead() }
func (o *openerAEAD) sequential() bool { return false }

// macHead is what is authenticated beside the content (RFC 5246, section
// 6.2.3.3).
func macHead(head *[13]byte, seq uint64, typ uint8, version uint16, n int) {
	binary.BigEndian.PutUint64(head[:], seq)
	head[8] = typ
	binary.BigEndian.PutUint16(head[9:], version)
	binary.BigEndian.PutUint16(head[11:], uint16(n))
}

// newOpener12 returns what opens records of SSL 3.0 and TLS 1.0 to 1.2.
func newOpener12(version uint16, s suite, key, iv, macKey []byte, etm bool) (opener, error) {
	if s.mac == 0 {
		if version != versionTLS12 {
			return nil, errSuite
		}
		aead, err := newAEAD(s, key)
		if err != nil {
			return nil, err
		}
		o := &openerAEAD{aead: aead}
		copy(o.iv[:], iv)
		if s.mode != modeChaCha {
			o.explicit = 8
		}
		return o, nil
	}
	m := recordMAC{mac: hmac.New(s.mac.New, macKey)}
	if version == versionSSL3 {
		m = recordMAC{mac: newSSL3MAC(s.mac, macKey), old: true}
	}
	switch s.mode {
	case modeNull:
		return &openerStream{recordMAC: m}, nil
	case modeRC4:
		c, err := rc4.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return &openerStream{recordMAC: m, stream: c}, nil
	case modeCBC:
		newBlock := aes.NewCipher
		if s.triple {
			newBlock = des.NewTripleDESCipher
		}
		block, err := newBlock(key)
		if err != nil {
			return nil, err
		}
		o := &openerCBC{recordMAC: m, etm: etm, explicit: version > versionTLS10, size: block.BlockSize()}
		if !o.explicit {
			o.last = append([]byte(nil), iv...)
		} else {
			o.last = make([]byte, o.size)
		}
		o.mode = cipher.NewCBCDecrypter(block, o.last).(ivSetter)
		return o, nil
	}
	return nil, errSuite
}

// recordMAC is the HMAC, or its forerunner, over a record.
type recordMAC struct {
	mac  hash.Hash
	old  bool // of SSL 3.0, which leaves the version out
	head [13]byte
	sum  [64]byte
}

func (m *recordMAC) verify(seq uint64, typ uint8, version uint16, content, tag []byte) bool {
	macHead(&m.head, seq, typ, version, len(content))
	m.mac.Reset()
	if m.old {
		copy(m.head[9:], m.head[11:])
		m.mac.Write(m.head[:11])
	} else {
		m.mac.Write(m.head[:])
	}
	m.mac.Write(content)
	return hmac.Equal(m.mac.Sum(m.sum[:0]), tag)
}

// openerStream opens records that a stream cipher, or none, protects.
type openerStream struct {
	recordMAC
	stream *rc4.Cipher
}

func (o *openerStream) open(dst []byte, seq uint64, typ uint8, version uint16, payload []byte) ([]byte, uint8, bool) {
	dst = grow(dst, len(payload))
	if o.stream != nil {
		o.stream.XORKeyStream(dst, payload)
	} else {
		copy(dst, payload)
	}
	n := len(dst) - o.mac.Size()
	if n < 0 {
		return nil, 0, false
	}
	return dst[:n], typ, o.verify(seq, typ, version, dst[:n], dst[n:])
}

func (o *openerStream) overhead() int    { return o.mac.Size() }
func (o *openerStream) sequential() bool { return o.stream != nil }

// ivSetter is a CBC mode whose initialization vector can be set, as those of
// the standard library.
type ivSetter interface {
	cipher.BlockMode
	SetIV([]byte)
}

// openerCBC opens records in CBC mode: MAC-then-encrypt (RFC 5246, section
// 6.2.3.2) or encrypt-then-MAC (RFC 7366).
type openerCBC struct {
	recordMAC
	mode     ivSetter
	size     int
	explicit bool
	etm      bool
	last     []byte // TLS 1.0: the last block of ciphertext, the next record's IV
}

func (o *openerCBC) open(dst []byte, seq uint64, typ uint8, version uint16, payload []byte) ([]byte, uint8, bool) {
	if o.etm {
		n := len(payload) - o.mac.Size()
		if n < 0 || !o.verify(seq, typ, version, payload[:n], payload[n:]) {
			return nil, 0, false
		}
		payload = payload[:n]
	}
	if o.explicit {
		if len(payload) < o.size {
			return nil, 0, false
		}
		o.mode.SetIV(payload[:o.size])
		payload = payload[o.size:]
	} else {
		o.mode.SetIV(o.last)
	}
	if len(payload) == 0 || len(payload)%o.size != 0 {
		return nil, 0, false
	}
	dst = grow(dst, len(payload))
	o.mode.CryptBlocks(dst, payload)
	if !o.explicit {
		copy(o.last, payload[len(payload)-o.size:])
	}
	// Who reads what was recorded gives no padding oracle: no need to be
	// constant in time.
	pad := int(dst[len(dst)-1]) + 1
	if pad > len(dst) {
		return nil, 0, false
	}
	for _, b := range dst[len(dst)-pad:] {
		if int(b) != pad-1 && !o.old { // SSL 3.0 pads with anything
			return nil, 0, false
		}
	}
	dst = dst[:len(dst)-pad]
	if o.etm {
		return dst, typ, true
	}
	n := len(dst) - o.mac.Size()
	if n < 0 {
		return nil, 0, false
	}
	return dst[:n], typ, o.verify(seq, typ, version, dst[:n], dst[n:])
}

func (o *openerCBC) overhead() int {
	n := o.mac.Size() + 1
	if o.explicit {
		n += o.size
	}
	return n
}

func (o *openerCBC) sequential() bool { return false }

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
