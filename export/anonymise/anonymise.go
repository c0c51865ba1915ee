// Package anonymise rewrites captures so that they can be shown to others:
// addresses, names, accounts and secrets are replaced by stand-ins of the same
// length and the same classes of characters, everywhere alike, so that the
// dialogue can still be read by every program.
//
// What is replaced: IP addresses, in headers and in text, octet by octet under
// a key, so that hosts of one network stay together (RFC 1918 networks, which
// name nobody, keep their prefix); MAC addresses; and the words of a
// dictionary that records fill (words.go): accounts, secrets, mail addresses,
// host and file names, subjects. Words are found as they stand, in base64,
// quoted-printable, URL encoding, hexadecimal and UTF-16 (encoding.go).
//
// How it works: the payload of each direction is put together (stream.go),
// rewritten in place and cut into its packets again, whose checksums are then
// made right (packet.go). The key lives as long as the Anonymiser: two runs
// share no stand-ins.
//
// What is not replaced: texts of messages and files beside the words of the
// dictionary, ports, times, sizes, software names. Packets that are not plain
// TCP over IPv4 or IPv6, or ICMP errors about it, are left out (tunnels,
// fragments). Compressed content
// cannot be rewritten at its length; where it can be told by its magic number
// it is blanked. Certificates that cross in the clear get stand-ins for their
// names, which breaks their signatures.
package anonymise

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// Anonymiser makes stand-ins under one key.
type Anonymiser struct {
	key   []byte
	words words
	perms map[permKey][]int
}

// New returns an Anonymiser with a key of its own.
func New() *Anonymiser {
	key := make([]byte, 32)
	rand.Read(key) // never fails: it ends the program instead
	return &Anonymiser{key: key, perms: map[permKey][]int{}}
}

// random returns the bytes that stand for label under the key, as many as
// wanted.
func (a *Anonymiser) random(label string, n int) []byte {
	var out []byte
	for i := uint32(0); len(out) < n; i++ {
		mac := hmac.New(sha256.New, a.key)
		mac.Write(binary.BigEndian.AppendUint32(nil, i))
		mac.Write([]byte(label))
		out = mac.Sum(out)
	}
	return out[:n]
}
