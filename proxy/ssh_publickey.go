package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
)

// A signature by the client's key covers the id of the client's leg (RFC 4252,
// section 7), so it is worth nothing at the upstream. What can be relayed is
// the question before it: would this key do? So the proxy asks the upstream
// about the very key that the client offers, lets the client prove that it has
// that key, and then logs in with a key of its own (an identity), or with the
// client's agent once that is forwarded. A client whose key the upstream does
// not want gets nowhere, whatever the proxy's identities could do.

// sshProof is a public key that the client offered, as a signer for the
// upstream's leg: the implementation asks the upstream about the key, and wants
// a signature when the upstream said yes.
type sshProof struct {
	key    ssh.PublicKey
	wanted chan struct{}   // closed when the upstream wants a signature
	by     chan ssh.Signer // who signs
	stop   <-chan struct{} // the connection ends
}

var errNoSigner = errors.New("proxy: the client did not prove its key")

func (p *sshProof) PublicKey() ssh.PublicKey { return p.key }

func (p *sshProof) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return p.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm stands until somebody can sign, or nobody will.
func (p *sshProof) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	close(p.wanted)
	var s ssh.Signer
	select {
	case s = <-p.by:
	case <-p.stop:
	}
	switch s := s.(type) {
	case nil:
		return nil, errNoSigner
	case ssh.AlgorithmSigner:
		return s.SignWithAlgorithm(rand, data, algorithm)
	default:
		return s.Sign(rand, data)
	}
}

// offered is called when the client offers a key: to ask whether it would do,
// or with a signature that is checked behind this. It proves nothing yet.
func (l *sshLogin) offered(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	began := l.now()
	if err := l.ready(c.User(), "publickey"); err != nil {
		return nil, err
	}
	if l.accepted {
		return &ssh.Permissions{}, nil
	}
	p := &sshProof{key: key, wanted: make(chan struct{}), by: make(chan ssh.Signer, 1), stop: l.stop}
	select {
	case l.next <- ssh.PublicKeys(p):
	case <-l.over:
	}
	var v sshVerdict
	select {
	case <-p.wanted:
		l.proof = p
		if l.canSign(key) {
			return &ssh.Permissions{}, nil
		}
		l.abandonProof()
		l.noteKey(began, key, "wanted", "the upstream wants this key, but the proxy cannot sign with it")
		l.s.unsigned(l.user, key)
		return nil, errRefusedUpstream
	case v = <-l.verdicts:
	case <-l.over:
		v = sshVerdict{err: l.err, accepted: l.err == nil}
	}
	l.rec.Offered++
	l.noteKey(began, key, "refused", "offered without a signature")
	return l.answer(v)
}

// canSign reports whether there is a way to log in for a client that proves
// this key.
func (l *sshLogin) canSign(key ssh.PublicKey) bool {
	return len(l.s.r.srv.cfg.SSH.Identities) > 0 || l.s.r.srv.cfg.SSH.Agent
}

// unsigned says why a key that the upstream wants is refused.
func (s *sshRelay) unsigned(user string, key ssh.PublicKey) {
	detail := fmt.Sprintf("%s wants the key %s of %q, but a signature for the proxy's connection cannot be used for the upstream's; start the proxy with --ssh-identity KEY, or with --ssh-agent and forward an agent (ssh -A)", s.address, ssh.FingerprintSHA256(key), user)
	s.r.anomaly("proxy_ssh_publickey", dissect.ClientToServer, detail)
	_ = s.preAuth.SendAuthBanner("sniff: " + detail + "\r\n")
}

// proved is called when the client has proved that it has the key. It is the
// key of this call that counts, not the last one that was offered
// (CVE-2024-45337).
func (l *sshLogin) proved(c ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	began := l.now()
	if l.accepted {
		return &ssh.Permissions{}, nil // without any proof
	}
	p := l.proof
	if p == nil || c.User() != l.user || !bytes.Equal(p.key.Marshal(), key.Marshal()) {
		l.abandonProof()
		return nil, errRefusedUpstream
	}
	l.proof = nil
	identities := l.s.r.srv.cfg.SSH.Identities
	for _, id := range identities {
		if bytes.Equal(id.PublicKey().Marshal(), key.Marshal()) {
			p.by <- id
			v := l.verdict()
			l.noteKey(began, key, v.result(), "signed with the proxy's identity, which is the same key")
			return l.answer(v)
		}
	}
	if l.s.r.srv.cfg.SSH.Agent {
		l.deferred = p
		l.noteKey(began, key, "wanted", "proved by the client; its agent will be asked to sign for the upstream")
		return &ssh.Permissions{}, nil
	}
	p.by <- nil
	if v := l.verdict(); v.err != nil {
		return l.answer(v)
	}
	v := l.try(ssh.PublicKeys(identities...))
	l.noteKey(began, key, v.result(), "signed with the proxy's identities")
	if !v.accepted && !v.partial && v.err == nil {
		detail := fmt.Sprintf("%s takes the key %s of %q, but none of the proxy's identities", l.s.address, ssh.FingerprintSHA256(key), l.user)
		l.s.r.anomaly("proxy_ssh_publickey", dissect.ClientToServer, detail)
		_ = l.s.preAuth.SendAuthBanner("sniff: " + detail + "\r\n")
	}
	return l.answer(v)
}

// abandonProof gives up a key that the client was asked to prove and did not.
func (l *sshLogin) abandonProof() {
	if l.proof == nil {
		return
	}
	l.proof.by <- nil
	l.proof = nil
	l.verdict()
}
