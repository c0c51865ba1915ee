package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"sniff/diagnose"
	"sniff/dissect/ssh"
	"sniff/dissect/tls"
	"sniff/export"
	"sniff/record"
)

// sshFlags are what the user knows about the SSH servers that are seen.
type sshFlags struct {
	keylog     string
	knownHosts []string
	policy     string
}

func (s *sshFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.keylog, "ssh-keylog", "", "SSH key log `FILE` (Wireshark's format: COOKIE SHARED_SECRET|PRIVATE_KEY KEY) to decrypt with")
	if cmd.Name() == "export" {
		return // its --known-hosts says what to write, and it prints no findings
	}
	f := cmd.Flags()
	f.StringArrayVar(&s.knownHosts, "known-hosts", nil, "check SSH host keys against this known_hosts `FILE`; repeatable")
	f.StringVar(&s.policy, "policy", "", "check SSH algorithms and key sizes against this policy `FILE` (YAML)")
}

// keys reads the key log; nil when there is none.
func (s *sshFlags) keys() (*ssh.KeyLog, error) {
	if s.keylog == "" {
		return nil, nil
	}
	f, err := os.Open(s.keylog)
	if err != nil {
		return nil, inputError{err}
	}
	defer f.Close()
	log, err := ssh.ReadKeyLog(f)
	if err != nil {
		hint := "a key log of SSH has lines such as 0123... SHARED_SECRET 4567..."
		if k := (&keyLog{path: s.keylog, keys: tls.NewKeys()}); k.read() == nil && k.added > 0 {
			hint = "it holds secrets of TLS, which go with --keylog"
		}
		return nil, inputError{hinted{fmt.Errorf("%s: %w", s.keylog, err), hint}}
	}
	return log, nil
}

// families returns all families of findings, and those that the flags ask for.
func (a *app) families() ([]diagnose.Family, error) {
	families := diagnose.Families()
	if len(a.ssh.knownHosts) > 0 {
		known, err := diagnose.LoadKnownHosts(a.ssh.knownHosts...)
		if err != nil {
			return nil, inputError{err}
		}
		families = append(families, diagnose.KnownHostsFamily(known))
	}
	if a.ssh.policy != "" {
		policy, err := diagnose.LoadSSHPolicy(a.ssh.policy)
		if err != nil {
			return nil, usageError{hinted{err, "its keys are name, required, forbidden (kex, host_key, cipher, mac, compression), minimum_bits (rsa, dsa, ecdsa, dh), strict_kex"}}
		}
		families = append(families, diagnose.SSHPolicyFamily(policy))
	}
	return families, nil
}

// knownHostsList is a sink that keeps the host keys it sees, each once, and by
// whom.
type knownHostsList struct{ shown map[string][]string } // line to sessions

func (l *knownHostsList) Write(r record.Record) error {
	if h, ok := r.(*record.SSHHandshake); ok {
		if line := diagnose.KnownHostsLine(h); line != "" {
			l.shown[line] = append(l.shown[line], h.Session)
		}
	}
	return nil
}

func (*knownHostsList) Close() error { return nil }

// of returns the lines of the wanted sessions, in order.
func (l *knownHostsList) of(choice *export.Choice) (lines []string) {
	for line, sessions := range l.shown {
		if slices.ContainsFunc(sessions, choice.Wanted) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// exportKnownHosts prints the host keys of the wanted sessions as known_hosts
// lines, or writes them to file, which must not exist.
func (a *app) exportKnownHosts(files []string, file string, sessions []string) error {
	if err := a.choice.prepare(); err != nil {
		return err
	}
	choice := &export.Choice{Want: a.wanted(sessions)}
	list := &knownHostsList{shown: map[string][]string{}}
	if err := a.analyse(files, both{choice, list}, 0, nil); err != nil {
		return tooMany(err)
	}
	if _, all, err := counted(choice); err != nil && all > 0 {
		return err
	}
	lines := list.of(choice)
	out := io.Writer(a.stdout)
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return usageError{hinted{fmt.Errorf("%s exists already", file), "name another file; nothing is overwritten"}}
		}
		if err != nil {
			return inputError{err}
		}
		defer f.Close()
		out = f
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return fmt.Errorf("writing known hosts: %w", err)
		}
	}
	a.note("%s", record.Count(len(lines), "host key"))
	return nil
}
