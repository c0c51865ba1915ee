package soap

import (
	"strings"

	"sniff/record"
)

// security sums up a WS-Security header: WSS SOAP Message Security 1.1,
// UsernameToken Profile 1.1, X.509 and SAML token profiles.
func (p *parser) security(e *envelope, block []node, all string) {
	s := &record.SOAPSecurity{}
	e.msg.Security = s
	var open []string // names of the elements that n lies in
	base := block[0].depth
	var saml samlToken
	for i := range block[1:] {
		n := &block[1+i]
		open = append(open[:min(n.depth-base-1, len(open))], n.local)
		parent := ""
		if len(open) > 1 {
			parent = open[len(open)-2]
		}
		v := n.value(all)
		switch n.local {
		case "Username":
			s.User = v
		case "Password":
			s.PasswordType = "text"
			if strings.HasSuffix(n.attributes().ref, "#PasswordDigest") {
				s.PasswordType = "digest"
			}
			e.secret = v
		case "Nonce":
			s.Nonce = v
		case "Created":
			if parent == "UsernameToken" {
				s.TokenCreated = v
			} else if parent == "Timestamp" {
				s.Created = v
			}
		case "Expires":
			if parent == "Timestamp" {
				s.Expires = v
			}
		case "BinarySecurityToken":
			s.Tokens = note(s.Tokens, "binary "+fragment(n.attributes().ref))
		case "Assertion":
			saml.flush(s)
			saml.seen = true
		case "Issuer":
			saml.issuer = v
		case "NameID", "NameIdentifier":
			saml.subject = v
		case "SignatureMethod":
			s.Signature = fragment(n.attributes().ref)
		case "DigestMethod":
			s.Digests = note(s.Digests, fragment(n.attributes().ref))
		case "Reference":
			if parent == "SignedInfo" {
				s.Signed = note(s.Signed, n.attributes().ref)
			}
		case "DataReference":
			s.Encrypted = note(s.Encrypted, n.attributes().ref)
		case "EncryptedData":
			s.Encrypted = note(s.Encrypted, "in header")
		case "EncryptionMethod":
			s.Encryption = note(s.Encryption, fragment(n.attributes().ref))
		}
	}
	saml.flush(s)
}

// samlToken gathers one SAML assertion.
type samlToken struct {
	seen            bool
	issuer, subject string
}

func (t *samlToken) flush(s *record.SOAPSecurity) {
	if t.seen {
		text := "SAML"
		if t.issuer != "" {
			text += " by " + t.issuer
		}
		if t.subject != "" {
			text += " for " + t.subject
		}
		s.Tokens = note(s.Tokens, text)
	}
	*t = samlToken{}
}

// note adds to a bounded list what is not in it yet.
func note(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	if s == "" || len(list) >= maxList {
		return list
	}
	return append(list, s)
}

// fragment returns the part of an identifier that names the thing.
func fragment(uri string) string {
	if i := strings.LastIndexByte(uri, '#'); i >= 0 && i+1 < len(uri) {
		return uri[i+1:]
	}
	return uri
}
