package ftp

import (
	"testing"

	"sniff/record"
)

func TestDigestSaid(t *testing.T) {
	for _, c := range []struct {
		command, text, algorithm, digest string
		to                               int64
	}{
		{"HASH", "SHA-256 0-49 6169788bdd1aA0bb0000000000000000000000000000000000000000000000ff a file", "SHA-256", "6169788bdd1aa0bb0000000000000000000000000000000000000000000000ff", 49},
		{"HASH", "SHA-1 10-49 6169788bdd1aa0bb a", "", "", 0}, // of a part that begins later
		{"HASH", "usage", "", "", 0},
		{"XMD5", "4CD377D89EA3D976637F182B6ADFE520", "MD5", "4cd377d89ea3d976637f182b6adfe520", 0},
		{"XMD5", `"/a file" 4CD377D89EA3D976637F182B6ADFE520`, "MD5", "4cd377d89ea3d976637f182b6adfe520", 0},
		{"XCRC", "0F68F056", "CRC32", "0f68f056", 0},
		{"XSHA1", "no such file", "", "", 0},
		{"XMKD", "deadbeef", "", "", 0},
	} {
		algorithm, digest, to := digestSaid(c.command, &record.FTPReply{Lines: []string{"Computing", c.text}})
		if digest == "" {
			algorithm = ""
		}
		if algorithm != c.algorithm || digest != c.digest || to != c.to {
			t.Errorf("%s %q: %s %s %d, want %s %s %d", c.command, c.text, algorithm, digest, to, c.algorithm, c.digest, c.to)
		}
	}
}
