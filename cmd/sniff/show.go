package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"sniff/record"
	"sniff/render"
)

var errNoFile = errors.New("no capture file was named")

func (a *app) showCommand() *cobra.Command {
	var unfold bool
	cmd := &cobra.Command{
		Use:   "show FILE [SESSION]",
		Short: "The dialogue of one session, both sides, with timing and annotations",
		Long: `Print what both sides of a session said, with times in seconds since its
start, findings beside the exchange they rest on, and bodies folded. SESSION is
the number that "sniff read" prints in front, or the session id of a record;
without it all sessions with a known protocol are shown, or those of which a
record matches --where.`,
		Example: `  sniff show mail.pcap 3
  sniff show mail.pcap -Y 'kind == "smtp.message" && outcome == "refused"'
  sniff show --unfold mail.pcap 3 > ticket.txt`,
		Args: cobra.MatchAll(files(1), cobra.MaximumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags(); err != nil {
				return err
			}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			d := render.NewDialogue(a.stdout, a.style())
			d.Unfold = unfold
			d.Match = func(h *record.Header) bool { return h.Protocol != "" }
			if len(args) == 2 {
				id := args[1]
				n, err := strconv.ParseUint(id, 10, 64)
				d.Match = func(h *record.Header) bool { return err == nil && h.Number == n || h.Session == id }
			}
			sink, err := a.choice.sessions(d, nil, false)
			if err != nil {
				return err
			}
			if err := a.analyse(args[:1], sink, keepForShow, nil); err != nil {
				return err
			}
			if d.Shown == 0 && a.choice.any() {
				a.note("no session matches; sniff read %s lists all", args[0])
				return nil
			}
			if d.Shown == 0 && len(args) == 2 {
				return usageError{hinted{fmt.Errorf("there is no session %s in %s", args[1], args[0]), "sniff read " + args[0] + " lists the sessions"}}
			}
			if d.Shown == 0 {
				a.note("no session of a known protocol; sniff read %s lists all", args[0])
			}
			return nil
		},
	}
	a.inputFlags(cmd)
	a.pickFlags(cmd, "sessions with a record")
	cmd.Flags().BoolVar(&unfold, "unfold", false, "print bodies whole")
	return cmd
}

// keepForShow is how much of each body a dialogue can show.
const keepForShow = 64 << 10

// keep is how much of each body the chosen output can show.
func (a *app) keep() int {
	if a.output == "text" {
		return keepForShow
	}
	return 0
}
