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
	files map[string]*record.FTPTransfer   // moved whole, the latest, by path
	asked map[string][]*record.FTPExchange // before the file was moved
}

// said takes the server's digest of a file.
func (d *ftpDigests) said(x *record.FTPExchange, rep *Reporter) {
	if t := d.files[x.Path]; t != nil {
		compareDigest(x, t, rep)
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
	if d.files == nil {
		d.files = map[string]*record.FTPTransfer{}
	}
	if len(d.files) < maxDigests {
		c := &record.Content{Size: t.Content.Size, SHA256: t.Content.SHA256, SHA1: t.Content.SHA1, MD5: t.Content.MD5}
		d.files[t.Path] = &record.FTPTransfer{Header: t.Header, Command: t.Command, Path: t.Path, Content: c}
	}
	if t.Direction != "download" {
		return // what was asked before is about the file that was there before
	}
	for _, x := range asked {
		compareDigest(x, t, rep)
	}
}

func compareDigest(x *record.FTPExchange, t *record.FTPTransfer, rep *Reporter) {
	c := t.Content
	ours := map[string]string{"SHA-256": c.SHA256, "SHA-1": c.SHA1, "MD5": c.MD5}[x.Algorithm]
	if ours == "" || x.DigestTo > 0 && x.DigestTo != c.Size {
		return
	}
	if ours == x.Digest {
		rep.Raise("ftp.digest_agrees", fmt.Sprintf("%s %s arrived whole: %s computes the same %s", t.Command, t.Path, x.Server.Addr(), x.Algorithm), x)
		return
	}
	f := rep.Raise("ftp.digest_differs", fmt.Sprintf("%s %s has %s %s on the wire, but %s computes %s", t.Command, t.Path, x.Algorithm, ours, x.Server.Addr(), x.Digest), x)
	f.Evidence = append(f.Evidence, Seen(t, record.Plain(t.Summary())))
}
