package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sniff/proxy"
)

// redirectPorts are those that the four protocols usually have.
var redirectPorts = []string{"21", "22", "25", "80", "443", "465", "587", "990"}

func (a *app) setupCommand() *cobra.Command {
	var r proxy.Redirect
	var listen string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "setup --listen ADDR",
		Short: "Have the firewall bring connections to a transparent proxy (Linux, nftables)",
		Long: `Make the nftables table "inet sniff", which redirects TCP connections to a proxy
of --mode transparent. Run again, it replaces what it made before; sniff proxy
teardown removes it. --dry-run prints the rules and changes nothing.

Taken are connections that this host forwards (--interface: only those that come
in there), or with --local also those of programs on this host. While a client
holds an FTP control connection (--ftp), its connections to unprivileged ports of
that server, where the data goes, are taken too.

The proxy's own connections are left alone: it marks them, which needs root or
CAP_NET_ADMIN; a proxy without can run as a user of its own (--uid). The proxy
must listen where redirected connections arrive: on [::] (or 0.0.0.0) for forwarded
ones, with --allow for the clients' networks; on 127.0.0.1 and [::1] for --local.`,
		Example: `  sudo sniff proxy setup --listen 0.0.0.0:9040 --interface eth1 --ports 21,25,80
  sudo sniff proxy --mode transparent --listen 0.0.0.0:9040 --allow 192.0.2.0/24
  sudo sniff proxy teardown`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, port, err := net.SplitHostPort(listen)
			if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 {
				return usageError{hinted{fmt.Errorf("--listen %q: where the transparent proxy listens is missing", listen), "sniff proxy setup --listen 0.0.0.0:9040"}}
			} else {
				r.To = uint16(n)
			}
			for flag, list := range map[string][]string{"--ports": r.Ports, "--ftp": r.FTP} {
				for _, p := range list {
					if !validPorts(p) {
						return usageError{hinted{fmt.Errorf("%s %q is no port", flag, p), "write ports like 25 or 1000-2000, several with commas"}}
					}
				}
			}
			rules, err := r.Rules()
			if err != nil {
				return usageError{err}
			}
			if dryRun {
				a.printSetup(r, rules)
				return nil
			}
			return a.setup(r, rules)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "", "`ADDR` of the proxy: host:port, of which the port counts")
	f.StringSliceVar(&r.Ports, "ports", redirectPorts, "destination `PORTS` to redirect")
	f.StringSliceVar(&r.FTP, "ftp", []string{"21", "990"}, "the `PORTS` of FTP control connections")
	f.StringVar(&r.Interface, "interface", "", "only connections that come in at this `IFACE`")
	f.BoolVar(&r.Local, "local", false, "also connections of programs on this host")
	f.BoolVar(&r.NotForwarded, "no-forwarded", false, "with --local: not those that this host forwards")
	f.BoolVar(&r.TPROXY, "tproxy", false, "TPROXY instead of REDIRECT: leaves packets as they are, and does not count on connection tracking")
	f.StringVar(&r.UID, "uid", "", "leave connections of this `USER` alone, who runs the proxy")
	f.BoolVar(&dryRun, "dry-run", false, "print the rules and change nothing")
	return cmd
}

func (a *app) teardownCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "teardown",
		Short: "Remove what sniff proxy setup made",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dryRun {
				fmt.Fprint(a.stdout, proxy.TeardownRules)
				return nil
			}
			if err := mayChangeFirewall(); err != nil {
				return err
			}
			removeRoutes()
			if err := load(proxy.TeardownRules); err != nil {
				return err
			}
			a.note("the table inet sniff and its routes are gone")
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the rules and change nothing")
	return cmd
}

func validPorts(s string) bool {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, err := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	return err == nil && err2 == nil && a <= b
}

// printSetup prints what setup would do, as nft and a shell would take it.
func (a *app) printSetup(r proxy.Redirect, rules string) {
	if r.TPROXY {
		for _, args := range r.Routes(false) {
			fmt.Fprintf(a.stdout, "# ip %s\n", strings.Join(args, " "))
		}
	}
	fmt.Fprint(a.stdout, rules)
}

func (a *app) setup(r proxy.Redirect, rules string) error {
	if err := mayChangeFirewall(); err != nil {
		return err
	}
	removeRoutes()
	if err := load(rules); err != nil {
		return err
	}
	if r.TPROXY {
		for _, args := range r.Routes(false) {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil && !noIPv6(args) {
				return inputError{fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))}
			}
		}
	}
	a.note("the firewall brings connections to ports %s to port %d; sniff proxy teardown ends that", strings.Join(r.Ports, ", "), r.To)
	return nil
}

// removeRoutes removes what TPROXY needed; that there is none is no error.
func removeRoutes() {
	for _, args := range (proxy.Redirect{}).Routes(true) {
		_ = exec.Command("ip", args...).Run()
	}
}

// noIPv6 reports whether an ip command is about IPv6 on a host without.
func noIPv6(args []string) bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err != nil && slices.Contains(args, "-6")
}

func mayChangeFirewall() error {
	if os.Geteuid() != 0 {
		return usageError{hinted{errors.New("changing the firewall needs root"), "run it with sudo, or let --dry-run print the rules and load them yourself"}}
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return usageError{hinted{errors.New("nft is not installed"), "it is in the package nftables"}}
	}
	return nil
}

// load gives a script to nft, which takes all of it or nothing.
func load(rules string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return inputError{fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(out))}
	}
	return nil
}
