package ssh

import (
	"encoding/hex"
	"sync"

	"sniff/dissect"
	"sniff/record"
)

// offers remembers KEXINITs, identifications and host keys that were taken
// apart. All connections of one program send the same lists behind another
// cookie, and all of one server the same key, so among many handshakes few have
// to be read. What is remembered is only read, and shared by records.
type offers struct {
	mu    sync.Mutex // the proxy reads connections at the same time
	known [2]map[string]*knownOffer
	ids   map[string]*record.SSHIdentification
	keys  map[string]*record.SSHHostKey
}

type knownOffer struct {
	offer      offer
	sum, text  string // HASSH
	wellFormed bool
}

// Limits of what is remembered.
const (
	maxOffers    = 256 // of each side
	maxOfferSize = 8 << 10
)

// read takes a KEXINIT apart, or finds it among those it knows.
func (o *offers) read(dir dissect.Dir, p []byte) (k *knownOffer) {
	const head = 17 // message number and cookie
	if len(p) <= head || len(p) > maxOfferSize {
		return parseOffer(dir, p)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k = o.known[dir][string(p[head:])]
	if k == nil {
		k = parseOffer(dir, p)
		if o.known[dir] == nil {
			o.known[dir] = make(map[string]*knownOffer)
		}
		if len(o.known[dir]) < maxOffers {
			o.known[dir][string(p[head:])] = k
		}
	}
	// The caller's own, with its cookie.
	own := *k
	init := *k.offer.init
	var cookie [2 * 16]byte
	hex.Encode(cookie[:], p[1:head])
	init.Cookie = string(cookie[:])
	own.offer.init = &init
	return &own
}

func parseOffer(dir record.Dir, p []byte) *knownOffer {
	o, ok := parseKexInit(p)
	k := &knownOffer{offer: *o, wellFormed: ok}
	k.sum, k.text = o.hassh(dir)
	return k
}

// identification takes an identification apart.
func (o *offers) identification(text []byte) *record.SSHIdentification {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := o.ids[string(text)]
	if id == nil {
		id = parseIdentification(string(text))
		o.ids = remember(o.ids, text, id)
	}
	return id
}

// hostKey describes a public key blob.
func (o *offers) hostKey(blob []byte) *record.SSHHostKey {
	if len(blob) > maxOfferSize {
		return readHostKey(blob)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.keys[string(blob)]
	if k == nil {
		k = readHostKey(blob)
		o.keys = remember(o.keys, blob, k)
	}
	return k
}

// remember adds to a map that has room.
func remember[T any](m map[string]*T, key []byte, v *T) map[string]*T {
	if m == nil {
		m = make(map[string]*T)
	}
	if len(m) < maxOffers {
		m[string(key)] = v
	}
	return m
}
