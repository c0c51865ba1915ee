package export

import (
	"errors"
	"io"
	"os"

	"sniff/capture"
)

// CopyPackets reads the input a further time and writes the packets of a set,
// untouched, to a new pcapng file of mode 0600; it does not replace one. The
// input's decryption secrets go with them. It returns how many were written.
func CopyPackets(r *capture.Reader, set *Packets, path string) (n uint64, err error) {
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
		for all := r.Secrets(); secrets < len(all); secrets++ {
			if err := w.secret(all[secrets]); err != nil {
				return n, err
			}
		}
		if !set.Has(p.Number) {
			continue
		}
		if err := w.packet(&p, p.Data); err != nil {
			return n, err
		}
		n++
	}
}
