package sftp

import (
	"fmt"
	"slices"
	"strings"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// The two ways that bytes of a file can go.
const (
	downloads = 0
	uploads   = 1
)

// file is an open handle.
type file struct {
	handle   string
	number   int // in order of opening
	path     string
	flags    string
	dir      bool
	at       record.Stamp
	loads    [2]*load
	requests [2]int
	failed   [2]int
	reason   string // of the last failure
	eof      bool
	base     int64 // offset of the first READ
	based    bool
	entries  []record.FileEntry
	total    int
}

// load is what went one way through a handle, put in order by offset.
type load struct {
	way         int
	base        int64 // offset of the first byte, as far as is known
	next        int64 // everything from base to here was written to body
	body        content.Body
	bytes       int64
	reordered   int64
	first, last record.Stamp
	ahead       []chunk // bytes that came early, by offset
	held        int
}

// chunk is a stretch of a file that waits for what is in front of it.
type chunk struct {
	at int64
	b  []byte
}

// asked notes where a download begins: the first READ says it, even when the
// answers come in another order.
func (f *file) asked(offset int64) {
	if !f.based {
		f.base, f.based = offset, true
	}
}

func (f *file) load(way int) *load {
	if f.loads[way] == nil {
		f.loads[way] = &load{way: way, base: -1}
	}
	return f.loads[way]
}

// write takes bytes of the file. In order they go straight to the body; ahead
// of their place they wait, up to a bound, beyond which the hole in front of
// them is taken for one.
func (l *load) write(s *session, f *file, offset int64, b []byte) {
	at := s.env.At(0)
	if l.body == nil {
		l.open(s, f, offset, at)
	}
	l.last = at
	l.bytes += int64(len(b))
	if offset > l.next {
		l.reordered += int64(len(b))
		i, _ := slices.BinarySearchFunc(l.ahead, offset, func(c chunk, at int64) int {
			return int(min(max(c.at-at, -1), 1))
		})
		l.ahead = slices.Insert(l.ahead, i, chunk{offset, slices.Clone(b)})
		l.held += len(b)
		s.held += len(b)
		for len(l.ahead) > 0 && (l.held > maxAhead || s.held > maxAheadAll) {
			l.skipTo(s, l.ahead[0].at)
		}
		return
	}
	l.append(offset, b)
	l.flush(s)
}

// lost says that the capture lacks n bytes of the file at offset.
func (l *load) lost(s *session, f *file, offset, n int64) {
	if l.body == nil {
		l.open(s, f, offset, s.env.At(0))
	}
	if offset == l.next {
		l.body.Gap(n)
		l.next += n
		l.flush(s)
	}
}

func (l *load) open(s *session, f *file, offset int64, at record.Stamp) {
	l.base = offset
	if l.way == downloads && f.based {
		l.base = min(f.base, offset)
	}
	l.next, l.first = l.base, at
	dir := dissect.ServerToClient
	if l.way == uploads {
		dir = dissect.ClientToServer
	}
	l.body = s.env.Body(content.Info{
		Carrier: "sftp", Session: s.env.Conn().Session, Role: content.File, Name: f.path, Stamp: at, Dir: dir,
	})
}

// append writes what of b is new. A byte that is written twice keeps its
// first value: the body cannot go back.
func (l *load) append(offset int64, b []byte) {
	if old := l.next - offset; old > 0 {
		if old >= int64(len(b)) {
			return
		}
		b = b[old:]
	}
	l.body.Write(b)
	l.next += int64(len(b))
}

// flush writes the chunks whose turn has come.
func (l *load) flush(s *session) {
	n := 0
	for n < len(l.ahead) && l.ahead[n].at <= l.next {
		l.append(l.ahead[n].at, l.ahead[n].b)
		l.held -= len(l.ahead[n].b)
		s.held -= len(l.ahead[n].b)
		n++
	}
	l.ahead = slices.Delete(l.ahead, 0, n)
}

// skipTo leaves a hole up to an offset.
func (l *load) skipTo(s *session, offset int64) {
	if hole := offset - l.next; hole > 0 {
		l.body.Gap(hole)
		l.next = offset
	}
	l.flush(s)
}

// listed adds the entries that a READDIR brought.
func (f *file) listed(names []record.FileEntry, total int) {
	f.total += total
	if room := maxNames - len(f.entries); room > 0 {
		f.entries = append(f.entries, names[:min(len(names), room)]...)
	}
}

// openFiles returns the files that are open, in order of opening.
func (s *session) openFiles() []*file {
	var fs []*file
	for _, f := range s.files {
		fs = append(fs, f)
	}
	slices.SortFunc(fs, func(a, b *file) int { return a.number - b.number })
	return fs
}

// finish reports what went through the handle. outcome is "" when it was
// closed as it should be.
func (f *file) finish(s *session, outcome, reason string) {
	if f.dir {
		if outcome == "" {
			outcome = record.TransferComplete
		}
		t := f.transfer(s, "listing", outcome, reason)
		t.Listing, t.Entries = f.entries, f.total
		s.env.Emit(t)
		return
	}
	moved := false
	for way, l := range f.loads {
		if l != nil && l.body != nil {
			moved = true
			f.emit(s, way, l, outcome, reason)
		}
	}
	if moved {
		return
	}
	way := downloads
	if strings.Contains(f.flags, "write") || strings.Contains(f.flags, "append") {
		way = uploads
	}
	l := &load{way: way}
	if outcome == "" {
		l.open(s, f, 0, s.env.At(0)) // an empty file
	}
	f.emit(s, way, l, outcome, reason)
}

func (f *file) transfer(s *session, direction, outcome, reason string) *record.SFTPTransfer {
	t := &record.SFTPTransfer{Direction: direction, Path: f.path, Flags: f.flags, Outcome: outcome, Reason: reason}
	t.Stamp(f.at, dissect.ClientToServer)
	t.Duration = record.Between(f.at.Time, s.env.At(0).Time)
	return t
}

func (f *file) emit(s *session, way int, l *load, outcome, reason string) {
	t := f.transfer(s, []string{"download", "upload"}[way], outcome, reason)
	t.Bytes, t.Reordered = l.bytes, l.reordered
	t.Requests, t.Failed = f.requests[way], f.failed[way]
	if l.bytes > 0 {
		t.Restart = l.base
		t.FirstByte = record.Between(f.at.Time, l.first.Time)
		if d := l.last.Time.Sub(l.first.Time); d > 0 {
			t.Rate = int64(float64(l.bytes) / d.Seconds())
		}
	}
	holes := len(l.ahead) > 0
	for len(l.ahead) > 0 {
		l.skipTo(s, l.ahead[0].at)
	}
	if a, ok := s.sizes[f.path]; ok && way == downloads {
		t.Announced, t.Source = a.size, a.source
	}
	if t.Outcome == "" {
		t.Outcome, t.Reason = f.judge(t, l, holes)
	}
	if l.body == nil {
		s.env.Emit(t)
		return
	}
	result := l.body.Close(t.Outcome == record.TransferComplete && !holes)
	s.env.Defer(t, func(emit func(record.Record)) {
		t.Content = result.Wait()
		emit(t)
	})
}

// judge says how a transfer ended whose handle was closed.
func (f *file) judge(t *record.SFTPTransfer, l *load, holes bool) (outcome, reason string) {
	reached := max(l.next, 0)
	switch {
	case t.Failed > 0:
		return record.TransferShort, fmt.Sprintf("%d of %d requests failed: %s", t.Failed, t.Requests, f.reason)
	case holes:
		return record.TransferShort, "parts of it were never moved"
	case l.way == uploads:
		return record.TransferComplete, ""
	case t.Source != "" && reached < t.Announced && !f.eof:
		return record.TransferShort, fmt.Sprintf("read up to %d of %d bytes", reached, t.Announced)
	case t.Source == "" && !f.eof:
		return record.TransferUnknown, "closed before its end was reached"
	}
	return record.TransferComplete, ""
}
