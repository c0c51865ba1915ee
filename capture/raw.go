package capture

import "time"

// Packet is one packet as it stands in its capture, not decoded.
type Packet struct {
	Number   uint64    // from 1 over all inputs
	Time     time.Time // capture time, UTC
	Data     []byte    // as far as it was captured; valid until the next call
	Wire     int       // length on the wire, never less than that of Data
	LinkType uint32    // LINKTYPE_ value
	// Interface is the index of the input's interface.
	Interface int
	// BigEndian is the byte order of the machine that captured, as far as the
	// file tells.
	BigEndian bool
}

// NextPacket fills p with the next packet that passes the filter, whatever it
// holds. Its errors are those of Next. Packets that it returned are not
// decoded: a segment in them is not seen by Next.
func (r *Reader) NextPacket(p *Packet) error {
	if err := r.read(); err != nil {
		return err
	}
	*p = Packet{
		Number: r.stats.Packets, Time: time.Unix(0, r.pkt.ns).UTC(), Data: r.pkt.data, Wire: r.pkt.wire,
		LinkType: r.pkt.link, Interface: r.pkt.iface, BigEndian: r.pkt.bigEndian,
	}
	return nil
}

// Pieces returns the numbers of the packets in which the segment that Next
// returned last came as IP fragments, its own among them; none when it came in
// one piece. The slice is valid until the next call.
func (r *Reader) Pieces() []uint64 { return r.decoder.fragments.donePieces }
