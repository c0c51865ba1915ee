package export

import (
	"bufio"
	"encoding/binary"
	"io"

	"sniff/capture"
)

// captureWriter writes packets as pcapng (draft-ietf-opsawg-pcapng): one
// section, an interface for each one of the input, times in nanoseconds, and
// the decryption secrets that the input brought.
type captureWriter struct {
	w          *bufio.Writer
	interfaces map[captureInterface]uint32
	started    bool
}

// captureInterface is what an interface description depends on.
type captureInterface struct {
	index int
	link  uint32
}

// Block types.
const (
	ngSection   = 0x0a0d0d0a
	ngInterface = 1
	ngPacket    = 6
	ngSecrets   = 10
)

func newCaptureWriter(w io.Writer) *captureWriter {
	return &captureWriter{w: bufio.NewWriterSize(w, 1<<18), interfaces: map[captureInterface]uint32{}}
}

// block writes one block; options and bodies are given in full, length and
// padding come here.
func (c *captureWriter) block(typ uint32, parts ...[]byte) error {
	n := 12
	for _, p := range parts {
		n += (len(p) + 3) &^ 3
	}
	var b [8]byte
	le := binary.LittleEndian
	le.PutUint32(b[:], typ)
	le.PutUint32(b[4:], uint32(n))
	c.w.Write(b[:])
	for _, p := range parts {
		c.w.Write(p)
		c.w.Write(make([]byte, -len(p)&3))
	}
	// The writer keeps its first error: the last call has it.
	_, err := c.w.Write(b[4:8])
	return err
}

// start writes what stands in front.
func (c *captureWriter) start() error {
	if c.started {
		return nil
	}
	c.started = true
	b := make([]byte, 16)
	binary.LittleEndian.PutUint32(b, 0x1a2b3c4d)
	binary.LittleEndian.PutUint16(b[4:], 1) // version 1.0
	binary.LittleEndian.PutUint64(b[8:], ^uint64(0))
	return c.block(ngSection, b)
}

// secret writes decryption secrets, for the packets behind it.
func (c *captureWriter) secret(s capture.Secret) error {
	if err := c.start(); err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, s.Type)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Data)))
	return c.block(ngSecrets, b, s.Data)
}

// packet writes one packet with data in place of its own.
func (c *captureWriter) packet(p *capture.Packet, data []byte) error {
	if err := c.start(); err != nil {
		return err
	}
	in := captureInterface{p.Interface, p.LinkType}
	id, known := c.interfaces[in]
	if !known {
		id = uint32(len(c.interfaces))
		c.interfaces[in] = id
		b := binary.LittleEndian.AppendUint16(nil, uint16(p.LinkType))
		b = append(b, 0, 0, 0, 0, 0, 0) // reserved; no snap length
		b = append(b, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0)
		if err := c.block(ngInterface, b); err != nil {
			return err
		}
	}
	le := binary.LittleEndian
	ns := uint64(p.Time.UnixNano())
	head := make([]byte, 20)
	le.PutUint32(head, id)
	le.PutUint32(head[4:], uint32(ns>>32))
	le.PutUint32(head[8:], uint32(ns))
	le.PutUint32(head[12:], uint32(len(data)))
	le.PutUint32(head[16:], uint32(p.Wire))
	return c.block(ngPacket, head, data)
}

func (c *captureWriter) flush() error {
	if err := c.start(); err != nil {
		return err
	}
	return c.w.Flush()
}
