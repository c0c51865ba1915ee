package sftp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// packet is a packet's type (draft 13, section 4.3).
type packet byte

const (
	packetInit          packet = 1
	packetVersion       packet = 2
	packetOpen          packet = 3
	packetClose         packet = 4
	packetRead          packet = 5
	packetWrite         packet = 6
	packetLstat         packet = 7
	packetFstat         packet = 8
	packetSetstat       packet = 9
	packetFsetstat      packet = 10
	packetOpendir       packet = 11
	packetReaddir       packet = 12
	packetRemove        packet = 13
	packetMkdir         packet = 14
	packetRmdir         packet = 15
	packetRealpath      packet = 16
	packetStat          packet = 17
	packetRename        packet = 18
	packetReadlink      packet = 19
	packetSymlink       packet = 20
	packetLink          packet = 21
	packetBlock         packet = 22
	packetUnblock       packet = 23
	packetStatus        packet = 101
	packetHandle        packet = 102
	packetData          packet = 103
	packetName          packet = 104
	packetAttrs         packet = 105
	packetExtended      packet = 200
	packetExtendedReply packet = 201
)

var packetNames = map[packet]string{
	packetInit: "INIT", packetOpen: "OPEN", packetClose: "CLOSE", packetRead: "READ", packetWrite: "WRITE",
	packetLstat: "LSTAT", packetFstat: "FSTAT", packetSetstat: "SETSTAT", packetFsetstat: "FSETSTAT",
	packetOpendir: "OPENDIR", packetReaddir: "READDIR", packetRemove: "REMOVE", packetMkdir: "MKDIR",
	packetRmdir: "RMDIR", packetRealpath: "REALPATH", packetStat: "STAT", packetRename: "RENAME",
	packetReadlink: "READLINK", packetSymlink: "SYMLINK", packetLink: "LINK", packetBlock: "BLOCK",
	packetUnblock: "UNBLOCK", packetExtended: "EXTENDED",
}

// request waits for its answer.
type request struct {
	kind packet
	rec  *record.SFTPOperation
	at   record.Stamp
	file *file
}

// send takes a request into the table.
func (s *session) send(kind packet, id uint32, rec *record.SFTPOperation) *request {
	at := s.env.At(0)
	if kind != packetInit {
		rec.ID = id
	}
	if rec.Operation == "" {
		if rec.Operation = packetNames[kind]; rec.Operation == "" {
			rec.Operation = fmt.Sprintf("TYPE%d", kind)
		}
	}
	rec.Stamp(at, dissect.ClientToServer)
	q := &request{kind: kind, rec: rec, at: at}
	if old := s.pending[id]; old != nil {
		s.violation("sftp_id_reused", dissect.ClientToServer, fmt.Sprintf("request id %d is used again before it was answered", id))
		s.unanswered(old)
	} else {
		for len(s.pending) >= maxPending {
			oldest := s.order[0]
			s.order = s.order[1:]
			if p := s.pending[oldest]; p != nil {
				delete(s.pending, oldest)
				s.unanswered(p)
			}
		}
		if len(s.order) > 2*maxPending {
			s.compact()
		}
		s.order = append(s.order, id)
	}
	s.pending[id] = q
	return q
}

// compact drops the ids that were answered.
func (s *session) compact() {
	kept := make([]uint32, 0, len(s.pending))
	seen := make(map[uint32]bool, len(s.pending))
	for _, id := range s.order {
		if s.pending[id] != nil && !seen[id] {
			seen[id] = true
			kept = append(kept, id)
		}
	}
	s.order = kept
}

// initID is where INIT waits, which has no id; beyond a real client's ids in
// all likelihood, and INIT comes first anyway.
const initID = 0xffffffff

// request reads a packet of the client (draft 02, section 6).
func (s *session) request(kind packet, r *reader) {
	if kind == packetInit {
		s.send(kind, initID, &record.SFTPOperation{Version: r.uint32()})
		return
	}
	id := r.uint32()
	x := &record.SFTPOperation{}
	var f *file
	switch kind {
	case packetOpen:
		x.Path = r.string()
		x.Flags = s.openFlags(r)
		x.Attrs = given(r.attrs(s.version))
	case packetClose, packetFstat, packetReaddir, packetBlock, packetUnblock:
		f = s.handle(r)
		if kind == packetFstat && s.version >= 4 {
			r.uint32()
		}
	case packetRead:
		f = s.handle(r)
		x.FileOffset, x.Length = r.int64(), int64(r.uint32())
		if f != nil {
			f.asked(x.FileOffset)
		}
	case packetLstat, packetStat:
		x.Path = r.string()
		if s.version >= 4 {
			r.uint32()
		}
	case packetSetstat:
		x.Path = r.string()
		x.Attrs = given(r.attrs(s.version))
	case packetFsetstat:
		f = s.handle(r)
		x.Attrs = given(r.attrs(s.version))
	case packetMkdir:
		x.Path = r.string()
		x.Attrs = given(r.attrs(s.version))
	case packetOpendir, packetRemove, packetRmdir, packetRealpath, packetReadlink:
		x.Path = r.string()
	case packetRename, packetSymlink, packetLink:
		x.Path, x.Target = r.string(), r.string()
		if kind == packetSymlink && s.version < 4 {
			// OpenSSH sends the target first, against the draft, and with it
			// everybody who talks to it.
			x.Path, x.Target = x.Target, x.Path
		}
	case packetExtended:
		f = s.extension(x, r)
	default:
		s.violation("sftp_packet_unknown", dissect.ClientToServer, fmt.Sprintf("packet of unknown type %d", kind))
	}
	if f != nil {
		x.Path = f.path
	}
	s.send(kind, id, x).file = f
}

// given drops attributes that say nothing.
func given(a *record.FileAttrs) *record.FileAttrs {
	if *a == (record.FileAttrs{Size: -1}) {
		return nil
	}
	return a
}

// extension reads the ones of OpenSSH's PROTOCOL file that name files.
func (s *session) extension(x *record.SFTPOperation, r *reader) *file {
	name := r.string()
	x.Operation = name[:min(len(name), 64)]
	switch name {
	case "posix-rename@openssh.com", "hardlink@openssh.com":
		x.Path, x.Target = r.string(), r.string()
	case "statvfs@openssh.com", "lsetstat@openssh.com", "expand-path@openssh.com", "check-file-name", "md5-hash":
		x.Path = r.string()
	case "fstatvfs@openssh.com", "fsync@openssh.com", "check-file-handle", "md5-hash-handle":
		return s.handle(r)
	}
	return nil
}

// openFlags names the flags of OPEN (draft 02, section 6.3; draft 13, section
// 8.1.1).
func (s *session) openFlags(r *reader) string {
	var words []string
	if s.version < 5 {
		flags := r.uint32()
		for i, w := range []string{"read", "write", "append", "create", "truncate", "exclusive", "text"} {
			if flags&(1<<i) != 0 {
				words = append(words, w)
			}
		}
		return strings.Join(words, " ")
	}
	access, flags := r.uint32(), r.uint32()
	for _, w := range []struct {
		bit  uint32
		name string
	}{{1, "read"}, {2, "write"}, {4, "append"}} {
		if access&w.bit != 0 {
			words = append(words, w.name)
		}
	}
	if d := flags & 7; d < 5 {
		words = append(words, []string{"create exclusive", "create truncate", "existing", "create", "truncate"}[d])
	}
	if flags&0x18 != 0 && access&4 == 0 {
		words = append(words, "append")
	}
	return strings.Join(words, " ")
}

// handle reads a handle and returns its file, nil when it is not known.
func (s *session) handle(r *reader) *file { return s.files[string(r.bytes())] }

// writeHead reads a WRITE up to its data, which is then streamed.
func (s *session) writeHead(in *input, b []byte, length int64) (int, dissect.Action, error) {
	if len(b) < 13 {
		return 0, dissect.Continue, nil
	}
	size := int64(binary.BigEndian.Uint32(b[9:]))
	head := 13 + size + 12
	if size > maxHandle || head > 4+length {
		s.violation("sftp_packet_malformed", dissect.ClientToServer, "WRITE ends before its fields do")
		in.skip = 4 + length - 13
		return 13, dissect.Continue, nil
	}
	if int64(len(b)) < head {
		return 0, dissect.Continue, nil
	}
	r := &reader{b: b[5:head]}
	id := r.uint32()
	f := s.handle(r)
	x := &record.SFTPOperation{FileOffset: r.int64(), Length: int64(r.uint32())}
	if f != nil {
		x.Path = f.path
	}
	s.send(packetWrite, id, x).file = f
	s.follow(in, f, uploads, x.FileOffset, x.Length, 4+length-head)
	return int(head), dissect.Continue, nil
}

// dataHead reads a DATA up to its data.
func (s *session) dataHead(in *input, b []byte, length int64) (int, dissect.Action, error) {
	if len(b) < 13 {
		return 0, dissect.Continue, nil
	}
	if length < 9 {
		s.violation("sftp_packet_malformed", dissect.ServerToClient, "DATA ends before its fields do")
		in.skip = max(4+length-13, 0)
		return int(min(4+length, 13)), dissect.Continue, nil
	}
	id, size := binary.BigEndian.Uint32(b[5:]), int64(binary.BigEndian.Uint32(b[9:]))
	q := s.answered(id)
	if q == nil || q.kind != packetRead {
		in.skip = 4 + length - 13
		return 13, dissect.Continue, nil
	}
	if size > q.rec.Length {
		s.violation("sftp_data_too_long", dissect.ServerToClient, fmt.Sprintf("%d bytes in answer to a READ of %d", size, q.rec.Length))
	}
	if q.file != nil {
		q.file.requests[downloads]++
	}
	s.follow(in, q.file, downloads, q.rec.FileOffset, size, 4+length-13)
	return 13, dissect.Continue, nil
}

// follow sets up the streaming of size bytes of file data out of the rest of
// the packet.
func (s *session) follow(in *input, f *file, way int, offset, size, rest int64) {
	size = min(size, rest)
	in.skip = rest - size
	if size == 0 {
		return
	}
	in.data = &piece{file: f, offset: offset, left: size}
	if f != nil {
		in.data.load = f.load(way)
	}
}
