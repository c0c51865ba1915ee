package http

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"strings"
	"testing"
)

// TestDigestHash computes the example of RFC 2617, section 3.5, out of the
// line for hashcat, as hashcat does.
func TestDigestHash(t *testing.T) {
	const example = `username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", ` +
		`qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"`
	sum := func(parts ...string) string {
		s := md5.Sum([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(s[:])
	}
	line := digestHash("GET", parameters(example))
	f := strings.Split(line, "*")
	if len(f) != 15 {
		t.Fatalf("%d fields in %q", len(f), line)
	}
	user, realm, method, uri, nonce, cnonce, nc, qop, response := f[3], f[4], f[5], f[7], f[9], f[10], f[11], f[12], f[14]
	if got := sum(sum(user, realm, "Circle Of Life"), nonce, nc, cnonce, qop, sum(method, uri)); got != response {
		t.Errorf("%s computes to %s", line, got)
	}

	// What hashcat could not compute, or not read, is not written.
	for name, change := range map[string][2]string{
		"session":        {"algorithm", "MD5-sess"},
		"SHA-256":        {"algorithm", "SHA-256"},
		"body":           {"qop", "auth-int"},
		"asterisk":       {"uri", "/a*b"},
		"short response": {"response", "6629"},
		"no hex":         {"response", strings.Repeat("zz", 16)},
		"no nonce":       {"nonce", ""},
		"long names":     {"realm", strings.Repeat("r", 117)},
		"long URI":       {"uri", "/" + strings.Repeat("u", 300)},
	} {
		p := maps.Clone(parameters(example))
		p[change[0]] = change[1]
		if line := digestHash("GET", p); line != "" {
			t.Errorf("%s: wrote %s", name, line)
		}
	}
}
