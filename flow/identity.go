package flow

import (
	"crypto/sha256"
	"encoding/base32"
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
