package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sniff/record"
	"sniff/render"
)

func (a *app) credsCommand() *cobra.Command {
	var failOnClear bool
	cmd := &cobra.Command{
		Use:   "creds FILE...",
		Short: "Credentials seen, how exposed, and whether they worked",
		Long: `List every credential of every protocol: when, where to, which account, by
which mechanism, how openly it lay on the wire (clear, crackable digest, or
hidden inside decrypted traffic), whether it worked and how often it was seen.
Secrets are masked; the mark behind *** is the same for the same secret, so
that reuse over services shows.`,
		Example: `  sniff creds office.pcap
  sniff creds --fail-on-clear *.pcap     exit status 1 if any password was readable`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags("table", "jsonl", "csv"); err != nil {
				return err
			}
			a.choice.kinds = []string{string(record.KindCredential)}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			c := &credentialTable{seen: map[credentialKey]*credentialRow{}}
			if err := a.analyse(args, a.choice.before(c), 0, nil); err != nil {
				return err
			}
			if failOnClear && c.clear {
				a.found = true
			}
			return a.writeCredentials(c)
		},
	}
	a.inputFlags(cmd)
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "output format: table, jsonl or csv")
	a.listFlags(cmd)
	cmd.Flags().BoolVar(&failOnClear, "fail-on-clear", false, "exit with status 1 if a credential was readable on the wire")
	return cmd
}

// credentialKey tells attempts apart that are shown as different rows.
type credentialKey struct {
	server, protocol, account, mechanism, token, worked string
	exposure                                            record.Exposure
}

type credentialRow struct {
	first *record.Credential
	times int
}

// credentialTable is a sink that keeps one row for each different credential.
type credentialTable struct {
	seen  map[credentialKey]*credentialRow
	rows  []*credentialRow
	clear bool
}

func (c *credentialTable) Write(r record.Record) error {
	x, ok := r.(*record.Credential)
	if !ok {
		return nil
	}
	c.clear = c.clear || x.Exposure == record.ExposureClear
	k := credentialKey{x.Server.String(), x.Protocol, x.Account, x.Mechanism, x.Secret.Token(), x.Worked, x.Exposure}
	row := c.seen[k]
	if row == nil {
		row = &credentialRow{first: x}
		c.seen[k] = row
		c.rows = append(c.rows, row)
	}
	row.times++
	return nil
}

func (c *credentialTable) Close() error { return nil }

func (a *app) writeCredentials(c *credentialTable) error {
	if a.choice.sort == "" {
		slices.SortStableFunc(c.rows, func(x, y *credentialRow) int {
			return cmp.Or(x.first.Time.Compare(y.first.Time), cmp.Compare(x.first.Packet, y.first.Packet))
		})
	}
	if a.output != "table" {
		sink, err := a.renderer(false)
		if err != nil {
			return err
		}
		for _, row := range c.rows {
			if err := sink.Write(row.first); err != nil {
				return err
			}
		}
		return sink.Close()
	}
	if len(c.rows) == 0 {
		fmt.Fprintln(a.stdout, "no credentials seen")
		return nil
	}
	g := &render.Grid{Style: a.style(), Header: []string{"FIRST SEEN", "PROTOCOL", "SERVER", "EXPOSURE", "WORKED", "TIMES", "SECRET", "MECHANISM", "ACCOUNT"}, Right: []int{5}}
	for _, row := range c.rows {
		x := row.first
		if a.reveal {
			record.Reveal(x)
		}
		account := x.Account
		if x.Realm != "" {
			account += " (" + x.Realm + ")"
		}
		g.Rows = append(g.Rows, []string{
			x.Time.UTC().Format("15:04:05"), x.Protocol, x.Server.String(), string(x.Exposure), x.Worked,
			fmt.Sprint(row.times), render.Escape(x.Secret.String()), x.Mechanism, render.Escape(account),
		})
	}
	return g.Write(a.stdout)
}
