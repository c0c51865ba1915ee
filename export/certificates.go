package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
)

// Certificate is one of a chain, as a peer sent it.
type Certificate struct {
	Name string // common name of its subject, or what else names it
	DER  []byte
}

// Chain is what a peer showed.
type Chain struct {
	Session      string
	Packet       uint64
	By           string // client or server
	Certificates []Certificate
}

// AddChain writes each certificate of a chain as PEM to a file named by its
// fingerprint, and lists the first one with the order in which the others
// stood behind it. One that was seen before is counted.
func (d *Dir) AddChain(c Chain) {
	if !d.Chosen.wants(c.Session) {
		return
	}
	var prints []string
	for _, cert := range c.Certificates {
		sum := sha256.Sum256(cert.DER)
		prints = append(prints, hex.EncodeToString(sum[:]))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, cert := range c.Certificates {
		path := "certificates/" + prints[i][:16]
		if clean := CleanName(cert.Name); clean != "" {
			path += "-" + clean
		}
		path += ".pem"
		w := d.written[path]
		if w == nil {
			b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.DER})
			if err := d.writeOnce(path, b); err != nil {
				d.err = errors.Join(d.err, err)
				return
			}
			w = &Written{Path: path, SHA256: prints[i], Size: int64(len(b)), Name: cert.Name, Type: "application/x-x509-ca-cert", Carrier: "tls", Session: c.Session, Packet: c.Packet, By: c.By}
			d.written[path] = w
		}
		w.Times++
		if i == 0 && len(prints) > 1 && w.Chain == nil {
			w.Chain = prints
		}
	}
}

// writeOnce writes a file whose name is that of its content: one that is there
// already is the same.
func (d *Dir) writeOnce(path string, b []byte) error {
	if err := d.root.Mkdir("certificates", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := d.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
