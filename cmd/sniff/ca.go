package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sniff/proxy/ca"
)

// caDir is where the proxy's authority lives unless --ca-dir says otherwise.
func caDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", hinted{err, "name a folder with --ca-dir"}
	}
	return filepath.Join(dir, "sniff"), nil
}

func (a *app) caCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Create, show and export the proxy's certificate authority",
		Long: `The proxy shows clients certificates that its own authority signs. Clients must
trust that authority: import its certificate (sniff ca export) where they look
for authorities, on systems that are yours or that you may test. The key is a
file of mode 0600 that never leaves this machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&dir, "ca-dir", "", "`FOLDER` of the authority (default: sniff in the user's configuration folder)")
	load := func() (*ca.Authority, string, error) {
		d, err := caDir(dir)
		if err != nil {
			return nil, "", err
		}
		auth, err := ca.Load(d)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, d, inputError{hinted{fmt.Errorf("there is no certificate authority in %s", d), "sniff ca create makes one"}}
		}
		return auth, d, err
	}
	show := func(auth *ca.Authority, d string) {
		fmt.Fprintf(a.stdout, "subject      %s\nvalid until  %s\nSHA-256      %s\ncertificate  %s\nkey          %s\n",
			auth.Cert.Subject, auth.Cert.NotAfter.UTC().Format(time.DateOnly), auth.Fingerprint(),
			filepath.Join(d, ca.CertFile), filepath.Join(d, ca.KeyFile))
	}
	create := &cobra.Command{
		Use: "create", Short: "Make a new authority; an existing one is not overwritten", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := caDir(dir)
			if err != nil {
				return err
			}
			now := time.Now()
			auth, err := ca.Create(d, "sniff proxy CA "+now.UTC().Format(time.DateOnly), now)
			if errors.Is(err, fs.ErrExist) {
				return hinted{fmt.Errorf("there is an authority in %s already", d), "sniff ca show describes it; move the folder away to start anew"}
			}
			if err != nil {
				return err
			}
			show(auth, d)
			return nil
		},
	}
	showCmd := &cobra.Command{
		Use: "show", Short: "Describe the authority", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			auth, d, err := load()
			if err != nil {
				return err
			}
			show(auth, d)
			return nil
		},
	}
	export := &cobra.Command{
		Use: "export", Short: "Print the certificate (PEM) for clients to trust", Args: cobra.NoArgs,
		Example: "  sniff ca export > sniff-ca.pem\n  curl --cacert sniff-ca.pem ...",
		RunE: func(*cobra.Command, []string) error {
			auth, _, err := load()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(auth.PEM())
			return err
		},
	}
	cmd.AddCommand(create, showCmd, export)
	return cmd
}
