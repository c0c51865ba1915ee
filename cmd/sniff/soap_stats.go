package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"sniff/query"
	"sniff/record"
	"sniff/render"
)

// callStatistics is a sink that counts calls by endpoint and operation, in
// bounded memory.
type callStatistics struct {
	rows  map[operationKey]*operationRow
	order func(a, b *operationRow) int      // nil: as sorted says
	take  func(record.Record) (bool, error) // which calls are counted; nil: all
	limit int                               // of the rows shown; 0: all
	seen  int                               // calls, counted or not
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
	s.seen++
	if s.take != nil {
		if yes, err := s.take(r); err != nil || !yes {
			return err
		}
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

// operationColumn is a number that operations can be ordered by, beside their
// names.
type operationColumn struct {
	name string
	of   func(*operationRow) int64
}

func latencyColumn(name string, q float64) operationColumn {
	return operationColumn{name, func(r *operationRow) int64 {
		if r.latency.n == 0 {
			return -1
		}
		return int64(r.latency.quantile(q))
	}}
}

var operationNumbers = [...]operationColumn{
	{"calls", func(r *operationRow) int64 { return int64(r.calls) }},
	{"faults", func(r *operationRow) int64 { return int64(r.faults) }},
	{"failed", func(r *operationRow) int64 { return int64(r.failed) }},
	{"one_way", func(r *operationRow) int64 { return int64(r.oneWay) }},
	{"sent", func(r *operationRow) int64 { return r.sent }},
	{"received", func(r *operationRow) int64 { return r.received }},
	latencyColumn("min", 0), latencyColumn("median", 0.5), latencyColumn("p95", 0.95), latencyColumn("p99", 0.99), latencyColumn("max", 1),
}

func operationColumns() []string {
	out := []string{"operation", "endpoint"}
	for _, c := range operationNumbers {
		out = append(out, c.name)
	}
	return out
}

// orderBy makes the rows stand in the order of a column; "-" in front of it
// turns that around.
func (s *callStatistics) orderBy(column string) error {
	name, down := strings.CutPrefix(column, "-")
	var order func(a, b *operationRow) int
	switch name {
	case "operation":
		order = func(a, b *operationRow) int { return strings.Compare(a.operation, b.operation) }
	case "endpoint":
		order = func(a, b *operationRow) int { return strings.Compare(a.endpoint, b.endpoint) }
	}
	for _, c := range operationNumbers {
		if c.name == name {
			order = func(a, b *operationRow) int { return cmp.Compare(c.of(a), c.of(b)) }
		}
	}
	if order == nil {
		hint := "operations are ordered by " + strings.Join(operationColumns(), ", ") + "; with --calls, calls by their fields"
		if near := query.Nearest(name, operationColumns()); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return usageError{hinted{fmt.Errorf("--sort: operations have no column %q", name), hint}}
	}
	s.order = order
	if down {
		s.order = func(a, b *operationRow) int { return order(b, a) }
	}
	return nil
}

// sorted returns the rows as orderBy says, the first limit of them, and
// without it by endpoint, the operations that took the most time in all first.
func (s *callStatistics) sorted() []*operationRow {
	rows := make([]*operationRow, 0, len(s.rows))
	for _, r := range s.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *operationRow) int {
		order := 0
		if s.order != nil {
			order = s.order(a, b)
		}
		return cmp.Or(order, strings.Compare(a.endpoint, b.endpoint), cmp.Compare(b.latency.sum, a.latency.sum), strings.Compare(a.operation, b.operation))
	})
	if s.limit > 0 && len(rows) > s.limit {
		rows = rows[:s.limit]
	}
	return rows
}

func (s *callStatistics) writeTable(w io.Writer, style render.Style) error {
	rows := s.sorted()
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, noCalls(s.seen))
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
	if g.Fits() {
		return g.Write(w)
	}
	return writeNarrow(w, g)
}

// narrow are the columns that a narrow terminal has room for: the operation and
// what it is judged by. The endpoint stands above them.
var narrow = [...]int{0, 1, 2, 3, 7, 8, 11}

// writeNarrow writes the rows of each endpoint as a table of their own.
func writeNarrow(w io.Writer, wide *render.Grid) error {
	endpoint := len(wide.Header) - 1
	for rows := wide.Rows; len(rows) > 0; {
		n := 1
		for n < len(rows) && rows[n][endpoint] == rows[0][endpoint] {
			n++
		}
		g := &render.Grid{Style: wide.Style, Right: []int{1, 2, 3, 4, 5}}
		for _, c := range narrow {
			g.Header = append(g.Header, wide.Header[c])
		}
		for _, row := range rows[:n] {
			var cells []string
			for _, c := range narrow {
				cells = append(cells, row[c])
			}
			g.Rows = append(g.Rows, cells)
		}
		if _, err := fmt.Fprintln(w, rows[0][endpoint]); err != nil {
			return err
		}
		if err := g.Write(w); err != nil {
			return err
		}
		if rows = rows[n:]; len(rows) > 0 {
			fmt.Fprintln(w)
		}
	}
	return nil
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
