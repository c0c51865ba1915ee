package smtp

import "strings"

// enhancedMeaning puts the subject and detail of an enhanced status code into
// words (RFC 3463, section 3, and the registry of RFC 5248). particular is
// false for codes that say no more than the area of the problem, and for those
// that servers use for everything.
func enhancedMeaning(code string) (words string, particular bool) {
	if len(code) < 5 {
		return "", false
	}
	subject, detail, ok := strings.Cut(code[2:], ".")
	if !ok {
		return "", false
	}
	if words := detailMeaning(subject + "." + detail); words != "" {
		general := subject == "7" && detail == "1" || subject == "5" && detail == "1"
		return words, !general
	}
	return subjectMeaning(subject), false
}

// detailMeaning is the registry without the class.
func detailMeaning(code string) string {
	switch code {
	case "1.1":
		return "no such mailbox"
	case "1.2":
		return "no such system in the recipient's domain"
	case "1.3":
		return "recipient's address has bad syntax"
	case "1.4":
		return "recipient's address is ambiguous"
	case "1.5":
		return "recipient's address valid"
	case "1.6":
		return "mailbox has moved"
	case "1.7":
		return "sender's address has bad syntax"
	case "1.8":
		return "no such system in the sender's domain"
	case "1.9":
		return "relayed to a mailer that does not report"
	case "1.10":
		return "the domain takes no mail (null MX)"
	case "2.1":
		return "mailbox disabled"
	case "2.2":
		return "mailbox full"
	case "2.3":
		return "message too long for the mailbox"
	case "2.4":
		return "mailing list expansion problem"
	case "3.1":
		return "mail system full"
	case "3.2":
		return "system takes no mail now"
	case "3.3":
		return "system cannot do what was asked"
	case "3.4":
		return "message too big for the system"
	case "3.5":
		return "system misconfigured"
	case "3.6":
		return "priority was changed"
	case "4.1":
		return "no answer from the host"
	case "4.2":
		return "bad connection"
	case "4.3":
		return "directory or name server failed"
	case "4.4":
		return "cannot route"
	case "4.5":
		return "mail system congested"
	case "4.6":
		return "routing loop"
	case "4.7":
		return "delivery time expired"
	case "5.1":
		return "command not valid here"
	case "5.2":
		return "syntax error"
	case "5.3":
		return "too many recipients"
	case "5.4":
		return "arguments not valid"
	case "5.5":
		return "wrong protocol version"
	case "5.6":
		return "authentication exchange line too long"
	case "6.1":
		return "media not supported"
	case "6.2":
		return "conversion required but prohibited"
	case "6.3":
		return "conversion required but not supported"
	case "6.4":
		return "converted with loss"
	case "6.5":
		return "conversion failed"
	case "6.6":
		return "message content not available"
	case "6.7":
		return "addresses in UTF-8 not permitted for this recipient"
	case "6.8", "6.10":
		return "a reply in UTF-8 is needed but not permitted"
	case "6.9":
		return "message in UTF-8 cannot be passed on"
	case "7.1":
		return "delivery not authorised, message refused"
	case "7.2":
		return "mailing list expansion prohibited"
	case "7.3":
		return "security conversion required but not possible"
	case "7.4":
		return "security features not supported"
	case "7.5":
		return "cryptographic failure"
	case "7.6":
		return "cryptographic algorithm not supported"
	case "7.7":
		return "message integrity failure"
	case "7.8":
		return "credentials not valid"
	case "7.9":
		return "authentication mechanism too weak"
	case "7.10":
		return "encryption needed"
	case "7.11":
		return "encryption required for this mechanism"
	case "7.12":
		return "a password change is needed"
	case "7.13":
		return "account disabled"
	case "7.14":
		return "trust relationship required"
	case "7.15":
		return "priority too low"
	case "7.16":
		return "message too big for its priority"
	case "7.17":
		return "mailbox owner has changed"
	case "7.18":
		return "domain owner has changed"
	case "7.19":
		return "RRVS test cannot be completed"
	case "7.20":
		return "no passing DKIM signature"
	case "7.21":
		return "no acceptable DKIM signature"
	case "7.22":
		return "no valid DKIM signature of the author's domain"
	case "7.23":
		return "SPF validation failed"
	case "7.24":
		return "SPF validation error"
	case "7.25":
		return "reverse DNS validation failed"
	case "7.26":
		return "several authentication checks failed"
	case "7.27":
		return "the sender's domain has a null MX"
	case "7.28":
		return "mail flood detected"
	case "7.29":
		return "ARC validation failed"
	case "7.30":
		return "REQUIRETLS support required"
	}
	return ""
}

// subjectMeaning is the area of the problem (RFC 3463, section 3.1).
func subjectMeaning(subject string) string {
	switch subject {
	case "1":
		return "an address problem"
	case "2":
		return "a mailbox problem"
	case "3":
		return "a mail system problem"
	case "4":
		return "a network or routing problem"
	case "5":
		return "a protocol problem"
	case "6":
		return "a content problem"
	case "7":
		return "a security or policy problem"
	}
	return ""
}
