package content

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"sniff/record"
)

// maxURL is the longest URL that is listed whole.
const maxURL = 2048

// urlScanner lists the URLs in a text. It splits the text at the characters
// that cannot be in a URL and looks for a known scheme in what is between.
type urlScanner struct {
	rd    *reading
	c     *record.Content
	word  []byte
	skip  bool // the word was too long: its rest is of no interest
	quote bool // HTML: references such as &amp; are undone
}

func newURLScanner(rd *reading, c *record.Content) *urlScanner {
	return &urlScanner{rd: rd, c: c, quote: c.MediaType == "text/html" || strings.HasSuffix(c.MediaType, "xml")}
}

func (u *urlScanner) write(p []byte) {
	for len(p) > 0 {
		i := 0
		for i < len(p) && !urlEnd[p[i]] {
			i++
		}
		if !u.skip {
			room := min(i, maxURL-len(u.word))
			u.word = append(u.word, p[:room]...)
			if room < i {
				u.take()
				u.skip = true
			}
		}
		if i == len(p) {
			return
		}
		u.take()
		u.skip = false
		p = p[i+1:]
	}
}

// take lists the URL in the word, if there is one.
func (u *urlScanner) take() {
	word := u.word
	u.word = u.word[:0]
	if len(word) < 8 || len(u.c.URLs) >= u.rd.r.config.Limits.URLs {
		return
	}
	at := bytes.Index(word, []byte(":"))
	if at < 0 {
		return
	}
	start := -1
	low := strings.ToLower(string(word))
	for _, scheme := range []string{"http://", "https://", "ftp://", "ftps://", "mailto:"} {
		if i := strings.Index(low, scheme); i >= 0 && (start < 0 || i < start) {
			start = i
		}
	}
	if start < 0 {
		return
	}
	s := string(word[start:])
	if u.quote {
		s = html.UnescapeString(s)
	}
	s = strings.TrimRight(s, ".,;:!?)]}*_")
	if strings.HasSuffix(s, "//") || slices.Contains(u.c.URLs, s) {
		return
	}
	if u.rd.urls++; u.rd.urls <= u.rd.r.config.Limits.URLs {
		u.c.URLs = append(u.c.URLs, s)
	}
}

func (u *urlScanner) gap(int64) {
	u.take()
	u.skip = true // what follows is the rest of a word
}

func (u *urlScanner) close(bool) { u.take() }

// urlEnd are the characters that end a URL in running text or in markup.
var urlEnd = func() (t [256]bool) {
	for i := range 33 {
		t[i] = true
	}
	for _, c := range []byte("\"'<>`|\\^{}\x7f") {
		t[c] = true
	}
	return t
}()
