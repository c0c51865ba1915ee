package render

import (
	"time"

	"sniff/record"
)

// file writes the line of a file. sentByClient says who sent it, total is the
// size that was declared for it, 0 for none.
func (z *Zeek) file(uid string, h *record.Header, fuid, source string, at time.Time, c *record.Content, total int64, sentByClient bool) error {
	r := z.row(h, uid, at)
	r.set("fuid", fuid)
	r.set("source", source)
	if source != "SMTP" {
		r.set("depth", int64(0))
	}
	r.set("analyzers", []string{})
	r.set("mime_type", c.Detected)
	// Zeek names a file only by what declares it, not by a path or URL.
	if source == "SMTP" || c.Disposition != "" {
		r.set("filename", c.Name)
	}
	if total > 0 && c.WireSize == 0 {
		r.set("total_bytes", total)
	}
	r.set("duration", time.Duration(0))
	sender := h.Server
	if sentByClient {
		sender = h.Client
	}
	r.set("local_orig", local(sender.Addr()))
	r.set("is_orig", sentByClient)
	r.set("seen_bytes", c.Size)
	r.set("missing_bytes", max(c.Missing, 0))
	r.set("overflow_bytes", int64(0))
	r.set("timedout", false)
	r.set("md5", c.MD5)
	r.set("sha1", c.SHA1)
	return z.put("files", r)
}
