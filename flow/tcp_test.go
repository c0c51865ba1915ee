package flow

import (
	"testing"
	"time"
)

func TestConnections(t *testing.T) {
	tests := []struct {
		name string
		segs []seg
		want []string
	}{
		{"ordinary", append(handshake[:3:3],
			seg{from: "S", flags: "PA", seq: 1, ack: 1, data: "220 hi"},
			seg{from: "C", flags: "PA", seq: 1, ack: 7, data: "QUIT"},
			seg{from: "S", flags: "PA", seq: 7, ack: 5, data: "221"},
			seg{from: "S", flags: "FA", seq: 10, ack: 5},
			seg{from: "C", flags: "FA", seq: 5, ack: 11},
			seg{from: "S", flags: "A", seq: 11, ack: 6},
		), []string{"S 220 hi | C QUIT | S 221 | S eof | C eof | closed server"}},

		{"reordered", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
			seg{from: "C", flags: "A", seq: 7, ack: 1, data: "ghi"},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
		), []string{"C abc | C def | C ghi | C eof | S eof | open"}},

		{"retransmitted", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abcdef"},
		), []string{"C abc | C def | C eof | S eof | open"}},

		{"overlap with other bytes, in order", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "C", flags: "A", seq: 2, ack: 1, data: "bXdef"},
		), []string{"C abc | ! tcp_overlap_conflict | C def | C eof | S eof | open"}},

		{"overlap with other bytes, ahead", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
			seg{from: "C", flags: "A", seq: 5, ack: 1, data: "XX"},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abcYYY"},
		), []string{"! tcp_overlap_conflict | C abc | ! tcp_overlap_conflict | C def | C eof | S eof | open"}},

		{"lost, acknowledged, both go on", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
			seg{from: "S", flags: "A", seq: 1, ack: 7, data: "ok"},
			seg{from: "C", flags: "A", seq: 7, ack: 3, data: "g"},
			seg{from: "S", flags: "A", seq: 3, ack: 8, data: "ok"},
			seg{from: "C", flags: "A", seq: 8, ack: 5, data: "h"},
			seg{from: "C", flags: "A", seq: 9, ack: 5, data: "i"},
		), []string{"C gap 3 | C def | S ok | C g | S ok | C h | C i | C eof | S eof | open"}},

		{"acknowledgement seen before its data", append(handshake[:3:3],
			seg{from: "S", flags: "A", seq: 1, ack: 5, data: "250 ok"},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "NOOP"},
		), []string{"C NOOP | S 250 ok | C eof | S eof | open"}},

		{"question lost", append(handshake[:3:3],
			seg{from: "S", flags: "A", seq: 1, ack: 5, data: "250 ok"},
			seg{from: "C", flags: "A", seq: 5, ack: 7},
			seg{from: "C", flags: "A", seq: 5, ack: 7, data: "RSET", after: time.Second},
			seg{from: "S", flags: "A", seq: 7, ack: 9, data: "250 ok"},
		), []string{"C gap 4 | S 250 ok | C RSET | S 250 ok | C eof | S eof | open"}},

		{"FIN before late data", append(handshake[:3:3],
			seg{from: "C", flags: "FA", seq: 4, ack: 1},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "S", flags: "FA", seq: 1, ack: 5},
			seg{from: "C", flags: "A", seq: 5, ack: 2},
		), []string{"C abc | C eof | S eof | closed client"}},

		{"data behind the FIN", append(handshake[:3:3],
			seg{from: "C", flags: "FA", seq: 1, ack: 1, data: "abc"},
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "evil"},
		), []string{"C abc | C eof | ! tcp_data_after_fin | S eof | half-closed client"}},

		{"half-close", append(handshake[:3:3],
			seg{from: "C", flags: "FA", seq: 1, ack: 1, data: "bye"},
			seg{from: "S", flags: "A", seq: 1, ack: 5},
			seg{from: "S", flags: "A", seq: 1, ack: 5, data: "still here"},
		), []string{"C bye | C eof | S still here | S eof | half-closed client"}},

		{"reset by the server", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "S", flags: "RA", seq: 1, ack: 4},
		), []string{"C abc | C eof | S eof | reset server"}},

		{"reset of a closed socket", append(handshake[:3:3],
			seg{from: "S", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "S", flags: "A", seq: 4, ack: 1, data: "def"},
			seg{from: "C", flags: "R", seq: 1},
		), []string{"S abc | S def | C eof | S eof | reset client"}},

		{"injected reset out of window", append(handshake[:3:3],
			seg{from: "S", flags: "R", seq: 50_000_000},
			seg{from: "S", flags: "A", seq: 1, ack: 1, data: "220"},
		), []string{"! tcp_rst_out_of_window | S 220 | C eof | S eof | open"}},

		{"injected reset in window, not obeyed", append(handshake[:3:3],
			seg{from: "S", flags: "R", seq: 3},
			seg{from: "S", flags: "A", seq: 1, ack: 1, data: "220 hello"},
		), []string{"! tcp_rst_ignored | S 220 hello | C eof | S eof | open"}},

		{"refused", []seg{
			{from: "C", flags: "S"},
			{from: "S", flags: "RA", ack: 1},
		}, []string{"refused server"}},

		{"refused three times", []seg{
			{from: "C", flags: "S"}, {from: "S", flags: "RA", ack: 1},
			{from: "C", flags: "S", after: 500 * time.Millisecond}, {from: "S", flags: "RA", ack: 1},
			{from: "C", flags: "S", after: 500 * time.Millisecond}, {from: "S", flags: "RA", ack: 1},
		}, []string{"refused server"}},

		{"unanswered", []seg{{from: "C", flags: "S"}, {from: "C", flags: "S", after: time.Second}},
			[]string{"unanswered"}},

		{"unreachable", []seg{{from: "C", flags: "S"}, {from: "C", icmp: [2]int{3, 1}}},
			[]string{"! tcp_unreachable | unreachable"}},

		{"unreachable at first", []seg{
			{from: "C", flags: "S"}, {from: "C", icmp: [2]int{3, 1}},
			{from: "C", flags: "S"}, {from: "S", flags: "SA", ack: 1}, {from: "C", flags: "A", seq: 1, ack: 1},
			{from: "S", flags: "A", seq: 1, ack: 1, data: "220"},
		}, []string{"S 220 | C eof | S eof | open"}},

		{"port scan", []seg{
			{from: "C", flags: "S"}, {from: "S", flags: "SA", ack: 1}, {from: "C", flags: "R", seq: 1},
		}, []string{"reset client"}},

		{"middle of a dialogue, server first", []seg{
			{from: "S", flags: "PA", seq: 700, ack: 90, data: "250 ok"},
			{from: "C", flags: "PA", seq: 90, ack: 706, data: "QUIT"},
		}, []string{"S 250 ok | C QUIT | C eof | S eof | open"}},

		{"SYN-ACK first", []seg{
			{from: "S", flags: "SA", ack: 1},
			{from: "C", flags: "A", seq: 1, ack: 1},
			{from: "S", flags: "A", seq: 1, ack: 1, data: "220"},
		}, []string{"S 220 | C eof | S eof | open"}},

		{"SYN-ACK before SYN", []seg{
			{from: "S", flags: "SA", ack: 1},
			{from: "C", flags: "S"},
			{from: "C", flags: "A", seq: 1, ack: 1, data: "x"},
		}, []string{"C x | C eof | S eof | open"}},

		{"simultaneous open", []seg{
			{from: "C", flags: "S"}, {from: "S", flags: "S"},
			{from: "C", flags: "SA", ack: 1}, {from: "S", flags: "SA", ack: 1},
			{from: "C", flags: "A", seq: 1, ack: 1, data: "a"}, {from: "S", flags: "A", seq: 1, ack: 2, data: "b"},
		}, []string{"C a | S b | C eof | S eof | open"}},

		{"split handshake", []seg{
			{from: "C", flags: "S"}, {from: "S", flags: "A", ack: 1}, {from: "S", flags: "S"},
			{from: "C", flags: "SA", ack: 1}, {from: "S", flags: "A", seq: 1, ack: 1},
			{from: "C", flags: "A", seq: 1, ack: 1, data: "a"}, {from: "S", flags: "A", seq: 1, ack: 2, data: "b"},
		}, []string{"C a | S b | C eof | S eof | open"}},

		{"data with the SYN", []seg{
			{from: "C", flags: "S", data: "GET"},
			{from: "S", flags: "SA", ack: 4},
			{from: "C", flags: "A", seq: 4, ack: 1, data: " /"},
		}, []string{"C GET | C  / | C eof | S eof | open"}},

		{"data with the SYN, sent again", []seg{
			{from: "C", flags: "S", data: "GET"},
			{from: "S", flags: "SA", ack: 1},
			{from: "C", flags: "A", seq: 1, ack: 1, data: "GET /"},
		}, []string{"C GET | C  / | C eof | S eof | open"}},

		{"urgent data stay in line", append(handshake[:3:3],
			seg{from: "C", flags: "UPA", seq: 1, ack: 1, data: "\xff\xf4\xf2ABOR"},
		), []string{"C \xff\xf4\xf2ABOR | C eof | S eof | open"}},

		{"keep-alives", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
			seg{from: "S", flags: "A", seq: 1, ack: 4},
			seg{from: "C", flags: "A", seq: 3, ack: 1, data: "\x00"},
			seg{from: "S", flags: "A", seq: 1, ack: 4},
			seg{from: "C", flags: "A", seq: 3, ack: 1},
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "d"},
		), []string{"C abc | C d | C eof | S eof | open"}},

		{"snap length", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc", cut: 10},
			seg{from: "C", flags: "A", seq: 24, ack: 1, data: "ghi", cut: 10},
			seg{from: "C", flags: "A", seq: 14, ack: 1, data: "def", cut: 7},
		), []string{"C abc | C gap 10 | C def | C gap 7 | C ghi | C gap 10 | C eof | S eof | open"}},

		{"wrong checksum", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "xyz", bad: true},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
		), []string{"C abc | C eof | S eof | open"}},

		{"one direction only", []seg{
			{from: "C", flags: "S"},
			{from: "C", flags: "A", seq: 1, ack: 1},
			{from: "C", flags: "A", seq: 1, ack: 40, data: "EHLO x"},
			{from: "C", flags: "A", seq: 7, ack: 90, data: "QUIT"},
			{from: "C", flags: "FA", seq: 11, ack: 95},
		}, []string{"C EHLO x | C QUIT | C eof | S eof | half-closed client"}},

		{"ports used again", append(append(handshake[:3:3],
			seg{from: "C", flags: "FA", seq: 1, ack: 1},
			seg{from: "S", flags: "FA", seq: 1, ack: 2},
			seg{from: "C", flags: "A", seq: 2, ack: 2},
			seg{from: "C", flags: "S", isn: 900_000, after: time.Second},
			seg{from: "S", flags: "SA", ack: 1, isn: 77_000},
		), seg{from: "C", flags: "A", seq: 1, ack: 1, data: "new"}),
			[]string{"C eof | S eof | closed client", "C new | C eof | S eof | open"}},

		{"ports used again, end not captured", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "old"},
			seg{from: "C", flags: "S", isn: 900_000, after: time.Second},
			seg{from: "S", flags: "SA", ack: 1, isn: 77_000},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "new"},
		), []string{"C old | ! tcp_port_reused | C eof | S eof | open", "C new | C eof | S eof | open"}},

		{"forged SYN", append(handshake[:3:3],
			seg{from: "C", flags: "S", seq: 100_000_000},
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "abc"},
		), []string{"C abc | C eof | S eof | open", "unanswered"}},

		{"stray packets behind the end", append(handshake[:3:3],
			seg{from: "C", flags: "FA", seq: 1, ack: 1, data: "bye"},
			seg{from: "S", flags: "FA", seq: 1, ack: 5},
			seg{from: "C", flags: "A", seq: 5, ack: 2},
			seg{from: "S", flags: "FA", seq: 1, ack: 5, after: time.Second},
			seg{from: "C", flags: "A", seq: 1, ack: 2, data: "bye", after: time.Second},
			seg{from: "C", flags: "R", seq: 5, after: time.Second},
		), []string{"C bye | C eof | S eof | closed client"}},

		{"FIN not captured", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "bye"},
			seg{from: "S", flags: "FA", seq: 1, ack: 5},
			seg{from: "C", flags: "A", seq: 5, ack: 2},
		), []string{"C bye | S eof | C eof | half-closed server"}},

		{"hole at the end", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
		), []string{"C gap 3 | C def | C eof | S eof | open"}},

		{"hole before a reset", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "def"},
			seg{from: "S", flags: "R", seq: 1},
		), []string{"C gap 3 | C def | C eof | S eof | reset server"}},

		{"idle", append(handshake[:3:3],
			seg{from: "C", flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: "C", flags: "A", seq: 2, ack: 1, data: "b", after: 50 * time.Minute},
			seg{from: "C", flags: "A", seq: 3, ack: 1, data: "c", after: 50 * time.Minute},
			seg{from: "C", flags: "A", seq: 4, ack: 1, data: "d", after: 61 * time.Minute},
			seg{from: "C", flags: "A", seq: 5, ack: 1, data: "e"},
		), []string{"C a | C b | C c | C eof | S eof | timeout", "C d | C e | C eof | S eof | open"}},

		{"no SYN, no data", []seg{
			{from: "C", flags: "A", seq: 1, ack: 1},
		}, []string{"open"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(Config{})
			w.play(tt.segs...)
			w.expectHeard(t, tt.want...)
			for _, h := range w.sessions {
				if h.client != clientAddr {
					t.Errorf("client is %v, want %v", h.client, clientAddr)
				}
			}
		})
	}
}
