package ssh

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// Message numbers that appear in the clear (RFC 4250, section 4.1).
const (
	msgDisconnect    = 1
	msgIgnore        = 2
	msgUnimplemented = 3
	msgDebug         = 4
	msgKexInit       = 20
	msgNewKeys       = 21
	msgKexFirst      = 30
	msgKexLast       = 49
)

// maxPacket is OpenSSH's limit on packet_length; RFC 4253, section 6.1, asks
// for 35000 at least.
const maxPacket = 256 * 1024

// minPacket is the smallest packet_length: 16 bytes with the length field.
// Some implementations pad to a block of 8 only, so 5 is let through.
const minPacket = 5

// packet consumes one packet in the clear (RFC 4253, section 6):
// packet_length, padding_length, payload, padding.
func (d *dissector) packet(dir dissect.Dir, b []byte) (int, error) {
	if len(b) < 5 {
		return 0, nil
	}
	s := &d.sides[dir]
	if s.packets == 0 && words(b[:5]) {
		return d.complaint(dir, b)
	}
	size := binary.BigEndian.Uint32(b)
	padding := uint32(b[4])
	if size < minPacket || size > maxPacket-4 || padding+1 >= size {
		return 0, fmt.Errorf("ssh: packet of length %d with padding %d", size, padding)
	}
	if uint64(len(b)) < 4+uint64(size) {
		return 0, nil
	}
	end := 4 + int(size)
	payload := b[5 : end-int(padding)]
	at := d.env.At(0)
	s.packets++
	if padding < 4 {
		d.violate("ssh_padding_too_short", dir, at, fmt.Sprintf("%d bytes of padding, 4 are the least", padding))
	}
	if end%8 != 0 {
		d.violate("ssh_packet_not_aligned", dir, at, fmt.Sprintf("a packet of %d bytes, which is no multiple of 8", end))
	}
	d.message(dir, payload, at)
	return end, nil
}

// complaint consumes a line of text where a packet should begin: OpenSSH's
// "Invalid SSH identification string." and the like. As a packet it would be
// far too long.
func (d *dissector) complaint(dir dissect.Dir, b []byte) (int, error) {
	s := &d.sides[dir]
	end := bytes.IndexByte(b[:min(len(b), maxIdentification)], '\n')
	switch {
	case end >= 0:
		end++
	case len(b) >= maxIdentification:
		return 0, fmt.Errorf("ssh: text in place of a packet")
	case s.ended:
		end = len(b)
	default:
		return 0, nil
	}
	d.hs.otherLine(dir, bytes.TrimRight(b[:end], "\r\n"), d.env.At(0))
	return end, nil
}

// words reports whether b is made of letters and spaces.
func words(b []byte) bool {
	for _, c := range b {
		if c != ' ' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// plausiblePacket reports whether b, at least 6 bytes, begins with a packet in
// the clear, as far as its head tells.
func plausiblePacket(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	size := binary.BigEndian.Uint32(b)
	if size < minPacket || size > 65536 || (size+4)%8 != 0 || b[4] < 4 || uint32(b[4])+1 >= size {
		return false
	}
	t := b[5]
	return t >= msgDisconnect && t <= msgDebug || t == msgKexInit || t == msgNewKeys || t >= msgKexFirst && t <= msgKexLast
}

// message takes one payload in the clear.
func (d *dissector) message(dir dissect.Dir, p []byte, at record.Stamp) {
	s := &d.sides[dir]
	t := p[0]
	strict := d.hs.strict()
	switch {
	case t == msgDisconnect:
		d.hs.disconnect(dir, p[1:], at)
	case t == msgIgnore || t == msgUnimplemented || t == msgDebug:
		// Strict key exchange allows nothing but its own messages before
		// NEWKEYS (OpenSSH's PROTOCOL, section 1.10).
		if strict {
			d.violate("ssh_strict_kex", dir, at, fmt.Sprintf("%s during a strict key exchange", messageName(t)))
		}
	case t == msgKexInit:
		if s.offer != nil {
			d.violate("ssh_second_kexinit", dir, at, "a second KEXINIT before the keys were in use")
			return
		}
		k := d.offers.read(dir, p)
		if !k.wellFormed {
			d.violate("ssh_kexinit_cut", dir, at, "KEXINIT ends inside a list")
		}
		s.offer = &k.offer
		d.dec.keepInit(dir, p, s.offer)
		d.hs.offered(dir, k, at)
		s.before = s.packets - 1
		if d.hs.strict() {
			for i := range d.sides {
				if o := &d.sides[i]; o.before > 0 && !o.gap {
					d.violate("ssh_strict_kex", dissect.Dir(i), at, fmt.Sprintf("%d packets of the %s before its KEXINIT in a strict key exchange", o.before, dissect.Dir(i)))
				}
			}
		}
	case t == msgNewKeys:
		d.hs.newKeys(dir, at)
		s.newKeys, s.hasKeys = at, true
		s.stage = stageSealed
		d.seal(dir)
		if d.unseal(dir, at) {
			s.stage = stageOpened
		}
		if d.sides[0].hasKeys && d.sides[1].hasKeys {
			d.finish()
		}
	case t >= msgKexFirst && t <= msgKexLast:
		d.dec.keepMessage(dir, p, at)
		d.hs.exchanged(dir, p, at)
	default:
		d.violate("ssh_unexpected_message", dir, at, fmt.Sprintf("%s in the clear", messageName(t)))
	}
}

func messageName(t byte) string {
	switch t {
	case msgDisconnect:
		return "DISCONNECT"
	case msgIgnore:
		return "IGNORE"
	case msgUnimplemented:
		return "UNIMPLEMENTED"
	case msgDebug:
		return "DEBUG"
	case 5:
		return "SERVICE_REQUEST"
	case 6:
		return "SERVICE_ACCEPT"
	case 7:
		return "EXT_INFO"
	case msgKexInit:
		return "KEXINIT"
	case msgNewKeys:
		return "NEWKEYS"
	}
	return fmt.Sprintf("message %d", t)
}
