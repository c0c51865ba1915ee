package flow

import (
	"math/bits"
	"time"

	"sniff/capture"
	"sniff/record"
)

// trace is the outward course of a connection, as connection logs tell it:
// which kinds of packets came, in which order, with which flags and how many
// bytes of IP. It holds no pointer, as attempts have one each.
type trace struct {
	letters [maxLetters]byte // kind of packet, the side in bit 7
	n       uint8
	first   uint8     // side that sent the first packet
	seen    [2]uint16 // kinds that a side has sent, by bit
	flags   [2]capture.Flags
	bytes   [2]uint64
	until   int64 // capture time of the packet that ended it, or of the latest
}

// kinds of packets, in the letters that Zeek uses for a connection's history.
const (
	kinds      = "shadfrtgw"
	maxLetters = 2 * len(kinds)

	kindSYN = iota - 2
	kindSYNACK
	kindACK
	kindData
	kindFIN
	kindRST
	kindRepeated
	kindGap
	kindZeroWindow
)

// note takes a packet of side x.
func (t *trace) note(x int, s *capture.Segment) {
	if t.flags == [2]capture.Flags{} && t.n == 0 {
		t.first = uint8(x)
	}
	if both := t.flags[0] & t.flags[1]; both&capture.FIN == 0 && (t.flags[0]|t.flags[1])&capture.RST == 0 {
		t.until = s.Time.UnixNano()
	}
	t.flags[x] |= s.Flags
	t.bytes[x] += uint64(s.Size)
	data := len(s.Payload)+s.Cut > 0
	const special = capture.SYN | capture.FIN | capture.RST
	switch f := s.Flags; {
	case f&special == 0 && data:
		t.mark(x, kindData)
	case f&special == 0:
		if f&capture.ACK != 0 {
			t.mark(x, kindACK)
		}
	default:
		if f&capture.SYN != 0 {
			kind := kindSYN
			if f&capture.ACK != 0 {
				kind = kindSYNACK
			}
			t.mark(x, kind)
		}
		if data {
			t.mark(x, kindData)
		}
		if f&capture.FIN != 0 {
			t.mark(x, kindFIN)
		}
		if f&capture.RST != 0 {
			t.mark(x, kindRST)
		}
	}
	if s.Window == 0 && s.Flags&special == 0 {
		t.mark(x, kindZeroWindow)
	}
}

// mark notes a kind of packet, the first time that a side sends it.
func (t *trace) mark(x, kind int) {
	if t.seen[x]&(1<<kind) != 0 {
		return
	}
	t.seen[x] |= 1 << kind
	if int(t.n) < len(t.letters) {
		t.letters[t.n] = kinds[kind] | uint8(x)<<7
		t.n++
	}
}

// history writes the course with upper case letters for the client, and ^ in
// front when the server's packet came first.
func (t *trace) history(client int) string {
	var b [maxLetters + 1]byte
	out := b[:0]
	if t.n > 0 && int(t.first) != client {
		out = append(out, '^')
	}
	for _, l := range t.letters[:t.n] {
		if int(l>>7) == client {
			l ^= 'a' - 'A'
		}
		out = append(out, l&0x7f)
	}
	return string(out)
}

// flagLetters are the letters of the flags, by bit.
const flagLetters = "FSRPAUEC"

func flagText(f capture.Flags) string {
	out := make([]byte, 0, 8)
	for v := uint8(f); v != 0; v &= v - 1 {
		out = append(out, flagLetters[bits.TrailingZeros8(v)])
	}
	return string(out)
}

// traced is a receiver that wants to know the course of the connection.
type traced interface {
	trace(histories [2]string, until time.Time)
}

// report hands the course to the session, before it is closed. client is the
// side that the session's owner takes for the client.
func (t *trace) report(out receiver, client int) {
	stats := out.stats()
	for x := range t.flags {
		side := &stats[record.Dir(x^client)]
		side.IPBytes, side.Flags = t.bytes[x], flagText(t.flags[x])
	}
	if s, ok := out.(traced); ok {
		s.trace([2]string{t.history(client), t.history(client ^ 1)}, instant(t.until))
	}
}

// trace keeps how the connection went for the session's record: the history
// as it is read with either side as the client.
func (s *Session) trace(histories [2]string, until time.Time) {
	s.lock()
	defer s.unlock()
	s.histories = histories
	s.rec.active = record.Between(s.conn.Start, until)
}
