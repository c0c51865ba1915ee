package sftp

import (
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// statusNames are SSH_FX_* (draft 13, section 9.1).
var statusNames = []string{
	"ok", "eof", "no_such_file", "permission_denied", "failure", "bad_message", "no_connection", "connection_lost",
	"op_unsupported", "invalid_handle", "no_such_path", "file_already_exists", "write_protect", "no_media",
	"no_space_on_filesystem", "quota_exceeded", "unknown_principal", "lock_conflict", "dir_not_empty",
	"not_a_directory", "invalid_filename", "link_loop", "cannot_delete", "invalid_parameter", "file_is_a_directory",
	"byte_range_lock_conflict", "byte_range_lock_refused", "delete_pending", "file_corrupt", "owner_invalid",
	"group_invalid", "no_matching_byte_range_lock",
}

func statusName(code uint32) string {
	if int64(code) < int64(len(statusNames)) {
		return statusNames[code]
	}
	return fmt.Sprintf("status_%d", code)
}

// answered takes the request with this id off the table; nil when there is
// none.
func (s *session) answered(id uint32) *request {
	q := s.pending[id]
	if q == nil {
		s.violation("sftp_answer_unasked", dissect.ServerToClient, fmt.Sprintf("answer to request %d, which is not open", id))
		return nil
	}
	delete(s.pending, id)
	q.rec.Wait = record.Between(q.at.Time, s.env.At(0).Time)
	return q
}

// answer reads a packet of the server (draft 02, section 7).
func (s *session) answer(kind packet, r *reader) {
	if kind == packetVersion {
		s.agreed(r)
		return
	}
	q := s.answered(r.uint32())
	if q == nil {
		return
	}
	x := q.rec
	x.Status = "ok"
	switch kind {
	case packetStatus:
		x.Status = statusName(r.uint32())
		if len(r.b) > 0 {
			x.Message = r.string()
			if x.Status == "ok" {
				x.Message = "" // "Success" says nothing more
			}
		}
	case packetHandle:
		s.opened(q, string(r.bytes()))
	case packetName:
		names, total := r.names(s.version)
		x.Names = names
		if q.kind == packetReaddir && q.file != nil {
			q.file.listed(names, total)
		}
	case packetAttrs:
		x.Attrs = r.attrs(s.version)
		if x.Attrs.Size >= 0 && x.Path != "" && x.Attrs.Type != "dir" {
			s.announce(x.Path, announcement{x.Attrs.Size, x.Operation})
		}
	case packetExtendedReply:
	default:
		s.violation("sftp_packet_unknown", dissect.ServerToClient, fmt.Sprintf("packet of unknown type %d", kind))
		x.Status = "unknown"
	}
	s.done(q)
}

// maxSizes is how many sizes are remembered by path.
const maxSizes = 4096

// announce remembers a file's size until it is moved.
func (s *session) announce(path string, a announcement) {
	if len(s.sizes) >= maxSizes {
		clear(s.sizes)
	}
	s.sizes[path] = a
}

// agreed reads VERSION, the answer to INIT.
func (s *session) agreed(r *reader) {
	version := r.uint32()
	if version >= 3 && version <= 6 {
		s.version = version
	}
	q := s.pending[initID]
	if q == nil {
		return
	}
	delete(s.pending, initID)
	x := q.rec
	x.Version, x.Status = version, "ok"
	x.Wait = record.Between(q.at.Time, s.env.At(0).Time)
	for len(r.b) > 0 && !r.short && len(x.Features) < 64 {
		name := r.string()
		r.bytes()
		if !r.short {
			x.Features = append(x.Features, name)
		}
	}
	s.env.Emit(x)
}

// opened makes the file of a new handle.
func (s *session) opened(q *request, handle string) {
	if q.kind != packetOpen && q.kind != packetOpendir {
		return
	}
	if len(handle) > maxHandle || len(s.files) >= maxFiles {
		s.violation("sftp_too_many_handles", dissect.ServerToClient, "a handle that is too long, or one too many, is not followed")
		return
	}
	if old := s.files[handle]; old != nil {
		old.finish(s, record.TransferAborted, "its handle was given out again")
	}
	q.file = &file{handle: handle, path: q.rec.Path, flags: q.rec.Flags, at: q.at, dir: q.kind == packetOpendir, number: s.number}
	s.number++
	s.files[handle] = q.file
}

// done emits what a finished request leads to.
func (s *session) done(q *request) {
	x, f := q.rec, q.file
	failed := x.Status != "ok" && x.Status != "eof"
	switch q.kind {
	case packetRead:
		if f != nil {
			f.requests[downloads]++
			if x.Status == "eof" {
				f.eof = true
			} else if failed {
				f.failed[downloads]++
				f.reason = x.Status
			}
		}
		if !failed {
			return // eof is how every download ends
		}
	case packetWrite:
		if f != nil {
			f.requests[uploads]++
			if failed {
				f.failed[uploads]++
				f.reason = x.Status
			}
		}
		if !failed {
			return
		}
	case packetReaddir:
		if !failed {
			return
		}
	}
	s.env.Emit(x)
	switch {
	case q.kind == packetClose && f != nil:
		delete(s.files, f.handle)
		if failed {
			f.finish(s, record.TransferShort, "CLOSE failed: "+x.Status)
		} else {
			f.finish(s, "", "")
		}
	case q.kind == packetOpen && failed:
		refused := &file{path: x.Path, flags: x.Flags, at: q.at}
		refused.finish(s, record.TransferRefused, x.Status)
	}
}

// unanswered reports a request without an answer.
func (s *session) unanswered(q *request) {
	q.rec.Status = "unanswered"
	s.env.Emit(q.rec)
}
