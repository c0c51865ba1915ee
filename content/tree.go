package content

import (
	"slices"
	"strings"

	"sniff/record"
)

// tree takes a mail message or a multipart body apart. It keeps a stack of
// the entities (RFC 2045, section 2.4) that are open, the outermost first;
// lines.go splits the bytes, this file opens and closes entities.
//
// Bytes go to the topmost entity as they come; nothing but the head and the
// line that may be a boundary is gathered. A part that is itself coded and
// structured (a message in base64) has a tree of its own behind its decoder.
type tree struct {
	rd    *reading
	depth int // how deep this tree lies in others
	stack []entity
	at    int64 // bytes before decoding so far, missing ones included
	lines lines
	fence bool // some open multipart has a boundary to look for
	raws  int  // open messages with a copy of their raw bytes
}

// entity is a message, a multipart or a leaf that is open.
type entity struct {
	kind  entityKind
	state entityState
	c     *record.Content
	begin int64 // where its body begins, in tree.at

	// A multipart's.
	boundary string
	guess    bool   // there is no boundary parameter: take the first line like one
	start    string // multipart/related: Content-ID of the root
	rooted   bool   // the root was seen
	digest   bool   // parts are messages unless they say otherwise
	parts    int
	any      bool // a boundary was seen

	to  sink // a leaf's
	raw *rawCopy

	// offer: loads may have what is inside. action is for the root part.
	offer   bool
	action  string
	message *record.Content // the nearest message around it
	skipped bool            // past the limit of parts: read over
}

type entityKind uint8

const (
	leafEntity entityKind = iota
	multipartEntity
	messageEntity
)

type entityState uint8

const (
	inHead entityState = iota
	inBody             // a multipart's: between its boundaries, where a part is open above it
	inPreamble
	inEpilogue
)

// rawCopy digests and stores a message as it was sent.
type rawCopy struct {
	sums  *sums
	store artefact
}

// newMessageTree returns a sink for a mail message.
func newMessageTree(rd *reading, c *record.Content, info *Info, depth int, offer bool) *tree {
	t := &tree{rd: rd, depth: depth}
	t.pushMessage(c, offer, info)
	return t
}

// newMultipartTree returns a sink for a multipart body whose head the carrier
// has read.
func newMultipartTree(rd *reading, c *record.Content, mt *mediaType, depth int, offer bool) *tree {
	t := &tree{rd: rd, depth: depth}
	action := rd.info.Action
	if action == "" {
		action = mt.get("action")
	}
	t.pushMultipart(c, mt, &entity{offer: offer, action: action, message: c})
	return t
}

func (t *tree) top() *entity { return &t.stack[len(t.stack)-1] }

// pushMessage opens a message whose head comes next.
func (t *tree) pushMessage(c *record.Content, offer bool, info *Info) {
	e := entity{kind: messageEntity, state: inHead, c: c, begin: t.at, offer: offer, message: c}
	e.raw = &rawCopy{sums: t.rd.r.pools.sums.Get().(*sums)}
	e.raw.store.create(t.rd, info, c, Raw)
	t.raws++
	t.stack = append(t.stack, e)
	t.lines.startHead(t.rd.r.config.Limits.Head / 4)
}

// pushMultipart opens a multipart whose head was read.
func (t *tree) pushMultipart(c *record.Content, mt *mediaType, from *entity) {
	e := entity{kind: multipartEntity, state: inPreamble, c: c, begin: t.at,
		offer: from.offer, message: from.message}
	e.boundary = strings.TrimRight(clip(mt.get("boundary"), maxBoundary), " \t")
	if e.boundary == "" {
		e.guess = true
		c.Problem("boundary_missing")
	}
	switch mt.name {
	case "multipart/related":
		e.start = trimID(mt.get("start"))
		e.action = from.action
	case "multipart/digest":
		e.digest = true
		e.rooted = true
	default:
		e.action = from.action
		e.rooted = true
	}
	t.stack = append(t.stack, e)
	t.fence = true
	t.lines.startBody()
}

// pushPart opens a part of the multipart on top; its head comes next.
func (t *tree) pushPart() {
	m := t.top()
	m.parts++
	m.state = inBody
	m.any = true
	rd := t.rd
	e := entity{kind: leafEntity, state: inHead, begin: t.at, message: m.message}
	if rd.parts++; rd.parts > rd.r.config.Limits.Parts {
		m.c.MoreParts++
		rd.root.Problem("too_many_parts")
		rd.root.Partial = true
		e.skipped = true
		e.c = &record.Content{}
		t.stack = append(t.stack, e)
		t.lines.startHead(0)
		return
	}
	e.c = &record.Content{Path: childPath(m.c.Path, m.parts)}
	m.c.Parts = append(m.c.Parts, e.c)
	t.stack = append(t.stack, e)
	t.lines.startHead(min(64<<10, rd.r.config.Limits.Head/4))
}

// endHead reads the head of the topmost entity, and opens what its type says.
func (t *tree) endHead() {
	e := t.top()
	e.begin = t.at
	if e.skipped {
		t.lines.startBody()
		e.state = inBody
		e.to = discard{}
		return
	}
	if t.lines.headCut {
		e.c.Problem("head_too_long")
	}
	if t.lines.damage != "" {
		e.c.Problem(t.lines.damage)
	}
	h := readPartHead(parseFields(t.lines.head))
	if e.kind == messageEntity {
		e.state = inBody
		readHead(t.rd, e.c, h.fields, h.mt.get("charset"))
		// The body of a message is its only part. IMAP's numbers (RFC 9051,
		// section 6.4.5) count a multipart's parts through its message.
		body := &record.Content{Path: e.c.Path}
		if !strings.HasPrefix(h.mt.name, "multipart/") {
			body.Path = childPath(e.c.Path, 1)
		}
		e.c.Parts = append(e.c.Parts, body)
		t.rd.parts++
		t.openBody(body, &h, entity{offer: e.offer, message: e.c}, len(t.stack))
		return
	}
	from := entity{message: e.message}
	at := len(t.stack) - 1
	if at > 0 {
		// Of a multipart/related, loads get the root (RFC 2387, section 3.2).
		m := &t.stack[at-1]
		from.offer = m.offer
		if !m.rooted {
			from.action = m.action
			if m.start == "" || h.id == m.start || h.id == "" && m.parts == 1 {
				m.rooted = true
			} else {
				from.offer = false
			}
		} else if m.c.MediaType == "multipart/related" {
			from.offer = false
		}
		if m.digest && h.mt.name == "" {
			h.mt.name = "message/rfc822"
		}
	}
	c := e.c
	t.stack = t.stack[:at]
	t.openBody(c, &h, from, at)
}

// openBody opens an entity by its head, which was read.
func (t *tree) openBody(c *record.Content, h *partHead, from entity, level int) {
	declare(c, &h.mt)
	if name := h.disposition.get("filename"); name != "" {
		c.Name = clip(decodeText(name, c.Charset), 1024)
	}
	if c.MediaType == "" {
		c.MediaType = "text/plain" // RFC 2045, section 5.2
	}
	c.Disposition = clip(h.disposition.name, 64)
	c.ID = clip(h.id, 1024)
	c.Location = clip(h.location, 1024)
	rd := t.rd
	deep := t.depth+level >= rd.r.config.Limits.Depth
	isMultipart := strings.HasPrefix(c.MediaType, "multipart/")
	isMessage := isMessageType(c.MediaType)
	if deep && (isMultipart || isMessage) {
		c.Problem("too_deep")
		rd.root.Problem("too_deep")
		isMultipart, isMessage = false, false
	}
	coded := transferName(h.encoding) != ""
	info := t.partInfo(c, h, from.action)
	switch {
	case isMultipart && !coded:
		t.pushMultipart(c, &h.mt, &from)
		return
	case isMessage && !coded:
		t.pushMessage(c, from.offer, info)
		return
	}
	e := entity{kind: leafEntity, state: inBody, c: c, begin: t.at, message: from.message}
	switch {
	case isMultipart: // against RFC 2045, section 6.4
		e.to = newMultipartTree(rd, c, &h.mt, t.depth+level+1, from.offer)
	case isMessage:
		e.to = newMessageTree(rd, c, info, t.depth+level+1, from.offer)
	default:
		l := newLeaf(rd, c, info, from.offer)
		if kind := reportType(c.MediaType); kind != "" {
			l.texts = append(l.texts, &reportReader{kind: kind, to: from.message, part: c})
		}
		e.to = l
	}
	e.to = transferDecoder(rd, c, h.encoding, e.to)
	t.stack = append(t.stack, e)
	t.lines.startBody()
}

// isMessageType names the types whose body begins with the head of a message.
func isMessageType(name string) bool {
	switch name {
	case "message/rfc822", "message/global", "message/news", "text/rfc822-headers",
		"text/rfc822", "message/global-headers":
		return true
	}
	return false
}

// partInfo is what loads and the store are told about a part.
func (t *tree) partInfo(c *record.Content, h *partHead, action string) *Info {
	rd := t.rd
	if rd.r.config.Store == nil && len(rd.r.config.Loads) == 0 {
		return rd.info
	}
	info := *rd.info
	info.Role = File
	info.Name, info.ContentType, info.TransferEncoding = c.Name, h.contentType, h.encoding
	info.Codings, info.ID, info.Action = nil, c.ID, action
	if a := h.mt.get("action"); a != "" && action == "" {
		info.Action = a
	}
	return &info
}

// closeTo closes the entities above the first n, the topmost first.
func (t *tree) closeTo(n int, complete bool) {
	for len(t.stack) > n {
		e := t.top()
		if e.state == inHead {
			// It ended within its head: it still is what its head says.
			t.endHead()
			continue
		}
		t.end(e, complete)
		t.stack[len(t.stack)-1] = entity{}
		t.stack = t.stack[:len(t.stack)-1]
	}
	t.fence = slices.ContainsFunc(t.stack, func(e entity) bool { return e.kind == multipartEntity })
}

// end finishes the record of one entity.
func (t *tree) end(e *entity, complete bool) {
	if e.skipped {
		return
	}
	if !complete {
		e.c.Partial = true
	}
	length := t.at - e.begin
	switch e.kind {
	case leafEntity:
		e.to.close(complete && !e.c.Partial)
		if e.c.Encoding != "" {
			e.c.WireSize = length - max(e.c.Missing, 0)
		}
	case multipartEntity:
		e.c.Size = length - max(e.c.Missing, 0)
		switch {
		case !e.any && e.boundary == "":
		case !e.any:
			e.c.Problem("boundary_not_found")
		case e.state != inEpilogue:
			e.c.Problem("boundary_unclosed")
		}
	case messageEntity:
		t.raws--
		e.raw.close(t.rd, e.c)
	}
}

func (r *rawCopy) write(rd *reading, c *record.Content, p []byte) {
	c.Size += int64(len(p))
	r.sums.write(p)
	r.store.write(rd, c, p)
}

func (r *rawCopy) close(rd *reading, c *record.Content) {
	r.sums.end(rd, c)
	r.store.close(rd, c)
}

// discard is the sink of what is not read.
type discard struct{}

func (discard) write([]byte) {}
func (discard) gap(int64)    {}
func (discard) close(bool)   {}

// partHead is what the head of an entity says about its body.
type partHead struct {
	fields       []field
	contentType  string
	mt           mediaType
	disposition  mediaType
	encoding, id string
	location     string
}

// readPartHead reads the MIME fields (RFC 2045, section 3). The first of
// several of one name counts.
func readPartHead(fields []field) (h partHead) {
	h.fields = fields
	seen := [5]bool{}
	once := func(i int) bool { was := seen[i]; seen[i] = true; return !was }
	for i := range fields {
		f := &fields[i]
		if len(f.name) < 10 || !strings.EqualFold(f.name[:8], "content-") {
			continue
		}
		switch {
		case f.is("Content-Type") && once(0):
			h.contentType = clip(f.value, maxValue)
			h.mt = parseType(h.contentType)
		case f.is("Content-Transfer-Encoding") && once(1):
			h.encoding = clip(f.value, 256)
		case f.is("Content-Disposition") && once(2):
			h.disposition = parseType(clip(f.value, maxValue))
		case f.is("Content-ID") && once(3):
			h.id = trimID(f.value)
		case f.is("Content-Location") && once(4):
			h.location = strings.TrimSpace(f.value)
		}
	}
	return h
}
