package export

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// ledger keeps what is known of files that were moved whole, in one transfer,
// on disk: there may be millions of them. In memory each has its place there
// and two short hashes, by which it is found when the same bytes, or another
// transfer of the same file, come along; then it is taken back. So is one that
// only shares a hash with it, which does no harm.
type ledger struct {
	file    *os.File
	name    string
	out     *bufio.Writer
	end     int64
	entries []entry
	byName  map[uint32]int32 // path of the artefact
	byFile  map[uint32]int32 // key of the transfer
	pending map[uint32]bool  // keys of the transfers that are not in it
	seed    maphash.Seed
	buf     []byte
}

// entry is one file in the ledger.
type entry struct {
	digest uint64 // its first bytes, which the path begins with
	at     int64  // ^at once it is taken back
}

// entryHead is the length of an entry, which stands in front of it.
const entryHead = 4

// settled is what the ledger has of a part beside what stands in the index.
type settled struct {
	Path      string
	Announced int64
	Ended     time.Time
	Session   string
	Packet    uint64
}

func newLedger() *ledger {
	return &ledger{byName: map[uint32]int32{}, byFile: map[uint32]int32{}, pending: map[uint32]bool{}, seed: maphash.MakeSeed()}
}

// settle moves a file and its transfer to the ledger, if they are plain: nobody
// has to look at them again unless something of the same name comes.
func (d *Dir) settle(w *Written, p *part) error {
	l := d.ledger
	digest, err := hex.DecodeString(w.SHA256[:min(16, len(w.SHA256))])
	name, file := l.pathHash(w.Path), l.fileHash(&p.key)
	_, sameName := l.byName[name]
	_, sameFile := l.byFile[file]
	plain := w.Times == 1 && !w.Partial && !w.vague && len(w.holes) == 0 && p.from == 0 && !p.broken() && p.key.carrier == w.Carrier
	if !plain || err != nil || len(digest) != 8 || sameName || sameFile || l.pending[file] || !strings.HasPrefix(w.Path, "files/") {
		d.parts, l.pending[file] = append(d.parts, *p), true
		return nil
	}
	line, err := w.line()
	if err != nil {
		return err
	}
	more, err := json.Marshal(settled{p.key.path, p.announced, p.ended, p.session, p.packet})
	if err != nil {
		return err
	}
	if err := l.open(d.root); err != nil {
		return err
	}
	l.buf = append(l.buf[:0], make([]byte, entryHead)...)
	for _, b := range [][]byte{[]byte(w.Path), []byte(w.SHA256), line, more} {
		l.buf = append(binary.AppendUvarint(l.buf, uint64(len(b))), b...)
	}
	binary.BigEndian.PutUint32(l.buf, uint32(len(l.buf)-entryHead))
	if _, err := l.out.Write(l.buf); err != nil {
		return err
	}
	i := int32(len(l.entries))
	l.entries = append(l.entries, entry{digest: binary.BigEndian.Uint64(digest), at: l.end})
	l.end += int64(len(l.buf))
	l.byName[name], l.byFile[file] = i, i
	delete(d.written, w.Path)
	return nil
}

// pathHash stands for the path of an artefact, fileHash for what was moved.
func (l *ledger) pathHash(path string) uint32 { return uint32(maphash.String(l.seed, path)) }

func (l *ledger) fileHash(k *key) uint32 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for _, s := range []string{k.carrier, k.direction, k.server.String(), k.user, k.path} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	return uint32(h.Sum64())
}

func (l *ledger) open(root *os.Root) (err error) {
	if l.file != nil {
		return nil
	}
	l.name = fmt.Sprintf(".unfinished-%d-index", os.Getpid())
	l.file, err = root.OpenFile(l.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	l.out = bufio.NewWriterSize(l.file, 64<<10)
	return err
}

// fields reads an entry: path, digest, line of the index, the rest.
func (l *ledger) fields(e *entry) (f [4][]byte, err error) {
	if err := l.out.Flush(); err != nil {
		return f, err
	}
	var head [entryHead]byte
	if _, err := l.file.ReadAt(head[:], e.at); err != nil {
		return f, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := l.file.ReadAt(b, e.at+entryHead); err != nil {
		return f, err
	}
	for i := range f {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return f, io.ErrUnexpectedEOF
		}
		f[i], b = b[k:k+int(n)], b[k+int(n):]
	}
	return f, nil
}

// recallName takes back the artefact with this path, if the ledger has it. The
// lock is held.
func (d *Dir) recallName(path string) error {
	return d.recall(d.ledger.byName, d.ledger.pathHash(path))
}

// recallFile takes back the transfer of the same file. The lock is held.
func (d *Dir) recallFile(k *key) error {
	return d.recall(d.ledger.byFile, d.ledger.fileHash(k))
}

func (d *Dir) recall(by map[uint32]int32, hash uint32) error {
	l := d.ledger
	i, ok := by[hash]
	if !ok {
		return nil
	}
	f, err := l.fields(&l.entries[i])
	if err != nil {
		return err
	}
	w, more := &Written{}, settled{}
	if err := errors.Join(json.Unmarshal(f[2], w), json.Unmarshal(f[3], &more)); err != nil {
		return err
	}
	k := key{w.Carrier, w.Direction, w.Server, w.User, more.Path}
	l.entries[i].at = ^l.entries[i].at
	delete(l.byName, l.pathHash(w.Path))
	delete(l.byFile, l.fileHash(&k))
	l.pending[l.fileHash(&k)] = true
	d.written[w.Path] = w
	d.parts = append(d.parts, part{
		key: k, name: w.Path, to: w.Size, announced: more.Announced, begun: w.Time, ended: more.Ended,
		outcome: w.Outcome, session: more.Session, packet: more.Packet,
	})
	return nil
}

// each calls f for every file of the ledger, by path.
func (l *ledger) each(f func(Listed) error) error {
	order := slices.DeleteFunc(slices.Clone(l.entries), func(e entry) bool { return e.at < 0 })
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.digest, b.digest) })
	for len(order) > 0 {
		n := 1
		for n < len(order) && order[n].digest == order[0].digest {
			n++
		}
		same := make([]Listed, 0, 1) // the same bytes under several names
		for i := range order[:n] {
			b, err := l.fields(&order[i])
			if err != nil {
				return err
			}
			same = append(same, Listed{Path: string(b[0]), SHA256: string(b[1]), line: b[2]})
		}
		slices.SortFunc(same, func(a, b Listed) int { return strings.Compare(a.Path, b.Path) })
		for _, e := range same {
			if err := f(e); err != nil {
				return err
			}
		}
		order = order[n:]
	}
	return nil
}

// close removes the ledger.
func (l *ledger) close(root *os.Root) error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.file.Close(), root.Remove(l.name))
}
