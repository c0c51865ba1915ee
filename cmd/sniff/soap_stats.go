package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"sniff/record"
	"sniff/render"
)

// callStatistics is a sink that counts calls by endpoint and operation, in
// bounded memory.
type callStatistics struct {
	rows map[operationKey]*operationRow
}

type operationKey struct{ endpoint, operation string }

// operationRow is what is known of one operation of one endpoint.
type operationRow struct {
	operationKey
	calls, faults, failed, oneWay int
	sent, received                int64
	latency                       histogram
}

// maxOperations bounds the rows; the calls of further operations are counted
// in one of their own.
const maxOperations = 4096

func newCallStatistics() *callStatistics {
	return &callStatistics{rows: map[operationKey]*operationRow{}}
}

func (s *callStatistics) Write(r record.Record) error {
	c, ok := r.(*record.SOAPCall)
	if !ok {
		return nil
	}
	k := operationKey{c.Endpoint, c.Name()}
	if k.endpoint == "" {
		k.endpoint = c.Server.String()
	}
	row := s.rows[k]
	if row == nil {
		if len(s.rows) >= maxOperations {
			k = operationKey{"(others)", "(others)"}
			row = s.rows[k]
		}
		if row == nil {
			row = &operationRow{operationKey: k}
			s.rows[k] = row
		}
	}
	row.calls++
	switch {
	case c.Fault != nil:
		row.faults++
	case c.Failed():
		row.failed++
	case c.OneWay:
		row.oneWay++
	}
	sent, received := callSizes(c)
	row.sent += sent
	row.received += received
	if c.Latency > 0 {
		row.latency.add(c.Latency.Duration())
	}
	return nil
}

func (s *callStatistics) Close() error { return nil }

func callSizes(c *record.SOAPCall) (sent, received int64) {
	if c.Request != nil {
		sent = c.Request.Size
	}
	if c.Response != nil {
		received = c.Response.Size
	}
	return sent, received
}

// sorted returns the rows by endpoint, the operations that took the most time
// in all first.
func (s *callStatistics) sorted() []*operationRow {
	rows := make([]*operationRow, 0, len(s.rows))
	for _, r := range s.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *operationRow) int {
		return cmp.Or(strings.Compare(a.endpoint, b.endpoint), cmp.Compare(b.latency.sum, a.latency.sum), strings.Compare(a.operation, b.operation))
	})
	return rows
}

func (s *callStatistics) writeTable(w io.Writer, style render.Style) error {
	rows := s.sorted()
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no calls seen")
		return err
	}
	low, high := time.Duration(math.MaxInt64), time.Duration(0)
	for _, r := range rows {
		if r.latency.n > 0 {
			low, high = min(low, r.latency.min), max(high, r.latency.max)
		}
	}
	scale := "SPREAD"
	if high > 0 {
		scale = "SPREAD " + record.Seconds(low).String() + "…" + record.Seconds(high).String()
	}
	g := &render.Grid{
		Style:  style,
		Header: []string{"OPERATION", "CALLS", "FAULTS", "FAILED", "SENT", "RECEIVED", "MIN", "MEDIAN", "95 %", "99 %", "MAX", scale, "ENDPOINT"},
		Right:  []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	}
	for _, r := range rows {
		h := &r.latency
		cells := []string{render.Escape(r.operation), fmt.Sprint(r.calls), fmt.Sprint(r.faults), fmt.Sprint(r.failed), record.Bytes(r.sent), record.Bytes(r.received)}
		for _, q := range [...]float64{0, 0.5, 0.95, 0.99, 1} {
			cells = append(cells, h.text(q))
		}
		g.Rows = append(g.Rows, append(cells, h.spread(low, high), render.Escape(r.endpoint)))
	}
	return g.Write(w)
}

// operationJSON is a line of `sniff soap -o jsonl`.
type operationJSON struct {
	Endpoint  string         `json:"endpoint"`
	Operation string         `json:"operation"`
	Calls     int            `json:"calls"`
	Faults    int            `json:"faults"`
	Failed    int            `json:"failed"`
	OneWay    int            `json:"one_way"`
	Sent      int64          `json:"sent"`
	Received  int64          `json:"received"`
	Latency   *latencyJSON   `json:"latency,omitempty"`
	Histogram []bucketedJSON `json:"histogram,omitempty"`
}

type latencyJSON struct {
	Count  uint64         `json:"count"`
	Min    record.Seconds `json:"min"`
	Mean   record.Seconds `json:"mean"`
	Median record.Seconds `json:"median"`
	P95    record.Seconds `json:"p95"`
	P99    record.Seconds `json:"p99"`
	Max    record.Seconds `json:"max"`
}

type bucketedJSON struct {
	Below record.Seconds `json:"below"`
	Count uint64         `json:"count"`
}

func (s *callStatistics) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range s.sorted() {
		h := &r.latency
		line := operationJSON{Endpoint: r.endpoint, Operation: r.operation, Calls: r.calls, Faults: r.faults, Failed: r.failed, OneWay: r.oneWay, Sent: r.sent, Received: r.received}
		if h.n > 0 {
			at := func(q float64) record.Seconds { return record.Seconds(h.quantile(q)) }
			line.Latency = &latencyJSON{h.n, at(0), record.Seconds(h.sum / time.Duration(h.n)), at(0.5), at(0.95), at(0.99), at(1)}
			line.Histogram = h.octaves()
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

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
