//go:build !race

package proxy

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// quick reads and writes a socket without a word to Go's scheduler. That would
// make ready to give the processor to another thread, and take it back
// afterwards, although the socket never waits: a tenth of a small message's time.
// The race detector follows the ordinary way only.
type quick struct {
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction, in which one call is made at a time: the leg sees to
// that. Its functions are made once, as they would be allocated for each call
// otherwise.
type transfer struct {
	b     []byte
	n     int
	errno syscall.Errno
	try   func(fd uintptr) (done bool) // false: wait until the socket is ready
}

// newQuick returns nil for what is no socket.
func newQuick(c net.Conn) *quick {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	q := &quick{raw: raw}
	q.in.try, q.out.try = q.in.read, q.out.write
	return q
}

func (t *transfer) read(fd uintptr) bool {
	t.call(syscall.SYS_READ, fd)
	return t.errno != syscall.EAGAIN
}

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.b) && t.errno == 0 {
		t.call(syscall.SYS_WRITE, fd)
	}
	if t.errno == syscall.EAGAIN {
		t.errno = 0
		return false
	}
	return true
}

// call is one system call with what is left of b.
func (t *transfer) call(trap, fd uintptr) {
	b := t.b[t.n:]
	n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if t.errno = errno; errno == 0 {
		t.n += int(n)
	}
}

func (q *quick) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	t := &q.in
	t.b, t.n = b, 0
	err := q.raw.Read(t.try)
	t.b = nil
	switch {
	case err != nil:
		return 0, err
	case t.errno != 0:
		return 0, os.NewSyscallError("read", t.errno)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

func (q *quick) Write(b []byte) (int, error) {
	t := &q.out
	t.b, t.n, t.errno = b, 0, 0
	err := q.raw.Write(t.try)
	t.b = nil
	if err == nil && t.errno != 0 {
		err = os.NewSyscallError("write", t.errno)
	}
	return t.n, err
}
