package ssh

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// Packets and messages of SSH-1 up to the session key (draft-ylonen-ssh-
// protocol-00). Everything behind is encrypted.
const (
	ssh1Disconnect = 1
	ssh1PublicKey  = 2
	ssh1SessionKey = 3
)

// packetSSH1 consumes one packet of SSH-1 in the clear: length, 1 to 8 bytes
// of padding, type, data, CRC-32.
func (d *dissector) packetSSH1(dir dissect.Dir, b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	size := binary.BigEndian.Uint32(b)
	if size < 5 || size > maxPacket-16 {
		return 0, fmt.Errorf("ssh: SSH-1 packet of length %d", size)
	}
	padding := 8 - int(size)%8
	end := 4 + padding + int(size)
	if len(b) < end {
		return 0, nil
	}
	at := d.env.At(0)
	data := b[4+padding+1 : end-4]
	s := &d.sides[dir]
	s.packets++
	switch b[4+padding] {
	case ssh1Disconnect:
		r := reader{b: data}
		d.hs.rec.Disconnect = &record.SSHDisconnect{By: dir.String(), Reason: "ssh1", Description: clip(r.string(), keptLine)}
		d.hs.phase("end", dir, at, "disconnect")
	case ssh1PublicKey:
		d.hs.rec.SSH1 = readSSH1Key(data)
		d.hs.phase("host_key", dir, at, fmt.Sprintf("RSA1 %d MD5:%s", d.hs.rec.SSH1.HostBits, d.hs.rec.SSH1.MD5))
		s.stage = stageSealed
	case ssh1SessionKey:
		r := reader{b: data}
		cipher := r.byte()
		d.hs.phase("new_keys", dir, at, ssh1Cipher(int(cipher)))
		if d.hs.rec.SSH1 != nil {
			d.hs.rec.SSH1.Cipher = ssh1Cipher(int(cipher))
		}
		s.stage = stageSealed
		d.finish()
	default:
		s.stage = stageSealed
	}
	return end, nil
}

// readSSH1Key reads SSH_SMSG_PUBLIC_KEY.
func readSSH1Key(data []byte) *record.SSH1Key {
	r := reader{b: data}
	k := &record.SSH1Key{}
	r.take(8) // anti-spoofing cookie
	k.ServerBits = int(r.uint32())
	r.mpint1()
	r.mpint1()
	k.HostBits = int(r.uint32())
	e, n := r.mpint1(), r.mpint1()
	r.uint32() // protocol flags
	ciphers, auth := r.uint32(), r.uint32()
	h := md5.New()
	h.Write(n)
	h.Write(e)
	k.MD5 = colons([16]byte(h.Sum(nil)))
	for i := range 7 {
		if ciphers&(1<<i) != 0 {
			k.Ciphers = append(k.Ciphers, ssh1Cipher(i))
		}
	}
	for i, name := range [...]string{"", "rhosts", "rsa", "password", "rhosts-rsa", "tis", "kerberos"} {
		if name != "" && auth&(1<<i) != 0 {
			k.Auth = append(k.Auth, name)
		}
	}
	return k
}

// mpint1 takes a multiple precision integer of SSH-1: its bits in 16 bits,
// then the bytes.
func (r *reader) mpint1() []byte {
	p := r.take(2)
	if p == nil {
		return nil
	}
	return r.take((int(binary.BigEndian.Uint16(p)) + 7) / 8)
}

func ssh1Cipher(i int) string {
	names := [...]string{"none", "idea", "des", "3des", "tss", "rc4", "blowfish"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("cipher %d", i)
}
