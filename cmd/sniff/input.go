package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"sniff/capture"
	"sniff/capture/filter"
	"sniff/content"
	"sniff/diagnose"
	"sniff/flow"
	"sniff/record"
)

// analyse reads the captures and writes records and findings to sink, which
// it closes. keep is how many bytes of each body the records keep.
func (a *app) analyse(files []string, sink record.Sink, keep int, store content.Store) error {
	useHugePages(files)
	opts := capture.Options{Filter: a.filter, CheckChecksums: a.checkChecksums}
	a.bar = a.progress()
	opts.Progress = a.bar.update
	stdin := len(files) == 1 && files[0] == "-"
	if stdin {
		// Who writes it is mostly interrupted by the same key (tcpdump -w - |
		// sniff read -), and has still something to say then.
		defer onInterrupt(func() {
			a.bar.clear()
			a.note("interrupted: reads standard input to its end; interrupt again to stop at once")
		})()
	}
	reader, err := a.open(files, opts)
	if err != nil {
		return err
	}
	if !stdin {
		defer onInterrupt(reader.Stop)()
	}
	return a.analyseFrom(reader, sink, keep, store)
}

const (
	// softMemory, in bytes, is where the garbage collector works harder rather
	// than let the heap grow beyond what is in use by headroom, as it may below.
	// The engine's limits keep what is in use below it.
	softMemory = 900 << 20
	// headroom is in per cent of what is in use, which is little.
	headroom = 200
	// exportHeadroom is less: what goes to disk as it comes makes few objects.
	exportHeadroom = 100
)

// analyseFrom takes every segment of the reader, which it closes, through the
// engine and the diagnosis to sink.
func (a *app) analyseFrom(reader *capture.Reader, sink record.Sink, keep int, store content.Store) error {
	defer reader.Close()
	if os.Getenv("GOMEMLIMIT") == "" && os.Getenv("GOGC") == "" {
		debug.SetMemoryLimit(softMemory)
		if store == nil {
			debug.SetGCPercent(headroom)
		} else {
			debug.SetGCPercent(exportHeadroom)
		}
	}
	layer, err := a.tlsLayer(reader)
	if err != nil {
		return err
	}
	key, err := tokenKey()
	if err != nil {
		a.note("%v: the marks of masked secrets will differ from run to run", err)
	}
	secrets := record.NewKeyer(key)
	contracts, err := a.contracts()
	if err != nil {
		return err
	}
	bodies := content.New(content.Config{Loads: loads(secrets, contracts), Keep: keep, Store: store})
	defer bodies.Close()
	keys, err := a.ssh.keys()
	if err != nil {
		return err
	}
	families, err := a.families()
	if err != nil {
		return err
	}
	watcher := diagnose.NewWatcher(a.watchFindings(sink), families)
	engine := flow.New(flow.Config{
		Protocols: protocols(keys),
		TLS:       layer,
		Content:   bodies,
		Sink:      watcher,
		Secrets:   secrets,
		Tap:       a.tap,
	})
	readErr := a.pump(reader, engine)
	if err := errors.Join(engine.Close(), watcher.Close()); err != nil {
		return fmt.Errorf("writing records: %w", err)
	}
	a.leftOut(reader.Stats())
	return readErr
}

// pump feeds every segment to the engine. Damage is reported and remembered;
// reading goes on behind it where the reader can.
func (a *app) pump(reader *capture.Reader, engine *flow.Engine) error {
	take := engine.Segment
	if a.live {
		ticks, stop := ticking(engine)
		defer stop()
		take = ticks
	}
	defer a.bar.finish()
	var seg capture.Segment
	for {
		err := reader.Next(&seg)
		if err == nil {
			take(&seg)
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err == capture.ErrStopped {
			a.damaged = true
			a.bar.finish()
			fmt.Fprintf(a.stderr, "sniff: interrupted after %s: what follows is of them alone\n", record.Count(reader.Stats().Packets, "packet"))
			return nil
		}
		var refused *filter.Error
		if errors.As(err, &refused) { // it depends on the link type, which is known only now
			return usageError{err}
		}
		var damage *capture.Damage
		if !errors.As(err, &damage) {
			return inputError{err}
		}
		a.damaged = true
		a.bar.clear()
		fmt.Fprintf(a.stderr, "sniff: %v\n", damage)
	}
}

func (a *app) open(files []string, opts capture.Options) (*capture.Reader, error) {
	var r *capture.Reader
	var err error
	if len(files) == 1 && files[0] == "-" {
		r, err = capture.NewReader(a.stdin, "standard input", opts)
	} else {
		r, err = capture.OpenFiles(files, opts)
	}
	if err == nil {
		return r, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, inputError{err}
	}
	var damage *capture.Damage
	if errors.As(err, &damage) {
		return nil, inputError{err}
	}
	return nil, usageError{err}
}
