package ftp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sniff/diagnose"
	"sniff/record"
)

// What went wrong in the samples is said, by the control session where there is
// one.
func TestSampleOutcomes(t *testing.T) {
	tests := map[string]string{
		"passive-port-dropped":    "ftp never opened: nothing was heard on the data connection while the session lasted",
		"passive-port-refused":    "ftp never opened: the data connection was refused",
		"passive-port-prohibited": "ftp never opened: the data connection was unreachable",
		"active-blocked":          "ftp never opened: nothing was heard on the data connection while the session lasted",
		"nat-address-believed":    "ftp never opened: no data connection to the announced address was seen",
		"aborted":                 "ftp aborted: ABOR after 90 KB",
		"file-refused":            "ftp refused: 550 Failed to open file.",
		"server-to-server":        "ftp unknown: no data connection was seen, the server said 226 Transfer complete.",
		"listing-without-control": "ftp-data unknown: its control connection is in no input",
		"active-without-control":  "ftp-data unknown: its control connection is in no input",
	}
	for sample, want := range tests {
		t.Run(sample, func(t *testing.T) {
			var got []string
			for _, r := range read(t, true, nil, sample) {
				if x, ok := r.(*record.FTPTransfer); ok {
					got = append(got, x.Protocol+" "+x.Outcome+": "+x.Reason)
				}
			}
			if len(got) == 0 || got[0] != want {
				t.Errorf("got %q, want %q first", got, want)
			}
		})
	}
}

// A data connection whose control connection is not in the capture still shows
// what it carried.
func TestDataWithoutControl(t *testing.T) {
	for sample, want := range map[string]string{"listing-without-control": "listing 5", "active-without-control": "download 0"} {
		for _, r := range read(t, true, nil, sample) {
			x, ok := r.(*record.FTPTransfer)
			if !ok {
				continue
			}
			if got := fmt.Sprintf("%s %d", x.Direction, len(x.Listing)); got != want {
				t.Errorf("%s: %s, want %s", sample, got, want)
			}
			if x.Direction == "download" && (x.Content == nil || x.Content.SHA256 != digests(t)[sample][0]) {
				t.Errorf("%s: %+v is not the file", sample, x.Content)
			}
		}
	}
}

// What sniff finds in each sample, beside passwords in the clear and sessions
// that cannot be read: neither less nor more.
func TestSampleFindings(t *testing.T) {
	want := map[string]string{
		"aborted":                     "aborted slow_transfer",
		"active-blocked":              "active_unreachable",
		"active-refused":              "active_refused",
		"active-rejected":             "active_unreachable",
		"anonymous-write":             "anonymous_write",
		"ascii-damage":                "ascii_damage",
		"bounce":                      "bounce",
		"control-forgotten":           "control_lost slow_transfer",
		"data-empty":                  "data_empty",
		"data-hijacked":               "hijack",
		"data-on-other-machine":       "foreign_address",
		"disk-full":                   "store_failed",
		"failed-logins":               "login_failed",
		"file-refused":                "file_refused",
		"file-shrank":                 "short_transfer",
		"ftps-data-in-clear":          "data_in_clear",
		"ftps-data-unexpected-tls":    "data_in_clear data_unexpected_tls",
		"ftps-data-without-tls":       "data_not_tls",
		"ftps-injection":              "tls_injection",
		"ftps-protection-demanded":    "data_protection",
		"ftps-reuse-demanded":         "session_reuse",
		"guessing":                    "guessing login_failed",
		"idle-timeout":                "idle_timeout",
		"lossy-line":                  "slow_transfer",
		"nat-address-believed":        "passive_unreachable private_address",
		"nat-address-ignored":         "private_address",
		"passive-port-dropped":        "passive_unreachable",
		"passive-port-prohibited":     "passive_unreachable",
		"passive-port-refused":        "passive_unreachable",
		"proftpd-curl-resumed":        "aborted data_port",
		"proftpd-digest-differs":      "digest_differs",
		"proftpd-digests":             "digest_agrees",
		"proftpd-disk-full":           "disk_full",
		"proftpd-ftps-reuse-demanded": "session_reuse",
		"proftpd-restart-refused":     "restart_refused",
		"proftpd-session-timeout":     "control_lost slow_transfer",
		"proftpd-telnet-abort":        "aborted slow_transfer",
		"proftpd-tnftp-active":        "data_port",
		"pure-ftpd-disk-full":         "store_failed",
		"pure-ftpd-quota":             "disk_full",
		"restart-refused":             "restart_refused",
		"server-to-server":            "server_to_server",
		"slow-reader":                 "slow_transfer",
		"store-refused":               "file_refused",
	}
	raised := map[string]bool{}
	for _, sample := range samples(t) {
		var codes []string
		w := diagnose.NewWatcher(record.SinkFunc(func(r record.Record) error {
			f, ok := r.(*record.Finding)
			if !ok || !strings.HasPrefix(f.Code, "ftp.") {
				return nil
			}
			raised[f.Code] = true
			if code := strings.TrimPrefix(f.Code, "ftp."); !slices.Contains(codes, code) && code != "cleartext_password" && code != "hidden" {
				codes = append(codes, code)
			}
			return nil
		}), diagnose.Families())
		for _, r := range read(t, true, nil, sample) {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(codes)
		if got := strings.Join(codes, " "); got != want[sample] {
			t.Errorf("%q: %q, want %q", sample, got, want[sample])
		}
	}
	for _, i := range diagnose.Catalogue() {
		if strings.HasPrefix(i.Code, "ftp.") && !raised[i.Code] {
			t.Errorf("no sample raises %s", i.Code)
		}
	}
}
