package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"sniff/capture"
	"sniff/dissect"
	"sniff/export"
	"sniff/flow"
	"sniff/record"
)

// exportArtefacts writes what was carried to a folder. The input is read once
// more before that when only some of it is wanted.
func (a *app) exportArtefacts(files []string, dir string, sessions []string, want export.What, streams bool) error {
	if dir == "" {
		return usageError{hinted{errors.New("where to write is missing"), "name a folder with -w DIR"}}
	}
	chosen, err := a.chosen(files, sessions)
	if err != nil {
		return err
	}
	store, err := export.Open(dir, want)
	if err != nil {
		return inputError{err}
	}
	store.Chosen = chosen
	if want.Certificates {
		a.shown = showTo(store)
	}
	if want != (export.What{}) {
		err = errors.Join(a.analyse(files, record.SinkFunc(store.See), 0, store), store.Join())
	}
	if err == nil && streams {
		err = a.exportStreams(files, store)
	}
	if err != nil {
		return errors.Join(err, store.Close())
	}
	n := 0
	out := bufio.NewWriter(a.stdout)
	err = store.Each(func(l export.Listed) error {
		n++
		note := l.Note
		if note != "" {
			note = "  " + note
		}
		_, err := fmt.Fprintf(out, "%s  %s%s\n", l.SHA256, l.Path, note)
		return err
	})
	if err = errors.Join(err, out.Flush()); err == nil {
		a.note("wrote %s to %s", record.Count(n, "file"), dir)
	}
	return errors.Join(err, store.Close())
}

// chosen reads the input for what --where and --session take; nil: they were
// not given, and everything is wanted.
func (a *app) chosen(files, sessions []string) (*export.Choice, error) {
	if a.choice.where == "" && len(sessions) == 0 {
		return nil, nil
	}
	choice, err := a.newChoice(files, sessions, "--where and --session read")
	if err != nil {
		return nil, err
	}
	// What is to be said of the input is said when it is read again.
	first := *a
	first.stderr = io.Discard
	if err := first.analyse(files, choice, 0, nil); err != nil {
		return nil, tooMany(err)
	}
	_, _, err = counted(choice)
	return choice, err
}

// newChoice returns the sink that notes what --where and --session take. who
// needs it reads the input more than once.
func (a *app) newChoice(files, sessions []string, who string) (*export.Choice, error) {
	if slices.Contains(files, "-") {
		return nil, usageError{hinted{fmt.Errorf("standard input can be read only once, and %s the capture again", who), "write it to a file first"}}
	}
	if err := a.choice.prepare(); err != nil {
		return nil, err
	}
	return &export.Choice{Want: a.wanted(sessions)}, nil
}

// counted returns how many sessions are wanted, and how many there are; none
// is an error.
func counted(choice *export.Choice) (wanted, all int, err error) {
	wanted, all = choice.Sessions()
	if wanted == 0 {
		err = usageError{hinted{fmt.Errorf("none of %s is wanted; nothing was written", record.Count(all, "session")), "sniff read lists the sessions"}}
	}
	return wanted, all, err
}

// tooMany says what to do when too much is chosen.
func tooMany(err error) error {
	if errors.Is(err, export.ErrTooMany) {
		return usageError{hinted{err, "narrow --where, or read fewer packets with -f"}}
	}
	return err
}

// exportStreams takes the input through an engine that writes what each side
// sent and reads nothing of it.
func (a *app) exportStreams(files []string, store *export.Dir) error {
	reader, err := a.open(files, capture.Options{Filter: a.filter, CheckChecksums: a.checkChecksums})
	if err != nil {
		return err
	}
	defer reader.Close()
	engine := flow.New(flow.Config{
		Protocols: []dissect.Protocol{store.Streams()},
		TLS:       store.StreamsTLS(),
		Sink:      record.SinkFunc(func(record.Record) error { return nil }),
	})
	return errors.Join(a.pump(reader, engine), engine.Close())
}
