package render

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sniff/record"
)

// ssh writes the line of an SSH connection, at its end.
func (z *Zeek) ssh(c *zeekConn) error {
	h := c.shake
	if h == nil {
		return nil
	}
	c.shake = nil
	r := z.row(&h.Header, c.uid, h.Time)
	if h.ClientID != nil {
		r.set("client", h.ClientID.Text)
	}
	if h.ServerID != nil {
		r.set("server", h.ServerID.Text)
	}
	if h.ClientID != nil && h.ServerID != nil {
		version := int64(2)
		if strings.HasPrefix(h.Version, "1") {
			version = 1
		}
		r.set("version", version)
	}
	attempts := int64(0)
	if a := c.auth; a != nil {
		attempts = int64(a.Failures + a.Offered)
		switch a.Result {
		case "accepted":
			attempts++
			r.set("auth_success", true)
		case "refused":
			r.set("auth_success", false)
		}
	}
	r.set("auth_attempts", attempts)
	switch from, to := local(h.Header.Client.Addr()), local(h.Header.Server.Addr()); {
	case from && !to:
		r.set("direction", "OUTBOUND")
	case !from && to:
		r.set("direction", "INBOUND")
	}
	if a, b := h.ClientKex, h.ServerKex; a != nil && b != nil {
		r.set("cipher_alg", common(a.CipherC2S, b.CipherC2S))
		r.set("mac_alg", common(a.MACC2S, b.MACC2S))
		r.set("compression_alg", common(a.CompressionC2S, b.CompressionC2S))
		r.set("kex_alg", common(a.Kex, b.Kex))
		r.set("host_key_alg", common(a.HostKey, b.HostKey))
	}
	if h.HostKey != nil {
		r.set("host_key_fingerprint", h.HostKey.SHA256)
	}
	return z.put("ssh", r)
}

// common is the first algorithm of the client that the server has too.
func common(client, server []string) string {
	for _, name := range client {
		if slices.Contains(server, name) {
			return name
		}
	}
	return "Algorithm negotiation failed"
}

// tls writes the line of a handshake and those of its certificates.
func (z *Zeek) tls(c *zeekConn, h *record.TLSHandshake) error {
	r := z.row(&h.Header, c.uid, h.Time)
	r.set("version", strings.NewReplacer("TLS 1.0", "TLSv10", "TLS 1.1", "TLSv11", "TLS 1.2", "TLSv12", "TLS 1.3", "TLSv13", "SSL 3.0", "SSLv3", "SSL 2.0", "SSLv2").Replace(h.Version))
	r.set("cipher", h.Cipher)
	r.set("curve", h.Group)
	r.set("server_name", h.ServerName)
	r.set("resumed", h.Resumed != "")
	for _, a := range h.Alerts {
		if !a.Encrypted {
			r.set("last_alert", a.Name)
		}
	}
	r.set("next_protocol", h.ALPN)
	r.set("established", h.Outcome == "established")
	if len(h.Certificates) > 0 {
		r.set("cert_chain_fps", fingerprints(h.Certificates))
		r.set("client_cert_chain_fps", fingerprints(h.ClientCertificates))
		if h.Chain != nil && h.Chain.Matches != "" {
			r.set("sni_matches_cert", h.Chain.Matches == "yes")
		}
	}
	for i := range h.Certificates {
		if err := z.certificate(h, &h.Certificates[i], i == 0, false); err != nil {
			return err
		}
	}
	for i := range h.ClientCertificates {
		if err := z.certificate(h, &h.ClientCertificates[i], false, i == 0); err != nil {
			return err
		}
	}
	return z.put("ssl", r)
}

func fingerprints(certs []record.TLSCertificate) []string {
	out := []string{}
	for i := range certs {
		out = append(out, certs[i].SHA256)
	}
	return out
}

// certificate writes the line of a certificate. Its version, the exponent of
// an RSA key and the length of paths below it are not in sniff's records.
func (z *Zeek) certificate(h *record.TLSHandshake, c *record.TLSCertificate, host, client bool) error {
	r := &zeekRow{at: h.Time, values: map[string]any{"ts": h.Time}}
	r.set("fingerprint", c.SHA256)
	r.set("certificate.serial", evenHex(c.Serial))
	r.set("certificate.subject", c.Subject)
	r.set("certificate.issuer", c.Issuer)
	if !c.NotAfter.IsZero() {
		r.set("certificate.not_valid_before", c.NotBefore)
		r.set("certificate.not_valid_after", c.NotAfter)
	}
	algorithm, curve, _ := strings.Cut(c.Key, " ")
	switch algorithm {
	case "RSA":
		r.set("certificate.key_alg", "rsaEncryption")
		r.set("certificate.key_type", "rsa")
	case "ECDSA":
		r.set("certificate.key_alg", "id-ecPublicKey")
		r.set("certificate.key_type", "ecdsa")
		r.set("certificate.curve", opensslCurve(curve))
	default:
		r.set("certificate.key_alg", c.Key)
	}
	if c.KeyBits > 0 {
		r.set("certificate.key_length", int64(c.KeyBits))
	}
	r.set("certificate.sig_alg", opensslSignature(c.Signature))
	var dns, mail, uris []string
	var ips []netip.Addr
	for _, n := range c.Names {
		if ip, err := netip.ParseAddr(n); err == nil {
			ips = append(ips, ip)
		} else if strings.Contains(n, "://") {
			uris = append(uris, n)
		} else if strings.Contains(n, "@") {
			mail = append(mail, n)
		} else {
			dns = append(dns, n)
		}
	}
	for column, list := range map[string][]string{"san.dns": dns, "san.uri": uris, "san.email": mail} {
		if list != nil {
			r.set(column, list)
		}
	}
	if ips != nil {
		r.set("san.ip", ips)
	}
	r.set("basic_constraints.ca", c.CA)
	r.set("host_cert", host)
	r.set("client_cert", client)
	return z.put("x509", r)
}

// evenHex writes a number in whole bytes.
func evenHex(s string) string {
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return strings.ToUpper(s)
}

// opensslCurve names a curve as OpenSSL does.
func opensslCurve(curve string) string {
	switch curve {
	case "P-224":
		return "secp224r1"
	case "P-256":
		return "prime256v1"
	case "P-384":
		return "secp384r1"
	case "P-521":
		return "secp521r1"
	}
	return curve
}

var signatureName = regexp.MustCompile(`^(SHA\d+|MD\d)-RSA$`)

// opensslSignature names a signature algorithm as OpenSSL does.
func opensslSignature(name string) string {
	if m := signatureName.FindStringSubmatch(name); m != nil {
		return strings.ToLower(m[1]) + "WithRSAEncryption"
	}
	if hash, ok := strings.CutPrefix(name, "ECDSA-"); ok {
		return "ecdsa-with-" + hash
	}
	if strings.HasSuffix(name, "-RSAPSS") {
		return "rsassaPss"
	}
	return name
}
