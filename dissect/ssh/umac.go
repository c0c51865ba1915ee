package ssh

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

// umac is UMAC (RFC 4418) with tags of 64 and 128 bits, as OpenSSH uses it:
// the nonce is the packet's sequence number in 64 bits. Its second layer stops
// at messages of 16 MiB, where RFC 4418 goes on with numbers of 128 bits; a
// packet has at most 256 KiB.
type umac struct {
	pad    cipher.Block // makes the pad of a nonce
	tag    int          // bytes: 8 or 16
	layers []umacLayer  // one for each four bytes of tag
	nh     []uint32     // keys of the first layer; each layer begins four words later
	block  [aes.BlockSize]byte
}

// umacLayer holds the keys of one of the independent hashes.
type umacLayer struct {
	poly  uint64    // of the second layer
	inner [4]uint64 // of the third; the other four meet zeros only
	mask  uint32
}

const (
	umacKey   = 16
	umacChunk = 1024
	prime36   = 1<<36 - 5
	prime64   = 1<<64 - 59
)

// newUMAC prepares the keys (RFC 4418, sections 3.2.1 and 4.2).
func newUMAC(key []byte, tag int) (*umac, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	derive := func(index byte, n int) []byte {
		out := make([]byte, 0, n+aes.BlockSize)
		for i := uint64(1); len(out) < n; i++ {
			var t [aes.BlockSize]byte
			t[7] = index
			binary.BigEndian.PutUint64(t[8:], i)
			block.Encrypt(t[:], t[:])
			out = append(out, t[:]...)
		}
		return out[:n]
	}
	u := &umac{tag: tag, layers: make([]umacLayer, tag/4)}
	if u.pad, err = aes.NewCipher(derive(0, umacKey)); err != nil {
		return nil, err
	}
	n := len(u.layers)
	first, second, third, mask := derive(1, umacChunk+(n-1)*16), derive(2, n*24), derive(3, n*64), derive(4, n*4)
	u.nh = make([]uint32, len(first)/4)
	for i := range u.nh {
		u.nh[i] = binary.BigEndian.Uint32(first[4*i:])
	}
	for i := range u.layers {
		l := &u.layers[i]
		l.poly = binary.BigEndian.Uint64(second[24*i:]) & 0x01ffffff01ffffff
		for j := range l.inner {
			l.inner[j] = binary.BigEndian.Uint64(third[64*i+8*(4+j):]) % prime36
		}
		l.mask = binary.BigEndian.Uint32(mask[4*i:])
	}
	return u, nil
}

func (u *umac) sum(dst []byte, seq uint32, p []byte) []byte { return u.tagOf(dst, uint64(seq), p) }

// tagOf appends the tag of a message under a nonce (RFC 4418, section 4.1).
func (u *umac) tagOf(dst []byte, nonce uint64, p []byte) []byte {
	pad := &u.block
	*pad = [aes.BlockSize]byte{}
	skip := 0
	if u.tag == 8 {
		// Two tags come out of one block of pad.
		skip = int(nonce&1) * 8
		nonce &^= 1
	}
	binary.BigEndian.PutUint64(pad[:], nonce)
	u.pad.Encrypt(pad[:], pad[:])
	for i := range u.layers {
		t := u.layers[i].hash(u.nh[4*i:], p) ^ binary.BigEndian.Uint32(pad[skip+4*i:])
		dst = binary.BigEndian.AppendUint32(dst, t)
	}
	return dst
}

// hash is UHASH (RFC 4418, section 5) for one layer.
func (l *umacLayer) hash(nh []uint32, p []byte) uint32 {
	if len(p) <= umacChunk {
		return l.fold(umacNH(nh, p))
	}
	y := uint64(1)
	for len(p) > 0 {
		n := min(len(p), umacChunk)
		y = l.step(y, umacNH(nh, p[:n]))
		p = p[n:]
	}
	return l.fold(y)
}

// umacNH is the first layer (section 5.2) over one chunk. Words of the message
// are little-endian, and what is missing of 32 bytes is zero.
func umacNH(k []uint32, p []byte) uint64 {
	y := uint64(len(p)) * 8
	if len(p) == 0 {
		var zero [32]byte
		return nhBlock(k, zero[:])
	}
	for ; len(p) >= 32; p, k = p[32:], k[8:] {
		y += nhBlock(k, p)
	}
	if len(p) > 0 {
		var last [32]byte
		copy(last[:], p)
		y += nhBlock(k, last[:])
	}
	return y
}

func nhBlock(k []uint32, p []byte) (y uint64) {
	k, p = k[:8], p[:32]
	for i := range 4 {
		y += uint64(binary.LittleEndian.Uint32(p[4*i:])+k[i]) * uint64(binary.LittleEndian.Uint32(p[4*i+16:])+k[i+4])
	}
	return y
}

// step takes one word into the polynomial of the second layer (section 5.3).
func (l *umacLayer) step(y, m uint64) uint64 {
	if m >= 1<<64-1<<32 {
		y = mulAdd64(l.poly, y, prime64-1)
		m -= 59
	}
	return mulAdd64(l.poly, y, m)
}

// mulAdd64 is a*b+c modulo the largest prime of 64 bits.
func mulAdd64(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c, 0)
	return bits.Rem64(hi+carry, lo, prime64)
}

// fold is the third layer (section 5.4).
func (l *umacLayer) fold(y uint64) uint32 {
	var sum uint64
	for i, k := range l.inner {
		sum += k * (y >> (48 - 16*i) & 0xffff)
	}
	return uint32(sum%prime36) ^ l.mask
}
