package smtp

import (
	"strconv"
	"strings"

	"sniff/record"
)

// meaning says what a reply means at its place of the dialogue: the basic
// code means different things behind RCPT and behind the data. verb is the
// command's, "greeting", "." for the end of the data, "" when no command is
// known. The enhanced code, where there is one, is put behind.
func meaning(verb string, r *record.SMTPReply) string {
	basic := basicMeaning(verb, r.Code)
	detail := enhancedMeaning(r.Enhanced)
	switch {
	case r.Positive() && verb != "STARTTLS" && verb != "AUTH":
		// "250 2.1.5": that it worked is said by the basic code.
		return basic
	case basic == "":
		return detail
	case detail == "" || strings.Contains(basic, detail):
		return basic
	}
	return basic + "; " + detail
}

// basicMeaning is about the reply codes of RFC 5321, section 4.2.3, RFC 4954,
// section 6, RFC 3207, section 4, RFC 7504 and RFC 1985.
func basicMeaning(verb string, code int) string {
	switch verb {
	case "greeting":
		switch code {
		case 220:
			return "the server is ready"
		case 421:
			return "the server is not available now and closes"
		case 521:
			return "this host never takes mail"
		case 554:
			return "the server will not talk to this client"
		}
	case "EHLO", "HELO", "LHLO":
		switch code {
		case 250:
			return "hello accepted"
		case 500, 502:
			return "the server does not know " + verb
		case 504:
			return "the server does not take this name"
		case 550, 554:
			return "the server refuses this client or the name it gave"
		}
	case "MAIL":
		switch code {
		case 250:
			return "sender accepted"
		case 451:
			return "not now: a local error, or the server wants to see a retry"
		case 452:
			return "not enough storage now"
		case 455:
			return "parameters cannot be served now"
		case 501:
			return "syntax error in the sender's address or parameters"
		case 503:
			return "out of sequence: a message is already begun, or HELO is missing"
		case 530:
			return "authentication or TLS is required first"
		case 550, 553, 554:
			return "sender refused"
		case 552:
			return "the announced size is over the limit"
		case 555:
			return "parameter not known"
		case 556:
			return "the sender's domain does not take mail (null MX)"
		}
	case "RCPT":
		switch code {
		case 250:
			return "recipient accepted"
		case 251:
			return "recipient not local, the server forwards"
		case 252:
			return "recipient not verified, but accepted"
		case 450:
			return "mailbox not available now: busy, or the server wants to see a retry (greylisting)"
		case 451:
			return "not now: a local error at the server, or greylisting"
		case 452:
			return "too many recipients for one message, or not enough storage"
		case 501, 553:
			return "the recipient's address has a syntax that is not allowed"
		case 503:
			return "out of sequence: no sender was accepted"
		case 521, 556:
			return "the recipient's domain does not take mail"
		case 550:
			return "mailbox unavailable: no such user, or refused by policy"
		case 551:
			return "user not local, try another address"
		case 552:
			return "mailbox full"
		case 554:
			return "recipient refused"
		}
	case "DATA":
		switch code {
		case 354:
			return "send the message, end with a dot"
		case 451:
			return "not now: a local error at the server"
		case 503, 554:
			return "no valid recipients, or out of sequence"
		}
	case ".", "BDAT", "BURL":
		switch code {
		case 250:
			return "message accepted: the server is responsible for it now"
		case 353:
			return "a reply for each recipient follows"
		case 450, 451:
			return "message not accepted now: a local error, a check that could not be done, or greylisting"
		case 452:
			return "message not accepted now: not enough storage"
		case 550:
			return "message refused by policy or for its content"
		case 552:
			return "message over the size limit, or mailbox full"
		case 554:
			return "transaction failed: message refused"
		case 503:
			return "out of sequence"
		}
	case "STARTTLS":
		switch code {
		case 220:
			return "TLS begins"
		case 454:
			return "TLS is not available now"
		}
	case "AUTH":
		switch code {
		case 235:
			return "logged in"
		case 334:
			return "the server asks for a response"
		case 432:
			return "a password change is needed"
		case 454:
			return "authentication is not possible now"
		case 501:
			return "cancelled, or a response that cannot be read"
		case 504:
			return "mechanism not known"
		case 534:
			return "mechanism too weak for this user"
		case 535:
			return "user name or password is wrong"
		case 538:
			return "this mechanism needs TLS"
		}
	case "ETRN", "ATRN":
		switch code {
		case 251:
			return "no messages wait"
		case 252, 253:
			return "messages wait, the queue is run"
		case 453:
			return "no mail for you"
		case 458:
			return "the queue cannot be run"
		case 459:
			return "the domain is not allowed"
		}
	case "QUIT":
		if code == 221 {
			return "goodbye"
		}
	}
	return generalMeaning(code)
}

// generalMeaning is what a code means wherever it stands.
func generalMeaning(code int) string {
	switch code {
	case 200, 250:
		return "done"
	case 211:
		return "system status"
	case 214:
		return "help"
	case 220:
		return "service ready"
	case 221:
		return "the server closes the connection"
	case 235:
		return "logged in"
	case 251:
		return "user not local, the server forwards"
	case 252:
		return "cannot verify, but will try"
	case 334:
		return "the server asks for a response"
	case 354:
		return "send the message, end with a dot"
	case 421:
		return "the server is not available and closes the connection"
	case 432:
		return "a password change is needed"
	case 450:
		return "mailbox not available now"
	case 451:
		return "local error, try again"
	case 452:
		return "not enough storage now"
	case 454:
		return "not available now"
	case 455:
		return "parameters cannot be served now"
	case 500:
		return "command not recognised"
	case 501:
		return "syntax error in the arguments"
	case 502:
		return "command not implemented"
	case 503:
		return "command out of sequence"
	case 504:
		return "argument not implemented"
	case 521:
		return "this host does not take mail"
	case 523:
		return "encryption needed"
	case 530:
		return "authentication or TLS is required first"
	case 534:
		return "mechanism too weak"
	case 535:
		return "authentication failed"
	case 538:
		return "encryption is required for this mechanism"
	case 550:
		return "refused"
	case 551:
		return "user not local"
	case 552:
		return "over a storage limit"
	case 553:
		return "address not allowed"
	case 554:
		return "transaction failed"
	case 555:
		return "parameter not known"
	case 556:
		return "the domain does not take mail"
	}
	switch code / 100 {
	case 4:
		return "not now, try again"
	case 5:
		return "refused"
	}
	return ""
}

// enhancedMeaning puts the subject and detail of an enhanced status code into
// words (RFC 3463, section 3, and the registry of RFC 5248).
func enhancedMeaning(code string) string {
	if len(code) < 5 {
		return ""
	}
	subject, detail, ok := strings.Cut(code[2:], ".")
	if !ok {
		return ""
	}
	switch subject + "." + detail {
	case "1.0":
		return "other address status"
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
	case "7.0":
		return "refused by security or policy"
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
	if n, err := strconv.Atoi(subject); err == nil {
		switch n {
		case 1:
			return "an address problem"
		case 2:
			return "a mailbox problem"
		case 3:
			return "a mail system problem"
		case 4:
			return "a network or routing problem"
		case 5:
			return "a protocol problem"
		case 6:
			return "a content problem"
		case 7:
			return "a security or policy problem"
		}
	}
	return ""
}
