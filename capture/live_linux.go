package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sniff/capture/filter"
)

// OpenLive reads the packets of a network interface, or of all, as they come,
// until Close. An interface is put into promiscuous mode. Close may be called
// while Next waits; Next then returns io.EOF.
func OpenLive(iface string, o Options) (*Reader, error) {
	sh := &shared{}
	r, err := newReader(nil, sh, o)
	if err != nil {
		return nil, err
	}
	l := &live{name: iface, shared: sh, link: linkSLL2, cooked: true}
	dev := &net.Interface{}
	if iface != AnyInterface {
		if dev, err = net.InterfaceByName(iface); err != nil {
			return nil, fmt.Errorf("capture: no interface %q; there are: %s", iface, strings.Join(InterfaceNames(), ", "))
		}
		if l.link, err = linkTypeOf(iface); err != nil {
			return nil, err
		}
		l.cooked = l.link == linkSLL2
	}
	var program *filter.Program
	if r.filters != nil {
		if program, err = r.filters.program(l.link); err != nil {
			return nil, err
		}
	}
	if err := l.open(dev, program, o); err != nil {
		return nil, fmt.Errorf("capture: interface %s: %w", iface, err)
	}
	r.in = l
	return r, nil
}

// linkTypeOf asks the kernel for the kind of hardware (if_arp.h). Of kinds
// whose headers are not the same everywhere, the kernel is asked to take the
// header off and say apart what the packet is: LINKTYPE_LINUX_SLL2.
func linkTypeOf(iface string) (uint32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("capture: interface %s: %w", iface, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(iface)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, request)
	}
	if err != nil {
		return 0, fmt.Errorf("capture: interface %s: %w", iface, err)
	}
	switch request.Uint16() {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return linkEthernet, nil
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP:
		return linkRaw, nil
	}
	return linkSLL2, nil
}

// live is the packet source of one interface or all.
type live struct {
	name   string
	shared *shared
	link   uint32
	cooked bool // packets come without a link header
	iface  int
	snap   int
	// names finds an interface of the capture by its index in the system.
	names map[int32]int

	mu     sync.Mutex // held by whoever uses the ring
	ring   *ring      // nil when it was closed
	closed atomic.Bool

	frame  frame
	packet []byte // a frame whose link header or VLAN tag was put back
	drops  uint64 // counted before the ring was closed
	ended  bool
}

func (l *live) open(dev *net.Interface, program *filter.Program, o Options) error {
	l.snap = o.SnapLen
	if l.snap <= 0 || l.snap > defaultSnapLen {
		l.snap = defaultSnapLen
	}
	kind := unix.SOCK_RAW
	if l.cooked {
		kind = unix.SOCK_DGRAM
	}
	size := o.Buffer
	if size <= 0 {
		size = defaultBuffer
	}
	ring, err := openRing(kind, size)
	if err != nil {
		return err
	}
	if err := l.begin(ring, dev, program); err != nil {
		ring.free()
		return err
	}
	l.ring = ring
	l.iface = l.shared.addInterface(l.name, l.link, uint32(l.snap))
	return nil
}

// begin lets the kernel filter, and then receive, so that nothing comes in
// between.
func (l *live) begin(ring *ring, dev *net.Interface, program *filter.Program) error {
	loopback := loopbackIndex()
	for _, p := range []*filter.Program{program, nil} {
		raw, err := bpf.Assemble(prefilter(p, l.cooked, loopback, l.snap))
		if err != nil {
			return err
		}
		// The kernel bounds the size of programs, and may refuse a filter for
		// it: then it filters nothing, which is slower, and no less right.
		if err = ring.attach(raw); err == nil {
			break
		}
		if p == nil {
			return fmt.Errorf("packet filter: %w", err)
		}
	}
	promiscuous := dev.Index > 0 && dev.Flags&net.FlagLoopback == 0
	return ring.bind(dev.Index, promiscuous)
}

func loopbackIndex() int {
	all, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Index
		}
	}
	return 0
}

func (l *live) next(p *packet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended {
		if l.closed.Load() {
			break
		}
		if l.ring.take(&l.frame) {
			l.deliver(p)
			return nil
		}
		if err := l.ring.wait(); err != nil {
			l.ended = true
			if errors.Is(err, unix.ENETDOWN) {
				err = errors.New("the interface went down")
			}
			return &Damage{File: l.name, Err: err}
		}
	}
	return io.EOF
}

// deliver makes the packet of the frame.
func (l *live) deliver(p *packet) {
	f := &l.frame
	p.data = f.data
	p.wire = max(f.wire, len(f.data))
	p.ns = f.ns
	p.link = l.link
	p.iface = l.iface
	switch {
	case l.cooked:
		l.packet = appendSLL2(l.packet[:0], &f.from)
		l.packet = append(l.packet, f.data...)
		p.data = l.packet
		p.wire += sll2Size
		if l.name == AnyInterface {
			p.iface = l.interfaceOf(f.from.Ifindex)
		}
	case f.tpid != 0 && l.link == linkEthernet && len(f.data) >= 12:
		l.packet = append(l.packet[:0], f.data[:12]...)
		l.packet = binary.BigEndian.AppendUint16(l.packet, f.tpid)
		l.packet = binary.BigEndian.AppendUint16(l.packet, f.tag)
		l.packet = append(l.packet, f.data[12:]...)
		p.data = l.packet
		p.wire += 4
	}
}

// appendSLL2 writes what the kernel says of a packet as the header of
// LINKTYPE_LINUX_SLL2.
func appendSLL2(b []byte, from *unix.RawSockaddrLinklayer) []byte {
	b = binary.NativeEndian.AppendUint16(b, from.Protocol) // in network order already
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(from.Ifindex))
	b = binary.BigEndian.AppendUint16(b, from.Hatype)
	b = append(b, from.Pkttype, from.Halen)
	return append(b, from.Addr[:]...)
}

// interfaceOf returns which of the capture's interfaces has an index in the
// system.
func (l *live) interfaceOf(index int32) int {
	if i, ok := l.names[index]; ok {
		return i
	}
	name := strconv.Itoa(int(index))
	if dev, err := net.InterfaceByIndex(int(index)); err == nil {
		name = dev.Name
	}
	if l.names == nil {
		l.names = make(map[int32]int)
	}
	i := l.shared.addInterface(name, l.link, uint32(l.snap))
	l.names[index] = i
	return i
}

// lost is how many packets the kernel had no room for, and on what.
func (l *live) lost() (iface int, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ring != nil {
		l.drops += l.ring.drops()
	}
	return l.iface, l.drops
}

func (l *live) close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.ring.interrupt()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drops += l.ring.drops()
	l.ring.free()
	l.ring = nil
	return nil
}
