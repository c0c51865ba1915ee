package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"sniff/diagnose"
	"sniff/dissect/ssh"
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
		return nil, inputError{fmt.Errorf("%s: %w", s.keylog, err)}
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

// knownHostsList is a sink that keeps the host keys it sees, each once.
type knownHostsList struct{ lines []string }

func (l *knownHostsList) Write(r record.Record) error {
	if h, ok := r.(*record.SSHHandshake); ok {
		if line := diagnose.KnownHostsLine(h); line != "" && !slices.Contains(l.lines, line) {
			l.lines = append(l.lines, line)
		}
	}
	return nil
}

func (*knownHostsList) Close() error { return nil }

// exportKnownHosts prints the host keys of the captures as known_hosts lines,
// or writes them to file, which must not exist.
func (a *app) exportKnownHosts(files []string, file string) error {
	list := &knownHostsList{}
	if err := a.analyse(files, list, 0, nil); err != nil {
		return err
	}
	slices.Sort(list.lines)
	out := io.Writer(a.stdout)
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return inputError{err}
		}
		defer f.Close()
		out = f
	}
	for _, line := range list.lines {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return fmt.Errorf("writing known hosts: %w", err)
		}
	}
	a.note("%d host keys", len(list.lines))
	return nil
}
