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

	Message *Message   `json:"message,omitempty" doc:"header fields, when it is a mail message"`
	Parts   []*Content `json:"parts,omitempty" doc:"MIME parts, in order"`

	// Kept holds the first bytes of the decoded content when the content
	// reader was configured to keep them (sniff show does).
	Kept []byte `json:"-"`
}

// Message is the head of an RFC 5322 message.
type Message struct {
	From      string   `json:"from,omitempty" doc:"From, decoded"`
	To        []string `json:"to,omitempty" doc:"To, decoded, one address each"`
	Cc        []string `json:"cc,omitempty" doc:"Cc, decoded"`
	ReplyTo   string   `json:"reply_to,omitempty" doc:"Reply-To, decoded"`
	Subject   string   `json:"subject,omitempty" doc:"Subject, decoded"`
	Date      string   `json:"date,omitempty" doc:"Date as it stands"`
	MessageID string   `json:"message_id,omitempty" doc:"Message-ID with its brackets"`
	InReplyTo string   `json:"in_reply_to,omitempty" doc:"In-Reply-To with its brackets"`
	Fields    []Field  `json:"fields,omitempty" doc:"all header fields in order, decoded, bounded"`
}

// Field is one header field of a message or an HTTP exchange.
type Field struct {
	Name  string `json:"name" doc:"name as it stands"`
	Value Text   `json:"value" doc:"value, unfolded and decoded"`
}
