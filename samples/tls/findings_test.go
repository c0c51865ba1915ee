package tls

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sniff/diagnose"
	"sniff/dissect/tls"
	"sniff/record"
)

// found returns the codes of what is found in a recording, "tls." left out.
func found(t *testing.T, records []record.Record) (codes []string) {
	t.Helper()
	w := diagnose.NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			if code, ok := strings.CutPrefix(f.Code, "tls."); ok && !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
		return nil
	}), diagnose.Families())
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(codes)
	return codes
}

// elsewhere are the codes that no recording raises, and why: they are held by
// tests of their own.
var elsewhere = map[string]string{
	"compression":            "no library of today compresses",
	"not_answered":           "servers say something; see diagnose",
	"insecure_renegotiation": "no library of today renegotiates without RFC 5746",
	"starttls_injection":     "mail and FTP have words of their own for it",
	"certificate_untrusted":  "what is trusted is the caller's to say",
}

// TestFindings wants what is found in each recording to be what is wrong with
// it: neither less nor more.
func TestFindings(t *testing.T) {
	want := map[string]string{
		"anonymous":                   "no_protection small_dh_group",
		"certificate-address":         "certificate_host",
		"certificate-alone":           "missing_intermediate",
		"certificate-chain-order":     "chain_order",
		"certificate-early":           "certificate_not_yet_valid missing_intermediate",
		"certificate-expired":         "certificate_expired missing_intermediate",
		"certificate-nameless":        "certificate_common_name missing_intermediate",
		"certificate-sha1":            "missing_intermediate weak_signature",
		"certificate-soon":            "certificate_expires_soon missing_intermediate",
		"failed-alpn":                 "no_shared_alpn",
		"failed-certificate-required": "client_certificate_required",
		"failed-client-certificate":   "client_certificate_refused",
		"failed-cut":                  "handshake_cut",
		"failed-downgrade":            "downgrade handshake_failed",
		"failed-fallback":             "fallback_refused",
		"failed-group":                "no_shared_parameters",
		"failed-name":                 "name_unknown",
		"failed-suite":                "no_shared_parameters",
		"failed-unknown-ca":           "certificate_refused",
		"failed-unknown-ca-tls13":     "certificate_refused",
		"failed-unread":               "refused_unread",
		"failed-version":              "no_shared_version",
		"fallback":                    "fallback",
		"heartbleed":                  "handshake_failed heartbeat heartbleed",
		"plain-to-tls-port":           "plain_to_tls_port",
		"ssl30-java-3des":             "broken_version missing_intermediate no_forward_secrecy weak_suite",
		"ssl30-java-aes":              "broken_version missing_intermediate no_forward_secrecy",
		"ssl30-java-rc4":              "broken_suite broken_version missing_intermediate no_forward_secrecy",
		"tls-to-plain-port":           "plain_port",
		"tls10-cbc":                   "old_version",
		"tls10-cbc-resumed":           "old_version",
		"tls10-etm":                   "no_forward_secrecy old_version",
		"tls10-etm-resumed":           "no_forward_secrecy old_version",
		"tls10-java-3des":             "missing_intermediate no_forward_secrecy old_version weak_suite",
		"tls10-v2hello":               "missing_intermediate no_forward_secrecy old_version",
		"tls11-cbc":                   "old_version",
		"tls11-cbc-resumed":           "old_version",
		"tls11-java-rc4":              "broken_suite missing_intermediate no_forward_secrecy old_version",
		"tls12-camellia":              "no_forward_secrecy",
		"tls12-heartbeat":             "heartbeat",
		"tls12-null":                  "no_protection",
		"tls12-ocsp-revoked":          "certificate_revoked",
		"tls12-session-id-resumed":    "no_forward_secrecy",
		"tls12-static-rsa":            "no_forward_secrecy",
		"tls12-static-rsa-resumed":    "no_forward_secrecy",
		"tls13-aes-128-ccm":           "connection_failed",
		"tls13-aes-128-ccm-8":         "connection_failed",
		"tls13-aes-128-gcm":           "connection_failed",
		"tls13-chacha20-poly1305":     "connection_failed",
		"weak-certificate":            "certificate_name certificate_self_signed weak_key",
	}
	raised := map[string]bool{}
	files, err := filepath.Glob("*.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".pcapng")
		var keys *tls.Keys
		if slices.Contains(recordings(t), name) || slices.Contains(keyed, name) {
			keys = keysOf(t, name)
		}
		codes := found(t, read(t, name, keys).records)
		for _, c := range codes {
			raised[c] = true
		}
		if got := strings.Join(codes, " "); got != want[name] {
			t.Errorf("%q: %q, want %q", name, got, want[name])
		}
	}
	altered := readAltered(t, "tls12-gcm", keyLog(t, "tls12-gcm"), func(b []byte) {
		if len(b) > 5 && b[0] == 23 {
			b[len(b)-1] ^= 1
		}
	})
	if codes := found(t, altered.records); !slices.Contains(codes, "bad_record") {
		t.Errorf("records that were altered: %q", codes)
	}
	raised["bad_record"] = true
	for _, i := range diagnose.Catalogue() {
		code, ok := strings.CutPrefix(i.Code, "tls.")
		if ok && !raised[code] && elsewhere[code] == "" && !strings.HasPrefix(code, "proxy_") {
			t.Errorf("no recording raises %s", i.Code)
		}
	}
}
