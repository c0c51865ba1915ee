package main

import (
	"strings"
	"testing"

	"sniff/capture"
)

func TestLeftOut(t *testing.T) {
	stats := capture.Stats{
		Packets: 30,
		Skipped: capture.Skipped{NotTCP: 3, Undecodable: 2, CutHeaders: 1, UnknownLink: 7, Incomplete: 2},
		Interfaces: []capture.Interface{
			{Name: "eth0", Dropped: 12},
			{Dropped: 1},
			{Name: "eth1"},
		},
		UnknownLinks: map[uint32]uint64{147: 1, 105: 6},
	}
	for _, c := range []struct {
		live, quiet bool
		want        string
	}{
		{want: `sniff: 12 packets on eth0 lost while they were captured, says the capture: capture with a larger buffer (tcpdump -B, dumpcap -B)
sniff: 1 packet lost while they were captured, says the capture: capture with a larger buffer (tcpdump -B, dumpcap -B)
sniff: 6 packets left out: link type 105 is not decoded
sniff: 1 packet left out: link type 147 is not decoded
sniff: 2 packets left out: headers that contradict themselves
sniff: 1 packet left out: cut before the end of the headers; capture more of each (tcpdump -s 0)
sniff: 2 IP datagrams left out: fragments are missing
`},
		{live: true, want: "sniff: 12 packets on eth0 lost, faster than they could be read: a filter (-f) helps, against bursts a larger --buffer\n"},
		{quiet: true},
	} {
		var b strings.Builder
		a := &app{stderr: &b, quiet: c.quiet, live: c.live}
		a.leftOut(stats)
		if got := b.String(); c.live && !strings.HasPrefix(got, c.want) || !c.live && got != c.want {
			t.Errorf("live %v, quiet %v: got\n%swant\n%s", c.live, c.quiet, got, c.want)
		}
	}
}
