package ssh

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20"
	//lint:ignore SA1019 OpenSSH's construction is not the one of RFC 8439.
	"golang.org/x/crypto/poly1305"
)

// opener takes the packets of one direction out of their encryption. Its
// methods use seq, the packet's sequence number, and keep nothing of b.
type opener interface {
	// size is how long the packet at the front of b is with its tag; 0 when b
	// is too short to tell. It may be asked again with more of the same bytes.
	size(seq uint32, b []byte) (int, error)
	// open decrypts a whole packet. The result is packet_length and what
	// follows up to the tag; it is valid until the next call.
	open(seq uint32, b []byte) ([]byte, error)
}

var (
	errTag    = errors.New("a packet does not fit its MAC")
	errLength = errors.New("a packet length makes no sense")
)

// keySizes are the key and IV of a cipher; ok is false for those that are not
// decrypted.
func keySizes(name string) (key, iv int, ok bool) {
	name, _, _ = strings.Cut(name, "@")
	switch {
	case name == "none":
		return 0, 0, true
	case name == "chacha20-poly1305":
		return 64, 0, true
	case name == "3des-cbc", name == "3des-ctr":
		return 24, 8, true
	case name == "rijndael-cbc":
		return 32, 16, true
	}
	for _, bits := range [...]struct {
		name string
		size int
	}{{"128", 16}, {"192", 24}, {"256", 32}} {
		switch name {
		case "aes" + bits.name + "-ctr", "aes" + bits.name + "-cbc":
			return bits.size, 16, true
		case "aes" + bits.name + "-gcm", "AEAD_AES_" + bits.name + "_GCM":
			return bits.size, 12, true
		}
	}
	return 0, 0, false
}

// newOpener sets up a direction; letters are those of its IV, key and MAC key
// (RFC 4253, section 7.2). note says what cannot be checked, "" if nothing.
func newOpener(s *secrets, cipherName, macName string, dir int) (o opener, note string, err error) {
	keySize, ivSize, ok := keySizes(cipherName)
	if !ok {
		return nil, "", fmt.Errorf("cipher %s is not decrypted", cipherName)
	}
	letter := func(c byte) byte { return c + byte(dir) }
	key, iv := s.key(letter('C'), keySize), s.key(letter('A'), ivSize)
	switch {
	case strings.HasPrefix(cipherName, "chacha20-poly1305"):
		return &chachaOpener{main: [32]byte(key[:32]), head: [32]byte(key[32:])}, "", nil
	case authenticates(cipherName):
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, "", err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, "", err
		}
		return &gcmOpener{aead: aead, nonce: [12]byte(iv)}, "", nil
	}
	m := &macOpener{tag: tagSize(cipherName, macName), etm: strings.Contains(macName, "-etm"), block: 8}
	if m.tag < 0 {
		return nil, "", fmt.Errorf("MAC %s is not known", macName)
	}
	if m.mac, err = newMAC(macName, m.tag, func(n int) []byte { return s.key(letter('E'), n) }); err != nil {
		return nil, "", err
	}
	if m.mac == nil && m.tag > 0 {
		note = fmt.Sprintf("MAC %s is not verified", macName)
	}
	if cipherName == "none" {
		m.crypt = func(dst, src []byte) { copy(dst, src) }
		return m, note, nil
	}
	var block cipher.Block
	if strings.HasPrefix(cipherName, "3des") {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, "", err
	}
	m.block = block.BlockSize()
	if strings.Contains(cipherName, "-ctr") {
		m.ctr, m.iv = block, iv
		m.crypt = cipher.NewCTR(block, iv).XORKeyStream
	} else {
		m.crypt = cipher.NewCBCDecrypter(block, iv).CryptBlocks
	}
	return m, note, nil
}

// plausible checks packet_length; within is what is padded to the block.
func plausible(length uint32, within, block int) error {
	if length < minPacket || length > maxPacket || (within+int(length))%block != 0 {
		return errLength
	}
	return nil
}

// macOpener undoes CTR and CBC ciphers with a MAC beside them: encrypt-and-MAC
// (RFC 4253, section 6.4) or encrypt-then-MAC (OpenSSH's PROTOCOL, section
// 1.5).
type macOpener struct {
	crypt  func(dst, src []byte)
	ctr    cipher.Block // nil with other modes
	iv     []byte       // the counter's first value
	spent  uint64       // blocks of keystream that packets have used
	words  []keyWord    // for a search
	block  int
	mac    packetMAC // nil: not verified
	tag    int
	etm    bool
	first  [16]byte // first block of the packet in hand, decrypted
	opened bool     // first is filled
	plain  []byte
	sum    []byte
}

func (o *macOpener) size(_ uint32, b []byte) (int, error) {
	var head []byte
	within := 0
	switch {
	case o.etm:
		if len(b) < 4 {
			return 0, nil
		}
		head = b
	case len(b) < o.block:
		return 0, nil
	default:
		if !o.opened {
			o.crypt(o.first[:o.block], b[:o.block])
			o.opened = true
		}
		head, within = o.first[:], 4
	}
	length := binary.BigEndian.Uint32(head)
	if err := plausible(length, within, o.block); err != nil {
		return 0, err
	}
	return 4 + int(length) + o.tag, nil
}

func (o *macOpener) open(seq uint32, b []byte) ([]byte, error) {
	body, tag := b[:len(b)-o.tag], b[len(b)-o.tag:]
	if o.etm {
		if !o.verify(seq, body, tag) {
			return nil, errTag
		}
		o.plain = append(o.plain[:0], body...)
		o.crypt(o.plain[4:], body[4:])
		o.spent += uint64((len(body) - 4) / o.block)
		return o.plain, nil
	}
	o.plain = append(o.plain[:0], o.first[:o.block]...)
	o.plain = append(o.plain, body[o.block:]...)
	o.crypt(o.plain[o.block:], body[o.block:])
	o.opened = false
	if !o.verify(seq, o.plain, tag) {
		return nil, errTag
	}
	o.spent += uint64(len(body) / o.block)
	return o.plain, nil
}

func (o *macOpener) resumable(sized bool) bool { return sized && o.ctr != nil && o.mac != nil }

func (o *macOpener) least() int {
	if o.etm {
		return 4 + o.block + o.tag
	}
	return 16 + o.tag
}

// spentAt is how much of the keystream is spent at a place. ok is false where no
// packet can begin.
func (o *macOpener) spentAt(at place) (blocks uint64, ok bool) {
	beside := o.tag // what is not encrypted of a packet
	if o.etm {
		beside += 4
	}
	n := at.bytes - int64(at.packets)*int64(beside)
	return o.spent + uint64(n)/uint64(o.block), n >= 0 && n%int64(o.block) == 0
}

// counter is the iv so many blocks on.
func (o *macOpener) counter(blocks uint64) [16]byte {
	var c [16]byte
	n := copy(c[:], o.iv)
	low := c[n-8 : n]
	was := binary.BigEndian.Uint64(low)
	binary.BigEndian.PutUint64(low, was+blocks)
	if was+blocks < was {
		for i := n - 9; i >= 0; i-- {
			if c[i]++; c[i] != 0 {
				break
			}
		}
	}
	return c
}

func (o *macOpener) candidates(dst []candidate, at place, seq uint32, head []byte) ([]candidate, int) {
	if o.etm {
		size, err := o.size(seq, head)
		return appendClear(dst, at, size, err)
	}
	// Packets end with blocks, so only every so many of them fit the bytes.
	step, n := uint32(1), uint32(1)
	for int(step)*o.tag%o.block != 0 {
		step++
	}
	for ; n <= step; n++ {
		if _, ok := o.spentAt(place{n, at.bytes}); ok {
			break
		}
	}
	if n > step {
		return dst, 1
	}
	work := 1
	sealed := binary.BigEndian.Uint32(head)
	for ; n <= at.packets; n += step {
		blocks, _ := o.spentAt(place{n, at.bytes})
		length := sealed ^ o.wordAt(blocks)
		if work += 2; length <= maxFound && plausible(length, 4, o.block) == nil {
			dst = append(dst, candidate{size: 4 + int(length) + o.tag, first: n, limit: n})
		}
	}
	return dst, work
}

// keyWord is the beginning of a block of keystream.
type keyWord struct {
	block uint64
	word  uint32
	known bool
}

// wordAt is the first word of the keystream so many blocks on. A search asks
// for the same ones again and again.
func (o *macOpener) wordAt(blocks uint64) uint32 {
	if o.words == nil {
		o.words = make([]keyWord, 1<<14)
	}
	w := &o.words[blocks%uint64(len(o.words))]
	if !w.known || w.block != blocks {
		o.first = o.counter(blocks)
		o.ctr.Encrypt(o.first[:], o.first[:])
		*w = keyWord{blocks, binary.BigEndian.Uint32(o.first[:]), true}
	}
	return w.word
}

func (o *macOpener) openAt(at place, seq uint32, b []byte) ([]byte, error) {
	blocks, ok := o.spentAt(at)
	if !ok || o.etm && !o.verify(seq, b[:len(b)-o.tag], b[len(b)-o.tag:]) {
		return nil, errTag
	}
	counter := o.counter(blocks)
	o.crypt = cipher.NewCTR(o.ctr, counter[:o.block]).XORKeyStream
	if o.opened = !o.etm; o.opened {
		o.crypt(o.first[:o.block], b[:o.block])
	}
	before := o.spent
	o.spent = blocks
	plain, err := o.open(seq, b)
	if err != nil {
		o.spent = before
		return nil, err
	}
	o.words = nil
	return plain, nil
}

// verify checks the MAC of a packet; a MAC may be cut.
func (o *macOpener) verify(seq uint32, p, tag []byte) bool {
	if o.mac == nil {
		return true
	}
	o.sum = o.mac.sum(o.sum[:0], seq, p)
	return len(tag) <= len(o.sum) && subtle.ConstantTimeCompare(o.sum[:len(tag)], tag) == 1
}

// gcmOpener undoes AES-GCM (RFC 5647): the length is in the clear, the last
// eight bytes of the nonce count packets.
type gcmOpener struct {
	aead  cipher.AEAD
	nonce [12]byte
	plain []byte
}

func (o *gcmOpener) size(_ uint32, b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	if err := plausible(length, 0, 16); err != nil {
		return 0, err
	}
	return 4 + int(length) + 16, nil
}

func (o *gcmOpener) open(_ uint32, b []byte) ([]byte, error) {
	out, err := o.aead.Open(append(o.plain[:0], b[:4]...), o.nonce[:], b[4:], b[:4])
	if err != nil {
		return nil, errTag
	}
	o.plain = out
	binary.BigEndian.PutUint64(o.nonce[4:], binary.BigEndian.Uint64(o.nonce[4:])+1)
	return out, nil
}

func (o *gcmOpener) resumable(bool) bool { return true }

func (o *gcmOpener) least() int { return 4 + 16 + 16 }

func (o *gcmOpener) candidates(dst []candidate, at place, seq uint32, head []byte) ([]candidate, int) {
	size, err := o.size(seq, head)
	return appendClear(dst, at, size, err)
}

func (o *gcmOpener) openAt(at place, seq uint32, b []byte) ([]byte, error) {
	before := o.nonce
	binary.BigEndian.PutUint64(o.nonce[4:], binary.BigEndian.Uint64(o.nonce[4:])+uint64(at.packets))
	plain, err := o.open(seq, b)
	if err != nil {
		o.nonce = before
	}
	return plain, err
}

// chachaOpener undoes chacha20-poly1305@openssh.com (OpenSSH's
// PROTOCOL.chacha20poly1305): one key for the length, one for the rest, and
// the sequence number as nonce.
type chachaOpener struct {
	main, head [32]byte
	plain      []byte

	// Keystreams of the lengths of packets from a number on, for a search that
	// tries each of them at every place.
	heads []uint32
	from  uint32
}

func (o *chachaOpener) stream(key *[32]byte, seq uint32) (*chacha20.Cipher, error) {
	var nonce [12]byte
	binary.BigEndian.PutUint32(nonce[8:], seq)
	return chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
}

func (o *chachaOpener) length(seq uint32, b []byte) ([4]byte, error) {
	var out [4]byte
	c, err := o.stream(&o.head, seq)
	if err != nil {
		return out, err
	}
	c.XORKeyStream(out[:], b[:4])
	return out, nil
}

func (o *chachaOpener) size(seq uint32, b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	head, err := o.length(seq, b)
	if err != nil {
		return 0, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if err := plausible(length, 0, 8); err != nil {
		return 0, err
	}
	return 4 + int(length) + poly1305.TagSize, nil
}

func (o *chachaOpener) open(seq uint32, b []byte) ([]byte, error) {
	c, err := o.stream(&o.main, seq)
	if err != nil {
		return nil, err
	}
	var polyKey [32]byte
	c.XORKeyStream(polyKey[:], polyKey[:])
	body, tag := b[:len(b)-poly1305.TagSize], b[len(b)-poly1305.TagSize:]
	if !poly1305.Verify((*[16]byte)(tag), body, &polyKey) {
		return nil, errTag
	}
	head, err := o.length(seq, b)
	if err != nil {
		return nil, err
	}
	c.SetCounter(1)
	o.plain = append(append(o.plain[:0], head[:]...), body[4:]...)
	c.XORKeyStream(o.plain[4:], body[4:])
	return o.plain, nil
}

func (o *chachaOpener) resumable(bool) bool { return true }

func (o *chachaOpener) least() int { return 4 + 8 + poly1305.TagSize }

func (o *chachaOpener) candidates(dst []candidate, at place, seq uint32, head []byte) ([]candidate, int) {
	if o.from != seq {
		o.heads, o.from = o.heads[:0], seq
	}
	for n := uint32(len(o.heads)); n <= at.packets; n++ {
		var zero [4]byte
		stream, err := o.length(seq+n, zero[:])
		if err != nil {
			return dst, 1
		}
		o.heads = append(o.heads, binary.BigEndian.Uint32(stream[:]))
	}
	sealed := binary.BigEndian.Uint32(head)
	for n, stream := range o.heads[:at.packets+1] {
		// This is tried millions of times: nearly all lengths are too large.
		length := sealed ^ stream
		if length > maxFound || n == 0 || plausible(length, 0, 8) != nil {
			continue
		}
		dst = append(dst, candidate{size: 4 + int(length) + poly1305.TagSize, first: uint32(n), limit: uint32(n)})
	}
	return dst, 1 + int(at.packets)
}

func (o *chachaOpener) openAt(_ place, seq uint32, b []byte) ([]byte, error) { return o.open(seq, b) }
