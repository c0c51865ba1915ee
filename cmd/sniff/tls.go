package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"sniff/capture"
	"sniff/dissect"
	"sniff/dissect/tls"
	"sniff/export"
	"sniff/record"
)

// tlsLayer makes the layer that reads TLS, with all keys that the flags and
// the capture bring. reader may be nil.
func (a *app) tlsLayer(reader *capture.Reader) (func(dissect.LayerEnv) dissect.Layer, error) {
	keys := tls.NewKeys()
	var sources []func()
	if a.keylog != "" {
		k := &keyLog{path: a.keylog, keys: keys}
		switch err := k.read(); {
		case a.live && errors.Is(err, fs.ErrNotExist):
			a.note("%s does not exist yet; it is read when a program begins to write to it", a.keylog)
		case err != nil:
			return nil, inputError{err}
		}
		if k.added == 0 && k.bad > 0 {
			hint := "a key log has lines such as CLIENT_RANDOM 0123... 4567...; programs write it to the file that SSLKEYLOGFILE names"
			if _, err := (&sshFlags{keylog: a.keylog}).keys(); err == nil {
				hint = "it holds those of SSH, which go with --ssh-keylog"
			}
			return nil, inputError{hinted{fmt.Errorf("%s holds no TLS secrets", a.keylog), hint}}
		}
		sources = append(sources, k.more)
	}
	if reader != nil {
		sources = append(sources, secretsOf(reader, keys))
	}
	for _, path := range a.tlsKeys {
		key, err := readRSAKey(path)
		if err != nil {
			return nil, inputError{err}
		}
		keys.AddRSA(key)
	}
	roots, err := a.roots()
	if err != nil {
		return nil, err
	}
	keys.OnMiss(func() {
		for _, more := range sources {
			more()
		}
	})
	return tls.New(tls.Config{Keys: keys, Wait: a.live && a.keylog != "", Verify: verifier(roots), Shown: a.shown}), nil
}

// showTo returns what writes the chains that are shown to a folder.
func showTo(store *export.Dir) func(string, dissect.Dir, record.Stamp, [][]byte) {
	return func(session string, by dissect.Dir, at record.Stamp, chain [][]byte) {
		c := export.Chain{Session: session, Packet: at.Packet, By: by.String()}
		for _, der := range chain {
			name := ""
			if cert, err := x509.ParseCertificate(der); err == nil {
				if name = cert.Subject.CommonName; name == "" && len(cert.DNSNames) > 0 {
					name = cert.DNSNames[0]
				}
			}
			c.Certificates = append(c.Certificates, export.Certificate{Name: name, DER: der})
		}
		store.AddChain(c)
	}
}

// verifier verifies chains against roots as of the time of the capture.
func verifier(roots *x509.CertPool) func([]*x509.Certificate, time.Time) error {
	return func(chain []*x509.Certificate, at time.Time) error {
		between := x509.NewCertPool()
		for _, c := range chain[1:] {
			between.AddCert(c)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
		return err
	}
}

// roots returns the authorities of --ca, or else nil for those of the system,
// which x509 reads when it verifies the first chain: that takes its time.
func (a *app) roots() (*x509.CertPool, error) {
	if a.ca == "" {
		return nil, nil
	}
	b, err := os.ReadFile(a.ca)
	if err != nil {
		return nil, inputError{err}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, inputError{fmt.Errorf("%s holds no PEM certificate", a.ca)}
	}
	return roots, nil
}

// maxKeyLog is how much of a key log is read.
const maxKeyLog = 256 << 20

// keyLog is a key log file that may grow while it is in use.
type keyLog struct {
	path       string
	keys       *tls.Keys
	at         int64 // read up to here, to the end of a line
	looked     time.Time
	added, bad int
}

// lookEvery is how soon the file is looked at again.
const lookEvery = 5 * time.Millisecond

// read takes over the lines that came since.
func (k *keyLog) read() error {
	f, err := os.Open(k.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(k.at, io.SeekStart); err != nil && k.at > 0 {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyLog-k.at))
	if err != nil {
		return err
	}
	if k.at > 0 || len(b) == 0 { // whole lines, as the writer may be within one
		b = b[:bytes.LastIndexByte(b, '\n')+1]
	}
	added, bad := k.keys.AddKeyLog(b)
	k.added, k.bad = k.added+added, k.bad+bad
	k.at += int64(bytes.LastIndexByte(b, '\n') + 1)
	return nil
}

// more reads what was added to the file, or all of one that took its place. A
// file that went away since it was opened has no more to give.
func (k *keyLog) more() {
	now := time.Now()
	if now.Sub(k.looked) < lookEvery {
		return
	}
	k.looked = now
	st, err := os.Stat(k.path)
	if err != nil {
		return
	}
	if st.Size() < k.at {
		k.at = 0
	}
	if st.Size() > k.at {
		_ = k.read()
	}
}

// secretsOf returns what takes over the key logs that stand in the capture
// itself, as far as it was read.
func secretsOf(reader *capture.Reader, keys *tls.Keys) func() {
	taken := 0
	return func() {
		all := reader.Secrets()
		for _, s := range all[taken:] {
			if s.Type == capture.SecretTLSKeyLog {
				keys.AddKeyLog(s.Data)
			}
		}
		taken = len(all)
	}
}

// readRSAKey reads a server's private key from a PEM file.
func readRSAKey(path string) (*rsa.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, fmt.Errorf("%s holds no RSA private key in PEM", path)
		}
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return key, nil
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			if k, ok := key.(*rsa.PrivateKey); ok {
				return k, nil
			}
			return nil, hinted{fmt.Errorf("%s is not an RSA key", path), "only static RSA key exchanges can be decrypted with a server's key; use --keylog"}
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New(path + " is encrypted: openssl pkey -in it -out a copy without")
		}
	}
}
