package capture

// Stats counts what was read so far and what became of it.
type Stats struct {
	Packets   uint64
	Bytes     uint64 // captured
	WireBytes uint64 // on the wire
	Segments  uint64 // delivered by Next
	Skipped   Skipped
	// Fragments is how many packets were IP fragments.
	Fragments uint64
	// Interfaces lists what the packets were captured on, in the order of
	// Segment.Interface.
	Interfaces []Interface
	// UnknownLinks counts packets by link types that are not decoded.
	UnknownLinks map[uint32]uint64
}

// Skipped counts packets that brought no segment, by reason.
type Skipped struct {
	// Filtered were not selected by the filter.
	Filtered uint64
	// NotTCP were decoded and hold something else.
	NotTCP uint64
	// Undecodable have headers that contradict themselves or are too short.
	Undecodable uint64
	// CutHeaders were cut by the snap length before the end of the headers.
	CutHeaders uint64
	// UnknownLink have a link type that is not decoded.
	UnknownLink uint64
	// Reassembling fragments await, or have become part of, a datagram that
	// another packet completes.
	Reassembling uint64
	// Incomplete is how many datagrams were given up because fragments never
	// came, came too late, or were too many at a time.
	Incomplete uint64
	// BadChecksum segments were delivered, marked; they are not missing.
	BadChecksum uint64
}

// Interface is what packets were captured on.
type Interface struct {
	Name     string // as the capture says; often empty
	LinkType uint32 // LINKTYPE_ value
	SnapLen  uint32 // 0: not known
	Packets  uint64
	// Dropped is how many packets the capturing side says it lost.
	Dropped uint64
}

// lossy is a source of packets that can lose some.
type lossy interface {
	lost() (iface int, n uint64)
}

// Stats returns the counts so far. It is for the caller of Next, between its
// calls.
func (r *Reader) Stats() Stats {
	s := r.stats
	s.Skipped.Incomplete = r.decoder.fragments.incomplete
	s.Interfaces = append([]Interface(nil), r.shared.interfaces...)
	if source, ok := r.in.(lossy); ok {
		iface, n := source.lost()
		s.Interfaces[iface].Dropped += n
	}
	s.UnknownLinks = make(map[uint32]uint64, len(r.stats.UnknownLinks))
	for link, n := range r.stats.UnknownLinks {
		s.UnknownLinks[link] = n
	}
	return s
}

// shared is what all inputs of a Reader add to.
type shared struct {
	interfaces []Interface
	secrets    []Secret
	secretSize int
}

const (
	// maxInterfaces bounds the table of interfaces; hostile files can
	// describe one with every 20 bytes.
	maxInterfaces = 4096
	// maxSecrets bounds the decryption secrets that are kept.
	maxSecrets = 64 << 20
)

// addInterface returns the index of an interface. The same name and link type
// is the same interface, so that the files of a ring buffer do not multiply
// them; beyond the bound, all go by the last one.
func (sh *shared) addInterface(name string, link, snapLen uint32) int {
	for i := range sh.interfaces {
		in := &sh.interfaces[i]
		if in.Name == name && in.LinkType == link {
			in.SnapLen = max(in.SnapLen, snapLen)
			return i
		}
	}
	if len(sh.interfaces) == maxInterfaces {
		return maxInterfaces - 1
	}
	sh.interfaces = append(sh.interfaces, Interface{Name: name, LinkType: link, SnapLen: snapLen})
	return len(sh.interfaces) - 1
}

// addSecret keeps a copy of a secret, once.
func (sh *shared) addSecret(typ uint32, data []byte) bool {
	for _, s := range sh.secrets {
		if s.Type == typ && string(s.Data) == string(data) {
			return true
		}
	}
	if sh.secretSize+len(data) > maxSecrets {
		return false
	}
	sh.secretSize += len(data)
	sh.secrets = append(sh.secrets, Secret{Type: typ, Data: append([]byte(nil), data...)})
	return true
}
