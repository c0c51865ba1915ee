package smtp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"sniff/record"
)

// identity is what the responses of a mechanism tell.
type identity struct {
	account, realm string
	secret         string
	exposure       record.Exposure
	hash           string // in hashcat's format
	hashMode       int
}

// identity reads the responses of the mechanism.
func (l *login) identity() identity {
	if l.blind {
		return identity{exposure: record.ExposureClear, secret: string(bytes.Join(l.said, []byte("\n")))}
	}
	switch l.mechanism {
	case "PLAIN":
		return l.plain()
	case "LOGIN":
		id := identity{account: string(l.response(0)), exposure: record.ExposureClear}
		id.secret = string(l.response(1))
		return id
	case "CRAM-MD5":
		return l.cram()
	case "DIGEST-MD5":
		return l.digest()
	case "NTLM":
		return l.ntlm()
	case "XOAUTH2", "OAUTHBEARER":
		return l.bearer()
	case "EXTERNAL", "ANONYMOUS":
		// EXTERNAL: the certificate of TLS proves who it is (RFC 4422,
		// appendix A).
		return identity{account: string(l.response(0)), exposure: record.ExposureHidden}
	case "GSSAPI", "GS2-KRB5":
		return identity{exposure: record.ExposureHidden}
	}
	if strings.HasPrefix(l.mechanism, "SCRAM-") {
		return l.scram()
	}
	return identity{exposure: record.ExposureClear, secret: string(bytes.Join(l.said, []byte("\n")))}
}

func (l *login) response(i int) []byte {
	if i < len(l.said) {
		return l.said[i]
	}
	return nil
}

func (l *login) asking(i int) []byte {
	if i < len(l.asked) {
		return l.asked[i]
	}
	return nil
}

// plain reads authzid NUL authcid NUL password (RFC 4616, section 2).
func (l *login) plain() identity {
	f := bytes.SplitN(l.response(0), []byte{0}, 3)
	id := identity{exposure: record.ExposureClear}
	switch len(f) {
	case 3:
		id.realm, id.account, id.secret = string(f[0]), string(f[1]), string(f[2])
		if id.realm == id.account {
			id.realm = ""
		}
	default:
		id.secret = string(l.response(0))
	}
	return id
}

// cram reads "user digest" (RFC 2195, section 2).
func (l *login) cram() identity {
	id := identity{exposure: record.ExposureCrackable}
	response := l.response(0)
	if i := bytes.LastIndexByte(response, ' '); i >= 0 {
		id.account, id.secret = string(response[:i]), string(response[i+1:])
		id.hashMode = 10200
		id.hash = "$cram_md5$" + base64.StdEncoding.EncodeToString(l.asking(0)) + "$" + base64.StdEncoding.EncodeToString(response)
	}
	return id
}

// digest reads the digest-response (RFC 2831, section 2.1.2).
func (l *login) digest() identity {
	id := identity{exposure: record.ExposureCrackable}
	for _, f := range directives(string(l.response(0))) {
		switch strings.ToLower(f[0]) {
		case "username":
			id.account = f[1]
		case "realm":
			id.realm = f[1]
		case "response":
			id.secret = f[1]
		}
	}
	return id
}

// directives splits key="value" pairs at commas outside of quotes.
func directives(s string) [][2]string {
	var list [][2]string
	for len(s) > 0 && len(list) < 32 {
		end, quoted := len(s), false
		for i := 0; i < len(s); i++ {
			if s[i] == '\\' && quoted {
				i++
			} else if s[i] == '"' {
				quoted = !quoted
			} else if s[i] == ',' && !quoted {
				end = i
				break
			}
		}
		key, value, _ := strings.Cut(s[:end], "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		list = append(list, [2]string{strings.TrimSpace(key), strings.ReplaceAll(value, `\`, "")})
		s = s[min(end+1, len(s)):]
	}
	return list
}

// scram reads the client's first and final message (RFC 5802, section 7).
func (l *login) scram() identity {
	id := identity{exposure: record.ExposureCrackable}
	first := string(l.response(0))
	for _, f := range strings.Split(first, ",") {
		switch {
		case strings.HasPrefix(f, "n=") && id.account == "":
			id.account = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(f[2:])
		case strings.HasPrefix(f, "a="):
			id.realm = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(f[2:])
		}
	}
	if _, proof, ok := strings.Cut(string(l.response(1)), ",p="); ok {
		id.secret = proof
	}
	return id
}

// bearer reads XOAUTH2's "user=...^Aauth=Bearer ...^A^A" and OAUTHBEARER's
// GS2 form of it (RFC 7628, section 3.1).
func (l *login) bearer() identity {
	id := identity{exposure: record.ExposureClear}
	for _, f := range strings.Split(string(l.response(0)), "\x01") {
		switch {
		case strings.HasPrefix(f, "user="):
			id.account = f[5:]
		case hasFold(f, "auth="):
			id.secret = strings.TrimSpace(f[5:])
			if hasFold(id.secret, "bearer ") {
				id.secret = strings.TrimSpace(id.secret[7:])
			}
		case strings.HasPrefix(f, "n,") || strings.HasPrefix(f, "y,"):
			for _, g := range strings.Split(f, ",") {
				if strings.HasPrefix(g, "a=") {
					id.account = g[2:]
				}
			}
		}
	}
	return id
}

// ntlm reads the AUTHENTICATE message (MS-NLMP, section 2.2.1.3) and the
// server's challenge (section 2.2.1.2).
func (l *login) ntlm() identity {
	id := identity{exposure: record.ExposureCrackable}
	var auth, challenge []byte
	for _, b := range l.said {
		if ntlmType(b) == 3 {
			auth = b
		}
	}
	for _, b := range l.asked {
		if ntlmType(b) == 2 {
			challenge = b
		}
	}
	if auth == nil {
		return id
	}
	unicode := len(auth) >= 64 && binary.LittleEndian.Uint32(auth[60:])&1 != 0
	lm, nt := ntlmField(auth, 12), ntlmField(auth, 20)
	domain, user := ntlmText(ntlmField(auth, 28), unicode), ntlmText(ntlmField(auth, 36), unicode)
	id.account, id.realm, id.secret = user, domain, hex.EncodeToString(nt)
	if len(challenge) < 32 {
		return id
	}
	server := hex.EncodeToString(challenge[24:32])
	switch {
	case len(nt) == 24:
		id.hashMode = 5500
		id.hash = user + "::" + domain + ":" + hex.EncodeToString(lm) + ":" + hex.EncodeToString(nt) + ":" + server
	case len(nt) > 24:
		id.hashMode = 5600
		id.hash = user + "::" + domain + ":" + server + ":" + hex.EncodeToString(nt[:16]) + ":" + hex.EncodeToString(nt[16:])
	}
	return id
}

func ntlmType(b []byte) uint32 {
	if len(b) < 12 || string(b[:8]) != "NTLMSSP\x00" {
		return 0
	}
	return binary.LittleEndian.Uint32(b[8:])
}

// ntlmField returns the payload that the descriptor at offset at points to.
func ntlmField(b []byte, at int) []byte {
	if len(b) < at+8 {
		return nil
	}
	n, from := int(binary.LittleEndian.Uint16(b[at:])), int64(binary.LittleEndian.Uint32(b[at+4:]))
	if from+int64(n) > int64(len(b)) {
		return nil
	}
	return b[from : from+int64(n)]
}

func ntlmText(b []byte, unicode bool) string {
	if !unicode {
		return string(b)
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
