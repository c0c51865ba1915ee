package diagnose

import (
	"strings"

	"sniff/record"
)

// smtpRefusal finds the code of the finding that a reply of class 4 or 5 stands
// for. verb is the command's, "greeting" or "." for the end of the data. The
// enhanced code goes first where servers use it for one thing only, then the
// words that servers use, then the basic code in its context.
func smtpRefusal(verb string, r *record.SMTPReply) string {
	text := strings.ToLower(strings.Join(r.Text, " "))
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	enhanced := ""
	if len(r.Enhanced) > 2 {
		enhanced = r.Enhanced[2:]
	}
	is := func(codes ...string) bool {
		for _, c := range codes {
			if enhanced == c {
				return true
			}
		}
		return false
	}
	switch {
	case has("greylist", "graylist", "postgrey"):
		return "smtp.greylisted"
	case has("spamhaus", "spamcop", "blocklist", "blacklist", "block list", "black list", "dnsbl", " rbl", "blocked using", "bad reputation", "poor reputation", "sorbs"):
		return "smtp.blocklisted"
	case is("7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.29") || has("spf ", "spf:", "spf-", "(spf)", "dkim", "dmarc", "sender policy framework", "openspf.org", "open-spf.org", "not allowed to send mail from"):
		return "smtp.sender_policy"
	case is("7.25") || has("reverse dns", "rdns", "ptr record", "reverse hostname", "cannot find your hostname", "reverse lookup", "fcrdns"):
		return "smtp.reverse_name"
	case is("7.28") || has("rate limit", "ratelimit", "rate overlimit", "too many connections", "too many concurrent", "too many messages", "throttl", "too much mail", "sending too fast", "slow down"):
		return "smtp.rate_limited"
	case is("4.6") || has("too many hops", "mail loop", "loops back", "routing loop"):
		return "smtp.mail_loop"
	case is("7.10", "7.11") || r.Code == 523 || r.Code == 538 || has("starttls first", "starttls command first", "must issue a starttls", "tls required", "tls is required", "encryption required", "requires encryption", "requires tls", "after starttls"):
		return "smtp.tls_required"
	case r.Code == 530 || has("authentication required", "authentication is required", "auth required", "auth is required", "not authenticated", "must authenticate", "must log in", "not logged in", "please authenticate"):
		return "smtp.auth_required"
	case r.Code == 503 || has("synchronization error", "protocol error", "smtp command pipelining", "bad sequence of commands", "out of sequence"):
		return "smtp.out_of_turn"
	case r.Code == 421 && (has("timeout exceeded", "command timeout", "data timeout", "idle timeout", "inactivity")):
		return "smtp.client_timeout"
	case r.Code == 421:
		return "smtp.server_closing"
	case verb == "greeting":
		return "smtp.refused_at_greeting"
	case verb == "EHLO" || verb == "HELO" || verb == "LHLO" || has("helo command rejected", "invalid helo", "bad helo", "helo name"):
		return "smtp.hello_refused"
	case is("6.7", "6.9", "6.10") || has("smtputf8"):
		return "smtp.utf8_unsupported"
	case has("relay access denied", "relaying denied", "relay not permitted", "unable to relay", "not allowed to relay", "relay denied", "not permitted to relay", "we do not relay", "relaying not allowed"):
		return "smtp.relay_denied"
	case is("2.2") || has("mailbox full", "mailbox is full", "over quota", "quota exceeded", "exceeded storage", "quota"):
		return "smtp.mailbox_full"
	case is("3.4", "2.3") || r.Code == 552 && verb != "RCPT" || has("message size exceeds", "message too large", "message too big", "size limit", "exceeds size"):
		return "smtp.too_big"
	case is("2.1", "7.13") || has("mailbox disabled", "account disabled", "account is disabled", "inactive"):
		return "smtp.mailbox_disabled"
	case is("5.3") || has("too many recipients"):
		return "smtp.too_many_recipients"
	case is("3.1") || r.Code == 452 && verb != "RCPT" || has("insufficient system storage", "insufficient storage", "disk full"):
		return "smtp.server_full"
	case is("1.3", "1.7") || r.Code == 501 && (verb == "MAIL" || verb == "RCPT"):
		return "smtp.address_syntax"
	case verb == "MAIL" && (r.Code == 555 || r.Code == 504 || is("5.4")):
		return "smtp.parameter_refused"
	case verb == "MAIL" && r.Code/100 == 5 || is("1.8", "7.27") || has("sender address rejected", "sender domain", "sender verify", "sender rejected"):
		return "smtp.sender_refused"
	case is("1.10") || r.Code == 556 || has("null mx", "nullmx"):
		return "smtp.domain_without_mail"
	case verb == "RCPT" && (is("1.1", "1.0", "1.6") || has("user unknown", "no such user", "unknown user", "does not exist", "mailbox not found", "no mailbox", "invalid recipient", "unknown recipient", "unrouteable", "unroutable", "no such mailbox", "no such recipient", "recipient not found", "user doesn't", "mailbox unavailable")):
		return "smtp.unknown_recipient"
	case (verb == "." || verb == "BDAT") && r.Code >= 550 && !strings.HasPrefix(enhanced, "5."):
		return "smtp.content_refused"
	case verb == "RCPT" && r.Code/100 == 4 && r.Code != 452 && has("try again", "later", "temporarily", "deferred"):
		return "smtp.deferred"
	case r.Code/100 == 4:
		return "smtp.deferred"
	}
	return "smtp.refused"
}
