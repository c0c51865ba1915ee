package render

import (
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// eveSSH is the two identifications of an SSH connection.
type eveSSH struct {
	Client *eveSSHSide `json:"client,omitempty"`
	Server *eveSSHSide `json:"server,omitempty"`
}

type eveSSHSide struct {
	Protocol string   `json:"proto_version,omitempty"`
	Software string   `json:"software_version,omitempty"`
	HASSH    *eveHash `json:"hassh,omitempty"`
}

// eveHash is a fingerprint and what it is the digest of.
type eveHash struct {
	Hash   string `json:"hash"`
	String string `json:"string"`
}

func hashOf(hash, text string) *eveHash {
	if hash == "" {
		return nil
	}
	return &eveHash{Hash: hash, String: text}
}

// ssh writes the ssh event, when the key exchange offers of both sides were
// seen, or what there was of them.
func (e *EVE) ssh(h *record.SSHHandshake) error {
	v := e.event("ssh", &h.Header, h.Time)
	v.SSH = &eveSSH{
		Client: sshSide(h.ClientID, hashOf(h.HASSH, h.HASSHString)),
		Server: sshSide(h.ServerID, hashOf(h.HASSHServer, h.HASSHServerString)),
	}
	if *v.SSH == (eveSSH{}) {
		return nil // nothing that Suricata would tell
	}
	tx := 0
	v.TxID = &tx
	return e.put(v, h)
}

func sshSide(id *record.SSHIdentification, hassh *eveHash) *eveSSHSide {
	if id == nil && hassh == nil {
		return nil
	}
	s := &eveSSHSide{HASSH: hassh}
	if id != nil {
		s.Protocol, s.Software = id.Version, id.Banner
	}
	if *s == (eveSSHSide{}) {
		return nil
	}
	return s
}

// eveTLS is a handshake.
type eveTLS struct {
	eveCertificate
	Client      *eveCertificate `json:"client,omitempty"`
	Resumed     bool            `json:"session_resumed,omitempty"`
	SNI         string          `json:"sni,omitempty"`
	Version     string          `json:"version"`
	From        string          `json:"from_proto,omitempty"`
	JA3         *eveHash        `json:"ja3,omitempty"`
	JA3S        *eveHash        `json:"ja3s,omitempty"`
	JA4         string          `json:"ja4,omitempty"`
	ClientALPNs []string        `json:"client_alpns,omitempty"`
	ServerALPNs []string        `json:"server_alpns,omitempty"`
}

// eveCertificate is what stands in the event itself for the server's
// certificate, and under client for the client's.
type eveCertificate struct {
	Subject     string   `json:"subject,omitempty"`
	Issuer      string   `json:"issuerdn,omitempty"`
	Names       []string `json:"subjectaltname,omitempty"`
	Serial      string   `json:"serial,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	NotBefore   string   `json:"notbefore,omitempty"`
	NotAfter    string   `json:"notafter,omitempty"`
}

func eveCertificateOf(c *record.TLSCertificate) eveCertificate {
	x := eveCertificate{
		Subject: distinguished(c.Subject), Issuer: distinguished(c.Issuer), Names: c.Names,
		Serial: strings.ToUpper(pairs(c.Serial)), Fingerprint: strings.ToLower(pairs(c.SHA1)),
	}
	// Suricata's times of certificates have years of four digits up to 2999.
	if !c.NotAfter.IsZero() && c.NotAfter.Year() < 3000 && c.NotBefore.Year() >= 1000 {
		x.NotBefore, x.NotAfter = certTime(c.NotBefore), certTime(c.NotAfter)
	}
	return x
}

// tls writes the tls event.
func (e *EVE) tls(h *record.TLSHandshake) error {
	t := &eveTLS{
		SNI: h.ServerName, Version: eveTLSVersion(h.Version), Resumed: h.Resumed != "",
		JA3: hashOf(h.JA3, h.JA3String), JA3S: hashOf(h.JA3S, h.JA3SString), JA4: h.JA4,
	}
	if h.Protocol == "smtp" || h.Protocol == "ftp" {
		if h.Offset > 0 {
			t.From = h.Protocol
		}
	}
	if h.Client != nil {
		t.ClientALPNs = h.Client.ALPN
	}
	if h.Server != nil {
		t.ServerALPNs = h.Server.ALPN
	}
	if c := h.Leaf(); c != nil {
		t.eveCertificate = eveCertificateOf(c)
	}
	if len(h.ClientCertificates) > 0 {
		c := eveCertificateOf(&h.ClientCertificates[0])
		t.Client = &c
	}
	v := e.event("tls", &h.Header, h.Time.Add(h.Took.Duration()))
	v.TLS = t
	return e.put(v, h)
}

// eveTLSVersion writes a version as Suricata does: TLS 1.2, SSLv3.
func eveTLSVersion(v string) string {
	switch v {
	case "":
		return "UNDETERMINED"
	case "TLS 1.0":
		return "TLSv1"
	case "SSL 3.0":
		return "SSLv3"
	case "SSL 2.0":
		return "SSLv2"
	}
	return v
}

func certTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// distinguished turns a name of RFC 2253, most specific part first, into the
// order of the certificate with blanks behind the commas.
func distinguished(name string) string {
	var parts []string
	from := 0
	for i := 0; i <= len(name); i++ {
		switch {
		case i < len(name) && name[i] == '\\':
			i++
		case i >= len(name) || name[i] == ',':
			if from <= len(name) && i > from {
				parts = append(parts, name[from:min(i, len(name))])
			}
			from = i + 1
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// pairs writes a hexadecimal number as ab:cd:ef.
func pairs(hex string) string {
	if len(hex)%2 == 1 {
		hex = "0" + hex
	}
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(hex[i : i+2])
	}
	return b.String()
}
