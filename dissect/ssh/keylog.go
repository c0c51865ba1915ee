package ssh

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// KeyLog holds the secrets of SSH connections, by the cookie of the KEXINIT
// that began the key exchange. It is read only once it was made.
type KeyLog struct {
	secrets map[[16]byte]secret
}

// secret is what a key log says of one key exchange.
type secret struct {
	private bool // an ephemeral private key; else the shared secret K
	key     []byte
}

// maxKeyLogLine is longer than any line: the largest key in use is an 8192 bit
// Diffie-Hellman value.
const maxKeyLogLine = 64 << 10

// ReadKeyLog reads the format that Wireshark reads: each line is
//
//	COOKIE SHARED_SECRET KEY
//	COOKIE PRIVATE_KEY KEY
//
// in hexadecimal, where COOKIE is the one of either side's KEXINIT, and
// PRIVATE_KEY is the ephemeral private value of the side whose cookie it is.
// Without a type, as in the format's first edition, the key is a private one.
// Empty lines and ones that begin with # are passed over.
func ReadKeyLog(r io.Reader) (*KeyLog, error) {
	log := &KeyLog{secrets: map[[16]byte]secret{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxKeyLogLine)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		fields := strings.Fields(string(text))
		var cookie [16]byte
		if len(fields[0]) != 2*len(cookie) {
			return nil, fmt.Errorf("ssh: key log line %d does not begin with a cookie of 32 digits", n)
		}
		if _, err := hex.Decode(cookie[:], []byte(fields[0])); err != nil {
			return nil, fmt.Errorf("ssh: key log line %d: cookie: %w", n, err)
		}
		var s secret
		switch {
		case len(fields) == 2:
			s.private = true
		case len(fields) == 3 && fields[1] == "PRIVATE_KEY":
			s.private = true
		case len(fields) == 3 && fields[1] == "SHARED_SECRET":
		default:
			return nil, fmt.Errorf("ssh: key log line %d is neither SHARED_SECRET nor PRIVATE_KEY", n)
		}
		key, err := hex.DecodeString(fields[len(fields)-1])
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("ssh: key log line %d holds no key in hexadecimal", n)
		}
		s.key = key
		log.secrets[cookie] = s
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("ssh: key log: %w", err)
	}
	return log, nil
}

// Len is how many key exchanges it knows.
func (l *KeyLog) Len() int { return len(l.secrets) }

// find looks for a secret under the cookies of both sides. of tells whose
// private key it is.
func (l *KeyLog) find(cookies [2][]byte) (s secret, of int, ok bool) {
	if l == nil {
		return s, 0, false
	}
	for i, c := range cookies {
		if len(c) != 16 {
			continue
		}
		if s, ok = l.secrets[[16]byte(c)]; ok {
			return s, i, true
		}
	}
	return s, 0, false
}
