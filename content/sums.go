package content

import (
	"encoding/hex"
	"hash"

	"sniff/record"
)

// sums are the digests of one body or message; those that nobody asked for are
// nil.
type sums struct {
	sha256, sha1, md5 hash.Hash
	sum               [32]byte
	text              [64]byte
}

func (s *sums) write(p []byte) {
	s.sha256.Write(p)
	if s.sha1 != nil {
		s.sha1.Write(p)
	}
	if s.md5 != nil {
		s.md5.Write(p)
	}
}

// note notes the digests in c, and begins anew.
func (s *sums) note(c *record.Content) {
	c.SHA256, c.SHA1, c.MD5 = s.hex(s.sha256), s.hex(s.sha1), s.hex(s.md5)
}

// end notes the digests in c, and gives s back to its pool.
func (s *sums) end(rd *reading, c *record.Content) {
	s.note(c)
	rd.r.pools.sums.Put(s)
}

func (s *sums) hex(h hash.Hash) string {
	if h == nil {
		return ""
	}
	n := hex.Encode(s.text[:], h.Sum(s.sum[:0]))
	h.Reset()
	return string(s.text[:n])
}
