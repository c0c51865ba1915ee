package capture

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sniff/capture/filter"
)

// Options say how inputs are read. The zero value works.
type Options struct {
	// Filter is a packet filter in tcpdump's syntax; empty takes every packet.
	// As with tcpdump it looks at packets as they stand in the capture: not
	// into tunnels, and a fragment has ports only if it is the first one.
	Filter string
	// CheckChecksums verifies the checksums of IPv4 and TCP. Off by default:
	// with checksum offload, captures taken on the sending host are full of
	// wrong ones.
	CheckChecksums bool
	// SnapLen is the most bytes taken of a packet in a live capture; default
	// 262144.
	SnapLen int
	// Buffer is how many bytes of packets a live capture keeps until they are
	// read; what comes when it is full is lost. Default 16 MiB.
	Buffer int
	// ReadAhead is the size of one of the blocks that are read ahead of the
	// decoder; default 512 KiB. There are four of them for each open input.
	ReadAhead int
	// Progress, when set, is called from Next now and then with the bytes read
	// so far, as they lie on disk, and how many there are; total is 0 when
	// that is not known.
	Progress func(done, total int64)
}

const (
	defaultSnapLen   = 262144
	defaultReadAhead = 512 << 10
	minReadAhead     = 64 << 10
)

// Damage reports that one input ends before its end: it is damaged, cut short,
// or could not be read at all. Everything before the damage was delivered.
type Damage struct {
	File string
	// Packet is the number, in that file, of the packet that could not be
	// read; 0 when it is not even a capture.
	Packet uint64
	// Offset is where the damaged part starts, counted in the bytes of the
	// capture after decompression.
	Offset int64
	Err    error
}

func (d *Damage) Error() string {
	if d.Packet == 0 {
		return fmt.Sprintf("%s: %v", d.File, d.Err)
	}
	return fmt.Sprintf("%s: packet %d at offset %d: %v", d.File, d.Packet, d.Offset, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

// Secret is the content of a decryption secrets block of a pcapng file.
type Secret struct {
	Type uint32 // SecretTLSKeyLog, ...
	Data []byte
}

// Types of secrets that pcapng defines.
const (
	SecretTLSKeyLog = 0x544c534b // "TLSK": NSS key log
	SecretSSHKeyLog = 0x5353484b // "SSHK": SSH key log
)

// Reader yields the TCP segments of one or several inputs in time order.
type Reader struct {
	in      packetSource
	decoder decoder
	filters *filterSet
	shared  *shared
	stats   Stats
	pkt     packet
	failed  error
	stopped atomic.Bool
	closed  atomic.Bool
}

// packet is one captured packet as a file format or a live handle gives it.
type packet struct {
	data []byte // as far as it was captured; valid until the next read
	wire int    // length on the wire, never less than len(data)
	ns   int64  // Unix time in nanoseconds
	link uint32 // LINKTYPE_ value
	// iface indexes shared.interfaces.
	iface int
	// bigEndian is the byte order of the machine that captured, as far as the
	// file tells; some link headers are in host order.
	bigEndian bool
}

// packetSource is a sequence of packets. After a *Damage it may be asked for
// more; io.EOF is final.
type packetSource interface {
	next(p *packet) error
	close() error
}

func newReader(in packetSource, sh *shared, o Options) (*Reader, error) {
	r := &Reader{in: in, shared: sh}
	if o.Filter != "" {
		expr, err := filter.Parse(o.Filter)
		if err != nil {
			return nil, err
		}
		r.filters = &filterSet{expr: expr}
	}
	r.decoder.checkChecksums = o.CheckChecksums
	r.decoder.stats = &r.stats
	return r, nil
}

// Next fills s with the next segment. It returns io.EOF at the end and a
// *Damage when one input is damaged; reading goes on with the other inputs
// when Next is called again. Any other error is final.
func (r *Reader) Next(s *Segment) error {
	p := &r.pkt
	for {
		if err := r.read(); err != nil {
			return err
		}
		if !r.decoder.decode(p, s) {
			continue
		}
		s.Time = time.Unix(0, p.ns).UTC()
		s.Packet = r.stats.Packets
		s.Interface = p.iface
		r.stats.Segments++
		return nil
	}
}

// read makes the next packet that passes the filter the current one. Its
// errors are those of Next.
func (r *Reader) read() error {
	if r.failed != nil {
		return r.failed
	}
	p := &r.pkt
	for {
		if r.closed.Load() {
			return io.EOF
		}
		if r.stopped.Load() {
			return ErrStopped
		}
		if err := r.in.next(p); err != nil {
			var damage *Damage
			if !errors.As(err, &damage) {
				r.failed = err
			}
			if err == io.EOF {
				r.decoder.fragments.expireAll()
				r.stats.Skipped.Incomplete = r.decoder.fragments.incomplete
			}
			return err
		}
		r.stats.Packets++
		r.stats.Bytes += uint64(len(p.data))
		r.stats.WireBytes += uint64(p.wire)
		r.shared.interfaces[p.iface].Packets++
		if r.filters == nil {
			return nil
		}
		ok, err := r.filters.match(p)
		if err != nil {
			r.failed = err
			return err
		}
		if ok {
			return nil
		}
		r.stats.Skipped.Filtered++
	}
}

// Secrets returns the decryption secrets that the inputs brought so far.
func (r *Reader) Secrets() []Secret { return r.shared.secrets }

// ErrStopped is what Next returns behind Stop.
var ErrStopped = errors.New("capture: stopped")

// Stop ends the reading before the end: Next returns ErrStopped from the next
// packet on. It may be called while Next runs.
func (r *Reader) Stop() { r.stopped.Store(true) }

// Close stops reading and closes the files that were opened. Of a live capture
// it may be called while Next waits.
func (r *Reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.in.close()
}

// filterSet holds the programs of one filter expression: what "tcp" looks at
// depends on the link type, and a pcapng file can mix several.
type filterSet struct {
	expr     *filter.Expr
	programs map[uint32]*filter.Program
	last     *filter.Program
	lastLink uint32
}

func (f *filterSet) match(p *packet) (bool, error) {
	if f.last == nil || f.lastLink != p.link {
		prog, err := f.program(p.link)
		if err != nil {
			return false, err
		}
		f.last, f.lastLink = prog, p.link
	}
	return f.last.Match(p.data, p.wire), nil
}

// program returns the one for a link type.
func (f *filterSet) program(link uint32) (*filter.Program, error) {
	if prog, ok := f.programs[link]; ok {
		return prog, nil
	}
	prog, err := f.expr.Compile(link)
	if err != nil {
		return nil, err
	}
	if f.programs == nil {
		f.programs = make(map[uint32]*filter.Program)
	}
	f.programs[link] = prog
	return prog, nil
}
