package ssh

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sniff/dissect"
	"sniff/record"
)

// str, num and big make the fields of messages.
func str(p ...byte) []byte       { return appendString(nil, p) }
func text(s string) []byte       { return str([]byte(s)...) }
func num(n uint32) []byte        { return binary.BigEndian.AppendUint32(nil, n) }
func filled(n int) []byte        { return bytes.Repeat([]byte{0x7f}, n) }
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func testKey() []byte { return cat(text("ssh-ed25519"), str(filled(32)...)) }

func testSignature() []byte { return str(cat(text("ssh-ed25519"), str(filled(64)...))...) }

// TestKexMethods gives the messages of every method to what reads them, with
// public values of the sizes that the method has.
func TestKexMethods(t *testing.T) {
	const c, s = dissect.ClientToServer, dissect.ServerToClient
	type message struct {
		dir dissect.Dir
		p   []byte
	}
	plain := func(client, server int) []message {
		return []message{{c, cat([]byte{30}, str(filled(client)...))}, {s, cat([]byte{31}, str(testKey()...), str(filled(server)...), testSignature())}}
	}
	group := func(request []byte) []message {
		return []message{
			{c, request}, {s, cat([]byte{31}, str(filled(384)...), str(2))},
			{c, cat([]byte{32}, str(filled(384)...))}, {s, cat([]byte{33}, str(testKey()...), str(filled(384)...), testSignature())},
		}
	}
	gss := []message{
		{s, cat([]byte{33}, str(testKey()...))}, {c, cat([]byte{30}, str(filled(500)...), str(filled(256)...))},
		{s, cat([]byte{31}, str(filled(100)...))}, {c, cat([]byte{31}, str(filled(100)...))},
		{s, cat([]byte{32}, str(filled(256)...), str(filled(28)...), []byte{0})},
	}
	for _, m := range []struct {
		methods        string
		messages       []message
		family         string
		bits           int
		quantum        bool
		client, server int
		more           func(x *record.SSHExchange) bool
	}{
		{"diffie-hellman-group1-sha1", plain(128, 128), "dh", 1024, false, 128, 128, nil},
		{"diffie-hellman-group14-sha1,diffie-hellman-group14-sha256", plain(256, 256), "dh", 2048, false, 256, 256, nil},
		{"diffie-hellman-group15-sha512", plain(384, 384), "dh", 3072, false, 384, 384, nil},
		{"diffie-hellman-group16-sha512", plain(512, 512), "dh", 4096, false, 512, 512, nil},
		{"diffie-hellman-group17-sha512", plain(768, 768), "dh", 6144, false, 768, 768, nil},
		{"diffie-hellman-group18-sha512", plain(1024, 1024), "dh", 8192, false, 1024, 1024, nil},
		{"diffie-hellman-group-exchange-sha1,diffie-hellman-group-exchange-sha256", group(cat([]byte{34}, num(2048), num(3072), num(8192))), "dh-gex", 3071, false, 384, 384,
			func(x *record.SSHExchange) bool {
				return x.AskedMin == 2048 && x.Asked == 3072 && x.AskedMax == 8192 && x.Generator == "2" && !x.OldRequest
			}},
		{"diffie-hellman-group-exchange-sha256", group(cat([]byte{30}, num(3072))), "dh-gex", 3071, false, 384, 384,
			func(x *record.SSHExchange) bool { return x.Asked == 3072 && x.OldRequest }},
		{"ecdh-sha2-nistp256", plain(65, 65), "ecdh", 256, false, 65, 65, nil},
		{"ecdh-sha2-nistp384", plain(97, 97), "ecdh", 384, false, 97, 97, nil},
		{"ecdh-sha2-nistp521", plain(133, 133), "ecdh", 521, false, 133, 133, nil},
		{"curve25519-sha256,curve25519-sha256@libssh.org", plain(32, 32), "ecdh", 256, false, 32, 32, nil},
		{"curve448-sha512", plain(56, 56), "ecdh", 448, false, 56, 56, nil},
		{"sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com", plain(1190, 1071), "hybrid", 256, true, 1190, 1071, nil},
		{"mlkem768x25519-sha256", plain(1216, 1120), "hybrid", 256, true, 1216, 1120, nil},
		{"mlkem768nistp256-sha256", plain(1249, 1153), "hybrid", 256, true, 1249, 1153, nil},
		{"mlkem1024nistp384-sha384", plain(1665, 1665), "hybrid", 384, true, 1665, 1665, nil},
		{"gss-group14-sha256-toWM5Slw5Ew8Mqkay+al2g==", gss, "gss", 2048, false, 256, 256, func(x *record.SSHExchange) bool { return x.Rounds == 2 }},
		{"gss-nistp256-sha256-toWM5Slw5Ew8Mqkay+al2g==", gss, "gss", 256, false, 256, 256, nil},
		{"gss-curve25519-sha256-toWM5Slw5Ew8Mqkay+al2g==", gss, "gss", 256, false, 256, 256, nil},
		{"gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g==", append([]message{{c, cat([]byte{40}, num(2048), num(3072), num(8192))}, {s, cat([]byte{41}, str(filled(384)...), str(2))}}, gss...),
			"gss", 3071, false, 256, 256, func(x *record.SSHExchange) bool { return x.Asked == 3072 }},
		{"rsa2048-sha256", []message{{s, cat([]byte{30}, str(testKey()...), str(filled(279)...))}, {c, cat([]byte{31}, str(filled(256)...))}, {s, cat([]byte{32}, testSignature())}},
			"rsa", 2048, false, 256, 279, nil},
	} {
		for method := range bytes.SplitSeq([]byte(m.methods), []byte(",")) {
			var messages []kexMessage
			for _, x := range m.messages {
				messages = append(messages, kexMessage{dir: x.dir, payload: x.p})
			}
			x, key := readExchange(&offers{}, string(method), messages, false, false)
			if x == nil || x.Family != m.family || x.Bits != m.bits || x.PostQuantum != m.quantum || x.ClientPublic != m.client || x.ServerPublic != m.server {
				t.Errorf("%s: %+v", method, x)
				continue
			}
			if key == nil || key.Type != "ED25519" {
				t.Errorf("%s: host key %+v", method, key)
			}
			if x.Family != "gss" && (x.Signature != "ssh-ed25519" || x.SignatureSize != 64) {
				t.Errorf("%s: signature %s of %d bytes", method, x.Signature, x.SignatureSize)
			}
			if m.more != nil && !m.more(x) {
				t.Errorf("%s: %+v", method, x)
			}
		}
	}
}

// TestHostKeyKinds reads a key of each kind that ssh-keygen does not make here.
func TestHostKeyKinds(t *testing.T) {
	p256 := append([]byte{4}, filled(64)...)
	for _, c := range []struct {
		name string
		rest []byte
		kind string
		bits int
	}{
		{"ssh-ed448", str(filled(57)...), "ED448", 456},
		{"ssh-dss", cat(str(filled(128)...), str(filled(20)...), str(filled(128)...), str(filled(128)...)), "DSA", 1023},
		{"sk-ssh-ed25519@openssh.com", cat(str(filled(32)...), text("ssh:")), "ED25519-SK", 256},
		{"sk-ecdsa-sha2-nistp256@openssh.com", cat(text("nistp256"), str(p256...), text("ssh:")), "ECDSA-SK", 256},
		{"ecdsa-sha2-nistp521", cat(text("nistp521"), str(append([]byte{4}, filled(132)...)...)), "ECDSA", 521},
		{"ssh-rsa", cat(str(1, 0, 1), str(append([]byte{0, 0xff}, filled(383)...)...)), "RSA", 3072},
		{"something@example.com", str(filled(32)...), "something@example.com", 0},
	} {
		k := readHostKey(cat(text(c.name), c.rest))
		if k.Algorithm != c.name || k.Type != c.kind || k.Bits != c.bits || len(k.SHA256) != len("SHA256:")+43 || len(k.MD5) != 47 || len(k.Randomart()) != 11 {
			t.Errorf("%s: %+v", c.name, k)
		}
	}
}
