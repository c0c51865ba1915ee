package record

import "time"

// Message is the head of an RFC 5322 message.
type Message struct {
	From      string    `json:"from,omitempty" doc:"From, decoded"`
	Sender    string    `json:"sender,omitempty" doc:"Sender, decoded"`
	To        []string  `json:"to,omitempty" doc:"To, decoded, one address each"`
	Cc        []string  `json:"cc,omitempty" doc:"Cc, decoded"`
	Bcc       []string  `json:"bcc,omitempty" doc:"Bcc, decoded, where it was left in"`
	ReplyTo   string    `json:"reply_to,omitempty" doc:"Reply-To, decoded"`
	Subject   string    `json:"subject,omitempty" doc:"Subject, decoded"`
	Date      string    `json:"date,omitempty" doc:"Date as it stands"`
	Sent      time.Time `json:"sent,omitzero" doc:"Date in UTC, where it can be understood"`
	MessageID string    `json:"message_id,omitempty" doc:"Message-ID with its brackets"`
	InReplyTo string    `json:"in_reply_to,omitempty" doc:"In-Reply-To with its brackets"`

	ReturnPath    string       `json:"return_path,omitempty" doc:"Return-Path as it stands"`
	UserAgent     string       `json:"user_agent,omitempty" doc:"User-Agent or X-Mailer"`
	OriginatingIP string       `json:"originating_ip,omitempty" doc:"X-Originating-IP without brackets"`
	AutoSubmitted string       `json:"auto_submitted,omitempty" doc:"Auto-Submitted as it stands"`
	Hops          []Hop        `json:"hops,omitempty" doc:"Received fields in the order of travel: the first hop first"`
	Auth          []AuthResult `json:"auth,omitempty" doc:"Authentication-Results (RFC 8601), topmost first"`
	DKIM          []DKIM       `json:"dkim,omitempty" doc:"DKIM-Signature fields (RFC 6376), topmost first"`
	ARC           []ARC        `json:"arc,omitempty" doc:"ARC-Seal fields (RFC 8617), topmost first"`
	List          *List        `json:"list,omitempty" doc:"List-* fields (RFC 2369, 2919)"`

	Fields     []Field `json:"fields,omitempty" doc:"all header fields in order, decoded, bounded"`
	MoreFields int     `json:"more_fields,omitempty" doc:"fields past the limit, not listed"`
}

// Field is one header field of a message or an HTTP exchange.
type Field struct {
	Name  string `json:"name" doc:"name as it stands"`
	Value Text   `json:"value" doc:"value, unfolded and decoded"`
}

// Hop is one Received field (RFC 5321, section 4.4).
type Hop struct {
	From    string    `json:"from,omitempty" doc:"name that the sending host gave"`
	Peer    string    `json:"peer,omitempty" doc:"what the receiver knew of it: name and address in the comment"`
	By      string    `json:"by,omitempty" doc:"receiving host"`
	With    string    `json:"with,omitempty" doc:"protocol, such as ESMTPS"`
	ID      string    `json:"id,omitempty" doc:"queue id at the receiver"`
	For     string    `json:"for,omitempty" doc:"recipient"`
	Date    string    `json:"date,omitempty" doc:"date as it stands"`
	Time    time.Time `json:"time,omitzero" doc:"date in UTC, where it can be understood"`
	Delay   Seconds   `json:"delay,omitempty" doc:"time since the hop before, seconds; negative when clocks differ"`
	TLS     bool      `json:"tls,omitempty" doc:"the field says that the hop was encrypted"`
	TLSText string    `json:"tls_text,omitempty" doc:"TLS version and cipher as the field has them"`
}

// AuthResult is one result in an Authentication-Results field (RFC 8601).
type AuthResult struct {
	Server     string `json:"server,omitempty" doc:"who checked (authserv-id)"`
	Method     string `json:"method" doc:"spf, dkim, dmarc, arc, iprev, auth, ..."`
	Result     string `json:"result" doc:"pass, fail, softfail, none, temperror, ..."`
	Reason     string `json:"reason,omitempty" doc:"reason given"`
	Properties string `json:"properties,omitempty" doc:"what was checked, such as smtp.mailfrom=a@b"`
}

// DKIM is a DKIM-Signature (RFC 6376, section 3.5). It is shown, not verified.
type DKIM struct {
	Domain    string    `json:"domain,omitempty" doc:"d=, who signs"`
	Selector  string    `json:"selector,omitempty" doc:"s=, which key"`
	Algorithm string    `json:"algorithm,omitempty" doc:"a="`
	Identity  string    `json:"identity,omitempty" doc:"i="`
	Headers   string    `json:"headers,omitempty" doc:"h=, the signed fields"`
	Length    string    `json:"length,omitempty" doc:"l=, the body bytes that are signed, when not all"`
	Expires   time.Time `json:"expires,omitzero" doc:"x="`
}

// ARC is an ARC-Seal (RFC 8617, section 4.1.3).
type ARC struct {
	Instance string `json:"instance,omitempty" doc:"i="`
	Domain   string `json:"domain,omitempty" doc:"d="`
	Selector string `json:"selector,omitempty" doc:"s="`
	Chain    string `json:"chain,omitempty" doc:"cv=, the state of the chain before: none, pass, fail"`
}

// List are the fields of a mailing list.
type List struct {
	ID          string `json:"id,omitempty" doc:"List-Id"`
	Post        string `json:"post,omitempty" doc:"List-Post"`
	Unsubscribe string `json:"unsubscribe,omitempty" doc:"List-Unsubscribe"`
	Help        string `json:"help,omitempty" doc:"List-Help"`
	Archive     string `json:"archive,omitempty" doc:"List-Archive"`
}

// Report is what a multipart/report says: a bounce (RFC 3464), a receipt (RFC
// 8098) or an abuse report (RFC 5965).
type Report struct {
	Type         string            `json:"type" doc:"delivery-status, disposition-notification or feedback-report"`
	ReportingMTA string            `json:"reporting_mta,omitempty" doc:"host or user agent that reports"`
	ReceivedFrom string            `json:"received_from,omitempty" doc:"host that it got the mail from"`
	EnvelopeID   string            `json:"envelope_id,omitempty" doc:"Original-Envelope-Id"`
	MessageID    string            `json:"message_id,omitempty" doc:"Original-Message-ID"`
	Arrived      string            `json:"arrived,omitempty" doc:"Arrival-Date"`
	Feedback     string            `json:"feedback,omitempty" doc:"Feedback-Type, such as abuse"`
	Recipients   []ReportRecipient `json:"recipients,omitempty" doc:"what became of each recipient"`
}

// ReportRecipient is one recipient in a Report.
type ReportRecipient struct {
	Recipient  string `json:"recipient,omitempty" doc:"Final-Recipient, address only"`
	Original   string `json:"original,omitempty" doc:"Original-Recipient, address only"`
	Action     string `json:"action,omitempty" doc:"failed, delayed, delivered, relayed, expanded; or the disposition"`
	Status     string `json:"status,omitempty" doc:"enhanced status code, such as 5.1.1"`
	RemoteMTA  string `json:"remote_mta,omitempty" doc:"host that said so"`
	Code       int    `json:"code,omitempty" doc:"SMTP reply code in the diagnostic"`
	Diagnostic string `json:"diagnostic,omitempty" doc:"Diagnostic-Code, text only"`
	Attempted  string `json:"attempted,omitempty" doc:"Last-Attempt-Date"`
	RetryUntil string `json:"retry_until,omitempty" doc:"Will-Retry-Until"`
}
