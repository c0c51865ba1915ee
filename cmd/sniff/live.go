package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sniff/capture"
	"sniff/flow"
)

// minBuffer and maxBuffer bound --buffer, in bytes.
const (
	minBuffer = 1e6
	maxBuffer = 2e9
)

func (a *app) liveCommand() *cobra.Command {
	var iface, buffer string
	cmd := &cobra.Command{
		Use:   "live -i IFACE",
		Short: "The same as read, from a network interface",
		Long: `Listen on an interface until interrupted and say what happens as it happens.
Capturing needs root or the capability CAP_NET_RAW. The interface any stands for
all of them; what crosses several of them is then seen several times, which
changes nothing about what was said.

What --filter does not select is thrown away by the kernel already. Packets that
come faster than they are read wait in a buffer; what no longer fits is lost,
and counted when the listening ends. A larger --buffer helps against bursts, a
filter against a steady stream that is too much.

--keylog may name a file that programs are still writing to, or that is not
there yet. A TLS session whose keys are missing is kept, for ten seconds and up
to 1 MiB, and read when they come.`,
		Example: `  sudo sniff live -i eth0 -f 'port 25'
  sudo sniff live -i any -o jsonl
  sudo sniff live -i eth0 --buffer 256MB -q
  sudo sniff live -i lo --keylog keys       while SSLKEYLOGFILE=keys curl ... runs`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.checkFlags("table", "text", "jsonl", "csv", "eve", "zeek", "parquet"); err != nil {
				return err
			}
			sink, err := a.records(true)
			if err != nil {
				return err
			}
			if iface == "" {
				return usageError{hinted{errors.New("no interface was named"), "sniff live -i eth0"}}
			}
			size, ok := parseSize(buffer)
			if !ok || size < minBuffer || size > maxBuffer {
				return usageError{hinted{fmt.Errorf("--buffer %s is no size that a buffer can have", buffer), "write it like 64MB; from 1MB to 2GB"}}
			}
			reader, err := capture.OpenLive(iface, capture.Options{Filter: a.filter, CheckChecksums: a.checkChecksums, Buffer: int(size)})
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
			a.live = true
			a.note("listens on %s; interrupt to stop", iface)
			return a.analyseFrom(reader, sink, a.keep(), nil)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVarP(&iface, "interface", "i", "", "`IFACE` to listen on; any: all of them")
	cmd.Flags().StringVar(&buffer, "buffer", "16MB", "`SIZE` of the kernel's buffer of packets that wait to be read")
	a.outputFlags(cmd, "what to print: table (a line per session), text (the dialogue), jsonl, csv, eve (Suricata's events), zeek (its logs, in the folder -w) or parquet (a file for each kind of record, there too)")
	a.folderFlag(cmd)
	return cmd
}

// idle is how long an interface must be silent before the engine is told the
// time: while packets come, theirs counts.
const idle = 250 * time.Millisecond

// ticking returns what gives segments to the engine and tells it the time
// while none come, and what stops that.
func ticking(engine *flow.Engine) (segment func(*capture.Segment), stop func()) {
	var mu sync.Mutex // the engine wants one caller at a time
	var last time.Time
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(idle / 5)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-t.C:
				mu.Lock()
				if now.Sub(last) > idle {
					engine.Advance(now)
				}
				mu.Unlock()
			}
		}
	}()
	segment = func(s *capture.Segment) {
		mu.Lock()
		defer mu.Unlock()
		last = time.Now()
		engine.Segment(s)
	}
	return segment, func() { close(done); <-ended }
}
