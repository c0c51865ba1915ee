package tls

import (
	"crypto/sha256"
	"sync"
)

// memory keeps what sessions left behind for those that resume them: by the
// digest of a session id or ticket, whose it was and its master secret.
type memory struct {
	mu   sync.Mutex
	by   map[[32]byte]origin
	ring [][32]byte
	next int
}

type origin struct {
	session string
	master  []byte // nil when it is not known, or of TLS 1.3
	server  string // name that was asked for
}

// maxMemory bounds the session ids and tickets that are remembered; the
// oldest are forgotten.
const maxMemory = 16384

func newMemory() *memory { return &memory{by: map[[32]byte]origin{}} }

func (m *memory) put(id []byte, o origin) {
	if len(id) == 0 {
		return
	}
	key := sha256.Sum256(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.by[key]; ok {
		return // the first one is where it came from
	}
	if len(m.ring) < maxMemory {
		m.ring = append(m.ring, key)
	} else {
		delete(m.by, m.ring[m.next])
		m.ring[m.next] = key
		m.next = (m.next + 1) % maxMemory
	}
	m.by[key] = o
}

func (m *memory) get(id []byte) (origin, bool) {
	if len(id) == 0 {
		return origin{}, false
	}
	key := sha256.Sum256(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.by[key]
	return o, ok
}
