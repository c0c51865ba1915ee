package ftp

import (
	"strconv"
	"strings"

	"sniff/record"
)

// digestSaid reads the reply to a command that asks for a file's digest. HASH
// says "213 SHA-256 0-49 digest name" (draft-bryan-ftp-hash); the older ones,
// XMD5, XSHA1 and so on, say the digest somewhere in the text, alone or behind
// the name.
func digestSaid(command string, r *record.FTPReply) (algorithm, digest string, to int64) {
	if len(r.Lines) == 0 {
		return "", "", 0
	}
	words := strings.Fields(r.Lines[len(r.Lines)-1])
	if command == "HASH" {
		if len(words) < 3 || !hexadecimal(words[2]) {
			return "", "", 0
		}
		from, end, ok := strings.Cut(words[1], "-")
		if to, err := strconv.ParseInt(end, 10, 64); ok && err == nil && from == "0" {
			return algorithmOf(words[0]), strings.ToLower(words[2]), to
		}
		return "", "", 0
	}
	algorithm = algorithmOf(strings.TrimPrefix(command, "X"))
	size := digestSize(algorithm)
	if size == 0 {
		return "", "", 0
	}
	for _, w := range words {
		if w = strings.Trim(w, `"'`); len(w) == size && hexadecimal(w) {
			return algorithm, strings.ToLower(w), 0
		}
	}
	return "", "", 0
}

func algorithmOf(name string) string {
	switch name = strings.ToUpper(name); name {
	case "SHA", "SHA1":
		return "SHA-1"
	case "SHA256", "SHA512":
		return "SHA-" + name[3:]
	case "CRC", "CRC32":
		return "CRC32"
	}
	return name
}

// digestSize is how many hexadecimal digits a digest has.
func digestSize(algorithm string) int {
	switch algorithm {
	case "CRC32":
		return 8
	case "MD5":
		return 32
	case "SHA-1":
		return 40
	case "SHA-256":
		return 64
	case "SHA-512":
		return 128
	}
	return 0
}

func hexadecimal(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; !digit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
