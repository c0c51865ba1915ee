package smtp

import "sniff/record"

// meaning says what a reply means at its place of the dialogue: the basic
// code means different things behind RCPT and behind the data. verb is the
// command's, "greeting", "." for the end of the data, "" when no command is
// known, "chunk" for BDAT without LAST. The enhanced code, where it says more,
// goes first.
func meaning(verb string, r *record.SMTPReply) string {
	basic := basicMeaning(verb, r.Code)
	if r.Code < 400 {
		return basic
	}
	detail, particular := enhancedMeaning(r.Enhanced)
	switch {
	case detail == "":
		return basic
	case basic == "" || particular && r.Code != 421 && verb != "greeting" && verb != "AUTH" && verb != "STARTTLS":
		// The enhanced code says more than the basic one.
		return detail
	case particular:
		return basic + "; " + detail
	}
	return basic
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
	case "chunk":
		switch code {
		case 250:
			return "chunk accepted"
		case 452:
			return "chunk not accepted: not enough storage"
		case 503:
			return "out of sequence: no transaction is open"
		case 552:
			return "message over the size limit"
		case 554:
			return "transaction failed: message refused"
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
