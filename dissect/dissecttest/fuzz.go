package dissecttest

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sniff/dissect"
)

// Fuzz fuzzes a dissector, beginning with its transcripts. An input decides
// which bytes come from which side, what is missing and when a side ends. No
// dissector may fail, the number of records is bounded by the input's size,
// and another cutting must give the same records.
func Fuzz(f *testing.F, proto dissect.Protocol, opts ...Option) {
	o := gather(proto, opts)
	for _, file := range transcripts(f) {
		_, tr := load(f, file)
		f.Add(encode(tr))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		tr := decode(input)
		whole := o.play(tr, nil)
		whole.check(t)
		if bound := o.perByte*len(input) + 64; len(whole.records) > bound {
			t.Fatalf("%d records of %d bytes", len(whole.records), len(input))
		}
		h := fnv.New64a()
		h.Write(input)
		rnd := rand.New(rand.NewPCG(h.Sum64(), 0))
		cuts := randomCuts(rnd, tr.size())
		again := o.play(tr, cuts)
		again.check(t)
		compare(t, "random cuts"+tr.describe(cuts), o.lines(whole.records), o.lines(again.records))
	})
}

// An input is a list of operations, each headed by one byte: its lowest bit
// is the direction, the three above it say what happens.
const (
	opGap   = 5 // one byte: how many, 0 for unknown
	opEOF   = 6
	opClock = 7 // one byte: seconds
	// Anything less is data: two bytes of length, then the bytes.
)

func encode(tr *transcript) []byte {
	var out []byte
	for _, st := range tr.steps {
		if st.conn != 0 {
			continue
		}
		head := byte(st.dir)
		switch st.kind {
		case data:
			for part := range slices.Chunk(st.b, 1<<16-1) {
				out = append(out, head)
				out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
				out = append(out, part...)
			}
		case gap:
			out = append(out, head|opGap<<1, byte(min(max(st.n, 0), 255)))
		case eof, reset:
			out = append(out, head|opEOF<<1)
		}
	}
	return out
}

func decode(input []byte) *transcript {
	tr := &transcript{conns: []conn{{}}}
	var now time.Duration
	next := func() byte {
		if len(input) == 0 {
			return 0
		}
		b := input[0]
		input = input[1:]
		return b
	}
	for len(input) > 0 {
		head := next()
		st := step{dir: dissect.Dir(head & 1), at: now, line: len(tr.steps) + 1}
		now += tick
		switch head >> 1 & 7 {
		case opGap:
			st.kind, st.n = gap, int64(next())
			if st.n == 0 {
				st.n = -1
			}
		case opEOF:
			st.kind = eof
		case opClock:
			now += time.Duration(next()) * time.Second
			continue
		default:
			n := min(int(next())<<8|int(next()), len(input))
			st.b = input[:n]
			input = input[n:]
		}
		tr.steps = append(tr.steps, st)
	}
	return tr
}
