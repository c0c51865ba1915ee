package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"sniff/content"
	"sniff/record"
)

// maxContentGaps is how many holes of a body are listed.
const maxContentGaps = 16

// counter is the content.Opener of a Config without one: it counts and
// digests the bytes as they stand, no more.
type counter struct{}

func (counter) Open(info content.Info) content.Body {
	b := &counted{sum: sha256.New()}
	b.c.Name = info.Name
	return b
}

// counted is both the body and its result: it is finished when it is closed.
type counted struct {
	c   record.Content
	at  int64 // offset, missing bytes included
	sum hash.Hash
}

func (b *counted) Write(p []byte) {
	b.sum.Write(p)
	b.c.Size += int64(len(p))
	b.at += int64(len(p))
}

func (b *counted) Gap(n int64) {
	b.c.Partial = true
	switch {
	case n < 0:
		b.c.Missing = -1
		n = 0
	case b.c.Missing >= 0:
		b.c.Missing += n
	}
	if len(b.c.Gaps) < maxContentGaps {
		b.c.Gaps = append(b.c.Gaps, record.Range{From: b.at, To: b.at + n})
	}
	b.at += n
}

func (b *counted) Close(complete bool) content.Result {
	b.c.Partial = b.c.Partial || !complete
	b.c.SHA256 = hex.EncodeToString(b.sum.Sum(nil))
	return b
}

func (b *counted) Wait() *record.Content    { return &b.c }
func (b *counted) Loaded() []content.Loaded { return nil }
