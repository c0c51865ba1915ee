package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sniff/record"
	"sniff/render"
)

func (a *app) credsCommand() *cobra.Command {
	var hashcat string
	cmd := &cobra.Command{
		Use:   "creds FILE...",
		Short: "Credentials seen, how exposed, and whether they worked",
		Long: `List every credential of every protocol: when, where to, which account, by
which mechanism, how openly it lay on the wire (clear, crackable digest, or
hidden inside decrypted traffic), whether it worked and how often it was seen.
Secrets are masked; the mark behind *** is the same for the same secret, so
that reuse over services shows, and is said below the table.

--hashcat writes the digests that can be guessed offline in hashcat's formats,
one file for each: digests.txt becomes digests.10200.txt for CRAM-MD5,
digests.5500.txt and digests.5600.txt for NTLM, digests.11400.txt for HTTP
Digest with MD5, digests.120.txt for the digests of WS-Security. What none of
these holds is counted on standard error: hashcat has nothing for DIGEST-MD5
and SCRAM as they cross the wire. The files have mode 0600 and replace nothing.`,
		Example: `  sniff creds office.pcap
  sniff creds --fail-on clear *.pcap     exit status 1 if any password was readable
  sniff creds --hashcat digests.txt office.pcap`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkCredsFlags(); err != nil {
				return err
			}
			a.choice.kinds = []string{string(record.KindCredential)}
			if err := a.choice.prepare(); err != nil {
				return err
			}
			failOnClear := a.failOn == failOnClearWord
			if failOnClear {
				a.failOn = ""
			}
			c := &credentialTable{seen: map[credentialKey]*credentialRow{}}
			if hashcat != "" {
				c.hashes = newHashFiles(hashcat)
				if err := c.hashes.check(); err != nil {
					return err
				}
			}
			// Rows are ordered and counted, not what they were made of.
			if err := a.analyse(args, &chooser{c, &a.choice}, 0, nil); err != nil {
				return err
			}
			if failOnClear && c.clear {
				a.found = true
			}
			if err := a.writeCredentials(c); err != nil || c.hashes == nil {
				return err
			}
			return c.hashes.write(a.note)
		},
	}
	a.inputFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&a.output, "output", "o", "table", "output format: table, jsonl or csv")
	a.listFlags(cmd, "credentials")
	f.StringVar(&hashcat, "hashcat", "", "write digests that can be guessed offline for hashcat, to `FILE` with the number of the format before its ending")
	f.Lookup("fail-on").Usage = "exit with status 1 if a credential was readable on the wire (clear), or if a finding of this `SEVERITY` or above was made: info, notice, warning, error, critical"
	return cmd
}

// failOnClearWord is what --fail-on takes here beside the severities.
const failOnClearWord = "clear"

func (a *app) checkCredsFlags() error {
	if a.failOn != "" {
		if err := oneOf("--fail-on", a.failOn, failOnClearWord, "info", "notice", "warning", "error", "critical"); err != nil {
			return err
		}
	}
	severity := a.failOn
	if severity == failOnClearWord {
		a.failOn = ""
	}
	err := a.checkFlags("table", "jsonl", "csv")
	a.failOn = severity
	if err == nil {
		err = a.fits()
	}
	return err
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
	seen   map[credentialKey]*credentialRow
	rows   []*credentialRow
	clear  bool
	hashes *hashFiles
}

func (c *credentialTable) Write(r record.Record) error {
	x, ok := r.(*record.Credential)
	if !ok {
		return nil
	}
	c.clear = c.clear || x.Exposure == record.ExposureClear
	if c.hashes != nil {
		c.hashes.add(x)
	}
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
	slices.SortStableFunc(c.rows, func(x, y *credentialRow) int {
		order := 0
		if a.choice.by != nil {
			order = a.choice.order(x.first, y.first)
		}
		return cmp.Or(order, x.first.Time.Compare(y.first.Time), cmp.Compare(x.first.Packet, y.first.Packet))
	})
	if limit := a.choice.limit; limit > 0 && len(c.rows) > limit {
		c.rows = c.rows[:limit]
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
		g.Rows = append(g.Rows, []string{
			x.Time.UTC().Format("15:04:05"), x.Protocol, x.Server.String(), string(x.Exposure), x.Worked,
			fmt.Sprint(row.times), render.Escape(x.Secret.String()), x.Mechanism, render.Escape(accountOf(x)),
		})
	}
	if !g.Fits() {
		g = narrowCredentials(g)
	}
	if err := g.Write(a.stdout); err != nil {
		return err
	}
	return a.writeReuse(c.rows)
}

// narrowCredentials makes two lines of each row, for a narrow terminal.
func narrowCredentials(wide *render.Grid) *render.Grid {
	worked := map[string]string{"yes": "accepted", "no": "refused"}
	g := &render.Grid{Style: wide.Style, Header: []string{"SEEN", "SERVER", "EXPOSURE", "SECRET", "ACCOUNT"}}
	for _, r := range wide.Rows {
		seen, protocol, server, exposure, times, secret, mechanism, account := r[0], r[1], r[2], r[3], r[5], r[6], r[7], r[8]
		if times == "1" {
			times = "once"
		} else {
			times += " times"
		}
		g.Rows = append(g.Rows, []string{
			seen + "\n" + times, server + "\n" + protocol, exposure + "\n" + cmp.Or(worked[r[4]], r[4]), secret + "\n" + mechanism, account,
		})
	}
	return g
}

func accountOf(x *record.Credential) string {
	if x.Realm == "" {
		return x.Account
	}
	return x.Account + " (" + x.Realm + ")"
}

// writeReuse says in words which secrets were seen at several services or
// with several accounts. A digest differs each time it is made, so that reuse
// shows only where the secret itself was read.
func (a *app) writeReuse(rows []*credentialRow) error {
	type use struct {
		secret string
		places []string
	}
	var order []*use
	byToken := map[string]*use{}
	for _, row := range rows {
		x := row.first
		token := x.Secret.Token()
		if token == "" || x.Exposure == record.ExposureCrackable {
			continue
		}
		u := byToken[token]
		if u == nil {
			u = &use{secret: x.Secret.String()}
			byToken[token] = u
			order = append(order, u)
		}
		place := fmt.Sprintf("%s at %s", x.Protocol, x.Server)
		if x.Account != "" {
			place = fmt.Sprintf("%s as %s", place, x.Account)
		}
		if !slices.Contains(u.places, place) {
			u.places = append(u.places, place)
		}
	}
	order = slices.DeleteFunc(order, func(u *use) bool { return len(u.places) < 2 })
	for i, u := range order {
		if i == 0 {
			fmt.Fprintln(a.stdout)
		}
		last := len(u.places) - 1
		_, err := fmt.Fprintf(a.stdout, "the same secret %s was sent to %s and %s\n", render.Escape(u.secret),
			render.Escape(strings.Join(u.places[:last], ", ")), render.Escape(u.places[last]))
		if err != nil {
			return err
		}
	}
	return nil
}
