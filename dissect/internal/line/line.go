// Package line splits a stream into lines. It keeps no bytes: the session
// does. What it keeps is how far it has searched, so that a line that comes
// one byte at a time costs no more than one that comes whole.
package line

import "bytes"

// DefaultMax is the longest line, its end included, when Splitter.Max is 0.
const DefaultMax = 64 << 10

// End says how a line ended.
type End uint8

const (
	// None: the end of the line is not here yet.
	None End = iota
	// CRLF and LF: the line ended with CR LF, or with a bare LF.
	CRLF
	LF
	// Long: no end within Max bytes. What is returned is the first Max bytes
	// of the line; the next call goes on behind them, as if a line began
	// there.
	Long
)

// Splitter finds the lines of one direction. The zero value is ready.
//
// A carriage return without a line feed is part of the line; whether it ends
// one is up to the caller.
type Splitter struct {
	// Max is the longest line, its end included; 0 means DefaultMax. It must
	// be less than the session's limit on an unfinished token.
	Max int

	searched int
}

// Next returns the line at the front of b without its end, how it ended, and
// how many bytes it takes with its end. n is 0 when b holds no whole line;
// then the next call must be given the same bytes again, with more behind
// them, or Reset must be called before.
//
// What comes out does not depend on how the stream was cut.
func (s *Splitter) Next(b []byte) (text []byte, end End, n int) {
	limit := s.Max
	if limit <= 0 {
		limit = DefaultMax
	}
	window := b[:min(len(b), limit)]
	from := min(s.searched, len(window))
	i := bytes.IndexByte(window[from:], '\n')
	if i < 0 {
		if len(b) < limit {
			s.searched = len(b)
			return nil, None, 0
		}
		s.searched = 0
		return window, Long, limit
	}
	s.searched = 0
	i += from
	if i > 0 && b[i-1] == '\r' {
		return b[:i-1], CRLF, i + 1
	}
	return b[:i], LF, i + 1
}

// Reset forgets how far was searched. It is needed where the bytes that come
// next are not the ones that were searched: after a gap, or when something
// else than lines was read in between.
func (s *Splitter) Reset() { s.searched = 0 }
