package content

import (
	"strings"

	"sniff/record"
)

// firstBytes is how much of a leaf its type is told by.
const firstBytes = 1024

// leaf is the end of the way: a body or part with nothing inside that MIME
// knows. It detects the type, digests, and feeds the load and the store.
type leaf struct {
	rd    *reading
	c     *record.Content
	info  *Info
	offer bool // loads may have it

	first   *[firstBytes]byte // nil while it is not needed
	n       int               // bytes in first
	decided bool

	sums   *sums // kept for the next leaf
	parser Parser
	slot   int // where its Loaded goes
	store  artefact
	texts  []sink // readers of texts: URLs, uuencoded files, reports
}

// newLeaf returns a leaf that fills c. info is what loads and the store are
// told.
func newLeaf(rd *reading, c *record.Content, info *Info, offer bool) *leaf {
	l := rd.r.pools.leaves.Get().(*leaf)
	l.rd, l.c, l.info, l.offer = rd, c, info, offer
	if l.sums == nil {
		l.sums = rd.r.pools.newSums()
	}
	if isText(c.MediaType) {
		if rd.r.config.URLs {
			l.texts = append(l.texts, newURLScanner(rd, c))
		}
		if c.MediaType == "text/plain" {
			l.texts = append(l.texts, newUUFinder(rd, c, info))
		}
	}
	return l
}

// isText reports whether a declared type is worth searching for URLs.
func isText(mediaType string) bool {
	return mediaType == "" || strings.HasPrefix(mediaType, "text/") ||
		strings.HasSuffix(mediaType, "+xml") || strings.HasSuffix(mediaType, "/xml")
}

func (l *leaf) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if l.c.Size += int64(len(p)); !l.decided {
		if l.n == 0 && len(p) >= firstBytes {
			l.decide(p[:firstBytes])
			l.pass(p)
			return
		}
		if l.first == nil {
			l.first = l.rd.r.pools.firsts.Get().(*[firstBytes]byte)
		}
		n := copy(l.first[l.n:], p)
		l.n += n
		if p = p[n:]; l.n < firstBytes {
			return
		}
		l.decideFirst()
	}
	l.pass(p)
}

// all takes the bytes of a leaf that ends with them, and began with them.
func (l *leaf) all(p []byte) {
	l.c.Size = int64(len(p))
	l.decide(p[:min(len(p), firstBytes)])
	l.pass(p)
}

// decideFirst decides by what has been gathered, and passes it on.
func (l *leaf) decideFirst() {
	if l.decided {
		return
	}
	if l.first == nil {
		l.decide(nil)
		return
	}
	l.decide(l.first[:l.n])
	l.pass(l.first[:l.n])
	l.rd.r.pools.firsts.Put(l.first)
	l.first = nil
}

// decide names the type and finds who wants the leaf.
func (l *leaf) decide(first []byte) {
	l.decided = true
	l.c.Detected = detect(first)
	if l.c.Protection == "" && hasPGP(first) {
		l.c.Protection = "pgp-inline"
	}
	if l.offer {
		for _, load := range l.rd.r.config.Loads {
			if load.Recognise(l.info, l.c.MediaType, first) {
				l.parser = load.Parse(l.info, l.c.MediaType)
				l.slot = len(l.rd.loaded)
				l.rd.loaded = append(l.rd.loaded, Loaded{Load: load, Content: l.c})
				break
			}
		}
	}
	l.store.create(l.rd, l.info, l.c, Decoded)
}

// pass gives bytes to everybody who wants them.
func (l *leaf) pass(p []byte) {
	if len(p) == 0 {
		return
	}
	l.sums.write(p)
	if room := l.rd.r.config.Keep - len(l.c.Kept); room > 0 {
		l.c.Kept = append(l.c.Kept, p[:min(room, len(p))]...)
	}
	if l.parser != nil {
		l.parser.Write(p)
	}
	l.store.write(l.rd, l.c, p)
	for _, t := range l.texts {
		t.write(p)
	}
}

// gap is told of holes that its Content already knows of.
func (l *leaf) gap(n int64) {
	// What a load decides by must not be joined over the hole.
	l.decideFirst()
	l.c.Partial = true
	if l.parser != nil {
		l.parser.Gap(n)
	}
	l.store.gap(l.rd, l.c, n)
	for _, t := range l.texts {
		t.gap(n)
	}
}

func (l *leaf) close(complete bool) {
	l.decideFirst()
	if !complete {
		l.c.Partial = true
	}
	l.sums.note(l.c)
	if len(l.c.Kept) > 0 && l.c.Charset != "" && strings.HasPrefix(l.c.MediaType, "text/") && !strings.HasSuffix(l.c.MediaType, "xml") {
		// What is kept is kept to be read. XML says its charset itself.
		l.c.Kept = []byte(decodeBytes(string(l.c.Kept), l.c.Charset))
	}
	for _, t := range l.texts {
		t.close(complete)
	}
	if l.parser != nil {
		l.rd.loaded[l.slot].Value = l.parser.Close(!l.c.Partial)
	}
	l.store.close(l.rd, l.c)

	pool := &l.rd.r.pools.leaves
	clear(l.texts)
	l.texts = l.texts[:0]
	l.rd, l.c, l.info, l.parser, l.store = nil, nil, nil, nil, artefact{}
	l.n, l.decided = 0, false
	pool.Put(l)
}
