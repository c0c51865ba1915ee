package proxy

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyFile is the name of the proxy's own host key in its folder.
const HostKeyFile = "ssh_host_ed25519_key"

// LoadOrCreateHostKey reads the host key at path, in OpenSSH's format, or makes
// one (Ed25519, mode 0600) where there is none. A key that others can read is
// refused.
func LoadOrCreateHostKey(path string) (key ssh.Signer, made bool, err error) {
	key, err = LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, fmt.Errorf("proxy: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, false, fmt.Errorf("proxy: SSH host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "sniff proxy")
	if err != nil {
		return nil, false, fmt.Errorf("proxy: SSH host key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("proxy: %w", err)
	}
	err = pem.Encode(f, block)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, false, fmt.Errorf("proxy: %w", err)
	}
	key, err = ssh.NewSignerFromKey(private)
	return key, true, err
}

// LoadKey reads a private key without a passphrase that only its owner can
// read.
func LoadKey(path string) (ssh.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("proxy: SSH key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("proxy: SSH key %s can be read by others (mode %04o); chmod 600 it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("proxy: SSH key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, fmt.Errorf("proxy: SSH key %s is protected by a passphrase; load it into an agent and forward that, or use another key", path)
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: SSH key %s: %w", path, err)
	}
	return key, nil
}

// hostKeyError says why an upstream's host key is not taken.
type hostKeyError struct {
	code   string
	detail string
}

func (e *hostKeyError) Error() string { return e.detail }

// knownKeys are the host keys that a proxy believes.
type knownKeys struct {
	files  []string
	append bool
	mu     *sync.Mutex // one writer at a time
}

// load reads the files afresh: keys may have been added by ssh meanwhile.
func (k knownKeys) load() (ssh.HostKeyCallback, error) {
	var there []string
	for _, f := range k.files {
		if _, err := os.Stat(f); err == nil {
			there = append(there, f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, &hostKeyError{"proxy_ssh_known_hosts", "the known host keys cannot be read: " + err.Error()}
		}
	}
	check, err := knownhosts.New(there...)
	if err != nil {
		return nil, &hostKeyError{"proxy_ssh_known_hosts", "the known host keys cannot be read: " + err.Error()}
	}
	return check, nil
}

// algorithms returns the host key algorithms to ask an upstream for: those of
// its known keys first, because a server that has several keys shows the one
// that the client prefers.
func (k knownKeys) algorithms(check ssh.HostKeyCallback, address string, remote net.Addr) []string {
	all := ssh.SupportedAlgorithms().HostKeys
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return all
	}
	nobody, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return all
	}
	var want *knownhosts.KeyError
	if !errors.As(check(address, remote, nobody.PublicKey()), &want) {
		return all
	}
	var first []string
	for _, known := range want.Want {
		first = append(first, algorithmsOf(known.Key.Type())...)
	}
	for _, a := range all {
		if !slices.Contains(first, a) {
			first = append(first, a)
		}
	}
	return first
}

// algorithmsOf returns the signature algorithms of a type of key, best first.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// check judges the key that an upstream showed; added says that it was unknown
// and is known from now on.
func (k knownKeys) check(check ssh.HostKeyCallback, address string, remote net.Addr, key ssh.PublicKey) (added bool, err error) {
	err = check(address, remote, key)
	name := knownhosts.Normalize(address)
	var unknown *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &revoked):
		return false, &hostKeyError{"proxy_ssh_host_key_revoked", fmt.Sprintf("the host key of %s (%s %s) is revoked by %s:%d", name, key.Type(), ssh.FingerprintSHA256(key), revoked.Revoked.Filename, revoked.Revoked.Line)}
	case !errors.As(err, &unknown):
		return false, &hostKeyError{"proxy_ssh_host_key", fmt.Sprintf("the host key of %s is not taken: %v", name, err)}
	case len(unknown.Want) > 0:
		var known []string
		for _, w := range unknown.Want {
			known = append(known, fmt.Sprintf("%s %s (%s:%d)", w.Key.Type(), ssh.FingerprintSHA256(w.Key), w.Filename, w.Line))
		}
		return false, &hostKeyError{"proxy_ssh_host_key_changed", fmt.Sprintf("the host key of %s has changed: it shows %s %s, known is %s", name, key.Type(), ssh.FingerprintSHA256(key), strings.Join(known, ", "))}
	case !k.append || len(k.files) == 0:
		return false, &hostKeyError{"proxy_ssh_host_key_unknown", fmt.Sprintf("the host key of %s is not known: it shows %s %s; add it to %s, or start the proxy with --ssh-accept-new", name, key.Type(), ssh.FingerprintSHA256(key), strings.Join(k.files, " or "))}
	}
	if err := k.add(address, remote, key); err != nil {
		return false, err
	}
	return true, nil
}

// add appends a key to the first file, unless another connection was faster.
func (k knownKeys) add(address string, remote net.Addr, key ssh.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.load()
	if err != nil {
		return err
	}
	if now(address, remote, key) == nil {
		return nil
	}
	unwritten := func(err error) error {
		return &hostKeyError{"proxy_ssh_known_hosts", "the new host key cannot be kept: " + err.Error()}
	}
	if err := os.MkdirAll(filepath.Dir(k.files[0]), 0o700); err != nil {
		return unwritten(err)
	}
	f, err := os.OpenFile(k.files[0], os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return unwritten(err)
	}
	line := knownhosts.Line([]string{knownhosts.Normalize(address)}, key) + "\n"
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Close()); err != nil {
		return unwritten(err)
	}
	return nil
}
