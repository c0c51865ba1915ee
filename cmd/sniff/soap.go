package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"sniff/record"
	"sniff/render"
)

func (a *app) soapCommand() *cobra.Command {
	var list bool
	var curl int
	cmd := &cobra.Command{
		Use:   "soap FILE...",
		Short: "Calls of web services: per operation how many, how slow, how many failed",
		Long: `Count the calls of SOAP, XML-RPC and WDDX services for each endpoint and
operation: calls, faults, calls that failed otherwise (no answer, an error
status, an answer that is no SOAP), bytes both ways, and the latency from the
first byte of the request to the last of the response: minimum, median, 95th
and 99th percentile, maximum. The percentiles are right to 3 %; the spread
shows all latencies on one logarithmic scale for the whole table.

With --calls each call has its line and number, and --curl N prints call N as
a curl command that repeats it, secrets masked unless --reveal is given.

--where takes the calls that are counted or listed. --sort orders operations by
operation, endpoint, calls, faults, failed, one_way, sent, received, min,
median, p95, p99 or max, and the lines of --calls by a field of the calls.`,
		Example: `  sniff soap shop.pcap
  sniff soap --sort -p99 --limit 10 shop.pcap
  sniff soap --calls -Y 'fault != nil && latency > 1' shop.pcap
  sniff soap --calls shop.pcap
  sniff soap --curl 12 --reveal shop.pcap | sh`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags("table", "jsonl"); err != nil {
				return err
			}
			if curl != 0 {
				return a.printCurl(args, curl)
			}
			if a.shape.fields != "" && (!list || a.output != "jsonl") {
				return usageError{hinted{errors.New("--fields chooses the members of the calls of --calls -o jsonl"), "sniff read -o csv --kind soap.call --fields ... makes a table of them"}}
			}
			stats := newCallStatistics()
			if !list && a.choice.sort != "" {
				if err := stats.orderBy(a.choice.sort); err != nil {
					return err
				}
				a.choice.sort = ""
			}
			a.choice.kinds = []string{string(record.KindSOAPCall)}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			switch {
			case list && a.output == "jsonl":
				sink, err := a.renderer(false)
				if err != nil {
					return err
				}
				return a.analyse(args, a.choice.before(sink), 0, nil)
			case list:
				return a.listCalls(args)
			}
			stats.take, stats.limit = a.choice.take, a.choice.limit
			if err := a.analyse(args, stats, 0, nil); err != nil {
				return err
			}
			if a.output == "jsonl" {
				return stats.writeJSON(a.stdout)
			}
			return stats.writeTable(a.stdout, a.style())
		},
	}
	a.inputFlags(cmd)
	a.listFlags(cmd, "calls")
	f := cmd.Flags()
	f.Lookup("fields").Usage = "members of --calls -o jsonl: a `LIST` of fields with commas, such as time,operation,latency"
	f.StringVarP(&a.output, "output", "o", "table", "output format: table or jsonl")
	f.BoolVar(&list, "calls", false, "a line for each call instead of each operation")
	f.IntVar(&curl, "curl", 0, "print call `N` as a curl command")
	return cmd
}

// maxListed bounds the calls of one table; -o jsonl has no bound.
const maxListed = 100_000

// numbered is a call and its number among all of the input.
type numbered struct {
	number int
	call   *record.SOAPCall
}

func (a *app) listCalls(args []string) error {
	var calls []numbered
	n, more := 0, 0
	err := a.analyse(args, record.SinkFunc(func(r record.Record) error {
		c, ok := r.(*record.SOAPCall)
		if !ok {
			return nil
		}
		n++
		yes, err := a.choice.take(r)
		if err != nil || !yes {
			return err
		}
		if len(calls) == maxListed {
			more++
			return nil
		}
		calls = append(calls, numbered{n, c})
		return nil
	}), 0, nil)
	if err != nil {
		return err
	}
	if more > 0 {
		a.note("%d more calls are not listed; -o jsonl lists all", more)
	}
	if a.choice.by != nil {
		slices.SortStableFunc(calls, func(x, y numbered) int { return a.choice.order(x.call, y.call) })
	}
	if limit := a.choice.limit; limit > 0 && len(calls) > limit {
		calls = calls[:limit]
	}
	if len(calls) == 0 {
		fmt.Fprintln(a.stdout, noCalls(n))
		return nil
	}
	g := &render.Grid{Style: a.style(), Header: []string{"#", "TIME", "SESSION", "LATENCY", "SENT", "RECEIVED", "OPERATION", "OUTCOME"}, Right: []int{0, 2, 3, 4, 5}}
	for _, x := range calls {
		g.Rows = append(g.Rows, callRow(x.number, x.call))
	}
	if !g.Fits() { // do without the sizes
		g.Header, g.Right = slices.Delete(g.Header, 4, 6), []int{0, 2, 3}
		for i := range g.Rows {
			g.Rows[i] = slices.Delete(g.Rows[i], 4, 6)
		}
	}
	return g.Write(a.stdout)
}

// noCalls says that no call of n is listed.
func noCalls(n int) string {
	if n == 0 {
		return "no calls seen"
	}
	return fmt.Sprintf("none of %d calls matches", n)
}

// callRow is the line of one call.
func callRow(number int, c *record.SOAPCall) []string {
	sent, received := callSizes(c)
	latency := ""
	if c.Latency != 0 {
		latency = c.Latency.String()
	}
	outcome := c.Outcome()
	if c.Answers != nil {
		outcome = "answers " + c.Answers.Operation + " after " + c.Answers.After.String()
	}
	return []string{
		strconv.Itoa(number), c.Time.UTC().Format("15:04:05.000"), strconv.FormatUint(c.Number, 10), latency,
		record.Bytes(sent), record.Bytes(received), render.Escape(c.Name()), render.Escape(outcome),
	}
}

// keepForCurl is how much of a body can be repeated.
const keepForCurl = 4 << 20

func (a *app) printCurl(args []string, number int) error {
	if number < 0 {
		return usageError{fmt.Errorf("--curl %d: calls are numbered from 1", number)}
	}
	if a.choice.where != "" || a.choice.sort != "" || a.choice.limit != 0 || a.shape.fields != "" {
		return usageError{hinted{errors.New("--curl takes a call by its number"), "find it with sniff soap --calls --where EXPR; the numbers are those of all calls"}}
	}
	var last, found *record.HTTPExchange
	var call *record.SOAPCall
	n := 0
	err := a.analyse(args, record.SinkFunc(func(r record.Record) error {
		switch r := r.(type) {
		case *record.HTTPExchange:
			last = r
		case *record.SOAPCall:
			if n++; n != number {
				return nil
			}
			call = r
			if last != nil && last.Session == r.Session && last.Offset == r.Offset && last.Dir == r.Dir {
				found = last
			}
		}
		return nil
	}), keepForCurl, nil)
	switch {
	case err != nil:
		return err
	case call == nil:
		return usageError{hinted{fmt.Errorf("there is no call %d: %d were seen", number, n), "sniff soap --calls lists them"}}
	case found == nil || found.Method == "":
		return usageError{fmt.Errorf("call %d (%s) has no HTTP request that could be repeated", number, call.Name())}
	}
	text, err := curlCommand(found, a.reveal)
	if errors.Is(err, errMaskBinary) {
		return usageError{hinted{fmt.Errorf("call %d: %w", number, err), "--reveal prints it as it was sent"}}
	}
	if err != nil {
		return usageError{fmt.Errorf("call %d: %w", number, err)}
	}
	_, err = fmt.Fprint(a.stdout, text)
	return err
}
