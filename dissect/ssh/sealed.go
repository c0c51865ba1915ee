package ssh

import (
	"encoding/binary"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// framing is what the negotiated algorithms tell about the packets of one
// direction (RFC 4253, section 6; RFC 5647; OpenSSH's PROTOCOL, sections 1.5
// and 1.6).
type framing struct {
	known  bool
	clear  bool // packet_length is in the clear
	apart  bool // packet_length is outside of what is padded to the block
	block  int
	tag    int  // MAC or authentication tag
	extra  int  // padding that the software adds beyond the least
	least  int  // smallest packet without its tag
	packed bool // payloads are compressed from the start, so sizes say little
}

// frame works out the framing of one direction.
func frame(cipher, mac, compression string) framing {
	f := framing{known: cipher != "", block: blockSize(cipher), tag: tagSize(cipher, mac)}
	f.packed = compression == "zlib"
	etm := strings.Contains(mac, "-etm")
	switch {
	case strings.HasPrefix(cipher, "chacha20-poly1305"):
		f.apart = true
	case authenticates(cipher), etm:
		f.apart, f.clear = true, true
	case cipher == "none":
		f.clear = true
	}
	if f.tag < 0 {
		f.known, f.clear = false, false
	}
	return f
}

// authenticates reports whether a cipher needs no MAC beside it.
func authenticates(cipher string) bool {
	return strings.Contains(cipher, "gcm") || strings.HasPrefix(cipher, "chacha20-poly1305") || strings.HasPrefix(cipher, "AEAD_AES_")
}

func blockSize(cipher string) int {
	switch {
	case strings.HasPrefix(cipher, "aes"), strings.HasPrefix(cipher, "AEAD_AES_"), strings.HasPrefix(cipher, "rijndael"),
		strings.HasPrefix(cipher, "twofish"), strings.HasPrefix(cipher, "serpent"), strings.HasPrefix(cipher, "camellia"),
		strings.HasPrefix(cipher, "seed"), strings.HasPrefix(cipher, "sm4"):
		return 16
	}
	return 8
}

// tagSize is how many bytes follow each packet; -1 when the MAC is unknown.
func tagSize(cipher, mac string) int {
	if authenticates(cipher) {
		return 16
	}
	base, _, _ := strings.Cut(mac, "@")
	base = strings.TrimSuffix(base, "-etm")
	switch base {
	case "hmac-sha1", "hmac-ripemd160", "hmac-ripemd":
		return 20
	case "hmac-sha1-96", "hmac-md5-96", "hmac-sha2-256-96":
		return 12
	case "hmac-md5", "umac-128", "hmac-sha256-128":
		return 16
	case "hmac-sha2-256", "hmac-sha256", "hmac-sha3-256", "hmac-sm3":
		return 32
	case "hmac-sha2-512", "hmac-sha512":
		return 64
	case "hmac-sha2-512-96":
		return 12
	case "umac-64":
		return 8
	case "none":
		return 0
	}
	return -1
}

// wire is the size on the wire of a packet with n bytes of payload and the
// least padding.
func (f framing) wire(n int) int {
	padded := 1 + n + 4
	if !f.apart {
		padded += 4
	}
	padded += (f.block - padded%f.block) % f.block
	if f.apart {
		padded += 4
	}
	if padded < f.least {
		padded += f.block
	}
	return padded + f.extra + f.tag
}

// payload is the range of payloads that make a packet of this size with the
// least padding.
func (f framing) payload(wire int) (lo, hi int) {
	hi = wire - f.tag - f.extra - 9
	lo = hi - f.block + 1
	return max(lo, 0), max(hi, 0)
}

// sealed is the state of one direction behind NEWKEYS.
type sealed struct {
	framing
	need int  // bytes until the next packet
	lost bool // lengths can no longer be followed
}

// seal begins the encrypted part of a direction.
func (d *dissector) seal(dir dissect.Dir) {
	s := &d.sides[dir]
	s.sealed.block = 8
	if n := d.hs.rec.Negotiated; n != nil {
		if dir == dissect.ClientToServer {
			s.sealed.framing = frame(n.CipherC2S, n.MACC2S, n.CompressionC2S)
		} else {
			s.sealed.framing = frame(n.CipherS2C, n.MACS2C, n.CompressionS2C)
		}
		// tinysshd pads each packet with one block more than it needs;
		// Dropbear keeps to the least size of 16 bytes, OpenSSH does not.
		if s.id != nil && s.id.Software == "tinyssh" {
			s.sealed.extra = s.sealed.block
		}
		if s.id != nil && s.id.Software == "Dropbear" {
			s.sealed.least = 16
		}
	}
}

// consumeSealed counts encrypted bytes. It takes all that is offered, keeps
// nothing and looks at lengths in the clear only.
func (d *dissector) consumeSealed(dir dissect.Dir, b []byte) int {
	s := &d.sides[dir].sealed
	if !s.clear || s.lost {
		d.stretches(dir, b, 0)
		return len(b)
	}
	i := 0
	for i < len(b) {
		if s.need > 0 {
			n := min(s.need, len(b)-i)
			s.need -= n
			i += n
			continue
		}
		if len(b)-i < 4 {
			break
		}
		size := int(binary.BigEndian.Uint32(b[i:]))
		if size < minPacket || size > maxPacket || s.apart && size%s.block != 0 {
			// No packet of ours: a peer's error, or bytes that were lost
			// unnoticed. Go on without lengths.
			s.lost = true
			d.watch.inexact()
			d.stretches(dir, b[i:], i)
			return len(b)
		}
		s.need = 4 + size + s.tag
		d.watch.message(d, event{dir: dir, size: s.need, at: d.env.At(i)})
	}
	return i
}

// stretches finds the stretches of b that came at one time, off bytes behind
// what Consume was given.
func (d *dissector) stretches(dir dissect.Dir, b []byte, off int) {
	for i := 0; i < len(b); {
		at := d.env.At(off + i)
		j := len(b)
		if !same(d.env.At(off+j-1), at) {
			// Double the step while the stamp stays, then halve it.
			step, k := 1, i
			for k+step < len(b) && same(d.env.At(off+k+step), at) {
				k += step
				step *= 2
			}
			for ; step > 0; step /= 2 {
				if k+step < len(b) && same(d.env.At(off+k+step), at) {
					k += step
				}
			}
			j = k + 1
		}
		d.watch.stretch(d, event{dir: dir, size: j - i, at: at})
		i = j
	}
}

// same reports whether two bytes came at one time.
func same(a, b record.Stamp) bool { return a.Time.Equal(b.Time) }

// gapSealed skips a hole. Where lengths are known and the hole lies inside a
// packet, nothing is lost but the bytes.
func (d *dissector) gapSealed(dir dissect.Dir, n int64) {
	s := &d.sides[dir].sealed
	inside := s.clear && !s.lost && n >= 0 && n <= int64(s.need)
	d.watch.missed(d, n, inside)
	switch {
	case inside:
		s.need -= int(n)
	case s.clear && !s.lost:
		s.lost = true
		d.watch.inexact()
	}
}
