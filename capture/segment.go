// Package capture turns captures and interfaces into decoded TCP segments. It
// knows link layers, tunnels, fragments and file formats; it knows no flows.
//
// Inputs are pcap and pcapng, recognised by content, in up to four layers of
// gzip, zstd, lz4, xz or bzip2; standard input; and, on Linux, an interface.
// Several inputs are one sequence in time order (merge.go). Each is read, and
// decompressed, ahead by a goroutine of its own (stream.go); formats (pcap.go,
// pcapng.go) hand out slices of what was read, and the decoder (decode.go,
// link.go, ip.go, tunnel.go) walks the headers of each packet down to the
// innermost TCP header without allocating.
//
// Link layers: Ethernet with VLAN stacks, Linux cooked v1 and v2, raw IP, BSD
// null and loop, PPP, PPPoE, Cisco HDLC, MPLS, NFLOG. Tunnels: IP in IP in all
// combinations, GRE with ERSPAN and PPTP, EtherIP, VXLAN, VXLAN-GPE, Geneve,
// Teredo, GRE and MPLS over UDP. IP fragments are put together (fragment.go).
// ICMP errors about TCP become segments marked Unreachable.
//
// Not decoded: IEEE 802.11, encrypted layers (ESP, MACsec), UDP other than
// tunnels. VLAN and tunnel identifiers do not reach the segment: equal address
// pairs in two of them are one. A packet that the snap length cut says how
// much is missing; a damaged input gives one *Damage after all that came before.
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
	// Size is the length of the IP packet on the wire, the innermost one,
	// options and extension headers of IP not counted.
	Size int
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
