package http

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// authState is what a connection remembers for authentication in several
// steps.
type authState struct {
	challenge []byte // NTLM server challenge
}

// credentials notes what a request authenticates with.
func (d *dissector) credentials(x *exchange, h *head, at record.Stamp) {
	for _, value := range [...]string{h.auth, h.proxyAuth} {
		if value == "" {
			continue
		}
		scheme, rest, _ := strings.Cut(value, " ")
		x.rec.Auth = scheme
		c := d.credential(strings.ToLower(scheme), strings.TrimSpace(rest), x)
		if c == nil {
			continue
		}
		if c.Mechanism == "" {
			c.Mechanism = scheme
		}
		c.Stamp(at, dissect.ClientToServer)
		if d.env.TLS() != nil || d.env.Conn().TLS {
			c.Exposure = record.ExposureHidden
		}
		x.secrets = append(x.secrets, c)
	}
}

// credential reads one Authorization value; nil when it holds no credential.
func (d *dissector) credential(scheme, rest string, x *exchange) *record.Credential {
	switch scheme {
	case "basic":
		return d.basic(rest)
	case "digest":
		return d.digest(rest, x)
	case "bearer", "token", "apikey":
		return &record.Credential{Secret: d.env.Secret(rest), Exposure: record.ExposureClear}
	case "ntlm", "negotiate":
		return d.negotiate(scheme, rest)
	case "":
		return nil
	}
	return &record.Credential{Secret: d.env.Secret(rest), Exposure: record.ExposureClear}
}

// basic reads RFC 7617's credentials.
func (d *dissector) basic(rest string) *record.Credential {
	b, err := decodeBase64(rest)
	if err != nil {
		return &record.Credential{Mechanism: "Basic", Secret: d.env.Secret(rest), Exposure: record.ExposureClear}
	}
	user, password, _ := strings.Cut(string(b), ":")
	return &record.Credential{Mechanism: "Basic", Account: user, Secret: d.env.Secret(password), Exposure: record.ExposureClear}
}

func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// digest reads RFC 7616's credentials. The response is a digest over the
// password and the parameters beside it, which are all in the clear.
func (d *dissector) digest(rest string, x *exchange) *record.Credential {
	p := parameters(rest)
	mechanism := "Digest"
	if a := p["algorithm"]; a != "" {
		mechanism += " " + a
	}
	c := &record.Credential{
		Mechanism: mechanism, Account: p["username"], Realm: p["realm"],
		Secret: d.env.Secret(p["response"]), Exposure: record.ExposureCrackable,
	}
	if line := digestHash(x.rec.Method, p); line != "" {
		c.Hash, c.HashMode = d.env.Secret(line), 11400
	}
	return c
}

// digestHash writes a digest as hashcat's 11400, which is named after SIP but
// computes what HTTP does with MD5: RFC 2617, section 3.2.2. It returns "" for
// what the format cannot hold: other algorithms, digests over the body,
// asterisks, and what is longer than hashcat takes.
func digestHash(method string, p map[string]string) string {
	if a := p["algorithm"]; a != "" && !strings.EqualFold(a, "MD5") {
		return ""
	}
	if q := p["qop"]; q != "" && q != "auth" {
		return ""
	}
	user, realm, uri, nonce, response := p["username"], p["realm"], p["uri"], p["nonce"], p["response"]
	if b, err := hex.DecodeString(response); err != nil || len(b) != md5.Size || uri == "" || nonce == "" {
		return ""
	}
	fields := []string{"$sip$", "", "", user, realm, method, "", uri, "", nonce, p["cnonce"], p["nc"], p["qop"], "MD5", strings.ToLower(response)}
	if strings.Contains(strings.Join(fields, ""), "*") {
		return ""
	}
	// The buffers of hashcat's module 11400.
	if len(user)+len(realm) > 116 || len(method)+len(uri) > 245 || len(nonce)+len(p["cnonce"])+len(p["nc"]) > 900 {
		return ""
	}
	return strings.Join(fields, "*")
}

// parameters reads a list of auth-params: RFC 9110, section 11.2.
func parameters(s string) map[string]string {
	p := make(map[string]string, 8)
	for len(p) < 32 {
		s = strings.TrimLeft(s, " \t,")
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			return p
		}
		value := ""
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			value, rest = quotedString(rest)
		} else if i := strings.IndexByte(rest, ','); i >= 0 {
			value, rest = strings.TrimSpace(rest[:i]), rest[i:]
		} else {
			value, rest = strings.TrimSpace(rest), ""
		}
		p[strings.ToLower(strings.TrimSpace(key))] = value
		s = rest
	}
	return p
}

// quotedString reads a quoted-string: RFC 9110, section 5.6.4.
func quotedString(s string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// challenge notes what a response offers for authentication.
func (d *dissector) challenge(x *exchange, h *head) {
	for _, value := range h.challenges {
		scheme, rest, _ := strings.Cut(value, " ")
		if len(x.rec.Challenges) < 8 {
			x.rec.Challenges = append(x.rec.Challenges, strings.TrimSuffix(scheme, ","))
		}
		if s := strings.ToLower(scheme); s != "ntlm" && s != "negotiate" {
			continue
		}
		if b, err := decodeBase64(strings.TrimSpace(rest)); err == nil {
			if c := ntlmChallenge(b); c != nil {
				d.auth.challenge = c
			}
		}
	}
}

// judge says whether the credentials of an exchange worked, by its status.
func (d *dissector) judge(x *exchange) {
	r := x.rec
	for _, c := range x.secrets {
		switch {
		case r.Status == 401 || r.Status == 407 || r.Status == 403:
			c.Worked = "no"
		case r.Status >= 200 && r.Status < 400 || r.Status == 101:
			c.Worked = "yes"
		default:
			c.Worked = "unknown"
		}
		if r.Status != 0 {
			c.Reply = strings.TrimSpace(strconv.Itoa(r.Status) + " " + r.Reason)
		}
	}
}
