package flow

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"time"
)

// sessionID derives a session's id from what a capture of it always holds, so
// that the same capture gives the same id in every run. Which side is the
// client does not matter.
func sessionID(start time.Time, a, b netip.AddrPort) string {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	var buf [64]byte
	msg := binary.BigEndian.AppendUint64(buf[:0], uint64(start.Unix()))
	msg = binary.BigEndian.AppendUint32(msg, uint32(start.Nanosecond()))
	for _, ap := range []netip.AddrPort{a, b} {
		ip := ap.Addr().As16()
		msg = append(msg, ip[:]...)
		msg = binary.BigEndian.AppendUint16(msg, ap.Port())
	}
	sum := sha256.Sum256(msg)
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	enc := base32.NewEncoding(digits).WithPadding(base32.NoPadding)
	return "s" + enc.EncodeToString(sum[:])[:12]
}

// communityID is the Community ID flow hash, version 1 with seed 0, of a TCP
// connection: https://github.com/corelight/community-id-spec.
func communityID(a, b netip.AddrPort) string {
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
