package flow

import (
	"testing"
	"time"
)

// TestFINHalfTheSequenceSpaceAway once made Close run for ever: the FIN lay
// neither ahead of the stream nor in it.
func TestFINHalfTheSequenceSpaceAway(t *testing.T) {
	for _, far := range []int{1<<31 - 1, 1 << 31, 1<<31 + 1} {
		w := newWire(Config{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.play(
				seg{from: "C", flags: "S"},
				seg{from: "S", flags: "SA", ack: 1},
				seg{from: "C", flags: "A", seq: 1, ack: 1, data: "hello"},
				seg{from: "C", flags: "FA", seq: 6 + far, ack: 1},
				seg{from: "S", flags: "FA", seq: 1, ack: 7},
			)
			if err := w.e.Close(); err != nil {
				t.Error(err)
			}
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("the engine does not end with a FIN %d bytes away", far)
		}
	}
}
