package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sniff/diagnose"
	"sniff/query"
	"sniff/record"
	"sniff/render"
)

func (a *app) findingsCommand() *cobra.Command {
	// The default differs from that of the other commands, which share one
	// variable.
	var explain, output string
	cmd := &cobra.Command{
		Use:   "findings FILE...",
		Short: "What went wrong or is unsafe, most severe first, with evidence and advice",
		Long: `List all findings, those with the same code together and the most severe first:
what happened, the evidence for it, what it means and what to do.

-o sarif writes a SARIF 2.1.0 log for code hosts, -o junit a test report for CI,
in which findings of --fail-on or above (warning, unless it is given) failed.`,
		Example: `  sniff findings mail.pcap
  sniff findings --fail-on error *.pcap     exit status 1 for CI
  sniff findings -o junit --fail-on error mail.pcap > report.xml
  sniff findings -Y 'severity >= "error" && code matches "^ftp"' *.pcap
  sniff findings --explain tcp.refused      what a finding means`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.output = output
			if cmd.Flags().Changed("explain") {
				if err := a.checkFlags("text", "markdown"); err != nil {
					return err
				}
				return a.explain(explain)
			}
			if err := files(1)(cmd, args); err != nil {
				return err
			}
			if err := a.checkFlags("text", "jsonl", "csv", "sarif", "junit"); err != nil {
				return err
			}
			if err := a.findingsFit(); err != nil {
				return err
			}
			a.choice.kinds = []string{string(record.KindFinding)}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			sink, err := a.findingsSink(args)
			if err != nil {
				return err
			}
			return a.analyse(args, a.choice.before(sink), 0, nil)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVar(&explain, "explain", "", "say what the finding with this `CODE` means, without reading anything; all: the list of codes, with -o markdown the whole catalogue")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "output format: text, jsonl, csv, sarif or junit")
	a.listFlags(cmd, "findings")
	return cmd
}

// findingsFit refuses what has no meaning where findings stand by severity,
// and lets --limit take the most severe there.
func (a *app) findingsFit() error {
	if a.output == "jsonl" || a.output == "csv" {
		return nil
	}
	switch {
	case a.choice.sort != "":
		return usageError{hinted{errors.New("--sort has no meaning for -o " + a.output), "the most severe findings stand first; -o csv and -o jsonl can be sorted"}}
	case a.shape.fields != "":
		return usageError{hinted{errors.New("--fields has no meaning for -o " + a.output), "it chooses the columns of csv and the members of jsonl"}}
	case a.choice.limit > 0:
		a.choice.sort = "-severity"
	}
	return nil
}

// findingsSink returns the renderer that --output names.
func (a *app) findingsSink(files []string) (record.Sink, error) {
	switch a.output {
	case "jsonl", "csv":
		return a.renderer(false)
	case "sarif":
		return render.NewSARIF(a.stdout, a.style(), files), nil
	case "junit":
		from := record.Severity(cmp.Or(a.failOn, string(record.SeverityWarning)))
		return render.NewJUnit(a.stdout, a.style(), from), nil
	}
	return render.NewFindings(a.stdout, a.style()), nil
}

func (a *app) explain(code string) error {
	switch {
	case a.output == "markdown" && code == "all":
		writeCatalogue(a.stdout)
		return nil
	case a.output == "markdown":
		return usageError{hinted{errors.New("-o markdown is for the whole catalogue"), "sniff findings --explain all -o markdown"}}
	case code == "all":
		for _, i := range diagnose.Catalogue() {
			fmt.Fprintf(a.stdout, "%-36s %s\n", i.Code, i.Severity)
		}
		return nil
	}
	info, ok := diagnose.Explain(code)
	if !ok {
		return usageError{hinted{fmt.Errorf("no finding has the code %q", code), nearestCode(code)}}
	}
	writeInfo(a.stdout, info)
	return nil
}

// nearestCode advises on a code that does not exist.
func nearestCode(code string) string {
	const list = "sniff findings --explain all lists the codes"
	var known []string
	for _, i := range diagnose.Catalogue() {
		known = append(known, i.Code)
	}
	if near := query.Nearest(code, known); near != "" {
		return fmt.Sprintf("did you mean %s? %s", near, list)
	}
	return list
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

// writeCatalogue writes every code as a page: docs/findings.md.
func writeCatalogue(w io.Writer) {
	fmt.Fprint(w, `# Findings

Every finding that sniff can make, by code. A code never changes its meaning.
This page is written by `+"`sniff findings --explain all -o markdown`"+`.

Severities: *critical* and *error* say that something failed or is open to
anyone who listens, *warning* that it may, *notice* that it is worth knowing,
*info* that it is unusual. Healthy traffic raises nothing above *notice*.
`)
	family := ""
	for _, i := range diagnose.Catalogue() {
		if f, _, _ := strings.Cut(i.Code, "."); f != family {
			family = f
			fmt.Fprintf(w, "\n## %s\n", family)
		}
		fmt.Fprintf(w, "\n### %s\n\n*%s.* %s\n", i.Code, i.Severity, markdown(i.Explanation))
		if i.Advice != "" {
			fmt.Fprintf(w, "\nWhat to do: %s\n", markdown(i.Advice))
		}
		if i.Reference != "" {
			fmt.Fprintf(w, "\nSee: %s\n", markdown(i.Reference))
		}
	}
}

// markdown keeps the marks of markdown in plain text from taking effect.
func markdown(s string) string {
	return strings.NewReplacer(`*`, `\*`, `<`, `\<`, "`", "\\`", `_`, `\_`).Replace(s)
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
