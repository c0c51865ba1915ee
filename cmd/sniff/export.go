package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sniff/export"
	"sniff/record"
)

func (a *app) exportCommand() *cobra.Command {
	var want export.What
	var dir string
	var knownHosts bool
	cmd := &cobra.Command{
		Use:   "export FILE... -w DIR",
		Short: "Write messages (.eml), files, attachments and envelopes (.xml) to a folder",
		Long: `Write what was carried to DIR: mail messages byte for byte as they were sent,
files of FTP and SFTP transfers, attachments, SOAP envelopes, HTTP bodies.
Without a choice all but attachments and HTTP bodies are written.

Files are named by their SHA-256; names from the traffic stand in index.jsonl
and, cleaned, behind the digest. Nothing is overwritten, nothing is written
outside of DIR. What has holes is marked ".partial".`,
		Example: `  sniff export mail.pcap --mail --attachments -w out
  sniff export ftp.pcap --files -w out
  sniff export ssh.pcap --known-hosts   host keys as lines of known_hosts`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags(); err != nil {
				return err
			}
			if knownHosts {
				return a.exportKnownHosts(args, dir)
			}
			if dir == "" {
				return usageError{hinted{errors.New("where to write is missing"), "name a folder with -w DIR"}}
			}
			if want == (export.What{}) {
				want = export.What{Mail: true, Files: true, SOAP: true}
			}
			store, err := export.Open(dir, want)
			if err != nil {
				return inputError{err}
			}
			discard := record.SinkFunc(func(record.Record) error { return nil })
			if err := a.analyse(args, discard, 0, store); err != nil {
				return errors.Join(err, store.Close())
			}
			list, _ := store.List()
			for _, w := range list {
				note := ""
				if w.Partial {
					note = "  partial"
				}
				fmt.Fprintf(a.stdout, "%s  %s%s\n", w.SHA256, w.Path, note)
			}
			a.note("wrote %d files to %s", len(list), dir)
			return store.Close()
		},
	}
	a.inputFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&dir, "write", "w", "", "`DIR` to write to; it is made if there is none")
	f.BoolVar(&want.Mail, "mail", false, "messages as .eml")
	f.BoolVar(&want.Attachments, "attachments", false, "named parts of messages")
	f.BoolVar(&want.Files, "files", false, "files of FTP and SFTP transfers")
	f.BoolVar(&want.SOAP, "soap", false, "XML bodies")
	f.BoolVar(&want.Bodies, "http", false, "all other HTTP bodies")
	f.BoolVar(&knownHosts, "known-hosts", false, "only the SSH host keys seen, as lines of known_hosts, on standard output or to the file -w")
	return cmd
}
