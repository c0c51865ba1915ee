package main

import (
	"fmt"
	"maps"
	"slices"

	"sniff/capture"
	"sniff/record"
)

// leftOut says which packets the sessions do not show, so that nothing is
// missing silently; what is meant to be left out, with --verbose only.
func (a *app) leftOut(s capture.Stats) {
	k := s.Skipped
	packets := func(n uint64) string { return record.Count(int(n), "packet") }
	if s.Segments == 0 && s.Packets > 0 {
		switch s.Packets {
		case k.Filtered:
			a.note("the filter selects none of %s", packets(s.Packets))
		case k.Filtered + k.NotTCP:
			a.note("%s read, none of them TCP", packets(s.Packets-k.Filtered))
		}
	}
	for _, in := range s.Interfaces {
		where := ""
		if in.Name != "" {
			where = " on " + in.Name
		}
		switch {
		case in.Dropped == 0:
		case a.live:
			a.note("%s%s lost, faster than they could be read: a filter (-f) helps, against bursts a larger --buffer", packets(in.Dropped), where)
		default:
			a.note("%s%s lost while they were captured, says the capture: capture with a larger buffer (tcpdump -B, dumpcap -B)", packets(in.Dropped), where)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(s.UnknownLinks)) {
		a.note("%s left out: link type %d is not decoded", packets(s.UnknownLinks[link]), link)
	}
	if k.Undecodable > 0 {
		a.note("%s left out: headers that contradict themselves", packets(k.Undecodable))
	}
	if k.CutHeaders > 0 {
		a.note("%s left out: cut before the end of the headers; capture more of each (tcpdump -s 0)", packets(k.CutHeaders))
	}
	if k.Incomplete > 0 {
		a.note("%s left out: fragments are missing", record.Count(int(k.Incomplete), "IP datagram"))
	}
	if a.verbose {
		fmt.Fprintf(a.stderr, "sniff: %s, %s; not TCP %d, filtered %d, undecodable %d, headers cut %d, unknown link type %d, fragments incomplete %d, bad checksums %d\n",
			packets(s.Packets), record.Count(int(s.Segments), "TCP segment"), k.NotTCP, k.Filtered, k.Undecodable, k.CutHeaders, k.UnknownLink, k.Incomplete, k.BadChecksum)
	}
}
