package smtp

import (
	"bytes"

	"sniff/dissect"
)

// Probe decides whether two sides speak SMTP or LMTP. A greeting of 220 opens
// FTP as well, so it is the client's first words that count, or a server that
// names its protocol (RFC 5321, section 4.2).
func Probe(in *dissect.Input) dissect.Verdict {
	switch v := probe(in.Client, in.Server, in); v {
	case dissect.Accept, dissect.Reject:
		if v == dissect.Reject && !in.Oriented && probe(in.Server, in.Client, in) == dissect.Accept {
			return dissect.AcceptSwapped
		}
		return v
	}
	if !in.Oriented && probe(in.Server, in.Client, in) == dissect.Accept {
		return dissect.AcceptSwapped
	}
	return dissect.More
}

func probe(client, server []byte, in *dissect.Input) dissect.Verdict {
	spoken := wordsOfClient(client, in.Midstream)
	if spoken == dissect.Accept {
		return dissect.Accept
	}
	// A server's words count on the server's side only: "220 ESMTP" from the
	// side that is surely the client is something else.
	answered := wordsOfServer(server)
	switch {
	case answered == dissect.Accept && spoken != dissect.Reject:
		return dissect.Accept
	case answered == dissect.Reject || spoken == dissect.Reject:
		return dissect.Reject
	}
	if in.Final && in.Hint && len(client)+len(server) > 0 {
		return dissect.Accept
	}
	return dissect.More
}

// wordsOfClient looks for commands that no other protocol has. Commands that
// FTP has as well (NOOP, HELP, QUIT, AUTH) decide nothing.
func wordsOfClient(b []byte, midstream bool) dissect.Verdict {
	if len(b) == 0 {
		return dissect.More
	}
	if looksTLS(b) {
		return dissect.Reject
	}
	for first := true; len(b) > 0; first = false {
		text, rest, whole := bytes.Cut(b, []byte("\n"))
		b = rest
		word := bytes.ToUpper(bytes.TrimRight(text, "\r"))
		word = bytes.TrimLeft(word, " ")
		for _, own := range [...]string{"EHLO ", "HELO ", "LHLO ", "MAIL FROM:", "RCPT TO:", "XCLIENT ", "XFORWARD "} {
			if bytes.HasPrefix(word, []byte(own)) {
				return dissect.Accept
			}
			if !whole && bytes.HasPrefix([]byte(own), word) {
				return dissect.More
			}
		}
		if whole && (bytes.Equal(word, []byte("EHLO")) || bytes.Equal(word, []byte("HELO")) || bytes.Equal(word, []byte("LHLO"))) {
			return dissect.Accept
		}
		if first && !midstream && !mayOpen(word, whole) {
			return dissect.Reject
		}
	}
	return dissect.More
}

// mayOpen reports whether an SMTP client may begin with this line: a command
// of both worlds, or a word that FTP does not know.
func mayOpen(word []byte, whole bool) bool {
	for _, c := range word {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	if !whole && len(word) < 5 {
		return true
	}
	verb, _, _ := bytes.Cut(word, []byte(" "))
	switch string(verb) {
	case "USER", "PASS", "ACCT", "FEAT", "SYST", "PBSZ", "PROT", "OPTS", "CLNT", "TYPE", "PASV", "PORT", "EPSV", "EPRT", "CWD", "PWD", "XPWD", "LIST", "NLST", "RETR", "STOR", "HOST", "ADAT", "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT":
		return false
	case "AUTH":
		// FTP's AUTH names TLS, SSL or GSSAPI; a client of SMTP says EHLO
		// before it says AUTH.
		return !bytes.HasPrefix(word, []byte("AUTH TLS")) && !bytes.HasPrefix(word, []byte("AUTH SSL"))
	}
	return true
}

// wordsOfServer judges the server's first reply.
func wordsOfServer(b []byte) dissect.Verdict {
	if len(b) == 0 {
		return dissect.More
	}
	for i, c := range b[:min(len(b), 3)] {
		if c < '0' || c > '9' || i == 0 && (c < '2' || c > '5') {
			return dissect.Reject
		}
	}
	if len(b) < 4 {
		return dissect.More
	}
	if b[3] != ' ' && b[3] != '-' && b[3] != '\r' && b[3] != '\n' {
		return dissect.Reject
	}
	upper := bytes.ToUpper(b)
	first, _, whole := bytes.Cut(upper, []byte("\n"))
	for _, name := range [...]string{"SMTP", "LMTP"} {
		if bytes.Contains(first, []byte(name)) {
			return dissect.Accept
		}
	}
	if whole && bytes.Contains(first, []byte("FTP")) {
		return dissect.Reject
	}
	// Replies that FTP does not have (RFC 5321, section 4.2.3), for captures
	// that lack the beginning or the client.
	switch string(upper[:3]) {
	case "354", "251", "252", "235", "334", "455", "555", "556", "521", "554":
		return dissect.Accept
	}
	// Enhanced status codes (RFC 2034) are SMTP's.
	if len(b) >= 9 && b[0] == b[4] && b[5] == '.' && b[6] >= '0' && b[6] <= '9' && b[7] == '.' {
		return dissect.Accept
	}
	return dissect.More
}

// looksTLS reports whether b begins like a TLS record (RFC 8446, section 5.1).
func looksTLS(b []byte) bool {
	return len(b) >= 2 && b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3
}
