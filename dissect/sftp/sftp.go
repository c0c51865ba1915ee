// Package sftp reads the SSH file transfer protocol, versions 3 to 6, out of
// a decrypted channel: a plain stream in each direction, which the SSH proxy
// opens inside its session.
//
// What is reconstructed: every request with its answer, paired by id
// (request.go); handles, and through them the files: reads and writes come at
// any offset and in any order, and are put back by offset (file.go); one
// record.SFTPTransfer for each handle; directory listings and attributes of
// each version (attrs.go, reader.go).
//
// What is not: locks and the contents of unknown extensions are kept by name
// only. Behind a hole that hits anything but file data the packets cannot be
// found again; that direction then turns opaque.
//
// draft-ietf-secsh-filexfer-02 (version 3, what OpenSSH speaks), -04 (4),
// -05 (5), -13 (6), and OpenSSH's PROTOCOL file for its extensions.
package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// Limits on what one session may keep.
const (
	maxPacket  = 32 << 20  // longer ones are taken for lost synchronisation
	maxWhole   = 192 << 10 // packets other than file data that are read
	maxHandle  = 256       // draft 02, section 6.3
	maxPending = 4096      // requests without an answer
	maxFiles   = 4096      // open handles
	maxNames   = 256       // names kept of one answer or listing
	maxAhead   = 4 << 20   // bytes of a file kept ahead of their place

	maxAheadAll = 16 << 20 // the same over all files
)

// Protocol returns SFTP's entry for the engine's list. It has no port: a
// session that carries it says so.
func Protocol() dissect.Protocol {
	return dissect.Protocol{
		Name:  "sftp",
		Probe: func(*dissect.Input) dissect.Verdict { return dissect.Reject },
		New:   newSession,
	}
}

type session struct {
	env     dissect.Env
	version uint32
	in      [2]input
	pending map[uint32]*request
	order   []uint32 // ids of pending, oldest first; may hold ids already gone
	files   map[string]*file
	sizes   map[string]announcement
	number  int // of the next file
	held    int // bytes kept ahead of their place
}

// announcement is the size of a file and what said it.
type announcement struct {
	size   int64
	source string
}

// input is the state of one direction between packets.
type input struct {
	data *piece // file data that is being streamed
	skip int64  // bytes of the packet behind it that mean nothing to us
	lost bool   // a hole hit a packet's frame
}

// piece is the data of one READ or WRITE on its way.
type piece struct {
	file   *file // nil: handle unknown
	load   *load
	offset int64
	left   int64
}

var (
	errLost   = errors.New("sftp: a packet's frame is missing, its successors cannot be found")
	errLength = errors.New("sftp: packet length out of range")
)

func newSession(env dissect.Env) dissect.Dissector {
	return &session{
		env: env, version: 3,
		pending: make(map[uint32]*request), files: make(map[string]*file), sizes: make(map[string]announcement),
	}
}

// Consume reads one packet, or a piece of file data.
func (s *session) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	in := &s.in[dir]
	switch {
	case in.lost:
		return 0, dissect.Continue, errLost
	case in.data != nil:
		n := int(min(in.data.left, int64(len(b))))
		s.stream(in, b[:n])
		return n, dissect.Continue, nil
	case in.skip > 0:
		n := int(min(in.skip, int64(len(b))))
		in.skip -= int64(n)
		return n, dissect.Continue, nil
	case len(b) < 5:
		return 0, dissect.Continue, nil
	}
	length := int64(binary.BigEndian.Uint32(b))
	if length < 1 || length > maxPacket {
		return 0, dissect.Continue, fmt.Errorf("%w: %d", errLength, length)
	}
	kind := packet(b[4])
	switch {
	case kind == packetWrite && dir == dissect.ClientToServer:
		return s.writeHead(in, b, length)
	case kind == packetData && dir == dissect.ServerToClient:
		return s.dataHead(in, b, length)
	case length > maxWhole:
		s.violation("sftp_packet_too_long", dir, fmt.Sprintf("packet of type %d with %d bytes is not read", kind, length))
		in.skip = 4 + length - 5
		return 5, dissect.Continue, nil
	case int64(len(b)) < 4+length:
		return 0, dissect.Continue, nil
	}
	r := &reader{b: b[5 : 4+length]}
	if dir == dissect.ClientToServer {
		s.request(kind, r)
	} else {
		s.answer(kind, r)
	}
	if r.short {
		s.violation("sftp_packet_malformed", dir, fmt.Sprintf("packet of type %d ends before its fields do", kind))
	}
	return int(4 + length), dissect.Continue, nil
}

// stream hands on a piece of file data.
func (s *session) stream(in *input, b []byte) {
	p := in.data
	if p.load != nil {
		p.load.write(s, p.file, p.offset, b)
	}
	p.offset += int64(len(b))
	if p.left -= int64(len(b)); p.left == 0 {
		in.data = nil
	}
}

// Gap in file data is a hole in the file; anywhere else it is the end of this
// direction.
func (s *session) Gap(dir dissect.Dir, n int64) {
	in := &s.in[dir]
	switch {
	case n > 0 && in.data != nil && n <= in.data.left:
		if in.data.load != nil {
			in.data.load.lost(s, in.data.file, in.data.offset, n)
		}
		in.data.offset += n
		if in.data.left -= n; in.data.left == 0 {
			in.data = nil
		}
	case n > 0 && in.data == nil && n <= in.skip:
		in.skip -= n
	default:
		in.lost, in.data = true, nil
	}
}

// EOF is reported by Closed.
func (s *session) EOF(dir dissect.Dir) {}

// Closed reports the requests without an answer and the handles that were
// never closed.
func (s *session) Closed(end, by string) {
	for _, id := range s.order {
		if q := s.pending[id]; q != nil {
			delete(s.pending, id)
			s.unanswered(q)
		}
	}
	for _, f := range s.openFiles() {
		f.finish(s, record.TransferAborted, "the session ended before it was closed")
	}
	clear(s.files)
}

func (s *session) violation(code string, dir dissect.Dir, detail string) {
	s.env.Violation(dissect.Violation{Code: code, Dir: dir, Stamp: s.env.At(0), Detail: detail})
}
