package ftp

import (
	"bytes"
	"strings"

	"sniff/dissect"
)

// probe decides by the first lines. 220 opens FTP, SMTP and LMTP alike, so a
// greeting alone is only enough when it names FTP; else the client's first
// command tells. USER and PASS are POP3's as well, whose server says +OK.
func probe(in *dissect.Input) dissect.Verdict {
	if !in.Oriented && looksLikeReply(in.Client) && sameProtocol(in.Server) {
		swapped := *in
		swapped.Client, swapped.Server = in.Server, in.Client
		swapped.ClientEnded, swapped.ServerEnded = in.ServerEnded, in.ClientEnded
		swapped.Oriented = true
		if v := probe(&swapped); v == dissect.Accept {
			return dissect.AcceptSwapped
		}
	}
	if in.ALPN == "ftp" {
		return dissect.Accept
	}
	said, answered := in.Client, in.Server
	if in.Midstream {
		said, answered = wholeLines(said), wholeLines(answered)
	}
	client, server := judgeClient(said), judgeServer(answered)
	switch {
	case client == no || server == no:
		return dissect.Reject
	case client == yes || server == yes:
		return dissect.Accept
	case server == maybe && bytes.HasPrefix(bytes.ToUpper(said[:min(len(said), 5)]), []byte("USER ")):
		return dissect.Accept // POP3 would have said +OK
	}
	if !in.Final {
		return dissect.More
	}
	switch {
	case client == maybe && server == maybe:
		return dissect.Accept
	case in.Hint && (client >= maybe || server >= maybe):
		return dissect.Accept
	}
	return dissect.Reject
}

// opinion is what one side alone tells.
type opinion uint8

const (
	no     opinion = iota
	unsure         // not enough seen
	maybe          // other protocols speak so, too
	yes
)

// judgeClient looks at the client's commands.
func judgeClient(b []byte) opinion {
	best := unsure
	for n := 0; n < 8; n++ {
		l, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			// The beginning of a command that is no command at all.
			if best == unsure && len(l) > 0 && l[0] != telnetIAC && (l[0]|0x20 < 'a' || l[0]|0x20 > 'z') {
				return no
			}
			return best
		}
		b = rest
		l, _, _ = stripTelnet(bytes.TrimRight(l, "\r"))
		name, arg, _ := strings.Cut(string(l), " ")
		switch command := strings.ToUpper(name); command {
		case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "STARTTLS", "BDAT", "XCLIENT", "XFORWARD", "CAPA", "STLS", "APOP", "UIDL",
			"GET", "POST", "HEAD", "PUT":
			return no
		case "SYST", "FEAT", "PASV", "EPSV", "PORT", "EPRT", "CWD", "XCWD", "PWD", "XPWD", "CDUP", "NLST", "MLSD", "MLST",
			"STOR", "APPE", "STOU", "SIZE", "MDTM", "MKD", "XMKD", "RMD", "XRMD", "RNFR", "RNTO", "PBSZ", "PROT", "ABOR",
			"CLNT", "ACCT", "SITE", "OPTS", "ALLO", "LPRT", "LPSV":
			return yes
		case "TYPE", "MODE", "STRU", "REST":
			if arg != "" {
				return yes
			}
		case "AUTH":
			// SMTP needs EHLO in front of AUTH, and names other mechanisms.
			if isTLS(arg) || strings.EqualFold(arg, "GSSAPI") {
				return yes
			}
			best = max(best, maybe)
		case "USER", "PASS", "LIST", "RETR", "DELE", "QUIT", "NOOP", "HELP", "HOST", "REIN", "STAT", "LANG":
			best = max(best, maybe)
		default:
			if best == unsure && verbOf(command) == 0 {
				if !letters([]byte(name)) || len(name) > 8 {
					return no
				}
			}
		}
	}
	return best
}

// judgeServer looks at the server's first replies.
func judgeServer(b []byte) opinion {
	if len(b) == 0 {
		return unsure
	}
	for i, c := range b[:min(len(b), 3)] {
		if !digit(c) || i == 0 && (c < '1' || c > '6') {
			return no
		}
	}
	if len(b) < 4 {
		return unsure
	}
	if said := strings.ToUpper(string(b)); strings.Contains(said, "SMTP") || strings.Contains(said, "LMTP") {
		return no
	}
	best := unsure
	for n := 0; n < 8; n++ {
		l, rest, whole := bytes.Cut(b, []byte{'\n'})
		code, sep, _ := splitReply(bytes.TrimRight(l, "\r"))
		switch {
		case !whole:
			return best
		case code == 0 && n == 0:
			return no
		}
		best = max(best, judgeReply(code, sep, l))
		b = rest
	}
	return best
}

// judgeReply looks at one line of the server.
func judgeReply(code int, sep byte, line []byte) opinion {
	said := strings.ToUpper(string(line))
	switch {
	case (code == 227 || code == 229) && findAddress(code, line).ok, namesFTP(said):
		return yes
	case sep != ' ' && sep != '-':
		return unsure
	}
	switch code {
	case 220, 120, 421, 331, 230, 530, 150, 226, 257:
		return maybe
	}
	return unsure
}

// namesFTP reports whether a greeting names the protocol or a server's
// product. A host name like ftp.example.com is not enough: mail servers bear
// such names as well.
func namesFTP(said string) bool {
	for _, name := range []string{"VSFTPD", "PROFTPD", "PURE-FTPD", "FILEZILLA", "PYFTPDLIB", "SERV-U", "WU-FTPD", "NETBSD-FTPD",
		"FTP SERVER", "FTP SERVICE", "FTPD ", "FTP4ALL", "(VSFTP", "GENE6", "GLFTPD", "SFTPGO"} {
		if strings.Contains(said, name) {
			return true
		}
	}
	return false
}

// wholeLines drops the tail of a line that b may begin with.
func wholeLines(b []byte) []byte {
	first, rest, whole := bytes.Cut(b, []byte{'\n'})
	first = bytes.TrimRight(first, "\r")
	if code, sep, _ := splitReply(first); code != 0 && sep != '_' {
		return b
	}
	name, _, _ := strings.Cut(string(first), " ")
	if verbOf(strings.ToUpper(name)) != 0 {
		return b
	}
	if !whole {
		return nil
	}
	return rest
}

func looksLikeReply(b []byte) bool {
	return len(b) > 3 && digit(b[0]) && digit(b[1]) && digit(b[2]) && (b[3] == ' ' || b[3] == '-')
}

func sameProtocol(client []byte) bool {
	return len(client) == 0 || judgeClient(client) >= maybe
}
