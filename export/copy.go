package export

import (
	"errors"
	"io"
	"os"

	"sniff/capture"
)

// CopyPackets reads the input a further time and writes the packets of a set
// to a new pcapng file of mode 0600; it does not replace one. They stay
// untouched, and the input's decryption secrets go with them, unless rewrite
// says what stands in place of a packet: other bytes, or nil for none. It
// returns how many were written.
func CopyPackets(r *capture.Reader, set *Packets, path string, rewrite func(*capture.Packet) []byte) (n uint64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := newCaptureWriter(f)
	secrets := 0
	var p capture.Packet
	for {
		if err := r.NextPacket(&p); err != nil {
			var damage *capture.Damage
			if errors.As(err, &damage) {
				continue
			}
			if err == io.EOF {
				return n, w.flush()
			}
			return n, err
		}
		// Secrets stand in front of the packets that they are for.
		for all := r.Secrets(); rewrite == nil && secrets < len(all); secrets++ {
			if err := w.secret(all[secrets]); err != nil {
				return n, err
			}
		}
		if !set.Has(p.Number) {
			continue
		}
		data := p.Data
		if rewrite != nil {
			if data = rewrite(&p); data == nil {
				continue
			}
		}
		if err := w.packet(&p, data); err != nil {
			return n, err
		}
		n++
	}
}

// EachPacket reads the input a further time and calls f for the packets of a
// set.
func EachPacket(r *capture.Reader, set *Packets, f func(*capture.Packet) error) error {
	var p capture.Packet
	for {
		err := r.NextPacket(&p)
		var damage *capture.Damage
		switch {
		case errors.As(err, &damage):
			continue
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if set.Has(p.Number) {
			if err := f(&p); err != nil {
				return err
			}
		}
	}
}
