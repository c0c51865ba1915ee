package ssh

import (
	"bytes"
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

const (
	// maxIdentification is the limit of RFC 4253, section 4.2, line end
	// included.
	maxIdentification = 255
	// maxLine is how long a line may be before it is no line any more.
	maxLine = 8192
	// maxLines is OpenSSH's limit on lines before the identification.
	maxLines = 1024
	// keptLines and keptLine bound what a record holds of them.
	keptLines, keptLine = 16, 512
)

// line consumes one line before or with the identification (RFC 4253,
// section 4.2).
func (d *dissector) line(dir dissect.Dir, b []byte) (int, error) {
	s := &d.sides[dir]
	end := bytes.IndexByte(b[min(s.searched, len(b)):], '\n')
	if end < 0 {
		s.searched = len(b)
		if len(b) > maxLine {
			return 0, fmt.Errorf("ssh: no line end within %d bytes", maxLine)
		}
		return 0, nil
	}
	end += s.searched
	s.searched = 0
	s.lines++
	text := b[:end]
	cr := bytes.HasSuffix(text, []byte("\r"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	at := d.env.At(0)
	if !hasIdentification(text) {
		if s.lines > maxLines {
			return 0, fmt.Errorf("ssh: more than %d lines before the identification", maxLines)
		}
		d.hs.otherLine(dir, text, at)
		if dir == dissect.ClientToServer && s.lines == 1 {
			d.violate("ssh_client_line_before_identification", dir, at, fmt.Sprintf("the client sent %q before its identification", clip(text, 80)))
		}
		return end + 1, nil
	}
	// Sides that speak SSH-1 too may send LF alone (section 5.1).
	if !cr && !bytes.HasPrefix(text, []byte("SSH-1.")) {
		d.violate("ssh_identification_without_cr", dir, at, "the identification ends with LF alone")
	}
	if end+1 > maxIdentification {
		d.violate("ssh_identification_too_long", dir, at, fmt.Sprintf("the identification has %d bytes, 255 are allowed", end+1))
	}
	id := d.offers.identification(text[:min(len(text), keptLine)])
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		d.violate("ssh_identification_invalid", dir, at, "a control character in the identification")
	} else if id.Banner == "" {
		d.violate("ssh_identification_invalid", dir, at, "no software version in the identification")
	}
	s.id = id
	d.keepIdent(dir, text)
	s.stage = stagePackets
	d.hs.identified(dir, id, at)
	if oldVersion(id.Version) {
		d.sides[dir].stage = stageSSH1
	}
	// A server that speaks both is answered with the client's choice, which
	// holds for both sides.
	if other := &d.sides[dir.Other()]; other.id != nil {
		if oldVersion(id.Version) && other.id.Version == "1.99" && other.stage == stagePackets && other.packets == 0 {
			other.stage = stageSSH1
		}
		if oldVersion(other.id.Version) && id.Version == "1.99" {
			s.stage = stageSSH1
		}
	}
	return end + 1, nil
}

func oldVersion(v string) bool { return strings.HasPrefix(v, "1.") && v != "1.99" }

func (d *dissector) violate(code string, dir dissect.Dir, at record.Stamp, detail string) {
	d.env.Violation(dissect.Violation{Code: code, Dir: dir, Stamp: at, Detail: detail})
}

// parseIdentification takes SSH-protoversion-softwareversion SP comments apart.
func parseIdentification(text string) *record.SSHIdentification {
	id := &record.SSHIdentification{Text: text}
	rest := strings.TrimPrefix(text, "SSH-")
	version, rest, _ := strings.Cut(rest, "-")
	id.Version = version
	id.Banner, id.Comments, _ = strings.Cut(rest, " ")
	nameSoftware(id)
	return id
}
