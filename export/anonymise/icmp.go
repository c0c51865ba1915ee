package anonymise

import (
	"encoding/binary"

	"sniff/capture"
)

// unreachable returns the anonymised form of an ICMP error that says why a
// connection did not come about (RFC 792, RFC 4443); nil for anything else. Of
// the packet that it quotes the IP header, ports and sequence number stay.
func (a *Anonymiser) unreachable(p *capture.Packet) []byte {
	at, ok := network(p)
	b := append([]byte(nil), p.Data...)
	if !ok || len(b) < at.ip+20 {
		return nil
	}
	header := 40
	switch b[at.ip] >> 4 {
	case 4:
		header = int(b[at.ip]&15) * 4
		if header < 20 || b[at.ip+9] != 1 {
			return nil
		}
	case 6:
		at.v6 = true
		if len(b) < at.ip+40 || b[at.ip+6] != 58 {
			return nil
		}
	default:
		return nil
	}
	icmp := at.ip + header
	quoted := place{ip: icmp + 8, v6: at.v6}
	if len(b) < quoted.ip+header+8 || !at.v6 && b[icmp] != 3 || at.v6 && b[icmp] != 1 || b[quoted.ip]>>4 != b[at.ip]>>4 {
		return nil
	}
	inner := 40
	if !at.v6 {
		if inner = int(b[quoted.ip]&15) * 4; inner < 20 {
			return nil
		}
	}
	if len(b) < quoted.ip+inner+8 {
		return nil
	}
	a.macs(b, at)
	from, length := a.swap(b, &at)
	a.swap(b, &quoted)
	clear(b[quoted.ip+inner+8:])
	var sum uint32
	if at.v6 {
		sum = uint32(checksum(0, b[from:from+2*length])) + 58 + uint32(binary.BigEndian.Uint16(b[at.ip+4:]))
	} else {
		headerChecksum(b[at.ip : at.ip+header])
		headerChecksum(b[quoted.ip : quoted.ip+inner])
	}
	b[icmp+2], b[icmp+3] = 0, 0
	binary.BigEndian.PutUint16(b[icmp+2:], ^checksum(sum, b[icmp:]))
	return b
}
