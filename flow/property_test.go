package flow

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// streams is one direction's worth of bytes, cut into segments.
type piece struct{ from, to int }

// drawPieces cuts n bytes into segments, repeats some, adds ones that overlap,
// and moves them about.
func drawPieces(t *rapid.T, n int) []piece {
	var pieces []piece
	for at := 0; at < n; {
		to := min(n, at+rapid.IntRange(1, 40).Draw(t, "length"))
		pieces = append(pieces, piece{at, to})
		at = to
	}
	for range rapid.IntRange(0, 10).Draw(t, "extra") {
		from := rapid.IntRange(0, n-1).Draw(t, "from")
		to := rapid.IntRange(from+1, n).Draw(t, "to")
		at := rapid.IntRange(0, len(pieces)).Draw(t, "place")
		pieces = append(pieces[:at:at], append([]piece{{from, to}}, pieces[at:]...)...)
	}
	for range rapid.IntRange(0, 30).Draw(t, "swaps") {
		i := rapid.IntRange(0, len(pieces)-1).Draw(t, "i")
		j := rapid.IntRange(0, len(pieces)-1).Draw(t, "j")
		pieces[i], pieces[j] = pieces[j], pieces[i]
	}
	return pieces
}

// TestStreamsSurvive cuts a stream into segments in any way, reorders,
// repeats and overlaps them, with sequence numbers around the wrap, and wants
// the stream back.
func TestStreamsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWire(Config{})
		w.isn["C"] = rapid.Uint32Range(1<<32-600, 1<<32-1).Draw(t, "client isn")
		w.isn["S"] = rapid.Uint32().Draw(t, "server isn")
		text := make([]byte, rapid.IntRange(1, 400).Draw(t, "size"))
		for i := range text {
			text[i] = byte('a' + i%26)
		}
		midstream := rapid.Bool().Draw(t, "no handshake")
		pieces := drawPieces(t, len(text))
		if midstream {
			// Where the stream begins must be the first thing that is seen.
			pieces = append([]piece{{0, 1}}, pieces...)
		} else {
			w.play(handshake...)
		}
		for _, p := range pieces {
			w.play(seg{from: "C", flags: "A", seq: 1 + p.from, ack: 1, data: string(text[p.from:p.to])})
		}
		w.play(seg{from: "C", flags: "FA", seq: 1 + len(text), ack: 1})
		w.e.Close()

		if len(w.sessions) != 1 {
			t.Fatalf("%d sessions, want 1", len(w.sessions))
		}
		h := w.sessions[0]
		var got []byte
		for _, l := range h.log {
			switch {
			case l == "C eof" || l == "S eof" || l == "half-closed client":
			case l[:2] == "C ":
				got = append(got, l[2:]...)
			default:
				t.Fatalf("heard %q in %v", l, h)
			}
		}
		if !bytes.Equal(got, text) {
			t.Fatalf("got\n%s\nwant\n%s", got, text)
		}
		if len(h.wrong) > 0 {
			t.Fatal(h.wrong)
		}
		if w.e.blocks.inUse != 0 {
			t.Fatalf("%d bytes of blocks are still in use", w.e.blocks.inUse)
		}
	})
}

// TestDialogueKeepsItsOrder lets the packets of a dialogue overtake each other
// as a mirror port does, and loses none: every question is heard before its
// answer, and nothing is taken for lost.
func TestDialogueKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []seg
		var want []string
		cs, ss := 1, 1
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			question, answer := "Q12", "A1234"
			all = append(all, seg{from: "C", flags: "PA", seq: cs, ack: ss, data: question})
			cs += len(question)
			all = append(all, seg{from: "S", flags: "PA", seq: ss, ack: cs, data: answer})
			ss += len(answer)
			want = append(want, "C "+question, "S "+answer)
		}
		for i := 0; i+1 < len(all); i++ {
			if rapid.Bool().Draw(t, "overtakes") {
				all[i], all[i+1] = all[i+1], all[i]
				i++
			}
		}
		w := newWire(Config{})
		w.play(handshake...)
		w.play(all...)
		w.e.Close()
		want = append(want, "C eof", "S eof", "open")
		h := w.sessions[0]
		for i := range max(len(want), len(h.log)) {
			if i >= len(want) || i >= len(h.log) || want[i] != h.log[i] {
				t.Fatalf("heard %v, want %v", h, want)
			}
		}
	})
}

// TestLossIsCountedExactly drops packets of a dialogue from the capture and
// lets others overtake: what was captured is delivered at its place, what was
// not is a gap, to the byte.
func TestLossIsCountedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []seg
		next := [2]int{1, 1}
		names := [2]string{"C", "S"}
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			x := rapid.IntRange(0, 1).Draw(t, "speaker")
			for range rapid.IntRange(1, 6).Draw(t, "segments") {
				text := make([]byte, rapid.IntRange(2, 9).Draw(t, "length"))
				for i := range text {
					text[i] = byte('a' + (next[x]+i)%26)
				}
				all = append(all, seg{from: names[x], flags: "A", seq: next[x], ack: next[x^1], data: string(text)})
				next[x] += len(text)
			}
			if rapid.Bool().Draw(t, "acknowledges") {
				all = append(all, seg{from: names[x^1], flags: "A", seq: next[x^1], ack: next[x]})
			}
		}
		var captured [2]map[int]bool
		captured[0], captured[1] = map[int]bool{}, map[int]bool{}
		var kept []seg
		for _, s := range all {
			if rapid.IntRange(0, 9).Draw(t, "lost") < 2 {
				continue
			}
			kept = append(kept, s)
			x := map[string]int{"C": 0, "S": 1}[s.from]
			for i := range len(s.data) {
				captured[x][s.seq-1+i] = true
			}
		}
		for i := 0; i+1 < len(kept); i++ {
			if rapid.IntRange(0, 9).Draw(t, "overtakes") == 0 {
				kept[i], kept[i+1] = kept[i+1], kept[i]
				i++
			}
		}
		w := newWire(Config{})
		w.play(handshake...)
		w.play(kept...)
		w.play(
			seg{from: "C", flags: "FA", seq: next[0], ack: next[1]},
			seg{from: "S", flags: "FA", seq: next[1], ack: next[0] + 1},
			seg{from: "C", flags: "A", seq: next[0] + 1, ack: next[1] + 1},
		)
		w.e.Close()
		h := w.sessions[0]
		off := [2]int{}
		for _, l := range h.log {
			x, data := map[string]int{"C": 0, "S": 1}[l[:1]], l[2:]
			var n int64
			switch {
			case l == "closed client":
			case data == "eof":
			case strings.HasPrefix(data, "gap ") && isNumber(data[4:], &n):
				for range n {
					if captured[x][off[x]] {
						t.Fatalf("byte %d of %s was captured and is said to be missing: %v", off[x], l[:1], h)
					}
					off[x]++
				}
			default:
				for i := range len(data) {
					if want := byte('a' + (1+off[x])%26); !captured[x][off[x]] || data[i] != want {
						t.Fatalf("byte %d of %s is %c, want %c: %v", off[x], l[:1], data[i], want, h)
					}
					off[x]++
				}
			}
		}
		if off[0] != next[0]-1 || off[1] != next[1]-1 || len(h.wrong) > 0 {
			t.Fatalf("streams have %v bytes, want %v: %v %v", off, next, h, h.wrong)
		}
		if last := h.log[len(h.log)-1]; last != "closed client" {
			t.Fatalf("ended %s", last)
		}
	})
}

// FuzzReassembly plays arbitrary segments of two sides and compares with an
// oracle that keeps every version of every byte: what is delivered must have
// been sent, at its place, and be the first version unless that one may have
// been refused (behind a FIN, cut off, or given up for its memory).
func FuzzReassembly(f *testing.F) {
	f.Add(uint32(1<<32-20), []byte{0, 0, 10, 0, 20, 10, 0, 10, 10, 1, 0, 5})
	f.Add(uint32(7), []byte{0, 200, 10, 4, 0, 255, 1, 0, 1, 0, 0, 9})
	f.Fuzz(fuzzReassembly)
}

func fuzzReassembly(t *testing.T, isn uint32, script []byte) {
	w := newWire(Config{Limits: Limits{OutOfOrder: 4096, OutOfOrderTotal: 8192}})
	w.isn["C"], w.isn["S"] = isn, isn*2654435761
	w.play(handshake...)
	var sent [2]map[int64][]byte // by side and offset: the versions in order
	sent[0], sent[1] = map[int64][]byte{}, map[int64][]byte{}
	plain := len(script) < 60 // nothing is refused
	version := byte(0)
	for len(script) >= 3 {
		op, at, n := script[0], int(script[1]), int(script[2])
		script = script[3:]
		x := int(op & 1)
		s := seg{from: [...]string{"C", "S"}[x], flags: "A", seq: 1 + at, ack: 1 + int(op>>4)*16}
		switch op >> 1 & 7 {
		case 0:
			s.flags = "FA"
			n, plain = 0, false
		case 1:
			s.flags = "R"
			s.seq += n
			n, plain = 0, false
		case 2:
			s.cut, plain = n/2, false
		case 3:
			s.seq, plain = s.seq+n<<8, false
		}
		data := make([]byte, n)
		for i := range data {
			version++
			data[i] = version
		}
		s.data = string(data)
		cs := w.segment(s)
		for i := range data {
			off := int64(cs.Seq + uint32(i) - w.isn[s.from] - 1)
			sent[x][off] = append(sent[x][off], data[i])
		}
		w.e.Segment(cs)
		if w.e.blocks.inUse > 16384 {
			t.Fatalf("%d bytes ahead, more than allowed", w.e.blocks.inUse)
		}
	}
	w.e.Close()
	for _, h := range w.sessions {
		if len(h.wrong) > 0 {
			t.Fatal(h.wrong)
		}
		if !h.closed {
			t.Fatal("a session was not closed")
		}
	}
	if w.e.blocks.inUse != 0 || w.e.nConns != 0 {
		t.Fatalf("left over: %d bytes, %d connections", w.e.blocks.inUse, w.e.nConns)
	}
	h := w.sessions[0]
	if h.midstream {
		return
	}
	var off [2]int64
	for _, l := range h.log {
		x, ok := map[string]int{"C": 0, "S": 1}[l[:1]]
		var n int64
		switch {
		case !ok || l[1] != ' ' || l[2:] == "eof":
			continue
		case len(l) > 6 && l[2:6] == "gap " && isNumber(l[6:], &n):
			off[x] += n
		default:
			for i := range len(l) - 2 {
				versions := sent[x][off[x]]
				if k := bytes.IndexByte(versions, l[2+i]); k < 0 || k > 0 && plain {
					t.Fatalf("side %d offset %d: delivered %d, sent were %d", x, off[x], l[2+i], versions)
				}
				off[x]++
			}
		}
	}
}

func isNumber(s string, n *int64) bool {
	*n = 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		*n = *n*10 + int64(s[i]-'0')
	}
	return len(s) > 0
}
