package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sniff/dissect"
	"sniff/record"
	"sniff/render"
)

// Exit status.
const (
	exitDone    = 0
	exitFound   = 1 // done, and something at or above --fail-on was found
	exitUsage   = 2
	exitDamaged = 3 // an input was missing, damaged or cut short
)

// app is one run of the program: its streams and common flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	output         string
	filter         string
	color          string
	failOn         string
	keylog         string
	wsdl           []string
	tlsKeys        []string
	ca             string
	reveal         bool
	quiet          bool
	verbose        bool
	checkChecksums bool
	ssh            sshFlags
	choice         choice
	shape          shape

	tap   func(*record.Header, time.Time) record.TapConn    // takes the plaintext; nil: nobody does
	shown func(string, dissect.Dir, record.Stamp, [][]byte) // takes certificate chains; nil: nobody does

	live    bool // the input is an interface
	bar     *bar // of the reading; nil when none is shown
	found   bool // something at or above --fail-on was found
	damaged bool // an input was damaged; it was said already
}

// hinted is an error with advice on what to do about it.
type hinted struct {
	err  error
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// usageError makes the exit status 2.
type usageError struct{ error }

// inputError makes the exit status 3.
type inputError struct{ error }

func (e usageError) Unwrap() error { return e.error }
func (e inputError) Unwrap() error { return e.error }

// run is main without the process, so that tests can call it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		fmt.Fprintf(stderr, "sniff: %v\n", err)
		var h hinted
		if errors.As(err, &h) && h.hint != "" {
			fmt.Fprintf(stderr, "hint: %s\n", h.hint)
		}
	}
	var input inputError
	switch {
	case errors.As(err, &input), err == nil && a.damaged:
		return exitDamaged
	case err != nil:
		return exitUsage
	case a.found:
		return exitFound
	}
	return exitDone
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sniff",
		Short: "Show what really happened in SMTP, FTP, SOAP and SSH traffic",
		Long: `sniff reads captures, listens on an interface, or stands in the middle as a
proxy, and tells what happened in SMTP, FTP, SOAP and SSH sessions: who said
what, what was moved, what failed and why, and what was unsafe.

Exit status: 0 done; 1 done, and something at or above --fail-on was found;
2 wrong usage; 3 an input was missing, damaged or cut short (all that could be
read is still reported).`,
		Example: `  sniff read mail.pcap                  one line per session
  sniff show mail.pcap 3                the dialogue of session 3
  sniff read -o jsonl mail.pcap | jq .  records for other programs
  sniff creds *.pcapng                  who logged in, and how openly`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{hinted{err, fmt.Sprintf("%s --help lists the flags", cmd.CommandPath())}}
	})
	f := root.PersistentFlags()
	f.StringVar(&a.color, "color", "auto", "colours: auto, always or never (NO_COLOR is honoured)")
	f.BoolVar(&a.reveal, "reveal", false, "show passwords, tokens and digests instead of masking them")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes on standard error")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more on standard error: what was skipped and why")
	root.AddCommand(a.readCommand(), a.showCommand(), a.credsCommand(), a.findingsCommand(), a.soapCommand(), a.exportCommand(), a.liveCommand(),
		a.proxyCommand(), a.caCommand(), a.schemaCommand(), a.manCommand())
	a.complete(root)
	return root
}

// inputFlags are the flags of all commands that read traffic.
func (a *app) inputFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&a.filter, "filter", "f", "", "read only packets that match this tcpdump filter")
	f.StringVar(&a.keylog, "keylog", "", "TLS key log `FILE` (SSLKEYLOGFILE format) to decrypt with")
	f.StringArrayVar(&a.tlsKeys, "tls-key", nil, "PEM `FILE` with a server's RSA private key: decrypts sessions with a static RSA key exchange; repeatable")
	f.StringVar(&a.ca, "ca", "", "PEM `FILE` of the authorities that certificates are verified against, instead of the system's")
	f.StringArrayVar(&a.wsdl, "wsdl", nil, "hold SOAP calls against the contract in this `FILE` (WSDL 1.1 or 2.0; may be given again)")
	f.BoolVar(&a.checkChecksums, "check-checksums", false, "ignore packets with wrong checksums (off: network cards fill them in late)")
	f.StringVar(&a.failOn, "fail-on", "", "exit with status 1 if a finding of this `SEVERITY` or above was made: info, notice, warning, error, critical")
	a.ssh.add(cmd)
}

// checkFlags refuses values that no flag parser checks.
func (a *app) checkFlags(outputs ...string) error {
	if err := oneOf("--color", a.color, "auto", "always", "never"); err != nil {
		return err
	}
	if a.failOn != "" {
		if err := oneOf("--fail-on", a.failOn, "info", "notice", "warning", "error", "critical"); err != nil {
			return err
		}
	}
	if len(outputs) > 0 {
		return oneOf("--output", a.output, outputs...)
	}
	return nil
}

func oneOf(flag, value string, allowed ...string) error {
	for _, v := range allowed {
		if v == value {
			return nil
		}
	}
	return usageError{hinted{fmt.Errorf("%s %q is not known", flag, value), "it is one of " + strings.Join(allowed, ", ")}}
}

// style returns how to write to standard output.
func (a *app) style() render.Style {
	s := render.Style{Reveal: a.reveal, Color: a.color == "always"}
	if f, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width = w
		}
		if a.color == "auto" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
			s.Color = true
		}
	}
	if c := os.Getenv("COLUMNS"); c != "" {
		fmt.Sscan(c, &s.Width)
	}
	return s
}

// note says something on standard error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, "sniff: "+format+"\n", args...)
	}
}

// watchFindings wraps a sink so that findings set the exit status.
func (a *app) watchFindings(next record.Sink) record.Sink {
	if a.failOn == "" {
		return next
	}
	return &failOn{next: next, level: record.Severity(a.failOn).Level(), found: &a.found}
}

type failOn struct {
	next  record.Sink
	level int
	found *bool
}

func (f *failOn) Write(r record.Record) error {
	if x, ok := r.(*record.Finding); ok && x.Severity.Level() >= f.level {
		*f.found = true
	}
	return f.next.Write(r)
}

func (f *failOn) Close() error { return f.next.Close() }
