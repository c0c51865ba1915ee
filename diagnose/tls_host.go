package diagnose

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"

	"sniff/record"
)

// tlsHost is a host name that the protocol around or inside TLS gives the
// server, which its certificate is held against where the client asked for no
// name.
type tlsHost struct {
	names []string
	on    record.Record // that named it first
}

// maxHosts bounds the names of one session: a server may be many hosts.
const maxHosts = 16

func (o *tlsHost) name(host string, on record.Record) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if net.ParseIP(host) == nil && !strings.Contains(host, ".") || len(o.names) >= maxHosts || slices.Contains(o.names, host) {
		return
	}
	if o.on == nil {
		o.on = on
	}
	o.names = append(o.names, host)
}

// see notes the names that a record gives the server.
func (o *tlsHost) see(r record.Record) {
	switch r := r.(type) {
	case *record.SMTPExchange:
		// The greeting and the answer to EHLO begin with the server's own name
		// (RFC 5321, sections 4.2 and 4.1.1.1).
		if r.Reply.Positive() && len(r.Reply.Text) > 0 && (r.Greeting || r.Verb == "EHLO" || r.Verb == "LHLO") {
			name, _, _ := strings.Cut(r.Reply.Text[0], " ")
			o.name(name, r)
		}
	case *record.HTTPExchange:
		if r.Method != "CONNECT" {
			o.name(r.Host, r)
		}
	case *record.FTPExchange: // RFC 7151
		if r.Command == "HOST" && r.Result == "ok" {
			o.name(r.Arg.Clear(), r)
		}
	}
}

// judge holds the server's certificate against the names. Any of them will
// do: a mail server may greet under another name than the one in its
// certificate, and nobody asked for either.
func (o *tlsHost) judge(h *record.TLSHandshake, rep *Reporter) {
	if h == nil || h.ServerName != "" || h.Leaf() == nil || h.Leaf().Problem != "" || len(o.names) == 0 {
		return
	}
	for _, name := range o.names {
		if isFor(h.Leaf(), name) {
			return
		}
	}
	f := rep.Raise("tls.certificate_host", fmt.Sprintf("%s, which calls itself %s here, shows a certificate for %s", h.Header.Server, strings.Join(o.names[:min(len(o.names), 3)], ", "), namesOf(h.Leaf())), h, record.Plain(o.on.Summary()))
	if _, web := o.on.(*record.HTTPExchange); web {
		f.Severity = record.SeverityWarning
		f.Title = fmt.Sprintf("%s asks for %s, and %s shows a certificate for %s", h.Header.Client.Addr(), strings.Join(o.names[:min(len(o.names), 3)], ", "), h.Header.Server, namesOf(h.Leaf()))
	}
}

// isFor reports whether a certificate is for the host (RFC 9525, section 6.3).
func isFor(c *record.TLSCertificate, host string) bool {
	cert := &x509.Certificate{}
	for _, n := range c.Names {
		if ip := net.ParseIP(n); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, n)
		}
	}
	return cert.VerifyHostname(host) == nil || len(c.Names) == 0 && strings.EqualFold(c.CommonName, host)
}
