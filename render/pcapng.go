package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// PcapNG writes relayed or decrypted connections as a capture of plain TCP: the
// real endpoints, the plaintext as the applications saw it, the times at which
// it passed, valid checksums and sequence numbers. Packets are raw IP
// (LINKTYPE_RAW), because there was no wire. Safe for several connections at a
// time.
//
// The file always ends with a whole packet, and never lacks more than the last
// half second, so that it can be read after a kill, or while it is written.
//
// The head of a file is gopacket's; the blocks of packets are made here, in
// the buffer that is written, because a payload is then copied once.
type PcapNG struct {
	rotate Rotation
	path   string

	mu      sync.Mutex
	file    *behind
	pending []byte    // whole blocks that are not in the file yet
	size    int64     // bytes of this file's packets, those included
	begun   time.Time // when this file's first packet was relayed
	number  int       // of this file, with rotation
	name    string    // of this file
	discard bool      // it goes when it is closed
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
	// maxPending is how much is written at once.
	maxPending = 1 << 20
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
	head, err := fileHead()
	if err != nil {
		return err
	}
	path, created, err := w.path, (*os.File)(nil), fs.ErrExist
	if w.rotate == (Rotation{}) {
		created, err = createWhole(path, head)
	}
	for ending := filepath.Ext(w.path); w.rotate != (Rotation{}) && errors.Is(err, fs.ErrExist); {
		w.number++
		path = fmt.Sprintf("%s-%04d%s", strings.TrimSuffix(w.path, ending), w.number, ending)
		created, err = createWhole(path, head)
	}
	if err != nil {
		return err
	}
	w.file, w.name, w.size, w.begun = newBehind(created), path, 0, time.Time{}
	return nil
}

// createWhole makes a file that has its head as soon as it has its name: who
// reads the folder at that moment, or after a kill, finds no capture without.
// It does not overwrite one.
func createWhole(path, head string) (*os.File, error) {
	folder, base := filepath.Split(path)
	unnamed := folder + "." + base + ".new"
	_ = os.Remove(unnamed) // of a process that was killed
	f, err := createWith(unnamed, head)
	if err == nil {
		err = os.Link(unnamed, path)
		_ = os.Remove(unnamed)
	}
	switch {
	case err == nil:
		return f, nil
	case f != nil:
		f.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return createWith(path, head) // a file system without links
}

func createWith(path, head string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(head); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
	if len(w.pending) > 0 {
		w.pending = w.file.Write(w.pending)
	}
	w.failed(w.file.Err())
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
	err := errors.Join(w.err, w.file.Close())
	if w.discard {
		err = errors.Join(err, os.Remove(w.name))
	}
	return err
}

// Discard makes Close take the file away: what it was made for did not begin.
func (w *PcapNG) Discard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.discard = true
}

// fileHead begins every file (pcapng, sections 4.1 and 4.2): a section of
// unknown length, and its only interface.
func fileHead() (string, error) {
	var head strings.Builder
	ng, err := pcapgo.NewNgWriterInterface(&head, pcapgo.NgInterface{
		Name: "sniff", LinkType: layers.LinkTypeRaw, SnapLength: 0, TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "sniff"}})
	if err != nil {
		return "", err
	}
	err = ng.Flush()
	return head.String(), err
}

// The enhanced packet block (pcapng, section 4.3) and its comment option
// (section 3.5), in the byte order of the head: little endian.
const (
	blockPacket   = 6
	optionComment = 1
)

// write adds a packet to the file, in two pieces, with what is to be known of
// its connection there, and of the packet itself.
func (w *PcapNG) write(c *pcapConn, head, payload []byte, at time.Time, note string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(at)
	if c.file != w.number {
		c.file, c.said = w.number, 0
	}
	about := c.about[c.said:]
	c.said = len(c.about)

	b, from := w.pending, len(w.pending)
	n := uint32(len(head) + len(payload))
	ns := uint64(at.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, blockPacket)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // length, to come; the first interface
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(ns))
	b = binary.LittleEndian.AppendUint32(b, n)
	b = binary.LittleEndian.AppendUint32(b, n)
	b = append(append(b, head...), payload...)
	b = pad(b, n)
	if len(about) > 0 || note != "" {
		for _, text := range about {
			b = appendComment(b, text)
		}
		if note != "" {
			b = appendComment(b, note)
		}
		b = append(b, 0, 0, 0, 0) // the end of the options
	}
	total := uint32(len(b) - from + 4)
	b = binary.LittleEndian.AppendUint32(b, total)
	binary.LittleEndian.PutUint32(b[from+4:], total)
	w.pending = b
	w.size += int64(total)
	if len(b) >= maxPending {
		w.flush()
	}
}

func appendComment(b []byte, text string) []byte {
	b = binary.LittleEndian.AppendUint16(b, optionComment)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return pad(append(b, text...), uint32(len(text)))
}

// pad fills what n bytes lack to a multiple of four.
func pad(b []byte, n uint32) []byte {
	return append(b, "\x00\x00\x00"[:-n&3]...)
}
