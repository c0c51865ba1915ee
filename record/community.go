package record

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// CommunityID is the Community ID flow hash, version 1 with seed 0, of a TCP
// connection: https://github.com/corelight/community-id-spec. Which side is
// the client does not matter.
func CommunityID(a, b netip.AddrPort) string {
	x, y := a.Addr().Unmap(), b.Addr().Unmap()
	if c := x.Compare(y); c > 0 || c == 0 && a.Port() > b.Port() {
		x, y, a, b = y, x, b, a
	}
	const seed, tcp = 0, 6
	var buf [48]byte
	msg := binary.BigEndian.AppendUint16(buf[:0], seed)
	msg = append(msg, x.AsSlice()...)
	msg = append(msg, y.AsSlice()...)
	msg = append(msg, tcp, 0)
	msg = binary.BigEndian.AppendUint16(msg, a.Port())
	msg = binary.BigEndian.AppendUint16(msg, b.Port())
	sum := sha1.Sum(msg)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}
