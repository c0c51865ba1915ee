// Package capture turns captures and interfaces into decoded TCP segments. It
// knows link layers, tunnels, fragments and file formats; it knows no flows.
package capture

import (
	"net/netip"
	"time"
)

// Flags are TCP's flag bits as they stand in the header.
type Flags uint8

const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Segment is one TCP segment, or word of a segment that an ICMP error
// brought. A reader fills the same Segment again and again; Payload is valid
// until the next call of Next.
type Segment struct {
	Time     time.Time // capture time, UTC
	Packet   uint64    // number of the packet, from 1 over all inputs
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Flags    Flags
	Window   uint16 // as it stands, unscaled
	Urgent   uint16 // urgent pointer, valid with URG
	Payload  []byte
	// Cut is how many payload bytes the packet had on the wire behind
	// Payload that the capture does not hold (snap length).
	Cut int
	// BadChecksum is set only when checksums are checked: the segment must
	// not be believed.
	BadChecksum bool
	// Unreachable: this is no segment but an ICMP error (destination
	// unreachable, prohibited, ...) about one that went from Src to Dst;
	// ICMPType and ICMPCode say which. Only Time, Packet, Src, Dst and Seq
	// are valid beside.
	Unreachable        bool
	ICMPType, ICMPCode uint8
	ICMPFrom           netip.Addr // who sent the ICMP error
	// Interface is the index of the input's interface.
	Interface int
}
