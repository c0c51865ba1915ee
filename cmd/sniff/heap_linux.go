package main

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	// hugeHeap is how much of the heap lies in huge pages, in bytes: what
	// reading an ordinary capture takes.
	hugeHeap = 64 << 20
	// hugeFrom is the size of input, in bytes, from which on they are worth the
	// 20 ms that they take to set up.
	hugeFrom = 32 << 20
)

// useHugePages has the kernel back the beginning of the heap with huge pages
// where it leaves them to who asks (transparent_hugepage=madvise): the runtime
// never does, and a virtual machine may take as long to map a small page as
// sniff takes to digest 20 KB. Memory is still taken as it is used, not before.
func useHugePages(files []string) {
	var size int64
	for _, name := range files {
		if st, err := os.Stat(name); err == nil { // what can't be opened is told later
			size += st.Size()
		}
	}
	if size < hugeFrom {
		return
	}
	heap := make([]byte, hugeHeap) // fresh from the kernel: nothing is touched yet
	// A kernel without huge pages refuses; then pages stay small.
	_ = unix.Madvise(heap, unix.MADV_HUGEPAGE)
	runtime.KeepAlive(heap)
	runtime.GC() // from here on the range is free for what will be needed
}
