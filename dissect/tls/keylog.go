package tls

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"sync"
)

// Keys holds the secrets of sessions, by client random, and what sessions
// leave behind for those that resume them. It may grow while it is in use.
type Keys struct {
	mu      sync.RWMutex
	secrets map[[32]byte]*secrets
	// premasters are the premaster secrets of old key logs, by the first 8
	// bytes of the encrypted one.
	premasters map[[8]byte][]byte
	rsa        []*rsa.PrivateKey
	// refill is asked for more when a session has no secrets.
	refill func()
}

// secrets are what a key log holds of one session.
type secrets struct {
	master    []byte // TLS 1.2 and below
	premaster []byte
	early     []byte // TLS 1.3: client only
	handshake [2][]byte
	traffic   [2][]byte
}

// maxSecret bounds one secret: premaster secrets of large DH groups are the
// longest.
const maxSecret = 2048

// NewKeys returns an empty store.
func NewKeys() *Keys {
	return &Keys{secrets: map[[32]byte]*secrets{}, premasters: map[[8]byte][]byte{}}
}

// OnMiss sets what is called when a session's secrets are not there: it may
// add those that have come since. It is called from the reader of the session.
func (k *Keys) OnMiss(refill func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refill = refill
}

// AddRSA adds a server's private key, which decrypts sessions with a static
// RSA key exchange.
func (k *Keys) AddRSA(key *rsa.PrivateKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rsa = append(k.rsa, key)
}

// AddKeyLog reads lines of a key log in the NSS format (the file that
// SSLKEYLOGFILE names). It returns how many secrets they held and how many
// lines could not be read. Labels for other uses are passed over.
func (k *Keys) AddKeyLog(b []byte) (added, bad int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		switch k.addLine(line) {
		case lineRead:
			added++
		case lineBad:
			bad++
		}
	}
	return added, bad
}

type lineVerdict uint8

const (
	lineRead lineVerdict = iota
	lineOther
	lineBad
)

func (k *Keys) addLine(line []byte) lineVerdict {
	f := bytes.Fields(line)
	if len(f) != 3 {
		return lineBad
	}
	label := string(f[0])
	id, err := hex.DecodeString(string(f[1]))
	if err != nil || len(f[2]) > 2*maxSecret {
		return lineBad
	}
	secret, err := hex.DecodeString(string(f[2]))
	if err != nil || len(secret) == 0 {
		return lineBad
	}
	if label == "RSA" {
		if len(id) != 8 {
			return lineBad
		}
		k.premasters[[8]byte(id)] = secret
		return lineRead
	}
	if len(id) != 32 {
		return lineBad
	}
	s := k.secrets[[32]byte(id)]
	if s == nil {
		s = &secrets{}
	} else {
		c := *s // readers keep what they were given
		s = &c
	}
	switch label {
	case "CLIENT_RANDOM":
		s.master = secret
	case "PMS_CLIENT_RANDOM":
		s.premaster = secret
	case "CLIENT_EARLY_TRAFFIC_SECRET":
		s.early = secret
	case "CLIENT_HANDSHAKE_TRAFFIC_SECRET":
		s.handshake[0] = secret
	case "SERVER_HANDSHAKE_TRAFFIC_SECRET":
		s.handshake[1] = secret
	case "CLIENT_TRAFFIC_SECRET_0":
		s.traffic[0] = secret
	case "SERVER_TRAFFIC_SECRET_0":
		s.traffic[1] = secret
	default:
		return lineOther
	}
	k.secrets[[32]byte(id)] = s
	return lineRead
}

// lookup returns the secrets of a session, the empty ones when there are none.
// enough says whether they are what the caller needs; if not, more are asked
// for once.
func (k *Keys) lookup(random [32]byte, enough func(*secrets) bool) *secrets {
	if k == nil {
		return &secrets{}
	}
	get := func() (*secrets, func()) {
		k.mu.RLock()
		defer k.mu.RUnlock()
		s := k.secrets[random]
		if s == nil {
			s = &secrets{}
		}
		return s, k.refill
	}
	s, refill := get()
	if refill != nil && !enough(s) {
		refill()
		s, _ = get()
	}
	return s
}

// premaster returns the premaster secret behind an encrypted one, by an RSA
// line of a key log or a private key. by says which.
func (k *Keys) premaster(encrypted []byte) (secret []byte, by string) {
	if k == nil || len(encrypted) < 8 {
		return nil, ""
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if s := k.premasters[[8]byte(encrypted)]; s != nil {
		return s, byKeyLog
	}
	for _, key := range k.rsa {
		if key.Size() != len(encrypted) {
			continue
		}
		// A passive reader has no peer that could learn from a padding error.
		//lint:ignore SA1019 It is what the static RSA exchange uses.
		if s, err := rsa.DecryptPKCS1v15(nil, key, encrypted); err == nil && len(s) == 48 {
			return s, byRSA
		}
	}
	return nil, ""
}
