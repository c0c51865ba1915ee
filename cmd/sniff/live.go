package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sniff/capture"
)

func (a *app) liveCommand() *cobra.Command {
	var iface string
	cmd := &cobra.Command{
		Use:   "live -i IFACE",
		Short: "The same as read, from a network interface",
		Long: `Listen on an interface until interrupted and say what happens as it happens.
Capturing needs root or the capability CAP_NET_RAW.`,
		Example: `  sudo sniff live -i eth0 -f 'port 25'
  sudo sniff live -i eth0 -o jsonl`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.checkFlags("table", "text", "jsonl", "csv", "eve", "zeek"); err != nil {
				return err
			}
			sink, err := a.records(true)
			if err != nil {
				return err
			}
			if iface == "" {
				return usageError{hinted{errors.New("no interface was named"), "sniff live -i eth0"}}
			}
			reader, err := capture.OpenLive(iface, capture.Options{Filter: a.filter, CheckChecksums: a.checkChecksums})
			if err != nil {
				return usageError{err}
			}
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
			defer signal.Stop(stop)
			go func() {
				<-stop
				reader.Close()
			}()
			a.note("listens on %s; interrupt to stop", iface)
			return a.analyseFrom(reader, sink, keepForShow, nil)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVarP(&iface, "interface", "i", "", "`IFACE` to listen on")
	a.outputFlags(cmd, "what to print: table (a line per session), text (the dialogue), jsonl, csv, eve (Suricata's events) or zeek (its logs, in the folder -w)")
	a.zeekFlags(cmd)
	return cmd
}
