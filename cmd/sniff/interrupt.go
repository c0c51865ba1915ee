package main

import (
	"os"
	"os/signal"
)

// onInterrupt calls f at the first interrupt (Ctrl-C); a second one ends the
// program, as does the first behind done.
func onInterrupt(f func()) (done func()) {
	signals, over, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt)
	go func() {
		defer close(ended)
		select {
		case <-over:
		case <-signals:
			signal.Stop(signals)
			f()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(over)
		<-ended
	}
}
