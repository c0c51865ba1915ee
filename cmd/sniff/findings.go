package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sniff/diagnose"
	"sniff/record"
	"sniff/render"
)

func (a *app) findingsCommand() *cobra.Command {
	var explain string
	cmd := &cobra.Command{
		Use:   "findings FILE...",
		Short: "What went wrong or is unsafe, most severe first, with evidence and advice",
		Example: `  sniff findings mail.pcap
  sniff findings --fail-on error *.pcap     exit status 1 for CI
  sniff findings -Y 'severity >= "warning" && code matches "^ftp"' *.pcap
  sniff findings --explain tcp.refused      what a finding means`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if explain != "" {
				return a.explain(explain)
			}
			if err := files(1)(cmd, args); err != nil {
				return err
			}
			if !cmd.Flags().Changed("output") {
				a.output = "text"
			}
			if err := a.checkFlags("text", "jsonl", "csv"); err != nil {
				return err
			}
			a.choice.kinds = []string{string(record.KindFinding)}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			c := &findingList{}
			if err := a.analyse(args, a.choice.before(c), 0, nil); err != nil {
				return err
			}
			return a.writeFindings(c.list)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVar(&explain, "explain", "", "say what the finding with this `CODE` means, without reading anything; all: the whole catalogue")
	cmd.Flags().StringVarP(&a.output, "output", "o", "text", "output format: text, jsonl or csv")
	a.listFlags(cmd)
	return cmd
}

// findingList is a sink that keeps the findings.
type findingList struct{ list []*record.Finding }

func (c *findingList) Write(r record.Record) error {
	if f, ok := r.(*record.Finding); ok {
		c.list = append(c.list, f)
	}
	return nil
}

func (c *findingList) Close() error { return nil }

func (a *app) writeFindings(list []*record.Finding) error {
	if a.choice.sort == "" {
		slices.SortStableFunc(list, func(x, y *record.Finding) int { return y.Severity.Level() - x.Severity.Level() })
	}
	if a.output != "text" {
		sink, err := a.renderer(false)
		if err != nil {
			return err
		}
		for _, f := range list {
			if err := sink.Write(f); err != nil {
				return err
			}
		}
		return sink.Close()
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "no findings")
		return nil
	}
	for i, f := range list {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		render.WriteFinding(a.stdout, f, a.style(), true)
	}
	return nil
}

func (a *app) explain(code string) error {
	if code == "all" {
		for _, i := range diagnose.Catalogue() {
			fmt.Fprintf(a.stdout, "%-36s %s\n", i.Code, i.Severity)
		}
		return nil
	}
	info, ok := diagnose.Explain(code)
	if !ok {
		return usageError{hinted{fmt.Errorf("no finding has the code %q", code), "sniff findings --explain all lists the codes"}}
	}
	writeInfo(a.stdout, info)
	return nil
}

func writeInfo(w io.Writer, i diagnose.Info) {
	fmt.Fprintf(w, "%s (%s)\n\n%s\n", i.Code, i.Severity, i.Explanation)
	if i.Advice != "" {
		fmt.Fprintf(w, "\nWhat to do: %s\n", i.Advice)
	}
	if i.Reference != "" {
		fmt.Fprintf(w, "\nSee: %s\n", i.Reference)
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the records that -o jsonl writes",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := record.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s\n", s)
			return err
		},
	}
}
