package capture

import (
	"encoding/binary"
	"net/netip"
)

// sum is the Internet checksum before it is complemented (RFC 1071): 0xffff
// over data that holds its own right checksum.
func sum(b []byte, initial uint64) uint16 {
	s := initial
	for len(b) >= 16 {
		v, w := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		s += v>>32 + v&0xffffffff + w>>32 + w&0xffffffff
		b = b[16:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// tcpChecksumOK checks a whole segment with its pseudo header.
func tcpChecksumOK(b []byte, src, dst netip.Addr) bool {
	var pseudo uint64
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		pseudo = uint64(sum(s[:], 0)) + uint64(sum(d[:], 0))
	} else {
		s, d := src.As16(), dst.As16()
		pseudo = uint64(sum(s[:], 0)) + uint64(sum(d[:], 0))
	}
	return sum(b, pseudo+protoTCP+uint64(len(b))) == 0xffff
}
