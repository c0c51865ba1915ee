package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sniff/capture"
	"sniff/diagnose"
	"sniff/query"
	"sniff/record"
)

// unknownCommand refuses what is no command, and names the one that was meant.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if near := query.Nearest(args[0], known); near != "" {
		hint = fmt.Sprintf("did you mean %s %s? %s", cmd.CommandPath(), near, hint)
	}
	return usageError{hinted{fmt.Errorf("there is no command %q", args[0]), hint}}
}

// completion is a function that completes the value of a flag or an argument.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// complete teaches all commands to complete what they take: the values of
// flags by the flag's name, since flags are spelled alike everywhere, and
// session numbers out of the capture that was named.
func (a *app) complete(root *cobra.Command) {
	severities := words("info", "notice", "warning", "error", "critical")
	values := map[string]completion{
		"color":   words("auto", "always", "never"),
		"fail-on": severities,
		"output":  words("table", "text", "jsonl", "csv", "eve", "zeek", "parquet"),
		"kind":    lists(kindNames),
		"fields":  lists(a.chosenFields),
		"sort":    lists(a.chosenFields),
		"session": a.sessions,
	}
	values["interface"] = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return capture.InterfaceNames(), cobra.ShellCompDirectiveNoFileComp
	}
	special := map[string]completion{
		"creds --fail-on":    words("clear", "info", "notice", "warning", "error", "critical"),
		"creds --output":     words("table", "jsonl", "csv"),
		"creds --fields":     lists(fieldsOf(record.KindCredential)),
		"creds --sort":       lists(fieldsOf(record.KindCredential)),
		"findings --fields":  lists(fieldsOf(record.KindFinding)),
		"findings --sort":    lists(fieldsOf(record.KindFinding)),
		"findings --output":  words("text", "jsonl", "csv", "sarif", "junit"),
		"soap --output":      words("table", "jsonl"),
		"soap --fields":      lists(fieldsOf(record.KindSOAPCall)),
		"soap --sort":        soapColumns,
		"findings --explain": findingCodes,
		"proxy --mode":       words("reverse", "socks", "http", "transparent"),
		"proxy --tls":        words("intercept", "passthrough", "strip", "require"),
	}
	for _, cmd := range append(root.Commands(), root) {
		for flag, f := range values {
			if s := special[cmd.Name()+" --"+flag]; s != nil {
				f = s
			}
			register(cmd, flag, f)
		}
		for key, f := range special {
			if name, flag, _ := strings.Cut(key, " --"); name == cmd.Name() {
				register(cmd, flag, f)
			}
		}
		if cmd.Name() == "show" {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
				switch len(args) {
				case 0:
					return nil, cobra.ShellCompDirectiveDefault
				case 1:
					return a.sessions(cmd, args, begun)
				}
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
	}
}

// register completes a flag, when the command has it and nothing else
// completes it yet.
func register(cmd *cobra.Command, flag string, f completion) {
	if cmd.Flags().Lookup(flag) == nil && cmd.PersistentFlags().Lookup(flag) == nil {
		return
	}
	if _, done := cmd.GetFlagCompletionFunc(flag); !done {
		// It fails only for flags that are not there or are completed already.
		_ = cmd.RegisterFlagCompletionFunc(flag, f)
	}
}

func words(list ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// lists completes the last element of a list with commas; a leading "-", which
// turns --sort around, stays.
func lists(known func() []string) completion {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		front := begun[:strings.LastIndexByte(begun, ',')+1]
		if front == "" && strings.HasPrefix(begun, "-") {
			front = "-"
		}
		var out []string
		for _, k := range known() {
			out = append(out, front+k)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// chosenFields lists the fields of the kinds that --kind names, or of all.
func (a *app) chosenFields() []string {
	var kinds []record.Kind
	for _, k := range a.choice.kinds {
		kinds = append(kinds, record.Kind(k))
	}
	return fieldsOf(kinds...)()
}

// fieldsOf lists the fields of records of some kinds, or of all, each once.
func fieldsOf(kinds ...record.Kind) func() []string {
	return func() (out []string) {
		for _, r := range record.Types() {
			if len(kinds) > 0 && !slices.Contains(kinds, r.Kind()) {
				continue
			}
			for _, f := range record.FieldsOf(r) {
				if !slices.Contains(out, f.Name) {
					out = append(out, f.Name)
				}
			}
		}
		return out
	}
}

// soapColumns are what sniff soap sorts by: columns of its table, or with
// --calls fields of the calls.
func soapColumns(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if calls, _ := cmd.Flags().GetBool("calls"); calls {
		return lists(fieldsOf(record.KindSOAPCall))(cmd, args, begun)
	}
	return lists(operationColumns)(cmd, args, begun)
}

func findingCodes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	out := []string{"all\tthe list of codes"}
	for _, i := range diagnose.Catalogue() {
		out = append(out, fmt.Sprintf("%s\t%s", i.Code, i.Severity))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// sessions lists the sessions of the captures that were named, each with what
// happened in it.
func (a *app) sessions(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 || slices.Contains(args, "-") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.quiet = true
	var list []*record.Session
	sink := record.SinkFunc(func(r record.Record) error {
		if s, ok := r.(*record.Session); ok {
			list = append(list, s)
		}
		return nil
	})
	if err := a.analyse(args, sink, 0, nil); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	slices.SortFunc(list, func(x, y *record.Session) int { return int(int64(x.Number) - int64(y.Number)) })
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%d\t%s %s", s.Number, s.Protocol, strings.Join(strings.Fields(s.Summary()), " ")))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
