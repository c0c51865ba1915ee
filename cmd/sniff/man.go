package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"sniff/record"
)

func (a *app) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man -w DIR",
		Short: "Write the manual pages of all commands to a folder",
		Long: `Write one manual page for each command to DIR, in the format of man(1). They
say what --help says.`,
		Example: "  sniff man -w ~/.local/share/man/man1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageError{hinted{errors.New("where to write is missing"), "name a folder with -w DIR"}}
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return inputError{err}
			}
			n, err := writeManual(cmd.Root(), dir)
			if err != nil {
				return inputError{err}
			}
			a.note("wrote %s to %s", record.Count(n, "page"), dir)
			return nil
		},
	}
	cmd.Flags().StringVarP(&dir, "write", "w", "", "`DIR` to write to; it is made if there is none")
	return cmd
}

// manualDate stands on every page: the pages depend on nothing but the program.
func manualDate() *time.Time {
	d := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	return &d
}

// writeManual writes the page of a command and those below it, and returns how
// many there were. Pages of an older version are replaced.
func writeManual(cmd *cobra.Command, dir string) (n int, err error) {
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		below, err := writeManual(c, dir)
		if n += below; err != nil {
			return n, err
		}
	}
	page := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	head := doc.GenManHeader{Title: strings.ToUpper(page), Section: "1", Source: "sniff", Manual: "User Commands", Date: manualDate()}
	cmd.DisableAutoGenTag = true
	f, err := os.Create(filepath.Join(dir, page+".1"))
	if err != nil {
		return n, err
	}
	if err := doc.GenMan(cmd, &head, f); err != nil {
		f.Close()
		return n, fmt.Errorf("manual page of %s: %w", cmd.CommandPath(), err)
	}
	return n + 1, f.Close()
}
