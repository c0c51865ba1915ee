package content

import (
	"io"

	"sniff/record"
)

// Form says what a Store is offered.
type Form uint8

const (
	// Raw is a mail message as it was sent, dot-stuffing undone: its bytes
	// make an .eml file. Messages inside of messages are offered too.
	Raw Form = iota
	// Decoded is a leaf with all its codings undone: a file, an attachment,
	// an HTTP body, an envelope.
	Decoded
)

// Store takes copies of messages and leaves, for exports. It is called from
// several goroutines, in an order that depends on their speed: names must come
// from what is stored, not from when.
type Store interface {
	// Create is asked when the head of a message or the first kilobyte of a
	// leaf is known; nil means that it is not wanted. info is the carrier's,
	// or for a part made up from its head; c has name, types, ID and path,
	// and gets its sizes and digests by the time Artefact.Close is called. A
	// message's head is in c.Message only by then.
	Create(info *Info, c *record.Content, form Form) Artefact
}

// Artefact is one thing that is being stored.
type Artefact interface {
	io.Writer
	// Gap says that n bytes are missing here; n < 0: unknown how many.
	Gap(n int64) error
	// Close ends it and returns where it was stored, for
	// record.Content.Stored. What it needs to know is in the Content that
	// Create was given: SHA256, Partial, Gaps.
	Close() (stored string, err error)
}

// artefact calls an Artefact until it fails. The zero value stores nothing.
type artefact struct{ to Artefact }

func (a *artefact) create(rd *reading, info *Info, c *record.Content, form Form) {
	if s := rd.r.config.Store; s != nil {
		a.to = s.Create(info, c, form)
	}
}

func (a *artefact) write(rd *reading, c *record.Content, p []byte) {
	if a.to == nil {
		return
	}
	if _, err := a.to.Write(p); err != nil {
		a.failed(rd, c, err)
	}
}

func (a *artefact) gap(rd *reading, c *record.Content, n int64) {
	if a.to == nil {
		return
	}
	if err := a.to.Gap(n); err != nil {
		a.failed(rd, c, err)
	}
}

func (a *artefact) close(rd *reading, c *record.Content) {
	if a.to == nil {
		return
	}
	stored, err := a.to.Close()
	if err != nil {
		a.to = nil
		c.Problem("store_failed")
		rd.r.fail(err)
		return
	}
	c.Stored = stored
}

// failed closes what could not be written; the first error is the Reader's.
func (a *artefact) failed(rd *reading, c *record.Content, err error) {
	c.Problem("store_failed")
	rd.r.fail(err)
	a.to.Close()
	a.to = nil
}
