package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// kexMessage is one key exchange message, kept until both KEXINITs have said
// how it is to be read: a guessed one is sent before that is known.
type kexMessage struct {
	dir     dissect.Dir
	payload []byte
	at      record.Stamp
}

// maxKexMessages bounds them: group exchange has four, GSS a few more.
const maxKexMessages = 16

// maxKexBytes bounds what is kept of them; the largest in use, with
// certificates and ML-KEM, come to some ten thousand.
const maxKexBytes = 64 << 10

// family sorts key exchange methods by the shape of their messages.
func family(method string) string {
	base, _, _ := strings.Cut(method, "@")
	switch {
	case method == "":
		return ""
	case strings.HasPrefix(base, "gss-"):
		return "gss"
	case strings.HasPrefix(base, "diffie-hellman-group-exchange-"):
		return "dh-gex"
	case strings.HasPrefix(base, "diffie-hellman-group"):
		return "dh"
	case postQuantum(method):
		return "hybrid"
	case strings.HasPrefix(base, "ecdh-sha2-"), strings.HasPrefix(base, "curve25519-"), strings.HasPrefix(base, "curve448-"),
		strings.HasPrefix(base, "ecmqv-"), strings.HasPrefix(base, "sm2kep-"):
		return "ecdh"
	case strings.HasPrefix(base, "rsa1024-"), strings.HasPrefix(base, "rsa2048-"):
		return "rsa"
	}
	return "unknown"
}

func postQuantum(method string) bool {
	for _, p := range []string{"sntrup", "mlkem", "kyber", "ecdh-nistp256-kyber", "x25519-kyber", "frodokem", "mceliece", "ntruprime"} {
		if strings.HasPrefix(method, p) {
			return true
		}
	}
	return false
}

// methodBits is the size of the prime or curve that a method is named for.
func methodBits(method string) int {
	base, _, _ := strings.Cut(method, "@")
	switch {
	case strings.HasPrefix(base, "gss-"):
		base = strings.TrimPrefix(base, "gss-")
		base = strings.Replace(base, "group", "diffie-hellman-group", 1)
		base = strings.Replace(base, "nistp", "ecdh-sha2-nistp", 1)
		if strings.HasPrefix(base, "gex-") {
			return 0
		}
	case strings.HasPrefix(base, "mlkem768nistp256"):
		return 256
	case strings.HasPrefix(base, "mlkem1024nistp384"):
		return 384
	}
	for _, m := range [...]struct {
		prefix string
		bits   int
	}{
		{"diffie-hellman-group1-", 1024}, {"diffie-hellman-group14-", 2048}, {"diffie-hellman-group15-", 3072},
		{"diffie-hellman-group16-", 4096}, {"diffie-hellman-group17-", 6144}, {"diffie-hellman-group18-", 8192},
		{"ecdh-sha2-nistp256", 256}, {"ecdh-sha2-nistp384", 384}, {"ecdh-sha2-nistp521", 521},
		{"curve25519-", 256}, {"curve448-", 448}, {"sntrup761x25519-", 256}, {"sntrup4591761x25519-", 256},
		{"mlkem768x25519-", 256}, {"rsa1024-", 1024}, {"rsa2048-", 2048},
	} {
		if strings.HasPrefix(base, m.prefix) {
			return m.bits
		}
	}
	return 0
}

// readExchange reads the key exchange messages by the method that was chosen;
// "" when that is not known, which leaves what all methods have alike.
func readExchange(known *offers, method string, messages []kexMessage, skipClient, skipServer bool) (*record.SSHExchange, *record.SSHHostKey) {
	x := &record.SSHExchange{Family: family(method), Bits: methodBits(method), PostQuantum: postQuantum(method)}
	var key *record.SSHHostKey
	for _, m := range messages {
		if m.dir == dissect.ClientToServer && skipClient {
			skipClient = false
			continue
		}
		if m.dir == dissect.ServerToClient && skipServer {
			skipServer = false
			continue
		}
		r := reader{b: m.payload[1:]}
		var k []byte
		switch x.Family {
		case "dh", "ecdh", "hybrid":
			k = readPlain(x, m, &r)
		case "dh-gex":
			k = readGroupExchange(x, m, &r)
		case "gss":
			k = readGSS(x, m, &r)
		case "rsa":
			k = readRSA(x, m, &r)
		default:
			k = readUnknown(x, m, &r)
		}
		if len(k) > 0 && key == nil {
			key = known.hostKey(k)
		}
	}
	if x.Family == "" {
		x = nil
	}
	return x, key
}

// readPlain reads KEXDH_INIT 30 and KEXDH_REPLY 31 (RFC 4253, section 8) and
// their elliptic and hybrid likes (RFC 5656, section 4), which differ only in
// how the public values are to be understood.
func readPlain(x *record.SSHExchange, m kexMessage, r *reader) (key []byte) {
	switch {
	case m.payload[0] == 30 && m.dir == dissect.ClientToServer:
		x.ClientPublic = publicSize(x, r)
	case m.payload[0] == 31 && m.dir == dissect.ServerToClient:
		key = r.string()
		x.ServerPublic = publicSize(x, r)
		readSignature(x, r)
	}
	return key
}

func publicSize(x *record.SSHExchange, r *reader) int {
	if x.Family == "dh" || x.Family == "dh-gex" {
		return len(r.mpint())
	}
	return len(r.string())
}

// readGroupExchange reads RFC 4419, section 3.
func readGroupExchange(x *record.SSHExchange, m kexMessage, r *reader) (key []byte) {
	switch t := m.payload[0]; {
	case t == 34 && m.dir == dissect.ClientToServer:
		x.AskedMin, x.Asked, x.AskedMax = int(r.uint32()), int(r.uint32()), int(r.uint32())
	case t == 30 && m.dir == dissect.ClientToServer: // SSH_MSG_KEX_DH_GEX_REQUEST_OLD
		x.OldRequest, x.Asked = true, int(r.uint32())
	case t == 31 && m.dir == dissect.ServerToClient:
		readGroup(x, r)
	case t == 32 && m.dir == dissect.ClientToServer:
		x.ClientPublic = len(r.mpint())
	case t == 33 && m.dir == dissect.ServerToClient:
		key = r.string()
		x.ServerPublic = len(r.mpint())
		readSignature(x, r)
	}
	return key
}

// readGroup reads the prime and generator of SSH_MSG_KEX_DH_GEX_GROUP.
func readGroup(x *record.SSHExchange, r *reader) {
	p, g := r.mpint(), r.mpint()
	if r.bad {
		return
	}
	x.Bits = bitLen(p)
	sum := sha256.Sum256(p)
	x.Prime = hex.EncodeToString(sum[:])
	if len(g) <= 8 {
		x.Generator = strconv.FormatUint(number(g), 16)
	}
}

func number(p []byte) uint64 {
	var n uint64
	for _, c := range p {
		n = n<<8 | uint64(c)
	}
	return n
}

// readGSS reads RFC 4462, section 2: the exchange is signed by Kerberos, a
// host key may be shown beside.
func readGSS(x *record.SSHExchange, m kexMessage, r *reader) (key []byte) {
	switch m.payload[0] {
	case 30:
		r.string()
		x.ClientPublic = len(r.string())
	case 31:
		x.Rounds++
	case 32:
		x.ServerPublic = len(r.string())
	case 33:
		key = r.string()
	case 40:
		x.AskedMin, x.Asked, x.AskedMax = int(r.uint32()), int(r.uint32()), int(r.uint32())
	case 41:
		readGroup(x, r)
	}
	return key
}

// readRSA reads RFC 4432, section 4: PUBKEY 30 comes from the server.
func readRSA(x *record.SSHExchange, m kexMessage, r *reader) (key []byte) {
	switch m.payload[0] {
	case 30:
		key = r.string()
		x.ServerPublic = len(r.string())
	case 31:
		x.ClientPublic = len(r.string())
	case 32:
		readSignature(x, r)
	}
	return key
}

// readUnknown takes the host key of a method that is not known, or not known
// to us: in all that sign with it, the reply begins with it.
func readUnknown(x *record.SSHExchange, m kexMessage, r *reader) (key []byte) {
	if m.dir != dissect.ServerToClient || m.payload[0] != 31 && m.payload[0] != 33 {
		return nil
	}
	k := r.string()
	inner := reader{b: k}
	if !knownKeyName(inner.names()) {
		return nil
	}
	x.ServerPublic = len(r.string())
	readSignature(x, r)
	return k
}

func readSignature(x *record.SSHExchange, r *reader) {
	sig := r.string()
	inner := reader{b: sig}
	x.Signature = clip(inner.string(), 64)
	x.SignatureSize = len(inner.string())
}
