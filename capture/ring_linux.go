package capture

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ring is a packet socket and the memory that it shares with the kernel
// (TPACKET_V3, Documentation/networking/packet_mmap.rst of Linux): blocks that
// the kernel fills with packets and hands over when they are full or a moment
// old.
type ring struct {
	fd, wake int
	mem      []byte
	block    int    // the one that is read
	at       int    // its next packet
	left     uint32 // packets of it that were not taken yet; 0: it is the kernel's
}

const (
	// blockSize has room for the largest packet with its headers: a packet
	// that is larger than a block is cut.
	blockSize = 2 * defaultSnapLen
	// blockTimeout is how long, in milliseconds, packets wait for their block
	// to be full.
	blockTimeout = 50
	// defaultBuffer and minBuffer bound the ring's size in bytes.
	defaultBuffer = 16 << 20
	minBuffer     = 2 * blockSize
)

// frame is one packet as the kernel describes it.
type frame struct {
	data []byte // valid until the next take
	wire int
	ns   int64
	// tag and tpid are of the VLAN tag that the kernel took off; tpid is 0
	// when there was none.
	tag, tpid uint16
	// from says where it came from and, of cooked packets, what it is.
	from unix.RawSockaddrLinklayer
}

// openRing makes a packet socket of kind SOCK_RAW or SOCK_DGRAM with about size
// bytes of memory. It receives nothing before bind.
func openRing(kind, size int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("no permission to capture: run with sudo, or give the program CAP_NET_RAW (setcap cap_net_raw+ep): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	r := &ring{fd: fd, wake: -1}
	if err := r.share(size); err != nil {
		r.free()
		return nil, err
	}
	return r, nil
}

func (r *ring) share(size int) (err error) {
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("packet ring: %w", err)
	}
	blocks := max(size, minBuffer) / blockSize
	req := unix.TpacketReq3{
		Block_size: blockSize, Block_nr: uint32(blocks),
		Frame_size: blockSize, Frame_nr: uint32(blocks),
		Retire_blk_tov: blockTimeout,
	}
	err = unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req)
	if err == nil {
		r.mem, err = unix.Mmap(r.fd, 0, blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("the kernel has no memory for a buffer of %d MiB: ask for a smaller one", blocks*blockSize>>20)
	}
	if err != nil {
		return fmt.Errorf("packet ring: %w", err)
	}
	return nil
}

// attach makes the kernel throw away what the program does not take.
func (r *ring) attach(program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
		Len: uint16(len(filter)), Filter: &filter[0],
	})
}

// bind begins to receive from an interface; index 0: from all.
func (r *ring) bind(index int, promiscuous bool) error {
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8) // in network order
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}); err != nil {
		return err
	}
	if !promiscuous {
		return nil
	}
	return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
}

// take returns the next packet, if there is one.
func (r *ring) take(f *frame) bool {
	base := r.block * blockSize
	head := (*unix.TpacketHdrV1)(unsafe.Pointer(&(*unix.TpacketBlockDesc)(unsafe.Pointer(&r.mem[base])).Hdr))
	for r.left == 0 {
		if atomic.LoadUint32(&head.Block_status)&unix.TP_STATUS_USER == 0 {
			return false
		}
		r.left, r.at = head.Num_pkts, base+int(head.Offset_to_first_pkt)
		if r.left == 0 {
			r.pass(head)
			return false
		}
	}
	h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.mem[r.at]))
	start := r.at + int(h.Mac)
	*f = frame{
		data: append(f.data[:0], r.mem[start:start+int(h.Snaplen)]...),
		wire: int(h.Len),
		ns:   int64(h.Sec)*1e9 + int64(h.Nsec),
		from: *(*unix.RawSockaddrLinklayer)(unsafe.Pointer(&r.mem[r.at+unix.SizeofTpacket3Hdr])),
	}
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		f.tag, f.tpid = uint16(h.Hv1.Vlan_tci), etherVLAN
		if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			f.tpid = h.Hv1.Vlan_tpid
		}
	}
	r.at += int(h.Next_offset)
	if r.left--; r.left == 0 {
		r.pass(head)
	}
	return true
}

// pass gives the block back to the kernel and goes on to the next.
func (r *ring) pass(head *unix.TpacketHdrV1) {
	atomic.StoreUint32(&head.Block_status, unix.TP_STATUS_KERNEL)
	r.block = (r.block + 1) % (len(r.mem) / blockSize)
}

// wait returns when there may be packets, or interrupt was called.
func (r *ring) wait() error {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}, {Fd: int32(r.wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
		return err
	}
	if fds[0].Revents&unix.POLLERR == 0 {
		return nil
	}
	errno, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return err
}

// interrupt makes wait return, now and whenever it is called again.
func (r *ring) interrupt() {
	// It can fail only by being full, and then wait returns as well.
	_, _ = unix.Write(r.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// drops is how many packets were lost for want of room since it was asked last.
func (r *ring) drops() uint64 {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(s.Drops)
}

func (r *ring) free() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem = nil
	}
	_ = unix.Close(r.fd)
	if r.wake >= 0 {
		_ = unix.Close(r.wake)
	}
}
