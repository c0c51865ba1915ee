package ssh

import (
	"bytes"
	"encoding/binary"

	"sniff/dissect"
)

// probe recognises SSH by an identification line on either side, or by a
// KEXINIT when the capture begins behind the identifications. Ports do not
// matter, but for how long a talkative server is waited for.
func probe(in *dissect.Input) dissect.Verdict {
	client, server := look(in.Client), look(in.Server)
	if client == isKexInit || server == isKexInit || client == isLine && server == isLine {
		if !in.Oriented && (kexInitOf(in.Client) == dissect.ServerToClient || kexInitOf(in.Server) == dissect.ClientToServer) {
			return dissect.AcceptSwapped
		}
		if client == isLine && !in.Oriented && !in.Final && kexInitPending(in) {
			return dissect.More
		}
		return dissect.Accept
	}
	if client == isLine || server == isLine {
		if !in.Oriented && !in.Final && !in.ServerEnded && !in.ClientEnded && len(in.Client)+len(in.Server) < 64 {
			return dissect.More
		}
		return dissect.Accept
	}
	if in.Final {
		return dissect.Reject
	}
	if client == isOther || client == isText {
		// On an SSH port the server may still say that it is one, to a client
		// that takes it for something else.
		if in.Hint && len(in.Server) < 4 && !in.ServerEnded {
			return dissect.More
		}
		return dissect.Reject
	}
	switch server {
	case isOther:
		return dissect.Reject
	case isText:
		// Lines before the identification (RFC 4253, section 4.2). Servers of
		// other protocols greet too: a reply code is none of ours.
		if replyCode(in.Server) || !in.Hint && len(in.Server) > 1024 {
			return dissect.Reject
		}
	}
	return dissect.More
}

// kexInitPending reports whether a KEXINIT that would tell the client from the
// server may still come.
func kexInitPending(in *dissect.Input) bool {
	return len(in.Client)+len(in.Server) < 400 && !in.ClientEnded && !in.ServerEnded && !in.Hint
}

type sight uint8

const (
	isShort sight = iota // too few bytes to say
	isLine               // an identification, perhaps behind other lines
	isKexInit
	isText  // lines, none of them an identification
	isOther // not SSH
)

// look judges the first bytes of one side.
func look(b []byte) sight {
	if len(b) == 0 {
		return isShort
	}
	if hasIdentification(b) || identificationLine(b) >= 0 {
		return isLine
	}
	if len(b) < 4 && bytes.HasPrefix([]byte("SSH-"), b) {
		return isShort
	}
	if isKexInitPacket(b) {
		return isKexInit
	}
	if len(b) < 8 && b[0] == 0 {
		return isShort
	}
	if printable(b[:min(len(b), 512)]) {
		return isText
	}
	return isOther
}

// hasIdentification reports whether b begins with one: SSH-1. or SSH-2.
func hasIdentification(b []byte) bool {
	return len(b) >= 5 && string(b[:4]) == "SSH-" && b[4] >= '0' && b[4] <= '9'
}

// identificationLine finds an identification behind other lines.
func identificationLine(b []byte) int {
	at := bytes.Index(b, []byte("\nSSH-"))
	if at < 0 || !hasIdentification(b[at+1:]) || !printable(b[:at]) {
		return -1
	}
	return at + 1
}

// printable reports whether b can be lines of text. Bytes above ASCII are
// UTF-8 or an old character set; control characters other than white space
// and escape are not.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\r' && c != '\n' && c != '\t' && c != 0x1b || c == 0x7f {
			return false
		}
	}
	return true
}

// replyCode reports whether b begins like a reply of FTP or SMTP, or another
// protocol's greeting.
func replyCode(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	digits := b[0] >= '1' && b[0] <= '5' && b[1] >= '0' && b[1] <= '9' && b[2] >= '0' && b[2] <= '9'
	return digits && (b[3] == ' ' || b[3] == '-') || bytes.HasPrefix(b, []byte("+OK")) || bytes.HasPrefix(b, []byte("* OK")) ||
		bytes.HasPrefix(b, []byte("HTTP/"))
}

// isKexInitPacket reports whether b begins with the packet of a KEXINIT.
func isKexInitPacket(b []byte) bool {
	if len(b) < 26 || b[5] != msgKexInit || !plausiblePacket(b) {
		return false
	}
	n := binary.BigEndian.Uint32(b[22:])
	if n == 0 || n > 8192 {
		return false
	}
	names := b[26:]
	names = names[:min(len(names), int(n))]
	for _, c := range names {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// kexInitOf tells by the markers in a KEXINIT whose it is; 2 when it does not
// tell.
func kexInitOf(b []byte) dissect.Dir {
	if at := bytes.IndexByte(b, msgKexInit); at < 0 {
		return 2
	}
	switch {
	case bytes.Contains(b, []byte("ext-info-c")), bytes.Contains(b, []byte("kex-strict-c-v00@openssh.com")):
		return dissect.ClientToServer
	case bytes.Contains(b, []byte("ext-info-s")), bytes.Contains(b, []byte("kex-strict-s-v00@openssh.com")):
		return dissect.ServerToClient
	}
	return 2
}
