package record

import (
	"fmt"
	"strconv"
	"strings"
)

// SFTPOperation is one request of the SSH file transfer protocol with its
// answer. Reads and writes that worked are added up in an SFTPTransfer and
// not listed.
type SFTPOperation struct {
	Header
	Operation  string      `json:"operation" doc:"request as the protocol names it: OPEN, CLOSE, READ, REMOVE, RENAME, ..., or the name of an extension"`
	ID         uint32      `json:"id,omitempty" doc:"request id"`
	Path       string      `json:"path,omitempty" doc:"path it is about; of a handle, the path that was opened"`
	Target     string      `json:"target,omitempty" doc:"new name, or what a link points to"`
	Flags      string      `json:"flags,omitempty" doc:"open flags in words"`
	Attrs      *FileAttrs  `json:"attrs,omitempty" doc:"attributes that were set, or that came back"`
	FileOffset int64       `json:"file_offset,omitempty" doc:"offset in the file"`
	Length     int64       `json:"length,omitempty" doc:"bytes asked for or written"`
	Version    uint32      `json:"version,omitempty" doc:"protocol version that was agreed on (INIT)"`
	Features   []string    `json:"features,omitempty" doc:"extensions that the server names (INIT)"`
	Names      []FileEntry `json:"names,omitempty" doc:"names that came back, the first 256"`
	Status     string      `json:"status" doc:"ok, eof, or why it failed: no_such_file, permission_denied, failure, ...; unanswered"`
	Message    string      `json:"message,omitempty" doc:"text of the status"`
	Wait       Seconds     `json:"wait,omitempty" doc:"time from request to answer, seconds"`
}

// FileAttrs are a file's attributes.
type FileAttrs struct {
	Type     string `json:"type,omitempty" doc:"file, dir, link or other"`
	Size     int64  `json:"size" doc:"size in bytes, -1 when not given"`
	Perm     string `json:"perm,omitempty" doc:"permissions in octal"`
	Owner    string `json:"owner,omitempty" doc:"owner, a number before version 4"`
	Group    string `json:"group,omitempty" doc:"group, a number before version 4"`
	Modified string `json:"modified,omitempty" doc:"time of change, RFC 3339"`
}

func (*SFTPOperation) Kind() Kind { return KindSFTPOperation }
func (x *SFTPOperation) Summary() string {
	s := x.said()
	if x.Status == "" {
		return s
	}
	s += " " + x.Status
	if x.Message != "" && x.Status != "ok" && x.Status != "eof" {
		s += ": " + x.Message
	}
	return s
}

// said is the request in words.
func (x *SFTPOperation) said() string {
	s := x.Operation
	if x.Version > 0 {
		s += " version " + strconv.FormatUint(uint64(x.Version), 10)
	}
	if x.Path != "" {
		s += " " + shortPath(x.Path)
	}
	if x.Target != "" {
		s += " -> " + shortPath(x.Target)
	}
	if x.Flags != "" {
		s += " (" + x.Flags + ")"
	}
	return s
}

// Failed reports whether the server refused.
func (x *SFTPOperation) Failed() bool {
	return x.Status != "ok" && x.Status != "eof" && x.Status != "unanswered"
}

// Lines returns the request and its answer.
func (x *SFTPOperation) Lines() []Line {
	answer := x.Status
	if x.Message != "" {
		answer += ": " + x.Message
	}
	if x.Attrs != nil && x.Attrs.Size >= 0 && !x.Failed() {
		answer += ", " + Bytes(x.Attrs.Size)
	}
	reply := Line{Time: x.Time.Add(x.Wait.Duration()), Dir: ServerToClient, Text: Plain(answer)}
	for i := range x.Names {
		reply.Fold = append(reply.Fold, x.Names[i].String())
	}
	return []Line{{Time: x.Time, Dir: ClientToServer, Text: Plain(x.said())}, reply}
}

// Tell says what was changed on the server, and what it refused.
func (x *SFTPOperation) Tell(o *Outline) {
	switch {
	case x.Failed():
		if x.Operation == "STAT" || x.Operation == "LSTAT" || x.Operation == "OPEN" {
			return // asking is normal, and a refused OPEN is told as a transfer
		}
		tellCounted(o, "sftp.failed", strings.ToLower(x.Operation)+" "+shortPath(x.Path)+" failed: "+x.Status, "%d operations failed")
	case x.Status != "ok":
	case x.Operation == "REMOVE":
		tellCounted(o, "sftp.removed", "removed "+shortPath(x.Path), "removed %d files")
	case x.Operation == "RENAME" || x.Operation == "posix-rename@openssh.com":
		tellCounted(o, "sftp.renamed", "renamed a file to "+shortPath(x.Target), "renamed %d files")
	case x.Operation == "MKDIR":
		tellCounted(o, "sftp.made", "made folder "+shortPath(x.Path), "made %d folders")
	case x.Operation == "RMDIR":
		tellCounted(o, "sftp.rmdir", "removed folder "+shortPath(x.Path), "removed %d folders")
	}
}

// SFTPTransfer is what went through one file or directory handle.
type SFTPTransfer struct {
	Header
	Direction string      `json:"direction" doc:"download, upload or listing"`
	Path      string      `json:"path" doc:"path that was opened"`
	Flags     string      `json:"flags,omitempty" doc:"open flags in words"`
	Restart   int64       `json:"restart,omitempty" doc:"offset in the file at which it began"`
	Outcome   string      `json:"outcome" doc:"complete, short, aborted, refused or unknown"`
	Reason    string      `json:"reason,omitempty" doc:"why it is not complete, in words"`
	Bytes     int64       `json:"bytes" doc:"bytes of the file moved; bytes moved twice count twice"`
	Announced int64       `json:"announced,omitempty" doc:"size of the whole file as announced"`
	Source    string      `json:"announced_by,omitempty" doc:"what announced the size: STAT, LSTAT, FSTAT, OPEN or SETSTAT"`
	Requests  int         `json:"requests" doc:"reads or writes"`
	Failed    int         `json:"failed,omitempty" doc:"reads or writes that failed"`
	Reordered int64       `json:"reordered,omitempty" doc:"bytes that came ahead of their place"`
	FirstByte Seconds     `json:"first_byte,omitempty" doc:"time from OPEN to first byte, seconds"`
	Duration  Seconds     `json:"duration,omitempty" doc:"time from OPEN to the answer to CLOSE, seconds"`
	Rate      int64       `json:"rate,omitempty" doc:"bytes a second, first to last byte"`
	Listing   []FileEntry `json:"listing,omitempty" doc:"entries of a directory, the first 256"`
	Entries   int         `json:"entries,omitempty" doc:"how many entries came"`
	Content   *Content    `json:"content,omitempty" doc:"the file by offset: media type, digests; bytes that were never moved are gaps"`
}

func (*SFTPTransfer) Kind() Kind { return KindSFTPTransfer }
func (t *SFTPTransfer) Summary() string {
	s := t.Direction + " " + shortPath(t.Path)
	if t.Direction == "listing" {
		s += fmt.Sprintf(" %d entries", t.Entries)
	} else {
		s += " " + Bytes(t.Bytes)
	}
	if t.Restart > 0 {
		s += " from " + strconv.FormatInt(t.Restart, 10)
	}
	s += " " + t.Outcome
	if t.Reason != "" {
		s += ": " + t.Reason
	}
	return s
}

// Tell adds up what was moved.
func (t *SFTPTransfer) Tell(o *Outline) {
	what := map[string]string{"download": "get", "upload": "put", "listing": "ls"}[t.Direction] + " " + shortPath(t.Path)
	switch {
	case t.Outcome != TransferComplete:
		f := o.Fact("sftp.transfer." + t.Outcome)
		f.N++
		f.Rank = 2
		f.Text = t.Summary()
		if f.N > 1 {
			f.Text = fmt.Sprintf("%d transfers %s, the last %s", f.N, t.Outcome, what)
		}
	case t.Direction == "listing":
		tellCounted(o, "sftp.listing", "listed "+shortPath(t.Path), "%d listings")
	case t.Direction == "upload":
		tellMoved(o, "sftp.up", what, "up", t.Bytes)
	default:
		tellMoved(o, "sftp.down", what, "down", t.Bytes)
	}
}

// Lines notes the transfer in the dialogue.
func (t *SFTPTransfer) Lines() []Line {
	note := t.Summary()
	if tellingRate(t.Bytes, t.Rate) {
		note += ", " + Bytes(t.Rate) + "/s"
	}
	line := Line{Time: t.Time.Add(t.Duration.Duration()), Note: true, Text: Plain(note)}
	for i := range t.Listing {
		line.Fold = append(line.Fold, t.Listing[i].String())
	}
	return []Line{line}
}
