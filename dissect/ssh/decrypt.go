package ssh

import (
	"bytes"
	"errors"
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// decryption reads what is behind NEWKEYS with the secrets of a key log. It
// exists only when there is one.
type decryption struct {
	log     *KeyLog
	idents  [2][]byte // identification lines without their ends
	x       exchange  // the key exchange in hand
	offers  [2]*offer
	session []byte // hash of the first exchange
	ways    [2]way
	began   bool // the first exchange was opened
	off     bool // an exchange could not be opened
	login   login
	conn    connection
}

// way is the decryption of one direction.
type way struct {
	opener      opener
	next        *wayKeys // what NEWKEYS takes into use
	seq         uint32
	compression string
	inflate     *inflater
	search      *search // behind a hole
	work        int     // of all searches
	dark        bool    // decryption has ended
}

// delayed is the compression that begins behind the login.
const delayed = "zlib@openssh.com"

type wayKeys struct {
	opener      opener
	compression string
}

// keepIdent remembers an identification for the exchange hash.
func (d *dissector) keepIdent(dir dissect.Dir, line []byte) {
	if d.dec != nil {
		d.dec.idents[dir] = bytes.Clone(line)
	}
}

// keepInit remembers a KEXINIT; the first one of an exchange makes it anew.
func (c *decryption) keepInit(dir dissect.Dir, payload []byte, o *offer) {
	if c == nil || len(payload) > maxKeptInit {
		return
	}
	if c.x.init[dir] != nil {
		c.x, c.offers = exchange{}, [2]*offer{}
	}
	c.x.init[dir], c.offers[dir] = bytes.Clone(payload), o
}

func (c *decryption) keepMessage(dir dissect.Dir, payload []byte, at record.Stamp) {
	if c == nil || len(c.x.messages) >= maxKexMessages || c.x.kept+len(payload) > maxKexBytes {
		return
	}
	c.x.kept += len(payload)
	c.x.messages = append(c.x.messages, kexMessage{dir, bytes.Clone(payload), at})
}

// prepare makes the keys of the exchange in hand for both directions, at the
// first of its NEWKEYS.
func (c *decryption) prepare() (note string, err error) {
	if c.offers[0] == nil || c.offers[1] == nil {
		return "", errExchangeCut
	}
	n, failed := negotiate(c.offers[0], c.offers[1])
	if len(failed) > 0 {
		return "", errExchangeCut
	}
	c.x.method = n.Kex
	for i, o := range c.offers {
		c.x.skip[i] = n.WrongGuess && o.init.Guess
	}
	s, err := c.x.derive(c.log, c.idents, c.session)
	if err != nil {
		return "", err
	}
	var next [2]*wayKeys
	for i, way := range [...]struct{ cipher, mac, compression string }{
		{n.CipherC2S, n.MACC2S, n.CompressionC2S}, {n.CipherS2C, n.MACS2C, n.CompressionS2C},
	} {
		switch way.compression {
		case "none", "zlib", delayed:
		default:
			return "", fmt.Errorf("compression %s is not known", way.compression)
		}
		o, doubt, err := newOpener(s, way.cipher, way.mac, i)
		if err != nil {
			return "", err
		}
		if doubt != "" {
			note = doubt
		}
		next[i] = &wayKeys{o, way.compression}
	}
	c.ways[0].next, c.ways[1].next = next[0], next[1]
	c.session = s.session
	c.x, c.offers = exchange{}, [2]*offer{}
	return note, nil
}

// unseal takes the keys of a direction into use behind its NEWKEYS, and
// reports whether what follows can be read.
func (d *dissector) unseal(dir dissect.Dir, at record.Stamp) bool {
	c := d.dec
	if c == nil {
		return false
	}
	w := &c.ways[dir]
	if w.next == nil {
		if c.off || !c.knows() {
			c.off = true // without a word: the log is about other connections
			return false
		}
		note, err := c.prepare()
		if err != nil {
			c.off = true
			d.violate("ssh_not_decrypted", dir, at, err.Error())
			return false
		}
		c.login.note = note
	}
	w.opener, w.compression, w.next = w.next.opener, w.next.compression, nil
	w.inflate = nil
	if w.compression == "zlib" || w.compression == delayed && c.login.done {
		w.inflate = &inflater{}
	}
	if !c.began {
		w.seq = uint32(d.sides[dir].packets)
	}
	if d.strictNow() {
		w.seq = 0
	}
	c.began = c.ways[0].opener != nil && c.ways[1].opener != nil
	return true
}

// knows reports whether the log has a secret for the exchange in hand.
func (c *decryption) knows() bool {
	var cookies [2][]byte
	for i, init := range c.x.init {
		if len(init) >= 17 {
			cookies[i] = init[1:17]
		}
	}
	_, _, ok := c.log.find(cookies)
	return ok
}

// strictNow reports whether strict key exchange is in force; the record's
// field outlives the offers.
func (d *dissector) strictNow() bool { return d.hs.strict() }

// consumeOpened takes one packet out of its encryption.
func (d *dissector) consumeOpened(dir dissect.Dir, b []byte) int {
	w := &d.dec.ways[dir]
	switch {
	case w.dark:
		return len(b)
	case w.search != nil:
		return d.resume(dir, b)
	}
	at := d.env.At(0)
	payload, size, err := w.packet(b)
	switch {
	case err != nil:
		d.darken(dir, at, err)
		return len(b)
	case size == 0:
		return 0
	}
	d.opened(dir, payload, at)
	return size
}

var errPadding = errors.New("a packet's padding makes no sense")

// packet decrypts the packet at the front of b; size is 0 when it is not whole.
func (w *way) packet(b []byte) (payload []byte, size int, err error) {
	size, err = w.opener.size(w.seq, b)
	if err != nil || size == 0 || len(b) < size {
		return nil, 0, err
	}
	plain, err := w.opener.open(w.seq, b[:size])
	if err != nil {
		return nil, 0, err
	}
	payload, err = w.payload(plain)
	return payload, size, err
}

// payload takes the message out of an opened packet.
func (w *way) payload(plain []byte) ([]byte, error) {
	padding := int(plain[4])
	if len(plain)-5-padding < 1 {
		return nil, errPadding
	}
	payload := plain[5 : len(plain)-padding]
	if w.inflate != nil {
		var err error
		if payload, err = w.inflate.packet(payload); err != nil {
			return nil, err
		}
		if len(payload) == 0 {
			return nil, errInflate
		}
	}
	w.seq++
	return payload, nil
}

// darken ends the decryption of a direction: behind a packet that does not fit
// nothing can be trusted.
func (d *dissector) darken(dir dissect.Dir, at record.Stamp, why error) {
	w := &d.dec.ways[dir]
	w.dark, w.inflate, w.search = true, nil, nil
	code := "ssh_decryption_ended"
	if errors.Is(why, errTag) {
		code = "ssh_mac_failure"
	}
	d.violate(code, dir, at, fmt.Sprintf("what the %s sends is not decrypted from here on: %s", dir, why))
	d.dec.conn.blinded(dir)
}

// opened takes one decrypted message.
func (d *dissector) opened(dir dissect.Dir, p []byte, at record.Stamp) {
	c := d.dec
	switch t := p[0]; {
	case t == msgDisconnect:
		r := reader{b: p[1:]}
		code := r.uint32()
		c.conn.disconnect = &record.SSHDisconnect{By: dir.String(), Code: code, Reason: disconnectReason(code), Description: clip(r.string(), keptLine)}
	case t <= msgDebug:
	case t == msgKexInit:
		o, ok := parseKexInit(p)
		if !ok {
			d.violate("ssh_kexinit_cut", dir, at, "KEXINIT ends inside a list")
		}
		if c.x.init[dir] == nil && c.x.init[dir.Other()] == nil {
			c.conn.rekeys++
		}
		c.keepInit(dir, p, o)
	case t == msgNewKeys:
		if !d.unseal(dir, at) {
			d.darken(dir, at, errors.New("the secret of the renewed key exchange is not in the key log"))
		}
	case t >= msgKexFirst && t <= msgKexLast:
		c.keepMessage(dir, p, at)
	case t < 50:
		c.login.transport(d, dir, p, at)
	case t < 80:
		c.login.message(d, dir, p, at)
	default:
		c.login.passed(d, dir, at)
		c.conn.message(d, dir, p, at)
	}
}

// authenticated starts the compression that waits for the login.
func (c *decryption) authenticated() {
	for i := range c.ways {
		if w := &c.ways[i]; w.compression == delayed && w.inflate == nil {
			w.inflate = &inflater{}
		}
	}
}

// finish writes what is open when the connection has ended.
func (c *decryption) finish(d *dissector, end, by string) {
	for dir := range c.ways {
		if s := c.ways[dir].search; s != nil {
			d.darken(dissect.Dir(dir), s.at, errHole)
		}
	}
	c.login.finish(d)
	c.conn.finish(d, end, by)
}
