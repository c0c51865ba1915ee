package capture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// OpenLive reads the packets of a network interface as they come, in
// promiscuous mode, until Close. Close may be called while Next waits; Next
// then returns io.EOF.
func OpenLive(iface string, o Options) (*Reader, error) {
	dev, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("capture: no interface %q; there are: %s", iface, strings.Join(interfaceNames(), ", "))
	}
	link, err := linkTypeOf(iface)
	if err != nil {
		return nil, err
	}
	if err := mayCapture(); err != nil {
		return nil, err
	}
	sh := &shared{}
	r, err := newReader(nil, sh, o)
	if err != nil {
		return nil, err
	}
	if r.filters != nil { // refuse now what this link type cannot do
		if _, err := r.filters.match(&packet{link: link}); err != nil {
			return nil, err
		}
	}
	h, err := pcapgo.NewEthernetHandle(iface)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	l := &live{name: iface, handle: h, shared: sh, link: link}
	if err := l.configure(dev, o); err != nil {
		h.Close()
		return nil, fmt.Errorf("capture: interface %s: %w", iface, err)
	}
	r.in = l
	return r, nil
}

// mayCapture tries what the handle will do, to tell a missing privilege from
// other errors.
func mayCapture() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		return unix.Close(fd)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("capture: no permission to capture: run with sudo, or give the program CAP_NET_RAW (setcap cap_net_raw+ep): %w", err)
	}
	return fmt.Errorf("capture: packet socket: %w", err)
}

func interfaceNames() []string {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return []string{"none"}
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

// linkTypeOf asks the kernel for the kind of hardware (if_arp.h), which
// decides on the headers that a raw packet socket delivers.
func linkTypeOf(iface string) (uint32, error) {
	text, err := os.ReadFile("/sys/class/net/" + iface + "/type")
	if err != nil {
		return 0, fmt.Errorf("capture: interface %s: %w", iface, err)
	}
	kind, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("capture: interface %s: unknown hardware type %q", iface, text)
	}
	switch kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return linkEthernet, nil
	case unix.ARPHRD_PPP:
		return linkPPP, nil
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT, unix.ARPHRD_IPGRE:
		return linkRaw, nil
	}
	return 0, fmt.Errorf("capture: interface %s: hardware type %d is not supported", iface, kind)
}

// live is the packet source of an interface.
type live struct {
	name   string
	handle *pcapgo.EthernetHandle
	shared *shared
	link   uint32
	iface  int
	tagged []byte // a frame whose VLAN tag was put back
	seen   int
	ended  bool
	closed atomic.Bool
}

func (l *live) configure(dev *net.Interface, o Options) error {
	snapLen := o.SnapLen
	if snapLen <= 0 || snapLen > defaultSnapLen {
		snapLen = defaultSnapLen
	}
	if err := l.handle.SetCaptureLength(snapLen); err != nil {
		return err
	}
	l.iface = l.shared.addInterface(l.name, l.link, uint32(snapLen))
	if dev.Flags&net.FlagLoopback == 0 {
		return l.handle.SetPromiscuous(true)
	}
	// A packet socket sees every loopback packet twice, as it leaves and as
	// it comes back.
	once, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: defaultSnapLen},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	return l.handle.SetBPF(once)
}

// dropsEvery is how many packets pass between questions for lost ones.
const dropsEvery = 4096

func (l *live) next(p *packet) error {
	if l.ended {
		return io.EOF
	}
	b, ci, err := l.handle.ZeroCopyReadPacketData()
	if err != nil {
		l.ended = true
		if l.closed.Load() {
			return io.EOF
		}
		return &Damage{File: l.name, Err: err}
	}
	if l.seen++; l.seen%dropsEvery == 0 {
		l.countDrops()
	}
	p.data = b
	p.wire = max(ci.Length, len(b))
	// The kernel takes the outer VLAN tag off and tells it apart.
	if len(ci.AncillaryData) > 0 && len(b) >= 12 && l.link == linkEthernet {
		if id, ok := ci.AncillaryData[0].(int); ok {
			l.tagged = append(l.tagged[:0], b[:12]...)
			l.tagged = append(l.tagged, etherVLAN>>8, etherVLAN&0xff, byte(id>>8), byte(id))
			l.tagged = append(l.tagged, b[12:]...)
			p.data = l.tagged
			p.wire += 4
		}
	}
	p.ns = ci.Timestamp.UnixNano()
	p.link = l.link
	p.iface = l.iface
	return nil
}

// countDrops adds the packets that the kernel had no room for.
func (l *live) countDrops() {
	if st, err := l.handle.Stats(); err == nil {
		l.shared.interfaces[l.iface].Dropped += uint64(st.Drops)
	}
}

func (l *live) close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.handle.Close()
}
