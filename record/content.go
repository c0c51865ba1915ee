package record

// Content is what was carried in one body: a mail, a part of it, an HTTP
// body, a file.
type Content struct {
	Name      string   `json:"name,omitempty" doc:"file name given by the sender, decoded; never to be used as a path"`
	MediaType string   `json:"media_type,omitempty" doc:"declared media type, lower case, without parameters"`
	Detected  string   `json:"detected,omitempty" doc:"media type by its first bytes"`
	Charset   string   `json:"charset,omitempty" doc:"declared character set"`
	Encoding  string   `json:"encoding,omitempty" doc:"transfer or content codings that were undone, outermost first"`
	ID        string   `json:"id,omitempty" doc:"Content-ID without brackets"`
	Location  string   `json:"location,omitempty" doc:"Content-Location, as it stands"`
	Path      string   `json:"path,omitempty" doc:"place in the MIME tree, such as 1.2"`
	Size      int64    `json:"size" doc:"bytes after decoding"`
	WireSize  int64    `json:"wire_size,omitempty" doc:"bytes before decoding, where they differ"`
	Missing   int64    `json:"missing,omitempty" doc:"bytes before decoding that the capture lacks; -1 when unknown how many"`
	Gaps      []Range  `json:"gaps,omitempty" doc:"where bytes are missing, offsets before decoding, the first 16"`
	Partial   bool     `json:"partial,omitempty" doc:"it is not whole: bytes missing, cut short or a limit reached; digests are of what is there"`
	SHA256    string   `json:"sha256,omitempty" doc:"SHA-256 of the decoded bytes, hexadecimal; see partial"`
	SHA1      string   `json:"sha1,omitempty" doc:"SHA-1, when asked for"`
	MD5       string   `json:"md5,omitempty" doc:"MD5, when asked for"`
	Problems  []string `json:"problems,omitempty" doc:"what was wrong with it: stable tokens, such as base64_damaged, gzip_damaged, too_deep, bomb"`
	Stored    string   `json:"stored,omitempty" doc:"file it was exported to, relative to the export folder"`

	Disposition string   `json:"disposition,omitempty" doc:"attachment or inline, as declared"`
	Protection  string   `json:"protection,omitempty" doc:"S/MIME or PGP, as far as its type shows: smime-signed, smime-encrypted, smime, smime-signature, pgp-signed, pgp-encrypted, pgp-signature, pgp-keys, pgp-inline"`
	URLs        []string `json:"urls,omitempty" doc:"URLs in its text, when asked for, each once, in order"`

	Message *Message   `json:"message,omitempty" doc:"header fields, when it is a mail message"`
	Report  *Report    `json:"report,omitempty" doc:"what a bounce or another multipart/report says, on the message that is the report"`
	Parts   []*Content `json:"parts,omitempty" doc:"MIME parts, in order; a message has one, its body"`
	// MoreParts are parts past the limit: their bytes were passed over.
	MoreParts int `json:"more_parts,omitempty" doc:"parts past the limit, not listed"`

	// Kept holds the first bytes of the decoded content, text in UTF-8, when
	// the content reader was configured to keep them (sniff show does).
	Kept []byte `json:"-"`
	// Shown is set by Reveal: Kept may be shown with the secrets in it.
	Shown Shown `json:"-"`
}

// Shown says whether bytes may be shown with their secrets.
type Shown bool

func (s *Shown) reveal() { *s = true }

// Walk calls f for c and everything in it, in order.
func (c *Content) Walk(f func(*Content)) {
	f(c)
	for _, p := range c.Parts {
		p.Walk(f)
	}
}

// Problem notes what was wrong with c, each token once.
func (c *Content) Problem(token string) {
	for _, p := range c.Problems {
		if p == token {
			return
		}
	}
	c.Problems = append(c.Problems, token)
}
