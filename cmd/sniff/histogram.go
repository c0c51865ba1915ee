package main

import (
	"math"
	"math/bits"
	"time"

	"sniff/record"
)

// histogram counts times in buckets of equal ratio: 16 to each power of two of
// microseconds, so that the middle of one is right to 3 %.
type histogram struct {
	counts   []uint32
	n        uint64
	sum      time.Duration
	min, max time.Duration
}

// subBuckets is how many buckets there are to a power of two.
const subBuckets = 16

func (h *histogram) add(d time.Duration) {
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.sum += d
	i := bucketOf(d)
	for len(h.counts) <= i {
		h.counts = append(h.counts, 0)
	}
	h.counts[i]++
}

// bucketOf returns the bucket of a time: microseconds below 16 have one each.
func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < subBuckets {
		return int(us)
	}
	shift := bits.Len64(us) - 5
	return (shift+1)*subBuckets + int(us>>shift) - subBuckets
}

// bucketStart returns the least time of a bucket.
func bucketStart(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i) * time.Microsecond
	}
	shift := i/subBuckets - 1
	return time.Duration(uint64(subBuckets+i%subBuckets)<<shift) * time.Microsecond
}

// quantile returns the time that a share q of all does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	switch {
	case h.n == 0:
		return 0
	case q <= 0:
		return h.min
	case q >= 1:
		return h.max
	}
	rank := uint64(math.Ceil(q * float64(h.n)))
	if rank == h.n {
		return h.max
	}
	var seen uint64
	for i, c := range h.counts {
		if seen += uint64(c); seen >= rank {
			middle := (bucketStart(i) + bucketStart(i+1)) / 2
			return min(max(middle, h.min), h.max)
		}
	}
	return h.max
}

func (h *histogram) text(q float64) string {
	if h.n == 0 {
		return "-"
	}
	return record.Seconds(h.quantile(q)).String()
}

// octaves returns the counts by powers of two of microseconds.
func (h *histogram) octaves() []bucketedJSON {
	var out []bucketedJSON
	for from := 0; from < len(h.counts); from += subBuckets {
		var n uint64
		for _, c := range h.counts[from:min(from+subBuckets, len(h.counts))] {
			n += uint64(c)
		}
		if n > 0 {
			out = append(out, bucketedJSON{record.Seconds(bucketStart(from + subBuckets)), n})
		}
	}
	return out
}

// spreadWidth is how many characters a spread has.
const spreadWidth = 16

// spread draws the histogram between two times, on a logarithmic scale.
func (h *histogram) spread(low, high time.Duration) string {
	if h.n == 0 {
		return ""
	}
	width := math.Log(float64(high)/float64(low)) + 1e-9
	var columns [spreadWidth]uint64
	var most uint64
	for i, c := range h.counts {
		if c == 0 {
			continue
		}
		middle := float64(min(max((bucketStart(i)+bucketStart(i+1))/2, low), high))
		at := min(int(math.Log(middle/float64(low))/width*spreadWidth), spreadWidth-1)
		columns[at] += uint64(c)
		most = max(most, columns[at])
	}
	bars := [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}
	out := make([]rune, spreadWidth)
	for i, c := range columns {
		out[i] = '·'
		if c > 0 {
			out[i] = bars[(c*uint64(len(bars))-1)/most]
		}
	}
	return string(out)
}
