package ssh

import (
	"testing"

	"sniff/dissect"
	"sniff/record"
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name string
		in   dissect.Input
		want dissect.Verdict
	}{
		{"both identifications", dissect.Input{Client: []byte("SSH-2.0-x\r\n"), Server: []byte("SSH-2.0-y\r\n"), Oriented: true}, dissect.Accept},
		{"server only", dissect.Input{Server: []byte("SSH-2.0-y\r\n"), Oriented: true}, dissect.Accept},
		{"half a word", dissect.Input{Server: []byte("SS"), Oriented: true}, dissect.More},
		{"the word in another protocol", dissect.Input{Client: []byte("GET /SSH-2.0-x HTTP/1.1\r\n"), Oriented: true}, dissect.Reject},
		{"mail greeting", dissect.Input{Server: []byte("220 mail.example ESMTP\r\n"), Oriented: true}, dissect.Reject},
		{"lines first", dissect.Input{Server: []byte("Hello\r\nSSH-2.0-y\r\n"), Oriented: true}, dissect.Accept},
		{"lines so far", dissect.Input{Server: []byte("Hello\r\n"), Oriented: true, Hint: true}, dissect.More},
		{"binary", dissect.Input{Client: []byte{0x16, 3, 1, 0, 200, 1, 0, 0, 196}, Oriented: true}, dissect.Reject},
		{"a browser at an SSH server", dissect.Input{Client: []byte("GET / HTTP/1.0\r\n\r\n"), Server: []byte("SSH-2.0-y\r\n"), Oriented: true}, dissect.Accept},
		{"nothing more comes", dissect.Input{Server: []byte("Hello\r\n"), Final: true}, dissect.Reject},
	} {
		if got := probe(&c.in); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}

func TestFirstCommon(t *testing.T) {
	for _, c := range []struct{ client, server, want string }{
		{"a,b,c", "c,b", "b"},
		{"ext-info-c,a", "ext-info-c,a", "a"},
		{"a,kexguess2@matt.ucc.asn.au", "b,kexguess2@matt.ucc.asn.au", ""},
		{"", "a", ""},
		{"a", "ab,ba", ""},
	} {
		if got := firstCommon(c.client, c.server); got != c.want {
			t.Errorf("of %q and %q: %q, want %q", c.client, c.server, got, c.want)
		}
	}
}

// TestGuess: a guess is right when both prefer the same, and between two
// Dropbears when what was guessed is chosen.
func TestGuess(t *testing.T) {
	for _, c := range []struct {
		client, server string
		wrong          bool
	}{
		{"a,b", "a,b", false},
		{"a,b", "b,a", true},
		{"a,b," + kexGuess2, "b,a", true},
		{"a,b," + kexGuess2, "b,a," + kexGuess2, false},
		{"a,b," + kexGuess2, "b," + kexGuess2, true},
	} {
		client, server := &offer{init: &record.SSHKexInit{Guess: true}}, &offer{init: &record.SSHKexInit{}}
		client.lists[listKex], server.lists[listKex] = c.client, c.server
		client.lists[listHostKey], server.lists[listHostKey] = "k", "k"
		if n, _ := negotiate(client, server); n.WrongGuess != c.wrong {
			t.Errorf("%s with %s: wrong guess is %v", c.client, c.server, n.WrongGuess)
		}
	}
}

func TestNameSoftware(t *testing.T) {
	for _, c := range []struct{ text, software, release, os string }{
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "OpenSSH", "9.2p1", "Debian 12"},
		{"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.5", "OpenSSH", "9.6p1", "Ubuntu 24.04"},
		{"SSH-2.0-OpenSSH_for_Windows_8.1", "OpenSSH", "8.1", "Windows"},
		{"SSH-2.0-OpenSSH_9.7 FreeBSD-20240701", "OpenSSH", "9.7", "FreeBSD"},
		{"SSH-2.0-dropbear_2022.83", "Dropbear", "2022.83", ""},
		{"SSH-2.0-dropbear", "Dropbear", "", ""},
		{"SSH-2.0-PuTTY_Release_0.78", "PuTTY", "0.78", ""},
		{"SSH-2.0-libssh2_1.10.0", "libssh2", "1.10.0", ""},
		{"SSH-2.0-libssh_0.10.6", "libssh", "0.10.6", ""},
		{"SSH-2.0-Go", "Go x/crypto/ssh", "", ""},
		{"SSH-1.99-Cisco-1.25", "Cisco SSH", "1.25", "Cisco IOS"},
		{"SSH-2.0-8.36 FlowSsh: Bitvise SSH Server (WinSSHD)", "Bitvise", "", "Windows"},
		{"SSH-2.0-something", "unknown", "", ""},
	} {
		id := parseIdentification(c.text)
		if id.Software != c.software || id.Release != c.release || id.OS != c.os {
			t.Errorf("%s: %q %q on %q, want %q %q on %q", c.text, id.Software, id.Release, id.OS, c.software, c.release, c.os)
		}
	}
}
