package main

import (
	"github.com/spf13/cobra"

	"sniff/record"
	"sniff/render"
)

func (a *app) readCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "read FILE...",
		Short: "What happened: one line per session, then findings and totals",
		Long: `Read captures (pcap, pcapng, also gzip, zstd, lz4, xz or bzip2; - is standard
input) and say what happened in each session. Several files, such as those of
a ring buffer, are read as one in order of time.`,
		Example: `  sniff read mail.pcap
  sniff read 'ring-*.pcapng' -f 'port 25'
  tcpdump -w - port 25 | sniff read -
  sniff read -o jsonl mail.pcap`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags("table", "jsonl"); err != nil {
				return err
			}
			return a.analyse(args, a.sink(), 0, nil)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "output format: table or jsonl")
	return cmd
}

// sink returns the renderer that --output names.
func (a *app) sink() record.Sink {
	switch a.output {
	case "jsonl":
		return render.NewJSONLines(a.stdout, a.style())
	}
	return render.NewTable(a.stdout, a.style())
}

// files wants at least n arguments and says what is missing.
func files(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return usageError{hinted{errNoFile, cmd.UseLine() + "; - reads standard input"}}
	}
}
