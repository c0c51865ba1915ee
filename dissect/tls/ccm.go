package tls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ccm is AES in CCM mode (RFC 3610) with a nonce of 12 bytes, as TLS uses it
// (RFC 6655). The standard library has the block cipher, not the mode.
type ccm struct {
	block cipher.Block
	tag   int
	ctr   [16]byte
	key   [16]byte
	mac   [16]byte
}

const ccmNonce = 12

var errAuthentic = errors.New("tls: record does not authenticate")

func newCCM(block cipher.Block, tag int) cipher.AEAD { return &ccm{block: block, tag: tag} }

func (c *ccm) NonceSize() int { return ccmNonce }
func (c *ccm) Overhead() int  { return c.tag }

func (c *ccm) Seal(dst, nonce, plaintext, ad []byte) []byte {
	c.authenticate(nonce, plaintext, ad)
	tag := c.mac
	at := len(dst)
	dst = append(dst, plaintext...)
	c.crypt(dst[at:], plaintext, nonce, &tag)
	return append(dst, tag[:c.tag]...)
}

func (c *ccm) Open(dst, nonce, ciphertext, ad []byte) ([]byte, error) {
	n := len(ciphertext) - c.tag
	if n < 0 || len(nonce) != ccmNonce {
		return nil, errAuthentic
	}
	at := len(dst)
	if cap(dst) < at+n {
		dst = append(make([]byte, 0, at+n), dst...)
	}
	dst = dst[:at+n]
	var none [16]byte
	c.crypt(dst[at:], ciphertext[:n], nonce, &none) // none becomes the key stream of the tag
	c.authenticate(nonce, dst[at:], ad)
	subtle.XORBytes(none[:], none[:], c.mac[:])
	if subtle.ConstantTimeCompare(none[:c.tag], ciphertext[n:]) != 1 {
		clear(dst[at:])
		return nil, errAuthentic
	}
	return dst, nil
}

// crypt is counter mode: the tag with counter 0, the text from 1 on.
func (c *ccm) crypt(dst, src, nonce []byte, tag *[16]byte) {
	c.ctr = [16]byte{0: 2} // length field of 3 bytes
	copy(c.ctr[1:], nonce)
	c.block.Encrypt(c.key[:], c.ctr[:])
	subtle.XORBytes(tag[:], tag[:], c.key[:])
	for i := uint32(1); len(src) > 0; i++ {
		c.ctr[13], c.ctr[14], c.ctr[15] = byte(i>>16), byte(i>>8), byte(i)
		c.block.Encrypt(c.key[:], c.ctr[:])
		n := subtle.XORBytes(dst, src, c.key[:])
		dst, src = dst[n:], src[n:]
	}
}

// authenticate computes the CBC-MAC (RFC 3610, section 2.2) into c.mac.
func (c *ccm) authenticate(nonce, text, ad []byte) {
	c.mac = [16]byte{0: byte((c.tag-2)/2<<3 | 2)}
	if len(ad) > 0 {
		c.mac[0] |= 0x40
	}
	copy(c.mac[1:], nonce)
	c.mac[13], c.mac[14], c.mac[15] = byte(len(text)>>16), byte(len(text)>>8), byte(len(text))
	c.block.Encrypt(c.mac[:], c.mac[:])
	if len(ad) > 0 { // TLS has 5 or 13 bytes: they fit beside their length
		var first [16]byte
		binary.BigEndian.PutUint16(first[:], uint16(len(ad)))
		n := copy(first[2:], ad)
		c.absorb(first[:])
		c.absorb(ad[n:])
	}
	c.absorb(text)
}

func (c *ccm) absorb(b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(c.mac[:], c.mac[:], b[:min(len(b), 16)])
		c.block.Encrypt(c.mac[:], c.mac[:])
		b = b[n:]
	}
}
