package flow

import (
	"bytes"
	"encoding/binary"
)

// history remembers the bytes that were delivered last, over all connections,
// so that a retransmission can be compared with what it claims to repeat. An
// injected answer that won the race against the real one shows only here.
//
// It is one ring of bytes. Each entry has a head that links to the entry
// before it in the same direction, so a direction keeps no more than the place
// of its newest entry, and old ones are forgotten by being overwritten.
type history struct {
	ring []byte
	head int64 // bytes ever written, padding included; the next entry goes to head % len
}

const (
	historySize = 1 << 20
	// historyHead is the entry's head: link 8, packet 8, sequence number 4,
	// length 4.
	historyHead = 24
	// historyEntry is the longest stretch that is remembered as a whole.
	historyEntry = 64 << 10
	// historySteps bounds the search for one retransmitted segment.
	historySteps = 512
)

// none is the link of a direction without history.
const none = int64(-1)

// add remembers p, which began at seq and came in the given packet, and
// returns the place of the new entry. prev is the one before.
func (h *history) add(prev int64, seq uint32, packet uint64, p []byte) int64 {
	if h.ring == nil {
		h.ring = make([]byte, historySize)
	}
	if len(p) > historyEntry {
		p = p[:historyEntry]
	}
	need := int64(historyHead + len(p))
	at := h.head % historySize
	if at+need > historySize {
		h.head += historySize - at
		at = 0
	}
	e := h.ring[at : at+need]
	binary.LittleEndian.PutUint64(e, uint64(prev))
	binary.LittleEndian.PutUint64(e[8:], packet)
	binary.LittleEndian.PutUint32(e[16:], seq)
	binary.LittleEndian.PutUint32(e[20:], uint32(len(p)))
	copy(e[historyHead:], p)
	place := h.head
	h.head += need
	return place
}

// conflict compares p, which repeats the stream from seq on, with what is
// remembered. It returns the sequence number of the earliest byte that differs
// and the packet that brought the other version.
func (h *history) conflict(place int64, seq uint32, p []byte) (at uint32, packet uint64, differs bool) {
	for range historySteps {
		if place < 0 || place < h.head-historySize {
			return at, packet, differs
		}
		e := h.ring[place%historySize:]
		begin := binary.LittleEndian.Uint32(e[16:])
		old := e[historyHead:][:binary.LittleEndian.Uint32(e[20:])]
		if int32(begin+uint32(len(old))-seq) <= 0 {
			return at, packet, differs
		}
		if i := firstDifference(begin, old, seq, p); i >= 0 {
			at, packet, differs = seq+uint32(i), binary.LittleEndian.Uint64(e[8:]), true
		}
		place = int64(binary.LittleEndian.Uint64(e))
	}
	return at, packet, differs
}

// firstDifference compares two stretches of one stream where they overlap and
// returns the index in b of the first byte that differs, or -1.
func firstDifference(aSeq uint32, a []byte, bSeq uint32, b []byte) int {
	skip := int32(aSeq - bSeq)
	from := 0
	if skip >= 0 {
		if int(skip) >= len(b) {
			return -1
		}
		from = int(skip)
	} else {
		if int(-skip) >= len(a) {
			return -1
		}
		a = a[-skip:]
	}
	n := min(len(a), len(b)-from)
	if bytes.Equal(a[:n], b[from:from+n]) {
		return -1
	}
	for i := range n {
		if a[i] != b[from+i] {
			return from + i
		}
	}
	return -1
}
