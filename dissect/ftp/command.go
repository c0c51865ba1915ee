package ftp

import (
	"bytes"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// verb says what is known of a command. The zero value is an unknown one.
type verb uint16

const (
	known    verb = 1 << iota
	access        // part of a login
	secret        // its argument is a password or token
	named         // its argument is a path
	download      // moves a file to the client
	upload        // moves a file to the server
	listing       // moves a listing to the client
	passive       // asks the server to listen
	active        // tells the server where to connect to

	transfers = download | upload | listing
	sets      = passive | active
)

// verbOf returns what is known of a command in upper case.
func verbOf(command string) verb {
	switch command {
	case "USER":
		return known | access
	case "PASS", "ACCT":
		return known | access | secret
	case "ADAT":
		return known | secret
	case "RETR":
		return known | named | download
	case "STOR", "APPE", "STOU":
		return known | named | upload
	case "LIST", "NLST", "MLSD":
		return known | named | listing
	case "PASV", "EPSV", "LPSV", "SPSV", "CPSV":
		return known | passive
	case "PORT", "EPRT", "LPRT":
		return known | active
	case "CWD", "XCWD", "DELE", "RMD", "XRMD", "MKD", "XMKD", "RNFR", "RNTO", "SIZE", "MDTM", "MLST",
		"SMNT", "HASH", "XCRC", "XMD5", "MD5", "XSHA", "XSHA1", "XSHA256", "XSHA512", "MFMT", "MFCT":
		return known | named
	case "CDUP", "XCUP", "PWD", "XPWD", "QUIT", "REIN", "TYPE", "MODE", "STRU", "ALLO", "REST", "ABOR",
		"STAT", "HELP", "SITE", "SYST", "NOOP", "FEAT", "OPTS", "LANG", "CLNT", "CSID", "HOST", "PRET",
		"AUTH", "PBSZ", "PROT", "CCC", "MIC", "CONF", "ENC", "SSCN", "MFF", "RANG", "AVBL", "DSIZ",
		"MMD5", "XDSIZ", "COMB", "THMB", "XPSS", "ESTA", "ESTP":
		return known
	}
	return 0
}

// command reads one line of the client (RFC 959, section 5.3).
func (s *session) command(raw []byte, at record.Stamp) dissect.Action {
	line, skipped, telnet := stripTelnet(raw)
	name, arg := line, []byte(nil)
	argAt := len(line)
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		name, arg, argAt = line[:i], line[i+1:], i+1
	}
	command := strings.ToUpper(record.Lossless(string(name[:min(len(name), 64)])))
	v := verbOf(command)

	in := &s.input[dissect.ClientToServer]
	if in.lost {
		in.lost = false
		if v == 0 {
			// The tail of a command whose beginning was lost.
			return dissect.Continue
		}
	}
	if len(name) == 0 {
		s.violation("ftp_command_empty", dissect.ClientToServer, at, "a line without a command")
		return dissect.Continue
	}
	if !letters(name) {
		s.violation("ftp_command_malformed", dissect.ClientToServer, at, "a line that begins with no command")
	}

	arg = unescapeTelnet(arg)
	x := &exchange{verb: v, arg: string(arg), at: at, argOffset: at.Offset + int64(skipped+argAt)}
	x.rec = &record.FTPExchange{
		Command:    command,
		Arg:        mask(command, v, record.Lossless(string(arg))),
		User:       record.Lossless(s.state.user),
		Telnet:     telnet,
		Unknown:    v == 0,
		Protection: s.protection(),
	}
	x.rec.Stamp(at, dissect.ClientToServer)
	if command == "USER" {
		x.rec.User = record.Lossless(string(arg))
	}
	return s.sent(x)
}

// mask hides what is secret in an argument.
func mask(command string, v verb, arg string) record.Text {
	if v&secret != 0 {
		return record.Masked(arg, 0, -1)
	}
	if command == "SITE" && len(arg) > 5 && strings.EqualFold(arg[:5], "PSWD ") {
		// SITE PSWD old new, of several servers.
		return record.Masked(arg, 5, -1)
	}
	return record.Plain(arg)
}

func letters(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return true
}

// Telnet's command bytes (RFC 854), of which a client that interrupts a
// transfer sends IP and DM in front of ABOR (RFC 959, section 4.1.3).
const (
	telnetSE   = 0xf0
	telnetWILL = 0xfb
	telnetIAC  = 0xff
)

// stripTelnet takes the Telnet commands off the front of a line, and says how
// many bytes they took and which they were.
func stripTelnet(b []byte) (rest []byte, n int, names string) {
	for len(b) > n+1 {
		switch c := b[n+1]; {
		case b[n] == 0xf2:
			// A DM whose IAC went ahead alone as urgent data.
			names += " DM"
			n++
			continue
		case b[n] != telnetIAC || c < telnetSE || c == telnetIAC:
			return b[n:], n, strings.TrimPrefix(names, " ")
		case c >= telnetWILL:
			names += " " + telnetName(c)
			n += min(3, len(b)-n)
		default:
			names += " " + telnetName(c)
			n += 2
		}
	}
	return b[n:], n, strings.TrimPrefix(names, " ")
}

func telnetName(c byte) string {
	return [...]string{"SE", "NOP", "DM", "BRK", "IP", "AO", "AYT", "EC", "EL", "GA", "SB", "WILL", "WONT", "DO", "DONT"}[c-telnetSE]
}

// unescapeTelnet undoes the doubling of 0xFF in an argument. A single 0xFF
// stays: many clients send file names in a legacy charset as they are.
func unescapeTelnet(b []byte) []byte {
	doubled := []byte{telnetIAC, telnetIAC}
	if !bytes.Contains(b, doubled) {
		return b
	}
	return bytes.ReplaceAll(b, doubled, doubled[:1])
}
