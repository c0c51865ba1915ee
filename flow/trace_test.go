package flow

import (
	"testing"
	"time"

	"sniff/capture"
)

// TestHistory: the letters of a connection in the order of its packets, each
// once, seen with either side as the client.
func TestHistory(t *testing.T) {
	begin := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	const syn, ack, fin, rst = capture.SYN, capture.ACK, capture.FIN, capture.RST
	type packet struct {
		side  int
		flags capture.Flags
		data  int
	}
	cases := []struct {
		name         string
		packets      []packet
		want, turned string
		active       int // number of the packet that ended it
	}{
		{"whole", []packet{{0, syn, 0}, {1, syn | ack, 0}, {0, ack, 0}, {0, ack, 5}, {1, ack, 0}, {1, ack, 7}, {0, ack, 0}, {0, fin | ack, 0}, {1, fin | ack, 0}, {0, ack, 0}}, "ShADadFf", "^sHadADfF", 9},
		{"data with FIN", []packet{{0, syn, 0}, {1, syn | ack, 0}, {0, fin | ack, 3}}, "ShDF", "^sHdf", 3},
		{"refused", []packet{{0, syn, 0}, {1, rst | ack, 0}, {0, syn, 0}}, "Sr", "^sR", 2},
		{"mid-stream, the server first", []packet{{1, ack, 4}, {0, ack, 0}}, "^dA", "Da", 2},
	}
	for _, c := range cases {
		var tr trace
		for i, p := range c.packets {
			tr.note(p.side, &capture.Segment{Time: begin.Add(time.Duration(i+1) * time.Second), Flags: p.flags, Payload: make([]byte, p.data), Window: 1000, Size: 40 + p.data})
		}
		if got := tr.history(0); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := tr.history(1); got != c.turned {
			t.Errorf("%s with the other side as the client: %s, want %s", c.name, got, c.turned)
		}
		if got := time.Unix(0, tr.until).UTC().Sub(begin); got != time.Duration(c.active)*time.Second {
			t.Errorf("%s: ended after %s, want %d s", c.name, got, c.active)
		}
	}
}
