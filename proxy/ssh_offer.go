package proxy

import (
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// kexInit is SSH_MSG_KEXINIT (RFC 4253, section 7.1).
type kexInit struct {
	Cookie                              [16]byte `sshtype:"20"`
	Kex, HostKeys                       []string
	CiphersToServer, CiphersToClient    []string
	MACsToServer, MACsToClient          []string
	CompressToServer, CompressToClient  []string
	LanguagesToServer, LanguageToClient []string
	Guess                               bool
	Reserved                            uint32
}

const (
	// offerWait is how long a client has for its KEXINIT before the proxy
	// sends its own: nearly all clients send it on the heels of their
	// identification, the others wait for the server's.
	offerWait = 50 * time.Millisecond
	// maxOffer is the largest packet that must be understood (RFC 4253,
	// section 6.1).
	maxOffer = 35000
)

// offer reads the client's KEXINIT ahead of the implementation; nil if it does
// not come at once, or is none.
func (l *sshLeg) offer(line int) *kexInit {
	_ = l.Conn.SetReadDeadline(time.Now().Add(offerWait))
	defer func() { _ = l.Conn.SetReadDeadline(time.Time{}) }()
	for {
		if p := l.replay[line:]; len(p) >= 6 {
			size, padding := int(binary.BigEndian.Uint32(p)), int(p[4])
			if size > maxOffer || size < padding+2 {
				return nil
			}
			if len(p) >= 4+size {
				k := &kexInit{}
				if ssh.Unmarshal(p[5:4+size-padding], k) != nil {
					return nil
				}
				return k
			}
		}
		var b [4 << 10]byte
		n, err := l.Conn.Read(b[:])
		l.replay = append(l.replay, b[:n]...)
		if err != nil {
			return nil // Read meets the end again
		}
	}
}

// ciphers returns what the proxy offers to a client. Most clients like ChaCha20
// best, which the implementation computes without the processor's help, or a
// cipher with a MAC of its own; those that can do AES-GCM get that, several
// times as fast.
func (k *kexInit) ciphers(all []string) []string {
	if k == nil {
		return all
	}
	var fast []string
	for _, c := range []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM} {
		if slices.Contains(all, c) && slices.Contains(k.CiphersToServer, c) && slices.Contains(k.CiphersToClient, c) {
			fast = append(fast, c)
		}
	}
	if fast == nil {
		return all
	}
	return fast
}
