package ssh

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"strings"
)

// packetMAC authenticates packets by their sequence numbers.
type packetMAC interface {
	// sum appends the whole MAC of a packet.
	sum(dst []byte, seq uint32, p []byte) []byte
}

// newMAC sets up the MAC of a direction, tag bytes long on the wire; nil for
// one that is not verified (those out of use). key makes its key.
func newMAC(name string, tag int, key func(n int) []byte) (packetMAC, error) {
	base, _, _ := strings.Cut(name, "@")
	base = strings.TrimSuffix(base, "-etm")
	var newHash func() hash.Hash
	switch base {
	case "umac-64", "umac-128":
		u, err := newUMAC(key(umacKey), tag)
		if err != nil {
			return nil, err
		}
		return u, nil
	case "hmac-sha1", "hmac-sha1-96":
		newHash = sha1.New
	case "hmac-sha2-256", "hmac-sha2-256-96":
		newHash = sha256.New
	case "hmac-sha2-512", "hmac-sha2-512-96":
		newHash = sha512.New
	case "hmac-md5", "hmac-md5-96":
		newHash = md5.New
	default:
		return nil, nil
	}
	return &hmacSum{mac: hmac.New(newHash, key(newHash().Size()))}, nil
}

// hmacSum is HMAC over the sequence number and the packet (RFC 4253, section
// 6.4).
type hmacSum struct {
	mac hash.Hash
	seq [4]byte
}

func (m *hmacSum) sum(dst []byte, seq uint32, p []byte) []byte {
	binary.BigEndian.PutUint32(m.seq[:], seq)
	m.mac.Reset()
	m.mac.Write(m.seq[:])
	m.mac.Write(p)
	return m.mac.Sum(dst)
}
