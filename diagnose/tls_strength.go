package diagnose

import (
	"fmt"
	"strings"

	"sniff/record"
)

// tlsStrength judges what was agreed on.
func tlsStrength(h *record.TLSHandshake, rep *Reporter) {
	if h.Server == nil {
		return
	}
	pair := fmt.Sprintf("%s and %s", h.Header.Client.Addr(), h.Header.Server)
	switch h.Version {
	case "SSL 2.0", "SSL 3.0":
		rep.Raise("tls.broken_version", fmt.Sprintf("%s agreed on %s", pair, h.Version), h)
	case "TLS 1.0", "TLS 1.1":
		rep.Raise("tls.old_version", fmt.Sprintf("%s agreed on %s", pair, h.Version), h)
	}
	switch c := h.Cipher; {
	case strings.Contains(c, "_anon_") || strings.Contains(c, "_NULL"):
		rep.Raise("tls.no_protection", fmt.Sprintf("%s agreed on %s: %s", pair, c, missingProtection(c)), h)
	case strings.Contains(c, "EXPORT") || strings.Contains(c, "_DES_") || strings.Contains(c, "RC4") || strings.Contains(c, "RC2") || strings.Contains(c, "_MD5"):
		rep.Raise("tls.broken_suite", fmt.Sprintf("%s agreed on %s", pair, c), h)
	case strings.Contains(c, "3DES") || strings.Contains(c, "IDEA"):
		rep.Raise("tls.weak_suite", fmt.Sprintf("%s agreed on %s, a cipher with blocks of 64 bits", pair, c), h)
	}
	if h.Secrecy == "no" && h.Resumed == "" && !strings.Contains(h.Cipher, "NULL") {
		rep.Raise("tls.no_forward_secrecy", fmt.Sprintf("%s exchanged keys by %s: who gets hold of the server's key can decrypt this recording", pair, h.KeyExchange), h)
	}
	if h.GroupBits > 0 && h.GroupBits < 2048 {
		f := rep.Raise("tls.small_dh_group", fmt.Sprintf("%s exchanged keys in a group of %d bits", pair, h.GroupBits), h)
		if h.GroupBits < 1024 {
			f.Severity = record.SeverityError
		}
	}
	if h.Compression != "" {
		rep.Raise("tls.compression", fmt.Sprintf("%s agreed on compression with %s", pair, h.Compression), h)
	}
	if h.Heartbeat {
		rep.Raise("tls.heartbeat", fmt.Sprintf("%s agreed on heartbeats", pair), h)
	}
	if h.Sentinel != "" && clientOffers(h, h.Sentinel) && h.Version != h.Sentinel {
		rep.Raise("tls.downgrade", fmt.Sprintf("%s agreed on %s, although both can do %s: somebody between them took it out of the hello", pair, h.Version, h.Sentinel), h)
	}
	if h.Client != nil && h.Client.FallbackSCSV && h.Outcome == "established" && h.Version != "TLS 1.3" {
		rep.Raise("tls.fallback", fmt.Sprintf("%s came back to %s with a lower version after an attempt that failed; the session has %s", h.Header.Client.Addr(), h.Header.Server, h.Version), h)
	}
}

func missingProtection(suite string) string {
	if strings.Contains(suite, "_NULL") {
		return "nothing is encrypted"
	}
	return "nobody proved who it is"
}

// clientOffers reports whether the client's hello, as it arrived, holds the
// version.
func clientOffers(h *record.TLSHandshake, version string) bool {
	if h.Client == nil {
		return false
	}
	for _, v := range h.Client.Versions {
		if v == version {
			return true
		}
	}
	return len(h.Client.Versions) == 0 && version == "TLS 1.2" && h.Client.LegacyVersion == version
}
