package main

import (
	"errors"
	"fmt"
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
a curl command that repeats it, secrets masked unless --reveal is given.`,
		Example: `  sniff soap shop.pcap
  sniff soap --calls shop.pcap
  sniff soap --curl 12 --reveal shop.pcap | sh`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags("table", "jsonl"); err != nil {
				return err
			}
			switch {
			case curl < 0:
				return usageError{fmt.Errorf("--curl %d: calls are numbered from 1", curl)}
			case curl > 0:
				return a.printCurl(args, curl)
			case list && a.output == "jsonl":
				return a.analyse(args, onlyCalls(render.NewJSONLines(a.stdout, a.style())), 0, nil)
			case list:
				return a.listCalls(args)
			}
			stats := newCallStatistics()
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
	f := cmd.Flags()
	f.StringVarP(&a.output, "output", "o", "table", "output format: table or jsonl")
	f.BoolVar(&list, "calls", false, "a line for each call instead of each operation")
	f.IntVar(&curl, "curl", 0, "print call `N` as a curl command")
	return cmd
}

// onlyCalls lets nothing but calls through to next.
func onlyCalls(next record.Sink) record.Sink { return &callFilter{next} }

type callFilter struct{ next record.Sink }

func (f *callFilter) Write(r record.Record) error {
	if r.Kind() != record.KindSOAPCall {
		return nil
	}
	return f.next.Write(r)
}

func (f *callFilter) Close() error { return f.next.Close() }

// maxListed bounds the calls of one table; -o jsonl has no bound.
const maxListed = 100_000

func (a *app) listCalls(args []string) error {
	g := &render.Grid{Style: a.style(), Header: []string{"#", "TIME", "SESSION", "LATENCY", "SENT", "RECEIVED", "OPERATION", "OUTCOME"}, Right: []int{0, 2, 3, 4, 5}}
	more := 0
	err := a.analyse(args, record.SinkFunc(func(r record.Record) error {
		c, ok := r.(*record.SOAPCall)
		if !ok {
			return nil
		}
		if len(g.Rows) >= maxListed {
			more++
			return nil
		}
		sent, received := callSizes(c)
		latency := ""
		if c.Latency != 0 {
			latency = c.Latency.String()
		}
		outcome := c.Outcome()
		if c.Answers != nil {
			outcome = "answers " + c.Answers.Operation + " after " + c.Answers.After.String()
		}
		g.Rows = append(g.Rows, []string{
			strconv.Itoa(len(g.Rows) + 1), c.Time.UTC().Format("15:04:05.000"), strconv.FormatUint(c.Number, 10), latency,
			record.Bytes(sent), record.Bytes(received), render.Escape(c.Name()), render.Escape(outcome),
		})
		return nil
	}), 0, nil)
	if err != nil {
		return err
	}
	if len(g.Rows) == 0 {
		fmt.Fprintln(a.stdout, "no calls seen")
		return nil
	}
	if more > 0 {
		a.note("%d more calls are not listed; -o jsonl lists all", more)
	}
	return g.Write(a.stdout)
}

// keepForCurl is how much of a body can be repeated.
const keepForCurl = 4 << 20

func (a *app) printCurl(args []string, number int) error {
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
