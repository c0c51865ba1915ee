package digest

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestTogether has many goroutines digest messages in pieces of many sizes and
// holds every digest against crypto/sha256.
func TestTogether(t *testing.T) {
	data := make([]byte, 1<<20)
	chacha := rand.NewChaCha8([32]byte{1})
	chacha.Read(data)
	var desk Desk
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 2))
			d := desk.New()
			for range 40 {
				desk.Enter()
				from := rnd.IntN(1000)
				msg := data[from : from+rnd.IntN(len(data)-from)]
				want := sha256.Sum256(msg)
				for len(msg) > 0 {
					n := min(len(msg), 1+rnd.IntN(1<<(4+rnd.IntN(14))))
					if m, err := d.Write(msg[:n]); m != n || err != nil {
						t.Errorf("Write: %d, %v", m, err)
					}
					msg = msg[n:]
				}
				if got := d.Sum(nil); !bytes.Equal(got, want[:]) {
					t.Errorf("goroutine %d: digest %x, want %x", g, got, want)
				}
				d.Reset()
				desk.Leave()
			}
		})
	}
	wg.Wait()
	if desk.busy != 0 || desk.waiting != nil {
		t.Errorf("left behind: %d busy, waiting %v", desk.busy, desk.waiting)
	}
}

// TestBlocks holds the digesting of two messages at once against one after the
// other, for every alignment of their bytes.
func TestBlocks(t *testing.T) {
	if !both {
		t.Skip("this processor digests one message at a time")
	}
	data := make([]byte, 4096)
	rand.NewChaCha8([32]byte{2}).Read(data)
	for n := 1; n <= 20; n++ {
		for shift := range 16 {
			a, b := data[shift:shift+64*n], data[2000+3*shift:2000+3*shift+64*n]
			var desk Desk
			x, y := desk.New(), desk.New()
			x.left, y.left = a, b
			x.load()
			y.load()
			blocks(&x.state, &y.state, &a[0], &b[0], n)
			x.took(n)
			y.took(n)
			x.store()
			y.store()
			if want := sha256.Sum256(a); !bytes.Equal(x.Sum(nil), want[:]) {
				t.Fatalf("first of two, %d blocks, shifted by %d: %x, want %x", n, shift, x.Sum(nil), want)
			}
			if want := sha256.Sum256(b); !bytes.Equal(y.Sum(nil), want[:]) {
				t.Fatalf("second of two, %d blocks, shifted by %d: %x, want %x", n, shift, y.Sum(nil), want)
			}
		}
	}
}

// TestNobodyComes has a goroutine wait for another that leaves without a write.
func TestNobodyComes(t *testing.T) {
	var desk Desk
	desk.Enter()
	desk.Enter()
	data := make([]byte, parkMin)
	sum := make(chan []byte)
	go func() {
		d := desk.New()
		d.Write(data)
		sum <- d.Sum(nil)
	}()
	if both {
		for parked := false; !parked; {
			desk.mu.Lock()
			parked = desk.waiting != nil
			desk.mu.Unlock()
		}
	}
	desk.Leave()
	if got, want := <-sum, sha256.Sum256(data); !bytes.Equal(got, want[:]) {
		t.Errorf("digest %x, want %x", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("short: that is how the race detector runs it, which allocates itself")
	}
	var desk Desk
	d, data := desk.New(), make([]byte, 64<<10)
	other := make(chan struct{})
	desk.Enter()
	desk.Enter()
	go func() { // somebody to meet
		defer close(other)
		defer desk.Leave()
		o, data := desk.New(), make([]byte, 64<<10)
		for range 300 {
			o.Write(data)
		}
	}()
	if n := testing.AllocsPerRun(200, func() { d.Write(data) }); n > 0 {
		t.Errorf("%v allocations for each write", n)
	}
	desk.Leave()
	<-other
}

func BenchmarkAlone(b *testing.B) {
	var desk Desk
	d, data := desk.New(), make([]byte, 64<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d.Write(data)
	}
}

// BenchmarkBoth is the speed of the digesting itself, of two messages.
func BenchmarkBoth(b *testing.B) {
	if !both {
		b.Skip("this processor digests one message at a time")
	}
	var x, y [8]uint32
	data := make([]byte, 64<<10)
	b.SetBytes(int64(2 * len(data)))
	for b.Loop() {
		blocks(&x, &y, &data[0], &data[0], len(data)/sha256.BlockSize)
	}
}

// BenchmarkMeeting is what two goroutines on one CPU make of it together.
func BenchmarkMeeting(b *testing.B) {
	var desk Desk
	const size = 64 << 10
	b.SetBytes(2 * size)
	var wg sync.WaitGroup
	for range 2 {
		desk.Enter()
		wg.Go(func() {
			defer desk.Leave()
			d, data := desk.New(), make([]byte, size)
			for range b.N {
				d.Write(data)
			}
		})
	}
	wg.Wait()
}
