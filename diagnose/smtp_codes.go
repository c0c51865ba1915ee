package diagnose

import "sniff/record"

// smtpCodes is the catalogue of the family. The phase and the server's words
// stand in the title; what is here holds for every case.
func smtpCodes() []Info {
	const (
		notice   = record.SeverityNotice
		warning  = record.SeverityWarning
		failure  = record.SeverityError
		critical = record.SeverityCritical
	)
	return []Info{
		{"smtp.unknown_recipient", failure, "The server knows no such mailbox. The mail will bounce to its sender.", "Check the address for typing errors. If it should exist, look at the server's list of users, aliases and virtual domains.", "RFC 3463, section 3.2 (X.1.1)"},
		{"smtp.relay_denied", failure, "The server is not responsible for the recipient's domain and does not pass mail on for this client.", "Log in before sending, or send through the server that is meant for this client. If the server should take mail for the domain, add it to its local or relay domains, or fix the MX record.", "RFC 5321, section 7.9"},
		{"smtp.mailbox_full", warning, "The recipient's mailbox is over its quota.", "The recipient must make room, or the quota must be raised. With a code of class 4 the client tries again by itself.", "RFC 3463, section 3.3 (X.2.2)"},
		{"smtp.mailbox_disabled", failure, "The recipient's mailbox exists but is disabled.", "Ask the recipient's provider, or remove the address from the list.", "RFC 3463, section 3.3 (X.2.1)"},
		{"smtp.domain_without_mail", failure, "The domain says by a null MX record that it takes no mail.", "Check the domain in the address.", "RFC 7505"},
		{"smtp.too_big", failure, "The message is over the size that the server takes.", "Send a link in place of the attachment, or raise message_size_limit (Postfix), message_size_limit (Exim) or the mailbox's limit.", "RFC 1870, section 6"},
		{"smtp.over_offered_size", failure, "The server said in its reply to EHLO how much it takes, and the message is larger. It will be refused, or was.", "Make the message smaller, or raise the server's limit.", "RFC 1870, section 4"},
		{"smtp.sender_refused", failure, "The server does not take mail from this sender: its domain does not exist, cannot be resolved, or is blocked.", "Check that the sender's domain has an MX or address record and that the envelope sender is right.", "RFC 5321, section 3.3"},
		{"smtp.sender_policy", failure, "The sender's domain publishes who may send for it (SPF, DKIM, DMARC), and this mail did not pass.", "Add this client's address to the domain's SPF record, sign with DKIM, or send through the domain's own servers.", "RFC 7208, RFC 6376, RFC 7489, RFC 7372"},
		{"smtp.blocklisted", failure, "The client's address or domain is on a blocklist that the server asks.", "Look the address up at the list that the reply names, find what was sent from it, then ask to be removed.", "RFC 5782"},
		{"smtp.reverse_name", failure, "The client's address has no name in DNS, or its name does not lead back to the address.", "Ask whoever owns the address for a PTR record that matches the name the client gives in EHLO.", "RFC 7372, section 3.3 (X.7.25)"},
		{"smtp.hello_refused", failure, "The server does not take the name that the client gave in HELO or EHLO.", "Let the client give its fully qualified name (smtp_helo_name in Postfix, primary_hostname in Exim).", "RFC 5321, section 4.1.4"},
		{"smtp.rate_limited", warning, "The server takes no more mail from this client for now: too many connections, messages or recipients.", "Send more slowly and use fewer connections; the client should try again by itself.", "SMTP enhanced status codes registry (IANA), X.7.28"},
		{"smtp.greylisted", notice, "The server refuses the first attempt of an unknown sender and takes the second. That is meant to be so.", "Wait: a mail server tries again by itself within minutes. A program that sends directly must do so too.", "RFC 6647"},
		{"smtp.content_refused", failure, "The server has seen the whole message and refuses it: spam or virus filter, forbidden attachment, or policy.", "Read the server's words; look at the message's links, attachments and headers.", "RFC 5321, section 4.2.5"},
		{"smtp.tls_required", failure, "The server asks for encryption before this command.", "Switch STARTTLS on in the client, or use the port of implicit TLS (465).", "RFC 3207, section 4"},
		{"smtp.auth_required", failure, "The server asks the client to log in first.", "Set user name and password in the client; use the submission port (587 or 465).", "RFC 4954, section 6"},
		{"smtp.auth_failed", warning, "The server did not accept the credentials.", "Check user name and password. Many failures from one client with changing names are a guessing attack.", "RFC 4954, section 6"},
		{"smtp.auth_unavailable", failure, "The server could not check the credentials: what it asks (database, directory) does not answer.", "Look at the server's log of its authentication service.", "RFC 4954, section 6 (454)"},
		{"smtp.mechanism_refused", failure, "The mechanism that the client chose for logging in is not known to the server, or too weak for it.", "Choose one of the mechanisms in the server's AUTH line.", "RFC 4954, section 6 (504, 534)"},
		{"smtp.mechanism_not_offered", notice, "The client logs in by a mechanism that the server did not list.", "Choose one of the mechanisms in the server's AUTH line.", "RFC 4954, section 4"},
		{"smtp.address_syntax", failure, "An address breaks the grammar, or is one that the server does not take.", "Look for missing brackets, spaces, a missing domain or characters that need quoting.", "RFC 5321, section 4.1.2"},
		{"smtp.parameter_refused", failure, "The server does not know a parameter of MAIL or RCPT.", "Let the client use only what the reply to EHLO offers.", "RFC 5321, section 4.1.1.11"},
		{"smtp.utf8_unsupported", failure, "An address or header is in UTF-8, and the server does not take that.", "Use an ASCII address, or a server that offers SMTPUTF8.", "RFC 6531, section 3.5"},
		{"smtp.too_many_recipients", warning, "The message has more recipients than the server takes at once.", "The client should send the others in another transaction; RFC 5321 asks servers for at least 100.", "RFC 5321, section 4.5.3.1.8"},
		{"smtp.server_full", failure, "The server has no room to store the message.", "Free space in the server's queue directory.", "RFC 3463, section 3.4 (X.3.1)"},
		{"smtp.server_closing", warning, "The server ended the dialogue by itself: it shuts down, is overloaded, or waited too long for the client.", "Look at the words of the reply and at the server's log at that time; the client should try again.", "RFC 5321, section 3.8"},
		{"smtp.refused_at_greeting", failure, "The server refuses to talk to this client at all.", "Read the server's words: a blocklist, a missing name in DNS, or a host that takes no mail.", "RFC 5321, section 3.1"},
		{"smtp.mail_loop", failure, "The mail goes in circles between servers.", "Look at the Received lines for the hosts that repeat; one of them sends mail back that it should deliver.", "RFC 5321, section 6.3"},
		{"smtp.refused", failure, "The server refused, for good, what the client asked.", "Read the server's words; the log of the server has more under this time.", "RFC 5321, section 4.2"},
		{"smtp.deferred", warning, "The server refused for now. A mail server keeps the message and tries again.", "Wait for the next attempt; if it goes on, read the server's log.", "RFC 5321, section 4.2.1"},
		{"smtp.no_greeting", failure, "The connection was made, but the server never greeted.", "See whether the server hangs at a lookup (DNS, ident), is out of processes, or whether something else than a mail server listens.", "RFC 5321, section 4.5.3.2.1 (5 minutes)"},
		{"smtp.slow_greeting", notice, "The server let the client wait for its greeting: a tarpit against spam, a slow lookup, or load.", "Check DNS and blocklist lookups at the server if it is yours.", "RFC 5321, section 4.5.3.2.1"},
		{"smtp.slow_reply", notice, "The server took long for one reply.", "Look at what the server does at that command: lookups, content filters, storage.", "RFC 5321, section 4.5.3.2"},
		{"smtp.idle_client", notice, "The client let the server wait between two commands. Servers may end the dialogue after 5 minutes, many do sooner.", "Look at what the client does in between: a slow program that feeds it, a lookup, or a connection that is kept for later mail.", "RFC 5321, section 4.5.3.2.7"},
		{"smtp.slow_data", notice, "The message came very slowly. Servers may end the connection when one block of data takes longer than 3 minutes.", "Look at the line (retransmissions, a small window) and at the client's load.", "RFC 5321, section 4.5.3.2.5"},
		{"smtp.next_server", warning, "The client could not hand the mail to one server and went on to another, as it should when a domain has several (MX records), or a server several addresses.", "Look at the server that failed first: it delays every mail while it is among the domain's MX records. Where every server refused, the last refusal is what the sender reads in the bounce.", "RFC 5321, section 5.1"},
		{"smtp.mime_bomb", warning, "The message is built to exhaust the memory or the time of programs that read mail: filters, mail clients, archives. What lies behind the limits was passed over here.", "Look at who sent it; let the server limit nesting, parts and headers (mime_nesting_limit and header_size_limit in Postfix).", "RFC 2046, section 5"},
		{"smtp.mime_damaged", notice, "The message was made wrongly, or damaged before it got here: programs read it in different ways, and an attachment may not open.", "Look at the program that wrote it, and at gateways that change mail (disclaimers, virus filters).", "RFC 2045, section 6; RFC 2046, section 5.1"},
		{"smtp.no_reply", failure, "A command got no reply before the connection ended.", "See who ended the connection and after how long: the side that waited gave up, the other one hangs.", "RFC 5321, section 4.5.3.2"},
		{"smtp.early_talker", notice, "The client sent commands before the server's greeting, as programs do that do not listen.", "Fix the client: it must wait for the greeting. Servers take this for a sign of spam.", "RFC 5321, section 4.3.1"},
		{"smtp.lost_after_data", warning, "The whole message was sent, but the connection ended before the server said what it does with it. The client will send it again; if the server took it, the recipient gets it twice.", "Look in the server's log whether it was queued. Shorten checks behind the data; clients must wait 10 minutes for the reply.", "RFC 5321, section 4.5.3.2.6; RFC 1047"},
		{"smtp.lost_in_data", failure, "The connection ended inside the message. The server does not have it; a mail server sends it again.", "Look at who ended the connection. If it always stops at the same size, look for a limit, a filter or an MTU problem between the two.", "RFC 5321, section 4.1.1.4"},
		{"smtp.password_in_clear", warning, "A password or token crossed the network unencrypted. Who can capture it can use it.", "Let the client use STARTTLS or implicit TLS, and let the server offer AUTH only inside TLS (smtpd_tls_auth_only in Postfix).", "RFC 4954, section 4; RFC 8314"},
		{"smtp.password_crackable", notice, "The login was not encrypted; the password itself was not sent, but it can be guessed offline from what was.", "Use TLS.", "RFC 8314"},
		{"smtp.starttls_refused", warning, "The server would not begin TLS.", "Look at the server's certificate, key and log.", "RFC 3207, section 4"},
		{"smtp.starttls_stripped", critical, "Something between client and server removes or overwrites STARTTLS, so that the mail goes unencrypted.", "Find the middle box (mail inspection of a firewall does this) and switch it off; let the client insist on TLS (MTA-STS, DANE).", "RFC 3207, section 6; RFC 7435"},
		{"smtp.not_encrypted", notice, "The mail was sent unencrypted.", "Offer STARTTLS at the server, and use it at the client.", "RFC 3207; RFC 8314"},
		{"smtp.pipelining_not_offered", notice, "The client sent commands without waiting for replies, though the server did not offer that.", "Let the client wait, or let the server offer PIPELINING.", "RFC 2920, section 3.1"},
		{"smtp.extension_not_offered", notice, "The client used an extension that the server did not offer.", "Let the client use only what the reply to EHLO offers.", "RFC 5321, section 2.2.1"},
		{"smtp.long_lines", notice, "The message has lines over 998 characters. Servers may cut or fold them, which breaks signatures.", "Let the sender encode the text (quoted-printable or base64).", "RFC 5322, section 2.1.1"},
		{"smtp.undeclared_eight_bit", notice, "The message holds bytes above 127 though 8BITMIME was not asked for.", "Let the client announce BODY=8BITMIME, or encode the text.", "RFC 6152, section 3"},
		{"smtp.nul_in_data", notice, "The message holds NUL bytes, which mail must not.", "Encode the part in base64, or use BINARYMIME.", "RFC 5321, section 2.3.8"},
		{"smtp.ambiguous_end", notice, "The message holds a sequence that lenient servers take for its end. No command follows it.", "Let the client send CR LF at each line's end; let the server refuse bare LF (smtpd_forbid_bare_newline in Postfix).", "RFC 5321, section 4.1.1.4"},
		{"smtp.smuggling", failure, "The message holds a sequence that lenient servers take for its end, and SMTP commands right behind it: somebody tries to send a second mail in the name of this server.", "Let the server refuse bare CR and LF (smtpd_forbid_bare_newline in Postfix, chunking_advertise_hosts and current versions of Exim); look for who sent it.", "CVE-2023-51764, CVE-2023-51765, CVE-2023-51766"},
		{"smtp.smuggling_accepted", critical, "The server took the sequence for the end of the message and carried out the commands that were smuggled inside.", "Update the server, or let it refuse bare CR and LF. Treat the smuggled mail as forged.", "CVE-2023-51764, CVE-2023-51765, CVE-2023-51766"},
		{"smtp.plaintext_injected", critical, "Plain text was sent behind STARTTLS in the same breath. A server that keeps it takes it for commands inside TLS.", "Update the server; look for who stands between.", "CVE-2011-0411"},
		{"smtp.relay_trick_accepted", warning, "The server accepted a recipient that hides another domain in its local part. If it delivers there, it is an open relay.", "Switch off percent hack and source routes (allow_percent_hack in Postfix).", "RFC 5321, section 7.9 and appendix C"},
		{"smtp.hop_delay", notice, "The mail lay long at one of the servers it came through.", "Look at that server's queue and log.", "RFC 5321, section 4.4"},
	}
}
