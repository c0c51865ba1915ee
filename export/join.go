package export

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// Transfers that were resumed. Each transfer that carried bytes leaves one
// artefact; here the records of the transfers say which of them are parts of
// one file, and the parts become that file.

// maxControls bounds the control sessions whose servers are remembered.
const maxControls = 1 << 16

// Part is one transfer of a file that was put together from several.
type Part struct {
	Session string    `json:"session"`
	Packet  uint64    `json:"packet,omitempty"`
	Time    time.Time `json:"time"`
	From    int64     `json:"from"` // its bytes in the file, with
	To      int64     `json:"to"`   // those that it shares with other parts
	SHA256  string    `json:"sha256"`
	Outcome string    `json:"outcome"`
}

// key says which file a transfer was about.
type key struct {
	carrier, direction string
	server             netip.AddrPort
	user, path         string
}

// part is a transfer and what it left on disk.
type part struct {
	key       key
	name      string // of its artefact
	from, to  int64  // offsets in the file
	announced int64  // size of the whole file; -1: not known
	begun     time.Time
	ended     time.Time
	outcome   string
	session   string
	packet    uint64
}

// See takes note of a transfer. Records come in order.
func (d *Dir) See(r record.Record) error {
	switch r := r.(type) {
	case *record.FTPExchange:
		if r.Command == "USER" && len(d.controls) < maxControls {
			d.controls[r.Session] = r.Server
		}
	case *record.FTPTransfer:
		if r.Content == nil || r.Content.Stored == "" || r.Direction == "listing" {
			return nil
		}
		p := part{
			key:  key{"ftp-data", r.Direction, d.serverOf(r), r.User, r.Path},
			from: r.Restart, announced: -1, outcome: r.Outcome, session: r.DataSession, packet: r.Packet,
		}
		if r.Source != "" {
			p.announced = r.Announced
		}
		if r.Command == "APPE" {
			p.from = r.AppendTo
		}
		// In ASCII and in block mode a restart point is no count of these bytes,
		// and where APPE went is not always known.
		countable := !strings.HasPrefix(r.Type, "A") && r.Mode != "B" && r.Mode != "C" || r.Restart == 0
		return d.moved(r.Content, &r.Header, p, r.Duration, countable && (r.Command != "APPE" || r.AppendTo > 0), r.Command)
	case *record.SFTPTransfer:
		if r.Content == nil || r.Content.Stored == "" {
			return nil
		}
		p := part{
			key:  key{"sftp", r.Direction, r.Server, "", r.Path},
			from: r.Restart, announced: -1, outcome: r.Outcome, session: r.Session, packet: r.Packet,
		}
		if r.Source != "" {
			p.announced = r.Announced
		}
		return d.moved(r.Content, &r.Header, p, r.Duration, true, "")
	}
	return nil
}

// serverOf returns the server of a transfer. A record that stands in the data
// session bears the addresses of that.
func (d *Dir) serverOf(r *record.FTPTransfer) netip.AddrPort {
	switch control, known := d.controls[r.Control]; {
	case known:
		return control
	case r.Protocol == "ftp-data" && r.Active:
		return r.Client
	}
	return r.Server
}

// moved adds to an artefact's metadata what its transfer says.
func (d *Dir) moved(c *record.Content, h *record.Header, p part, took record.Seconds, placed bool, command string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.recallName(c.Stored); err != nil {
		return err
	}
	w := d.written[c.Stored]
	if w == nil {
		return nil
	}
	if w.Time.IsZero() {
		w.Time, w.Server, w.User = h.Time, p.key.server, p.key.user
		w.Direction, w.Command, w.Outcome = p.key.direction, command, p.outcome
	}
	if !placed || w.vague {
		return nil
	}
	if err := d.recallFile(&p.key); err != nil {
		return err
	}
	p.name, p.begun, p.ended = c.Stored, h.Time, h.Time.Add(took.Duration())
	p.to = p.from + w.Size + w.Missing
	return d.settle(w, &p)
}

// Join puts the parts of resumed transfers together. Parts that differ where
// they overlap are no parts of one file: both stay, and their metadata says so.
func (d *Dir) Join() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.SortStableFunc(d.parts, func(a, b part) int {
		return cmp.Or(strings.Compare(a.key.carrier, b.key.carrier), strings.Compare(a.key.direction, b.key.direction),
			a.key.server.Compare(b.key.server), strings.Compare(a.key.user, b.key.user), strings.Compare(a.key.path, b.key.path),
			a.begun.Compare(b.begun))
	})
	var errs []error
	for rest := d.parts; len(rest) > 0; {
		n := chain(rest)
		if n > 1 || rest[0].from > 0 || rest[0].broken() && !d.written[rest[0].name].Partial {
			errs = append(errs, d.join(rest[:n]))
		}
		rest = rest[n:]
	}
	d.parts = nil
	return errors.Join(errs...)
}

// broken reports whether the transfer stopped before the end of the file.
func (p *part) broken() bool {
	return p.outcome == record.TransferShort || p.outcome == record.TransferAborted
}

// chain returns how many of the parts at the front are of one file. One that
// begins at 0 begins a file anew, unless it runs beside parts that do not: then
// a client has fetched the file in pieces at once.
func chain(parts []part) int {
	first, ended := parts[0].from == 0, parts[0].ended
	for i, p := range parts[1:] {
		if p.key != parts[0].key {
			return i + 1
		}
		if p.from == 0 {
			if first || p.begun.After(ended) {
				return i + 1
			}
			first = true
		}
		if p.ended.After(ended) {
			ended = p.ended
		}
	}
	return len(parts)
}

// extent is a stretch of the file and where its bytes lie on disk.
type extent struct {
	from, to int64
	name     string
	at       int64
}

// join makes one file of the parts of a chain.
func (d *Dir) join(parts []part) error {
	var cover []extent
	for i := range parts {
		next, differs, err := d.lay(cover, &parts[i])
		if err != nil {
			return err
		}
		if differs != nil {
			d.keepApart(parts, differs)
			return nil
		}
		cover = next
	}
	whole, last := int64(-1), &parts[0]
	for i := range parts {
		whole = max(whole, parts[i].announced)
		if parts[i].to >= last.to {
			last = &parts[i]
		}
	}
	first := d.written[parts[0].name]
	w := *first
	w.Times, w.Received, w.holes = 1, "", nil
	w.Gaps, w.Missing = holesIn(cover, whole)
	w.Partial = len(w.Gaps) > 0 || whole < 0 && last.broken()
	w.Size, w.Outcome = 0, parts[len(parts)-1].outcome
	for _, e := range cover {
		w.Size += e.to - e.from
	}
	for _, p := range parts {
		w.Parts = append(w.Parts, Part{p.session, p.packet, p.begun, p.from, p.to, d.written[p.name].SHA256, p.outcome})
	}
	root, err := d.sub("files")
	if err != nil {
		return err
	}
	temp := fmt.Sprintf(".unfinished-%d-%d", os.Getpid(), d.temp.Add(1))
	if w.SHA256, err = d.copyTo(root, temp, cover); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	name, fresh, err := d.reserveLocked("files", &w)
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	if !fresh {
		old := d.written[name]
		old.Times--
		old.Parts = append(old.Parts, w.Parts...)
		err = root.Remove(temp)
	} else {
		err = settle(root, temp, strings.TrimPrefix(name, "files/"))
	}
	for _, p := range parts {
		err = errors.Join(err, d.forget(root, p.name, name))
	}
	return err
}

// lay adds what is new in a part to the cover, which is ordered and has no
// overlaps. differs is where it has other bytes than the parts before it.
func (d *Dir) lay(cover []extent, p *part) (next []extent, differs *record.Range, err error) {
	next = slices.Clone(cover)
	w := d.written[p.name]
	at, from := int64(0), p.from // on disk and in the file
	lay := func(to int64) error {
		for _, e := range cover {
			if lo, hi := max(from, e.from), min(to, e.to); lo < hi {
				n, err := d.sameBytes(p.name, at+lo-from, e.name, e.at+lo-e.from, hi-lo)
				if err != nil {
					return err
				}
				if n < hi-lo {
					differs = &record.Range{From: lo + n, To: hi}
					return nil
				}
			}
		}
		for gap, i := from, 0; gap < to; i++ {
			end, behind := to, to
			if i < len(cover) {
				end, behind = min(to, cover[i].from), cover[i].to
			}
			if gap < end {
				next = append(next, extent{gap, end, p.name, at + gap - from})
			}
			if i >= len(cover) {
				break
			}
			gap = max(gap, behind)
		}
		at += to - from
		return nil
	}
	for _, h := range w.holes {
		if err := lay(p.from + h.From); err != nil || differs != nil {
			return nil, differs, err
		}
		from = p.from + h.To
	}
	if err := lay(p.to); err != nil || differs != nil {
		return nil, differs, err
	}
	slices.SortFunc(next, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	return next, nil, nil
}

// holesIn returns what the cover leaves open of a file of the size whole.
func holesIn(cover []extent, whole int64) (gaps []record.Range, missing int64) {
	end := int64(0)
	add := func(from, to int64) {
		if from < to {
			gaps = append(gaps, record.Range{From: from, To: to})
			missing += to - from
		}
	}
	for _, e := range cover {
		add(end, e.from)
		end = e.to
	}
	add(end, whole)
	return gaps, missing
}

// copyTo writes the extents one behind the other and returns their digest.
func (d *Dir) copyTo(root *os.Root, name string, cover []extent) (digest string, err error) {
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	buffer := make([]byte, 256<<10)
	for _, e := range cover {
		in, err := d.root.Open(e.name)
		if err != nil {
			return "", errors.Join(err, out.Close())
		}
		n, err := io.CopyBuffer(io.MultiWriter(out, sum), io.NewSectionReader(in, e.at, e.to-e.from), buffer)
		if err == nil && n < e.to-e.from {
			err = io.ErrUnexpectedEOF
		}
		if err = errors.Join(err, in.Close()); err != nil {
			return "", errors.Join(fmt.Errorf("joining %s: %w", e.name, err), out.Close())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), out.Close()
}

// sameBytes returns how many bytes of the two stretches are the same.
func (d *Dir) sameBytes(a string, aAt int64, b string, bAt, n int64) (same int64, err error) {
	if a == b && aAt == bAt {
		return n, nil
	}
	fa, err := d.root.Open(a)
	if err != nil {
		return 0, err
	}
	defer fa.Close()
	fb, err := d.root.Open(b)
	if err != nil {
		return 0, err
	}
	defer fb.Close()
	var x, y [64 << 10]byte
	for same < n {
		k := min(n-same, int64(len(x)))
		if _, err := fa.ReadAt(x[:k], aAt+same); err != nil {
			return same, err
		}
		if _, err := fb.ReadAt(y[:k], bAt+same); err != nil {
			return same, err
		}
		if !bytes.Equal(x[:k], y[:k]) {
			for i := range k {
				if x[i] != y[i] {
					return same + i, nil
				}
			}
		}
		same += k
	}
	return same, nil
}

// keepApart notes in each part that they do not fit together, and where in the
// file each of them lies.
func (d *Dir) keepApart(parts []part, differs *record.Range) {
	for _, p := range parts {
		w := d.written[p.name]
		w.From, w.Differs = p.from, differs
		for _, q := range parts {
			if q.name != p.name && !slices.Contains(w.DiffersFrom, q.name) {
				w.DiffersFrom = append(w.DiffersFrom, q.name)
			}
		}
	}
}

// forget removes the artefact of a part that went into the joined one, unless
// another transfer left the same.
func (d *Dir) forget(root *os.Root, name, joined string) error {
	w := d.written[name]
	if w == nil || name == joined {
		return nil
	}
	if w.Times--; w.Times > 0 {
		return nil
	}
	delete(d.written, name)
	return root.Remove(strings.TrimPrefix(name, "files/"))
}
