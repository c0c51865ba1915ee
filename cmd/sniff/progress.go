package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows progress on a terminal for work that takes over a second. A nil
// bar shows nothing.
type bar struct {
	out   io.Writer
	start time.Time

	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

// progress returns the bar, or nil where there is nobody to see it, and where
// results come while it runs: both on one terminal would be a mess.
func (a *app) progress() *bar {
	if a.quiet || !isTerminal(a.stderr) || a.streams() && isTerminal(a.stdout) {
		return nil
	}
	return &bar{out: a.stderr, start: time.Now()}
}

// streams reports whether results are written while the input is read.
func (a *app) streams() bool {
	return a.output == "jsonl" || a.output == "csv" || a.output == "eve"
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (b *bar) update(done, total int64) {
	if b == nil || time.Since(b.start) < time.Second {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar == nil {
		options := []progressbar.Option{
			progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription("reading"), progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		}
		if total <= 0 { // a pipe: how much has come stands for how much is left
			total = -1
			options = append(options, progressbar.OptionShowCount())
		}
		b.bar = progressbar.NewOptions64(total, options...)
	}
	_ = b.bar.Set64(done)
}

// clear takes the bar off the terminal, until it is updated.
func (b *bar) clear() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

// finish takes the bar off the terminal for good.
func (b *bar) finish() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Finish()
		_ = b.bar.Clear()
	}
}
