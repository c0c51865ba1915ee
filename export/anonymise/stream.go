package anonymise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sniff/capture"
)

// Streams holds the payload of a capture, put together so that words are found
// that lie across packets.
type Streams struct {
	a       *Anonymiser
	open    map[direction]*stream
	all     []*stream
	payload map[uint64][]byte // by packet number
	bytes   int64
	// LeftOut counts packets that cannot be rewritten.
	LeftOut int
}

type direction struct{ src, dst netip.AddrPort }

// stream is one direction of a connection.
type stream struct{ pieces []piece }

type piece struct {
	seq  uint32
	data []byte
}

// maxPayload bounds what is kept in memory.
const maxPayload = 512 << 20

// ErrTooLarge says that a capture is too large to be anonymised in one piece.
var ErrTooLarge = errors.New("more than 512 MiB of payload")

// Streams begins to take in the packets of a capture, after all records were
// written to the Anonymiser.
func (a *Anonymiser) Streams() *Streams {
	return &Streams{a: a, open: map[direction]*stream{}, payload: map[uint64][]byte{}}
}

// Add takes in a packet.
func (s *Streams) Add(p *capture.Packet) error {
	at, ok := locate(p)
	if !ok {
		return nil
	}
	src, dst := at.addrs(p.Data)
	d := direction{src, dst}
	st := s.open[d]
	if st == nil || p.Data[at.tcp+13]&2 != 0 { // SYN: a new connection
		st = &stream{}
		s.open[d] = st
		s.all = append(s.all, st)
	}
	if at.payload == at.end {
		return nil
	}
	if s.bytes += int64(at.end - at.payload); s.bytes > maxPayload {
		return fmt.Errorf("anonymise: %w", ErrTooLarge)
	}
	data := slices.Clone(p.Data[at.payload:at.end])
	s.payload[p.Number] = data
	st.pieces = append(st.pieces, piece{binary.BigEndian.Uint32(p.Data[at.tcp+4:]), data})
	return nil
}

// mailAddress finds mail addresses as they are written in commands, header
// fields and XML.
var mailAddress = regexp.MustCompile(`[<>:"'][ \t]?([A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9.-]{1,255})`)

// unread takes mail addresses into the dictionary that no record has, as they
// stand in packets that were captured in part only, or in what nothing reads.
func (s *Streams) unread() {
	for _, b := range s.payload {
		for _, m := range mailAddress.FindAllSubmatch(b, -1) {
			// Names of SSH algorithms are written alike.
			if host := string(m[1]); !strings.HasSuffix(host, "ssh.com") && !strings.HasSuffix(host, "ssh.org") {
				s.a.names(host)
			}
		}
	}
}

// Rewrite replaces what must be replaced in all streams.
func (s *Streams) Rewrite() {
	s.unread()
	for _, st := range s.all {
		st.rewrite(s.a)
	}
	s.all, s.open = nil, nil
}

// rewrite lays the pieces out in the order of the stream and rewrites each
// run without a hole. Of bytes that were sent twice the ones that came first
// stand.
func (st *stream) rewrite(a *Anonymiser) {
	if len(st.pieces) == 0 {
		return
	}
	first := st.pieces[0].seq
	slices.SortStableFunc(st.pieces, func(x, y piece) int { return int(int32(x.seq-first)) - int(int32(y.seq-first)) })
	for i := 0; i < len(st.pieces); {
		start := st.pieces[i].seq
		var run []byte
		j := i
		for ; j < len(st.pieces); j++ {
			p := st.pieces[j]
			at := int(int32(p.seq - start))
			if at > len(run) {
				break
			}
			if have := len(run) - at; have < len(p.data) {
				run = append(run, p.data[have:]...)
			}
		}
		a.Rewrite(run)
		for _, p := range st.pieces[i:j] {
			copy(p.data, run[int32(p.seq-start):])
		}
		i = j
	}
}

// Packet returns the anonymised form of a packet that was added, nil when it
// has none.
func (s *Streams) Packet(p *capture.Packet) []byte {
	at, ok := locate(p)
	if !ok {
		b := s.a.unreachable(p)
		if b == nil {
			s.LeftOut++
		}
		return b
	}
	return s.a.packet(p, at, s.payload[p.Number])
}
