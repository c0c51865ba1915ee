package diagnose

import (
	"fmt"

	"sniff/record"
)

// maxDigests is how many files of a session are remembered for comparing.
const maxDigests = 256

// ftpDigests compares the digests that a server computes (HASH, XSHA256, XMD5
// and the like) with those of the files that were moved, whichever comes
// first.
type ftpDigests struct {
	files map[string]movedFile             // moved whole, the latest, by path
	asked map[string][]*record.FTPExchange // before the file was moved
}

// movedFile is what is kept of a transfer for comparing.
type movedFile struct {
	header            record.Header
	command           string
	size              int64
	sha256, sha1, md5 string
}

// said takes the server's digest of a file.
func (d *ftpDigests) said(x *record.FTPExchange, rep *Reporter) {
	if f, ok := d.files[x.Path]; ok {
		f.compare(x, rep)
		return
	}
	if d.asked == nil {
		d.asked = map[string][]*record.FTPExchange{}
	}
	if len(d.asked) < maxDigests && len(d.asked[x.Path]) < 8 {
		d.asked[x.Path] = append(d.asked[x.Path], x)
	}
}

// moved takes a file. Only one that went over the wire as it lies on the
// server, from its first byte to its last, can be compared.
func (d *ftpDigests) moved(t *record.FTPTransfer, rep *Reporter) {
	if t.Path == "" || t.Direction == "listing" || t.Content == nil {
		return
	}
	asked := d.asked[t.Path]
	delete(d.asked, t.Path)
	delete(d.files, t.Path)
	if t.Outcome != record.TransferComplete || t.Restart > 0 || t.Command == "APPE" || t.Content.Partial || t.Type == "" || t.Type[0] == 'A' {
		return
	}
	c := t.Content
	f := movedFile{t.Header, t.Command, c.Size, c.SHA256, c.SHA1, c.MD5}
	if d.files == nil {
		d.files = map[string]movedFile{}
	}
	if len(d.files) < maxDigests {
		d.files[t.Path] = f
	}
	if t.Direction != "download" {
		return // what was asked before is about the file that was there before
	}
	for _, x := range asked {
		f.compare(x, rep)
	}
}

// compare takes the server's digest of the file.
func (f *movedFile) compare(x *record.FTPExchange, rep *Reporter) {
	ours := map[string]string{"SHA-256": f.sha256, "SHA-1": f.sha1, "MD5": f.md5}[x.Algorithm]
	if ours == "" || x.DigestTo > 0 && x.DigestTo != f.size {
		return
	}
	if ours == x.Digest {
		rep.Raise("ftp.digest_agrees", fmt.Sprintf("%s %s arrived whole: %s computes the same %s", f.command, x.Path, x.Server.Addr(), x.Algorithm), x)
		return
	}
	finding := rep.Raise("ftp.digest_differs", fmt.Sprintf("%s %s has %s %s on the wire, but %s computes %s", f.command, x.Path, x.Algorithm, ours, x.Server.Addr(), x.Digest), x)
	t := &record.FTPTransfer{Header: f.header, Command: f.command, Path: x.Path, Content: &record.Content{Size: f.size, SHA256: f.sha256}}
	finding.Evidence = append(finding.Evidence, Seen(t, record.Plain(t.Summary())))
}
