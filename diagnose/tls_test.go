package diagnose

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"sniff/record"
)

// tlsCodes returns the codes of what the family finds in these records.
func tlsCodes(t *testing.T, records ...record.Record) (codes []string) {
	t.Helper()
	for _, f := range tlsFindings(t, records...) {
		codes = append(codes, f.Code)
	}
	return codes
}

func tlsFindings(t *testing.T, records ...record.Record) (got []*record.Finding) {
	t.Helper()
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			got = append(got, f)
		}
		return nil
	}), []Family{tlsFamily()})
	for _, r := range append(records, &record.Session{}) {
		r.Head().RecordKind = r.Kind()
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTLS(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	healthy := func() *record.TLSHandshake {
		return &record.TLSHandshake{
			Header: record.Header{Time: at}, Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mail.example", Outcome: "established",
			Secrecy: "yes", Client: &record.TLSHello{Versions: []string{"TLS 1.3", "TLS 1.2"}}, Server: &record.TLSHello{},
			Certificates: []record.TLSCertificate{{Names: []string{"mail.example"}, NotBefore: at.AddDate(0, -1, 0), NotAfter: at.AddDate(0, 2, 0), Key: "RSA", KeyBits: 2048, Signature: "SHA256-RSA"}},
			Chain:        &record.TLSChain{Validity: "valid", Name: "mail.example", Matches: "yes", Verified: "yes", Order: "ordered"},
		}
	}
	if got := tlsCodes(t, healthy()); len(got) > 0 {
		t.Errorf("a healthy session: %v", got)
	}
	for _, c := range []struct {
		change func(*record.TLSHandshake)
		want   string
	}{
		{func(h *record.TLSHandshake) { h.Version = "TLS 1.0" }, "tls.old_version"},
		{func(h *record.TLSHandshake) { h.Version = "SSL 3.0" }, "tls.broken_version"},
		{func(h *record.TLSHandshake) { h.Cipher = "TLS_RSA_WITH_RC4_128_SHA" }, "tls.broken_suite"},
		{func(h *record.TLSHandshake) { h.Cipher = "TLS_RSA_WITH_3DES_EDE_CBC_SHA" }, "tls.weak_suite"},
		{func(h *record.TLSHandshake) { h.Cipher = "TLS_RSA_WITH_NULL_SHA" }, "tls.no_protection"},
		{func(h *record.TLSHandshake) { h.Secrecy, h.KeyExchange = "no", "RSA" }, "tls.no_forward_secrecy"},
		{func(h *record.TLSHandshake) { h.GroupBits = 1024 }, "tls.small_dh_group"},
		{func(h *record.TLSHandshake) { h.Version, h.Sentinel = "TLS 1.2", "TLS 1.3" }, "tls.downgrade"},
		{func(h *record.TLSHandshake) { h.Chain.Validity = "expired" }, "tls.certificate_expired"},
		{func(h *record.TLSHandshake) { h.Chain.Matches = "no" }, "tls.certificate_name"},
		{func(h *record.TLSHandshake) { h.Chain.Verified = "no" }, "tls.certificate_untrusted"},
		{func(h *record.TLSHandshake) { h.Certificates[0].KeyBits = 1024 }, "tls.weak_key"},
		{func(h *record.TLSHandshake) { h.Certificates[0].Signature = "SHA1-RSA" }, "tls.weak_signature"},
		{func(h *record.TLSHandshake) {
			h.Outcome, h.Server, h.Alerts = "alert", nil, []record.TLSAlert{{By: "server", Level: "fatal", Name: "protocol_version"}}
		}, "tls.no_shared_version"},
		{func(h *record.TLSHandshake) {
			h.Outcome, h.Server, h.Alerts = "alert", nil, []record.TLSAlert{{By: "server", Level: "fatal", Name: "handshake_failure"}}
		}, "tls.no_shared_parameters"},
		{func(h *record.TLSHandshake) {
			h.Outcome, h.Alerts = "alert", []record.TLSAlert{{By: "client", Level: "fatal", Name: "unknown_ca"}}
		}, "tls.certificate_refused"},
		{func(h *record.TLSHandshake) { h.Chain.Validity = "not_yet_valid" }, "tls.certificate_not_yet_valid"},
		{func(h *record.TLSHandshake) { h.Certificates[0].NotAfter = at.AddDate(0, 0, 3) }, "tls.certificate_expires_soon"},
		{func(h *record.TLSHandshake) {
			h.OCSP = &record.TLSOCSP{Status: "revoked", RevokedAt: at.AddDate(0, 0, -9)}
		}, "tls.certificate_revoked"},
		{func(h *record.TLSHandshake) { h.Chain.Order = "unordered" }, "tls.chain_order"},
		{func(h *record.TLSHandshake) { h.Compression = "DEFLATE" }, "tls.compression"},
		{func(h *record.TLSHandshake) { h.Heartbeat = true }, "tls.heartbeat"},
		{func(h *record.TLSHandshake) { h.Version, h.Client.FallbackSCSV = "TLS 1.2", true }, "tls.fallback"},
		{func(h *record.TLSHandshake) { h.Renegotiation = true }, "tls.insecure_renegotiation"},
		{func(h *record.TLSHandshake) { h.Outcome, h.Server = "closed", nil }, "tls.not_answered"},
		{func(h *record.TLSHandshake) { h.Outcome = "closed" }, "tls.handshake_cut"},
		{func(h *record.TLSHandshake) {
			h.Outcome, h.Alerts = "alert", []record.TLSAlert{{By: "server", Level: "fatal", Name: "bad_certificate"}}
		}, "tls.client_certificate_refused"},
		{func(h *record.TLSHandshake) {
			h.Outcome, h.Alerts = "alert", []record.TLSAlert{{By: "client", Level: "fatal", Name: "handshake_failure"}}
		}, "tls.handshake_failed"},
	} {
		h := healthy()
		c.change(h)
		if got := tlsCodes(t, h); !slices.Contains(got, c.want) {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	// What is reported without a handshake, by the proxy and by dissectors.
	for anomaly, want := range map[string]string{
		"proxy_client_distrust":      "tls.proxy_client_distrust",
		"proxy_client_pinned":        "tls.proxy_client_pinned",
		"proxy_tls_required":         "tls.proxy_tls_required",
		"proxy_stripped":             "tls.proxy_stripped",
		"proxy_upstream_certificate": "tls.proxy_upstream_certificate",
		"proxy_upstream_unverified":  "tls.proxy_upstream_unverified",
		"proxy_upstream_tls":         "tls.proxy_upstream_failed",
		"proxy_client_tls":           "tls.proxy_client_failed",
		"proxy_data_tls":             "tls.proxy_data_failed",
		"starttls_injection":         "tls.starttls_injection",
		"tls_plain_answer":           "tls.plain_port",
		"tls_bad_record":             "tls.bad_record",
		"tls_heartbleed":             "tls.heartbleed",
	} {
		if got := tlsCodes(t, &record.Anomaly{Code: anomaly, Detail: "x"}); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v, want %s", anomaly, got, want)
		}
	}
}

// TestPlainOnPortForTLS: who speaks in the clear where TLS is expected is told
// so, as the reason why there was no answer.
func TestPlainOnPortForTLS(t *testing.T) {
	head := func(server string) record.Header {
		return record.Header{Session: "s", Protocol: "http", Client: netip.MustParseAddrPort("192.0.2.10:4000"), Server: netip.MustParseAddrPort(server)}
	}
	for _, c := range []struct {
		server, via string
		seen        string // an anomaly
		status      int    // of a second request
		want        bool
	}{
		{server: "192.0.2.20:443", want: true},
		{server: "192.0.2.20:465", want: true},
		{server: "192.0.2.20:80"},
		{server: "192.0.2.20:443", via: "127.0.0.1:8443 to 192.0.2.20:443", want: true},
		{server: "192.0.2.20:443", via: "127.0.0.1:8443 to 192.0.2.20:443", seen: "proxy_stripped"},
		{server: "192.0.2.20:443", via: "127.0.0.1:8443 to 192.0.2.20:443", seen: "proxy_tls_required"},
		{server: "192.0.2.20:8443", status: 200},
		{server: "192.0.2.20:8443", status: 500},
		{server: "192.0.2.20:8443", status: 301, want: true},
		{server: "192.0.2.20:8443", status: 400, want: true},
	} {
		h := head(c.server)
		records := []record.Record{&record.HTTPExchange{Header: h, Method: "GET", Target: record.Plain("/"), State: record.HTTPNoResponse}}
		if c.status > 0 {
			records = append(records, &record.HTTPExchange{Header: h, Method: "GET", Target: record.Plain("/"), Status: c.status})
		}
		if c.seen != "" {
			records = append(records, &record.Anomaly{Header: h, Code: c.seen, Detail: "x"})
		}
		found := map[string]*record.Finding{}
		w := NewWatcher(record.SinkFunc(func(r record.Record) error {
			if f, ok := r.(*record.Finding); ok {
				found[f.Code] = f
			}
			return nil
		}), Families())
		for _, r := range append(records, &record.Session{Header: h, Via: c.via, End: record.EndClosed, EndedBy: "server"}) {
			r.Head().RecordKind = r.Kind()
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		plain, silent := found["tls.plain_to_tls_port"], found["http.no_response"]
		if (plain != nil) != c.want || silent == nil || c.want && silent.Cause != "tls.plain_to_tls_port" {
			t.Errorf("%+v: %v, cause of the missing answer: %v", c, plain, silent)
		}
	}
}

// TestCertificateForTheHost wants the certificate held against the name that
// the dialogue gives the server, where the client asked for none.
func TestCertificateForTheHost(t *testing.T) {
	handshake := func(sni string) *record.TLSHandshake {
		return &record.TLSHandshake{
			Version: "TLS 1.3", ServerName: sni, Outcome: "established", Client: &record.TLSHello{}, Server: &record.TLSHello{},
			Certificates: []record.TLSCertificate{{Names: []string{"mail.example", "*.web.example", "192.0.2.1"}, Key: "RSA", KeyBits: 2048}},
		}
	}
	greeting := func(name string) *record.SMTPExchange {
		return &record.SMTPExchange{Greeting: true, Reply: &record.SMTPReply{Code: 220, Text: []string{name + " ESMTP ready"}}}
	}
	for _, c := range []struct {
		what    string
		records []record.Record
		want    string
	}{
		{"another name", []record.Record{greeting("mx1.example"), handshake("")}, "info"},
		{"its name", []record.Record{greeting("Mail.Example."), handshake("")}, ""},
		{"no name at all", []record.Record{greeting("localhost"), handshake("")}, ""},
		{"one of two names", []record.Record{greeting("mx1.example"), handshake(""), &record.SMTPExchange{Verb: "EHLO", Reply: &record.SMTPReply{Code: 250, Text: []string{"mail.example hello"}}}}, ""},
		{"SNI", []record.Record{greeting("mx1.example"), handshake("mail.example")}, ""},
		{"web", []record.Record{handshake(""), &record.HTTPExchange{Method: "POST", Host: "api.example:8443"}}, "warning"},
		{"wildcard", []record.Record{handshake(""), &record.HTTPExchange{Method: "POST", Host: "api.web.example"}}, ""},
		{"address", []record.Record{handshake(""), &record.HTTPExchange{Method: "POST", Host: "192.0.2.1:443"}}, ""},
		{"other address", []record.Record{handshake(""), &record.HTTPExchange{Method: "POST", Host: "192.0.2.7"}}, "warning"},
		{"FTP", []record.Record{handshake(""), &record.FTPExchange{Command: "HOST", Arg: record.Plain("ftp.example"), Result: "ok"}}, "info"},
	} {
		got := ""
		for _, f := range tlsFindings(t, c.records...) {
			if f.Code == "tls.certificate_host" {
				got = string(f.Severity)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestCaptureEndsInHandshake: nobody cut a handshake that the capture does not
// show to its end.
func TestCaptureEndsInHandshake(t *testing.T) {
	for _, end := range []string{record.EndOpen, record.EndClosed} {
		var got []string
		w := NewWatcher(record.SinkFunc(func(r record.Record) error {
			if f, ok := r.(*record.Finding); ok && (f.Code == "tls.handshake_cut" || f.Code == "tls.not_answered") {
				got = append(got, f.Code)
			}
			return nil
		}), Families())
		for _, answered := range []bool{true, false} {
			h := &record.TLSHandshake{Outcome: "closed", Client: &record.TLSHello{}, Server: &record.TLSHello{}}
			h.Session = "s"
			if !answered {
				h.Server, h.Session = nil, "t"
			}
			h.RecordKind = h.Kind()
			s := &record.Session{End: end}
			s.Session = h.Session
			for _, r := range []record.Record{h, s} {
				if err := w.Write(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want := map[string]int{record.EndOpen: 0, record.EndClosed: 2}[end]; len(got) != want {
			t.Errorf("connection %s: %v, want %d findings", end, got, want)
		}
	}
}
