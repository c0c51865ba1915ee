//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop serves many connections on one goroutine, which waits for all of them at
// once: what is measured shares the processor with client and service, so they
// take as little of it as they can. A goroutine for each connection took half as
// much again.
type loop struct {
	epoll int
	mu    sync.Mutex
	conns map[int32]conn
}

type conn struct {
	w    *wire
	step func() error // goes on with what came; nil when there is no more
}

func newLoop() (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &loop{epoll: fd, conns: map[int32]conn{}}, err
}

// add has step called at once, and whenever something has come over w.
func (l *loop) add(w *wire, step func() error) error {
	w.patient = false
	if err := step(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[int32(w.fd)] = conn{w, step}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, w.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w.fd)})
}

// wait lets every connection go on over which something came within a time, and
// returns how many did. What fails is closed; the last error is returned.
func (l *loop) wait(most time.Duration, events []unix.EpollEvent) (n int, err error) {
	// The call is not told to Go's scheduler, as rawIO's are not; it interrupts
	// the call when it wants the processor, and has it then.
	errno := unix.EINTR
	for ; errno == unix.EINTR; runtime.Gosched() {
		var r uintptr
		r, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(most.Milliseconds()), 0, 0)
		n = int(r)
	}
	if errno != 0 {
		return 0, os.NewSyscallError("epoll_pwait", errno)
	}
	for _, e := range events[:n] {
		l.mu.Lock()
		c := l.conns[e.Fd]
		l.mu.Unlock()
		if failed := c.step(); failed != nil {
			err = failed
			l.mu.Lock()
			delete(l.conns, e.Fd)
			l.mu.Unlock()
			c.w.Close()
		}
	}
	return n, err
}

// wire is a connection that does not wait for what has not come, unless it is
// patient.
type wire struct {
	net.Conn // for what TLS asks of a connection besides its bytes
	fd       int
	patient  bool
}

// errNothing is what crypto/tls takes for a passing error.
type errNothing struct{ error }

func (errNothing) Timeout() bool   { return true }
func (errNothing) Temporary() bool { return true }

var nothing error = errNothing{errors.New("nothing has come")}

// newWire takes a connection away from Go's own loop.
func newWire(c net.Conn) (*wire, error) {
	f, err := c.(*net.TCPConn).File()
	c.Close()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, fd: fd, patient: true}, unix.SetNonblock(fd, true)
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		switch n, err := rawIO(unix.SYS_READ, w.fd, b); {
		case err == unix.EAGAIN && !w.patient:
			return 0, nothing
		case err == unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, -1)
		case err == unix.EINTR:
		case err != 0:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (w *wire) Write(b []byte) (int, error) {
	for done := 0; ; {
		switch n, err := rawIO(unix.SYS_WRITE, w.fd, b[done:]); {
		case err == unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}, -1)
		case err == unix.EINTR:
		case err != 0:
			return done, os.NewSyscallError("write", err)
		default:
			if done += n; done == len(b) {
				return done, nil
			}
		}
	}
}

func (w *wire) Close() error { return unix.Close(w.fd) }

// rawIO does not tell Go's scheduler of a call that never waits.
func rawIO(trap uintptr, fd int, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}
