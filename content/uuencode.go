package content

import (
	"bytes"
	"strconv"

	"sniff/record"
)

// maxUULine is the longest "begin" line that is looked at; data lines have 61
// characters.
const maxUULine = 512

// uuReader finds uuencoded files (POSIX, uuencode) in a stream of lines. The
// first data line decides: "begin 100 miles away" is no file.
type uuReader struct {
	begin func(name string)
	data  func(p []byte)
	end   func(whole bool)
	// problem is called when a line of a file cannot be decoded.
	problem func()

	line   []byte
	skip   bool // the rest of this line is of no interest
	name   string
	named  bool // a begin line was seen, the next line decides
	inside bool
	out    [64]byte
}

func (u *uuReader) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		n := end
		if end == 0 {
			n = len(p)
		}
		switch {
		case u.skip:
		case len(u.line) == 0 && p[0] != 'b' && !u.named && !u.inside:
			u.skip = true
		case len(u.line) == 0 && end > 0 && end <= maxUULine:
			u.whole(p[:end])
		default:
			if len(u.line)+n > maxUULine {
				n = maxUULine - len(u.line)
				u.line = append(u.line, p[:n]...)
				u.whole(u.line)
				u.line, u.skip = u.line[:0], true
				p = p[n:]
				continue
			}
			u.line = append(u.line, p[:n]...)
			if end > 0 {
				u.whole(u.line)
				u.line = u.line[:0]
			}
		}
		if end > 0 {
			u.skip = false
		}
		p = p[n:]
	}
}

// whole reads one line.
func (u *uuReader) whole(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	if u.named {
		u.named = false
		if _, ok := u.decode(line); ok || string(line) == "end" {
			u.inside = true
			u.begin(u.name)
		}
	}
	if !u.inside {
		u.name, u.named = uuBegin(line)
		return
	}
	if string(bytes.TrimRight(line, " ")) == "end" {
		u.inside = false
		u.end(true)
		return
	}
	p, ok := u.decode(line)
	if !ok {
		if len(line) > 0 {
			u.problem()
		}
		return
	}
	if len(p) > 0 {
		u.data(p)
	}
}

// decode decodes one data line: a length, then groups of four characters.
// Groups may be short at the end: gateways strip trailing blanks.
func (u *uuReader) decode(line []byte) ([]byte, bool) {
	if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
		return nil, false
	}
	n := int(line[0]-' ') & 63
	line = line[1:]
	// One character more is a checksum of some encoders.
	if groups := (n + 2) / 3 * 4; len(line) > groups+2 || len(line)+8 < groups {
		return nil, false
	}
	out := u.out[:0]
	for len(out) < n {
		var g [4]byte
		for i := range g {
			if i < len(line) {
				if line[i] < ' ' || line[i] > '`' {
					return nil, false
				}
				g[i] = (line[i] - ' ') & 63
			}
		}
		line = line[min(4, len(line)):]
		out = append(out, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2, g[2]<<6|g[3])
	}
	return out[:n], true
}

// close ends the stream; a file without its end is cut.
func (u *uuReader) close() {
	if len(u.line) > 0 && (u.inside || u.named) {
		u.whole(u.line)
		u.line = u.line[:0]
	}
	if u.inside {
		u.inside = false
		u.end(false)
	}
}

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("begin "))
	if !ok {
		return "", false
	}
	mode, file, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(mode) < 3 || len(mode) > 4 || len(bytes.TrimSpace(file)) == 0 {
		return "", false
	}
	for _, b := range mode {
		if b < '0' || b > '7' {
			return "", false
		}
	}
	return string(bytes.TrimSpace(file)), true
}

// uuDecoder undoes the transfer encoding x-uuencode: the first file's bytes
// go on.
type uuDecoder struct {
	c     *record.Content
	next  sink
	lines uuReader
	found bool
}

func newUUDecoder(c *record.Content, next sink) *uuDecoder {
	d := &uuDecoder{c: c, next: next}
	d.lines.begin = func(name string) {
		d.found = true
		if c.Name == "" {
			c.Name = clip(decodeText(name, ""), 1024)
		}
	}
	d.lines.data = next.write
	d.lines.end = func(whole bool) {
		if !whole {
			c.Problem("uu_cut")
		}
	}
	d.lines.problem = func() { c.Problem("uu_damaged") }
	return d
}

func (d *uuDecoder) write(p []byte) { d.lines.write(p) }
func (d *uuDecoder) gap(n int64) {
	d.lines.skip = true
	d.lines.line = d.lines.line[:0]
	d.next.gap(-1)
}
func (d *uuDecoder) close(complete bool) {
	d.lines.close()
	if !d.found {
		d.c.Problem("uu_damaged")
	}
	d.next.close(complete)
}

// uuFinder makes parts of the uuencoded files in a plain text. The text
// itself stays whole.
type uuFinder struct {
	rd    *reading
	text  *record.Content
	info  *Info
	lines uuReader
	c     *record.Content
	to    sink
}

func newUUFinder(rd *reading, text *record.Content, info *Info) *uuFinder {
	f := &uuFinder{rd: rd, text: text, info: info}
	f.lines.begin = f.begin
	f.lines.data = func(p []byte) {
		if f.to != nil {
			f.to.write(p)
		}
	}
	f.lines.end = f.end
	f.lines.problem = func() {
		if f.c != nil {
			f.c.Problem("uu_damaged")
		}
	}
	return f
}

func (f *uuFinder) begin(name string) {
	if f.rd.parts++; f.rd.parts > f.rd.r.config.Limits.Parts {
		f.text.MoreParts++
		f.rd.root.Problem("too_many_parts")
		return
	}
	f.c = &record.Content{
		Name:        clip(decodeText(name, ""), 1024),
		MediaType:   "application/octet-stream",
		Encoding:    "uuencode",
		Disposition: "attachment",
		Path:        childPath(f.text.Path, len(f.text.Parts)+1),
	}
	f.text.Parts = append(f.text.Parts, f.c)
	info := *f.info
	info.Name, info.ContentType, info.ID, info.Action = f.c.Name, f.c.MediaType, "", ""
	f.to = newLeaf(f.rd, f.c, &info, true)
}

func (f *uuFinder) end(whole bool) {
	if f.to == nil {
		return
	}
	if !whole {
		f.c.Problem("uu_cut")
	}
	f.to.close(whole)
	f.to, f.c = nil, nil
}

func (f *uuFinder) write(p []byte) { f.lines.write(p) }

func (f *uuFinder) gap(n int64) {
	f.lines.line, f.lines.skip, f.lines.named = f.lines.line[:0], true, false
	if f.to != nil {
		addGap(f.c, f.c.Size, -1)
		f.to.gap(-1)
	}
}

func (f *uuFinder) close(bool) { f.lines.close() }

// childPath names part n of the part with the given path.
func childPath(path string, n int) string {
	if path == "" {
		return strconv.Itoa(n)
	}
	return path + "." + strconv.Itoa(n)
}
