package render

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"sniff/record"
)

// PcapNG writes relayed or decrypted connections as a capture of plain TCP: the
// real endpoints, the plaintext as the applications saw it, the times at which
// it passed, valid checksums and sequence numbers. Packets are raw IP
// (LINKTYPE_RAW), because there was no wire. Safe for several connections at a
// time.
//
// The file always ends with a whole packet, and never lacks more than the last
// half second, so that it can be read after a kill, or while it is written.
type PcapNG struct {
	rotate Rotation
	path   string

	mu      sync.Mutex
	file    *behind
	buf     *bufio.Writer
	ng      *pcapgo.NgWriter
	pending int       // bytes that are not in the file yet
	size    int64     // bytes of this file, those included
	begun   time.Time // when this file's first packet was relayed
	number  int       // of this file, with rotation
	err     error

	stop chan struct{}
	done chan struct{}
}

// Rotation says when the next file is begun; zero values do not count. The
// files are numbered: traffic.pcapng becomes traffic-0001.pcapng and so on.
type Rotation struct {
	Size  int64
	Every time.Duration
}

const (
	// flushEvery bounds what a kill can lose.
	flushEvery = 500 * time.Millisecond
	// maxPending is how much is written at once; the buffer has room for a
	// packet more, so that it never spills in the middle of one.
	maxPending = 256 << 10
	// maxBlock is a packet's block without its comment.
	maxBlock = 64 + 60 + maxSegment
)

// CreatePcapNG makes a capture file of mode 0600; it does not overwrite one.
// With rotation the numbers that are taken already are left out.
func CreatePcapNG(path string, rotate Rotation) (*PcapNG, error) {
	w := &PcapNG{rotate: rotate, path: path, stop: make(chan struct{}), done: make(chan struct{})}
	if err := w.begin(); err != nil {
		return nil, err
	}
	go w.flushLoop()
	return w, nil
}

// begin makes the next file and writes its head.
func (w *PcapNG) begin() error {
	created, err := w.create()
	if err != nil {
		return err
	}
	f := newBehind(created)
	buf := bufio.NewWriterSize(f, maxPending+maxBlock+maxComment+maxNote)
	ng, err := pcapgo.NewNgWriterInterface(buf, pcapgo.NgInterface{
		Name: "sniff", LinkType: layers.LinkTypeRaw, SnapLength: 0, TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "sniff"}})
	if err == nil {
		err = errors.Join(ng.Flush(), buf.Flush())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.buf, w.ng = f, buf, ng
	w.pending, w.size, w.begun = 0, 0, time.Time{}
	return nil
}

func (w *PcapNG) create() (*os.File, error) {
	if w.rotate == (Rotation{}) {
		return os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	ending := filepath.Ext(w.path)
	for {
		w.number++
		path := fmt.Sprintf("%s-%04d%s", strings.TrimSuffix(w.path, ending), w.number, ending)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// turn begins the next file when this one is full or old, at a packet that
// was relayed at at.
func (w *PcapNG) turn(at time.Time) {
	if w.begun.IsZero() {
		w.begun = at
	}
	full := w.rotate.Size > 0 && w.size >= w.rotate.Size
	old := w.rotate.Every > 0 && at.Sub(w.begun) >= w.rotate.Every
	if !full && !old {
		return
	}
	w.flush()
	before := w.file
	if err := w.begin(); err != nil {
		// Go on with this one rather than lose what is relayed.
		w.begun, w.size = at, 0
		w.failed(err)
		return
	}
	w.begun = at
	w.failed(before.Close())
}

func (w *PcapNG) flushLoop() {
	defer close(w.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.mu.Lock()
			w.flush()
			w.mu.Unlock()
		case <-w.stop:
			return
		}
	}
}

func (w *PcapNG) flush() {
	w.failed(errors.Join(w.ng.Flush(), w.buf.Flush()))
	w.pending = 0
}

// failed keeps the first error, for Close.
func (w *PcapNG) failed(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("writing capture: %w", err)
	}
}

// Close writes what is left and reports the first error.
func (w *PcapNG) Close() error {
	close(w.stop)
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	return errors.Join(w.err, w.file.Close())
}

// Open begins a connection with its handshake.
func (w *PcapNG) Open(client, server netip.AddrPort, at time.Time, comment string) record.TapConn {
	if client.Addr().Is4() != server.Addr().Is4() {
		client, server = as6(client), as6(server)
	}
	c := &pcapConn{w: w, ends: [2]netip.AddrPort{client, server}}
	// Any two initial sequence numbers will do; these are easy to recognise.
	c.seq = [2]uint32{1000, 2000}
	c.about = []string{cutComment(comment)}
	c.packet(record.ClientToServer, flagSYN, nil, at)
	c.seq[0]++
	c.packet(record.ServerToClient, flagSYN|flagACK, nil, at)
	c.seq[1]++
	c.packet(record.ClientToServer, flagACK, nil, at)
	return c
}

func as6(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(ap.Addr().As16()), ap.Port())
}

const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// maxSegment is the payload of a synthesised packet over IPv4, which makes it
// 1,500 bytes long; over IPv6 it is 20 bytes less.
const maxSegment = 1460

type pcapConn struct {
	w     *PcapNG
	ends  [2]netip.AddrPort
	seq   [2]uint32
	ended [2]bool
	about []string // what is to be known of the connection
	said  int      // how much of that stands in the file
	file  int      // number of the file that has it
	id    uint16
	hole  [2]hole
	buf   [60 + maxSegment]byte
}

func (c *pcapConn) Data(dir record.Dir, b []byte, at time.Time) {
	most := maxSegment
	if c.ends[0].Addr().Is6() {
		most -= 20
	}
	for i := 1; len(b) > 0; i++ {
		n := min(len(b), most)
		flags := flagACK
		if n == len(b) {
			flags |= flagPSH
		}
		c.packet(dir, flags, b[:n], at)
		c.seq[dir] += uint32(n)
		b = b[n:]
		// Receivers acknowledge at least every second segment (RFC 9293,
		// section 3.8.6.3).
		if i%2 == 0 || len(b) == 0 {
			c.packet(dir.Other(), flagACK, nil, at)
		}
	}
}

// Gap leaves a hole in the sequence numbers, for readers to find; the packet
// behind it says how much is missing.
func (c *pcapConn) Gap(dir record.Dir, n int64, _ time.Time) {
	h := &c.hole[dir]
	if n < 0 {
		h.unknown, n = true, 1
	}
	h.missing += n
	wide := min(n, maxHole-h.wide)
	h.wide += wide
	c.seq[dir] += uint32(wide)
}

// hole is what is missing before the next packet of a direction.
type hole struct {
	missing int64
	wide    int64 // as the sequence numbers show it
	unknown bool  // more may be missing
}

// maxHole is the widest hole in the sequence numbers that cannot be taken for
// a step back.
const maxHole = 1 << 30

// words says the hole in front of a packet of dir, and forgets it.
func (h *hole) words(dir record.Dir) string {
	defer func() { *h = hole{} }()
	switch {
	case h.unknown:
		return fmt.Sprintf("bytes of the %s are missing before this packet, unknown how many", dir)
	case h.missing > 0:
		return fmt.Sprintf("%d bytes of the %s are missing before this packet", h.missing, dir)
	}
	return ""
}

// Comment annotates the next packet, and again the first one in a file that
// begins later. Those of a connection that changes for ever are not kept.
func (c *pcapConn) Comment(text string) {
	c.about = append(c.about, cutComment(text))
	if len(c.about) > maxAbout {
		c.about = append(c.about[:1], c.about[len(c.about)-maxAbout+1:]...)
		c.said = min(c.said, len(c.about)-1)
	}
}

// maxComment is the longest comment of a packet, and maxAbout how many a
// connection has.
const (
	maxComment = 4 << 10
	maxAbout   = 8
	maxNote    = 128 // of a hole
)

func cutComment(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxComment/maxAbout-8)], "")
}

func (c *pcapConn) EOF(dir record.Dir, at time.Time) {
	if c.ended[dir] {
		return
	}
	c.ended[dir] = true
	c.packet(dir, flagFIN|flagACK, nil, at)
	c.seq[dir]++
	c.packet(dir.Other(), flagACK, nil, at)
}

func (c *pcapConn) Close(end, by string, at time.Time) {
	switch {
	case end == record.EndReset:
		dir := record.ClientToServer
		if by == "server" {
			dir = record.ServerToClient
		}
		c.packet(dir, flagRST|flagACK, nil, at)
	case end == record.EndClosed:
		c.EOF(record.ClientToServer, at)
		c.EOF(record.ServerToClient, at)
	}
}

// packet writes one IP packet with its TCP segment.
func (c *pcapConn) packet(dir record.Dir, flags int, payload []byte, at time.Time) {
	src, dst := c.ends[dir], c.ends[dir.Other()]
	tcp := 20
	c.id++
	var b []byte
	var sum uint64
	if src.Addr().Is4() {
		b = c.buf[:20+tcp+len(payload)]
		clear(b[:20+tcp])
		b[0] = 0x45
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[4:], c.id)
		b[6] = 0x40 // don't fragment
		b[8] = 64
		b[9] = 6
		s, d := src.Addr().As4(), dst.Addr().As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		binary.BigEndian.PutUint16(b[10:], fold(checksum(0, b[:20])))
		sum = checksum(0, b[12:20])
	} else {
		b = c.buf[:40+tcp+len(payload)]
		clear(b[:40+tcp])
		b[0] = 0x60
		binary.BigEndian.PutUint16(b[4:], uint16(tcp+len(payload)))
		b[6] = 6
		b[7] = 64
		s, d := src.Addr().As16(), dst.Addr().As16()
		copy(b[8:], s[:])
		copy(b[24:], d[:])
		sum = checksum(0, b[8:40])
	}
	t := b[len(b)-tcp-len(payload):]
	binary.BigEndian.PutUint16(t, src.Port())
	binary.BigEndian.PutUint16(t[2:], dst.Port())
	binary.BigEndian.PutUint32(t[4:], c.seq[dir])
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(t[8:], c.seq[dir.Other()])
	}
	t[12] = 5 << 4
	t[13] = byte(flags)
	binary.BigEndian.PutUint16(t[14:], 65535)
	copy(t[20:], payload)
	sum += 6 + uint64(len(t))
	binary.BigEndian.PutUint16(t[16:], fold(checksum(sum, t)))

	c.w.write(c, b, at, c.hole[dir].words(dir))
}

// write adds a packet to the file, with what is to be known of its connection
// there, and of the packet itself.
func (w *PcapNG) write(c *pcapConn, b []byte, at time.Time, note string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(at)
	var opts pcapgo.NgPacketOptions
	if c.file != w.number {
		c.file, c.said = w.number, 0
	}
	size := maxBlock - maxSegment + len(b)
	if c.said < len(c.about) {
		opts.Comments = c.about[c.said:len(c.about):len(c.about)]
		c.said = len(c.about)
	}
	if note != "" {
		opts.Comments = append(opts.Comments, note)
	}
	for _, text := range opts.Comments {
		size += 8 + len(text)
	}
	if w.pending+size > maxPending {
		w.flush()
	}
	w.pending += size
	w.size += int64(size)
	w.failed(w.ng.WritePacketWithOptions(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(b), Length: len(b)}, b, opts))
}

// checksum adds 16-bit words to sum (RFC 1071). It takes four at a time, in two
// halves: what carries from one word into the next is folded in the end.
func checksum(sum uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		sum += v>>32 + v&0xffffffff
	}
	for ; len(b) >= 2; b = b[2:] {
		sum += uint64(b[0])<<8 | uint64(b[1])
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
