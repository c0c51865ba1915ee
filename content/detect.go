package content

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// magic is a type that is told by fixed bytes at a fixed place.
type magic struct {
	at    int
	bytes string
	name  string
}

// magics are tried in order. They are the types that are met in mails, web
// services and file transfers.
var magics = []magic{
	{0, "%PDF-", "application/pdf"},
	{0, "\x89PNG\r\n\x1a\n", "image/png"},
	{0, "\xff\xd8\xff", "image/jpeg"},
	{0, "GIF87a", "image/gif"},
	{0, "GIF89a", "image/gif"},
	{0, "BM", "image/bmp"},
	{0, "II*\x00", "image/tiff"},
	{0, "MM\x00*", "image/tiff"},
	{0, "\x00\x00\x01\x00", "image/vnd.microsoft.icon"},
	{8, "WEBP", "image/webp"},
	{8, "WAVE", "audio/wav"},
	{8, "AVI ", "video/x-msvideo"},
	{4, "ftypheic", "image/heic"},
	{4, "ftypavif", "image/avif"},
	{4, "ftypqt", "video/quicktime"},
	{4, "ftypM4A", "audio/mp4"},
	{4, "ftyp", "video/mp4"},
	{0, "ID3", "audio/mpeg"},
	{0, "OggS", "application/ogg"},
	{0, "fLaC", "audio/flac"},
	{0, "\x1aE\xdf\xa3", "video/x-matroska"},
	{0, "\x1f\x8b", "application/gzip"},
	{0, "BZh", "application/x-bzip2"},
	{0, "\xfd7zXZ\x00", "application/x-xz"},
	{0, "\x28\xb5\x2f\xfd", "application/zstd"},
	{0, "\x04\x22\x4d\x18", "application/x-lz4"},
	{0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"},
	{0, "Rar!\x1a\x07", "application/vnd.rar"},
	{0, "MSCF", "application/vnd.ms-cab-compressed"},
	{257, "ustar", "application/x-tar"},
	{0, "!<arch>\ndebian", "application/vnd.debian.binary-package"},
	{0, "\xed\xab\xee\xdb", "application/x-rpm"},
	{0, "\x7fELF", "application/x-elf"},
	{0, "MZ", "application/vnd.microsoft.portable-executable"},
	{0, "\xcf\xfa\xed\xfe", "application/x-mach-binary"},
	{0, "\xca\xfe\xba\xbe", "application/java-vm"},
	{0, "\x00asm", "application/wasm"},
	{0, "SQLite format 3\x00", "application/vnd.sqlite3"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"},
	{0, "{\\rtf", "application/rtf"},
	{0, "%!PS", "application/postscript"},
	{0, "\x78\x9f\x3e\x22", "application/ms-tnef"},
	{0, "wOFF", "font/woff"},
	{0, "wOF2", "font/woff2"},
	{0, "\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"},
	{0, "\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"},
	{0, "\x4d\x3c\xb2\xa1", "application/vnd.tcpdump.pcap"},
	{0, "\x0a\x0d\x0d\x0a", "application/x-pcapng"},
	{0, "L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut"},
	{0, "PK\x05\x06", "application/zip"},
	{0, "-----BEGIN PGP MESSAGE", "application/pgp-encrypted"},
	{0, "-----BEGIN PGP SIGNATURE", "application/pgp-signature"},
	{0, "-----BEGIN PGP PUBLIC KEY", "application/pgp-keys"},
	{0, "-----BEGIN PGP PRIVATE KEY", "application/pgp-keys"},
	{0, "-----BEGIN CERTIFICATE", "application/x-x509-cert"},
	{0, "-----BEGIN OPENSSH PRIVATE KEY", "application/x-openssh-private-key"},
	{0, "-----BEGIN RSA PRIVATE KEY", "application/x-pem-private-key"},
	{0, "-----BEGIN PRIVATE KEY", "application/x-pem-private-key"},
	{0, "-----BEGIN ENCRYPTED PRIVATE KEY", "application/x-pem-private-key"},
	{0, "BEGIN:VCALENDAR", "text/calendar"},
	{0, "BEGIN:VCARD", "text/vcard"},
	{0, "#!", "text/x-script"},
}

// candidates are, for each first byte, the magics that may fit, in order.
var candidates = func() (by [256][]*magic) {
	for i := range magics {
		m := &magics[i]
		for first := range by {
			if m.at > 0 || int(m.bytes[0]) == first {
				by[first] = append(by[first], m)
			}
		}
	}
	return by
}()

// detect names the media type of a body by its first bytes, "" for an empty
// one.
func detect(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	for _, m := range candidates[b[0]] {
		if len(b) >= m.at+len(m.bytes) && b[m.at] == m.bytes[0] && string(b[m.at:m.at+len(m.bytes)]) == m.bytes {
			if len(m.bytes) == 2 && m.name != "application/gzip" && looksText(b) && m.name != "text/x-script" {
				break // a text that begins with BM or MZ
			}
			return m.name
		}
	}
	if bytes.HasPrefix(b, []byte("PK\x03\x04")) {
		return detectZip(b)
	}
	return detectText(b)
}

// detectZip looks at the name of the first member.
func detectZip(b []byte) string {
	if len(b) < 30 {
		return "application/zip"
	}
	n := int(b[26]) | int(b[27])<<8
	name := b[30:min(len(b), 30+n)]
	rest := b[min(len(b), 30+n):]
	switch {
	case string(name) == "mimetype" && bytes.HasPrefix(rest, []byte("application/")):
		end := bytes.IndexFunc(rest, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '/' && r != '.' && r != '-' && r != '+'
		})
		if end > 0 && end < 100 {
			return string(rest[:end]) // OpenDocument, EPUB
		}
	case bytes.HasPrefix(name, []byte("[Content_Types].xml")), bytes.HasPrefix(name, []byte("_rels/")),
		bytes.HasPrefix(name, []byte("docProps/")):
		for _, x := range []struct{ mark, name string }{
			{"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
			{"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
			{"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
		} {
			if bytes.Contains(rest, []byte(x.mark)) {
				return x.name
			}
		}
		return "application/vnd.openxmlformats-officedocument"
	case bytes.HasPrefix(name, []byte("word/")):
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case bytes.HasPrefix(name, []byte("xl/")):
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case bytes.HasPrefix(name, []byte("META-INF/")):
		return "application/java-archive"
	case bytes.HasPrefix(name, []byte("AndroidManifest.xml")):
		return "application/vnd.android.package-archive"
	}
	return "application/zip"
}

// detectText tells markup, JSON and plain text from binary data.
func detectText(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")),
		bytes.HasPrefix(b, []byte("<\x00?\x00")), bytes.HasPrefix(b, []byte("\x00<\x00?")):
		// UTF-16: every other byte of its markup is a zero.
		if t := bytes.ReplaceAll(b, []byte{0}, nil); bytes.Contains(t[:min(len(t), 64)], []byte("<?xml")) {
			return "text/xml"
		}
		return "text/plain"
	}
	if !looksText(b) {
		return "application/octet-stream"
	}
	t := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(t) == 0 {
		return "text/plain"
	}
	switch t[0] {
	case '<':
		return detectMarkup(t)
	case '{', '[':
		if isJSON(t) {
			return "application/json"
		}
	}
	return "text/plain"
}

// detectMarkup looks at the tags at the front of t, which begins with "<".
func detectMarkup(t []byte) string {
	head := t[:min(len(t), 256)]
	if beginsWith(head, "<svg") {
		return "image/svg+xml"
	}
	if !beginsWith(head, "<?xml") {
		for _, mark := range [...]string{"<!doctype html", "<html", "<head", "<body", "<script", "<table", "<div", "<p>", "<a href"} {
			if beginsWith(head, mark) {
				return "text/html"
			}
		}
	} else {
		html := false
		for rest := head; ; rest = rest[1:] {
			i := bytes.IndexByte(rest, '<')
			if i < 0 {
				break
			}
			if rest = rest[i:]; beginsWith(rest, "<svg") {
				return "image/svg+xml"
			}
			html = html || beginsWith(rest, "<html")
		}
		if html {
			return "application/xhtml+xml"
		}
	}
	if isMarkup(t) {
		return "text/xml"
	}
	return "text/plain"
}

// beginsWith reports whether b begins with a mark in lower case, whatever case
// its letters are in.
func beginsWith(b []byte, mark string) bool {
	if len(b) < len(mark) {
		return false
	}
	for i := range len(mark) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != mark[i] {
			return false
		}
	}
	return true
}

// isMarkup reports whether t, which begins with "<", goes on like XML.
func isMarkup(t []byte) bool {
	if len(t) < 2 {
		return false
	}
	c := t[1]
	return (c == '?' || c == '!' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80) &&
		bytes.IndexByte(t, '>') > 0
}

// isJSON reports whether t, which begins with a bracket, goes on like JSON.
func isJSON(t []byte) bool {
	rest := bytes.TrimLeft(t[1:], " \t\r\n")
	if len(rest) == 0 {
		return false
	}
	switch c := rest[0]; {
	case c == '"', c == '}' && t[0] == '{', c == ']' && t[0] == '[':
		return true
	case t[0] == '[':
		return c == '{' || c == '[' || c == '-' || c >= '0' && c <= '9' ||
			bytes.HasPrefix(rest, []byte("true")) || bytes.HasPrefix(rest, []byte("false")) || bytes.HasPrefix(rest, []byte("null"))
	}
	return false
}

// looksText reports whether b has no control characters that texts lack. A
// text may be of any charset.
func looksText(b []byte) bool {
	if hasControl(b) {
		return false
	}
	if len(b) >= 256 {
		return true
	}
	high := 0
	for _, c := range b {
		if c >= 0x80 {
			high++
		}
	}
	// A kilobyte of random bytes has control characters for certain, a few
	// bytes may have none. Texts of most old charsets have hardly any
	// characters between 0x80 and 0xa0.
	if high > len(b)/3 && !utf8.Valid(b[:len(b)-tailBytes(b)]) {
		c1 := 0
		for _, c := range b {
			if c >= 0x80 && c < 0xa0 {
				c1++
			}
		}
		return c1 <= high/8
	}
	return true
}

// hasControl reports whether b has a control character that texts lack. Eight
// bytes at a time are seldom worth a closer look.
func hasControl(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if odd := ((w-0x20*ones)&^w | (del-ones)&^del) & highs; odd != 0 {
			// Ends of lines are the most common.
			lf, cr := w^'\n'*ones, w^'\r'*ones
			if odd&(lf&^highs+0x7f*ones|lf)&(cr&^highs+0x7f*ones|cr) != 0 && anyControl(b[:8]) {
				return true
			}
		}
		b = b[8:]
	}
	return anyControl(b)
}

func anyControl(b []byte) bool {
	for _, c := range b {
		if control[c] {
			return true
		}
	}
	return false
}

// control marks the control characters that texts lack.
var control = func() (set [256]bool) {
	for c := range 0x20 {
		set[c] = strings.IndexByte("\t\n\r\f\x1b\b", byte(c)) < 0
	}
	set[0x7f] = true
	return set
}()

// tailBytes is how many bytes at the end of b may be a cut UTF-8 character.
func tailBytes(b []byte) int {
	for i := 1; i <= 3 && i <= len(b); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if b[len(b)-i] >= 0xc0 {
				return i
			}
			return 0
		}
	}
	return 0
}

// hasPGP reports whether a text begins like one that PGP wrote: at its front,
// or behind a few lines.
func hasPGP(first []byte) bool {
	i := bytes.Index(first, []byte("-----BEGIN PGP "))
	return i == 0 || i > 0 && first[i-1] == '\n'
}
