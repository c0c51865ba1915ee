package diagnose

import (
	"fmt"

	"sniff/record"
)

// mimeProblems says what is wrong with how a message was put together: built
// to exhaust its readers, or damaged. Of one that the capture lacks part of,
// damage says nothing.
func mimeProblems(m *record.SMTPMessage, name string, rep *Reporter) {
	hostile, damaged := "", ""
	var at *record.Content
	m.Content.Walk(func(c *record.Content) {
		for _, p := range c.Problems {
			switch p {
			case "too_deep":
				hostile = "its parts are nested deeper than anybody reads"
			case "too_many_parts":
				hostile = "it has more parts than anybody reads"
			case "head_too_long":
				hostile = "its header fields are larger than anybody reads"
			case "bomb":
				hostile = "a part of it unpacks to very much more than it is"
			case "base64_damaged", "qp_damaged", "uu_damaged", "boundary_unclosed", "gzip_damaged":
				if damaged == "" {
					damaged, at = p, c
				}
			}
		}
	})
	if hostile != "" {
		rep.Raise("smtp.mime_bomb", fmt.Sprintf("message %s of %s: %s", name, record.Bytes(m.Size), hostile), m)
	}
	if damaged == "" || m.Partial || !m.Complete || hostile != "" {
		return
	}
	part := "its body"
	switch {
	case at.Name != "":
		part = "its part " + at.Name
	case at.Path != "":
		part = "its part " + at.Path
	}
	what := map[string]string{
		"base64_damaged": "base64 that is damaged", "qp_damaged": "quoted-printable text that is damaged",
		"uu_damaged": "uuencoded data that is damaged", "boundary_unclosed": "no closing boundary, so that it may have been cut short",
		"gzip_damaged": "compressed data that is damaged",
	}[damaged]
	rep.Raise("smtp.mime_damaged", fmt.Sprintf("message %s: %s has %s", name, part, what), m)
}
