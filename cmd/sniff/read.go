package main

import "github.com/spf13/cobra"

func (a *app) readCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "read FILE...",
		Short: "What happened: one line per session, then findings and totals",
		Long: `Read captures (pcap, pcapng, also gzip, zstd, lz4, xz or bzip2; - is standard
input) and say what happened in each session. Several files, such as those of
a ring buffer, are read as one in order of time. An interrupt (Ctrl-C) ends the
reading, and what was read until then is told.

--where, --sort and --limit choose records in the formats that are lists of
records; in the table and the dialogues they choose sessions, those of which a
record matches, with all that belongs to them.`,
		Example: `  sniff read mail.pcap
  sniff read 'ring-*.pcapng' -f 'port 25'
  tcpdump -w - port 25 | sniff read -
  sniff read -o jsonl mail.pcap
  sniff read -Y 'cidr(client, "10.0.0.0/8") && protocol == "smtp"' mail.pcap
  sniff read -Y 'outcome == "refused"' --sort -duration --limit 10 mail.pcap
  sniff read -o csv --kind smtp.message --fields time,from,outcome,size --sort -size mail.pcap`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags("table", "text", "jsonl", "csv", "eve", "zeek", "parquet"); err != nil {
				return err
			}
			sink, err := a.records(false)
			if err != nil {
				return err
			}
			return a.analyse(args, sink, a.keep(), nil)
		},
	}
	a.inputFlags(cmd)
	a.outputFlags(cmd, "output format: table, text (the dialogues), jsonl, csv, eve (Suricata's events), zeek (its logs, in the folder -w) or parquet (a file for each kind of record, there too)")
	a.folderFlag(cmd)
	return cmd
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
