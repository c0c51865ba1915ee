package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"

	"sniff/dissect"
	"sniff/record"
)

// Streams returns a protocol that takes every connection and writes what each
// side sent, in the order of the stream and as it went over the wire, to
// streams/SESSION-client and streams/SESSION-server. An engine with it and the
// layer of StreamsTLS, and no other protocol, exports streams.
func (d *Dir) Streams() dissect.Protocol {
	return dissect.Protocol{
		Name: "stream",
		Probe: func(in *dissect.Input) dissect.Verdict {
			if len(in.Client)+len(in.Server) == 0 {
				return dissect.More
			}
			return dissect.Accept
		},
		New: func(env dissect.Env) dissect.Dissector { return d.streams(env) },
	}
}

// StreamsTLS returns the layer for connections that are TLS: they are written
// as they stand, too.
func (d *Dir) StreamsTLS() func(dissect.LayerEnv) dissect.Layer {
	return func(env dissect.LayerEnv) dissect.Layer { return d.streams(env) }
}

func (d *Dir) streams(env dissect.Env) *streams {
	s := &streams{env: env}
	for dir := range s.sides {
		s.sides[dir] = side{dir: d, session: env.Conn().Session, name: record.Dir(dir).String(), sum: sha256.New()}
	}
	return s
}

// streams is the dissector that writes the bytes of one connection.
type streams struct {
	env   dissect.Env
	sides [2]side
}

func (s *streams) Consume(dir dissect.Dir, b []byte) (int, dissect.Action, error) {
	s.sides[dir].write(s.env, b)
	return len(b), dissect.Continue, nil
}

func (s *streams) Gap(dir dissect.Dir, n int64) {
	side := &s.sides[dir]
	r := record.Range{From: side.at, To: side.at + max(n, 0)}
	side.at = r.To
	side.partial = true
	side.missing += max(n, 0)
	if len(side.gaps) < maxStreamGaps {
		side.gaps = append(side.gaps, r)
	}
}

func (s *streams) EOF(dir dissect.Dir) { s.sides[dir].finish() }

// Downgrade makes streams a layer; it has no inside.
func (s *streams) Downgrade() {}

const (
	// maxStreamGaps is how many holes of a stream are listed.
	maxStreamGaps = 16
	// streamBuffer is how much of one direction is gathered before its file is
	// opened and written: the files of all connections together may be more
	// than a process can have open.
	streamBuffer = 16 << 10
)

// side is one direction of a connection on its way to a file.
type side struct {
	dir           *Dir
	session, name string
	path          string
	buf           []byte
	sum           hash.Hash
	packet        uint64
	at, size      int64
	missing       int64
	gaps          []record.Range
	partial       bool
	failed        bool
}

func (s *side) write(env dissect.Env, b []byte) {
	if s.size == 0 && len(b) > 0 {
		s.packet = env.At(0).Packet
	}
	s.size += int64(len(b))
	s.at += int64(len(b))
	s.sum.Write(b)
	s.buf = append(s.buf, b...)
	if len(s.buf) >= streamBuffer {
		s.flush()
	}
}

// flush appends what was gathered to the file, which the first call makes.
func (s *side) flush() {
	if s.failed || len(s.buf) == 0 || !s.dir.Chosen.wants(s.session) {
		return
	}
	if err := s.append(); err != nil {
		s.failed = true
		s.dir.fail(err)
	}
	s.buf = s.buf[:0]
}

func (s *side) append() error {
	var f *os.File
	var err error
	if s.path != "" {
		f, err = s.dir.root.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0o600)
	} else {
		f, err = s.create()
	}
	if err != nil {
		return err
	}
	_, err = f.Write(s.buf)
	return errors.Join(err, f.Close())
}

// create makes a file that was not there yet.
func (s *side) create() (*os.File, error) {
	if err := s.dir.root.Mkdir("streams", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for i := 1; ; i++ {
		s.path = fmt.Sprintf("streams/%s-%s", s.session, s.name)
		if i > 1 {
			s.path += fmt.Sprintf("-%d", i)
		}
		f, err := s.dir.root.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) || i == 10_000 {
			return f, err
		}
	}
}

// finish writes what is left and lists the file.
func (s *side) finish() {
	s.flush()
	s.buf = nil
	if s.path == "" || s.failed {
		return
	}
	d := s.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written[s.path] = &Written{
		Path: s.path, SHA256: hex.EncodeToString(s.sum.Sum(nil)), Size: s.size, Partial: s.partial, Missing: s.missing, Gaps: s.gaps,
		Carrier: "tcp", Session: s.session, Packet: s.packet, Times: 1,
	}
}

// fail keeps the first error.
func (d *Dir) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}
