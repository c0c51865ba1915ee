package ssh

import (
	"encoding/hex"
	"sync"

	"sniff/dissect"
	"sniff/record"
)

// offers remembers KEXINITs that were taken apart. All connections of one
// program send the same lists behind another cookie, so among many handshakes
// few have to be read. What is remembered is only read, and shared by records.
type offers struct {
	mu    sync.Mutex // the proxy reads connections at the same time
	known [2]map[string]*knownOffer
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
