package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestZeekLogs compares the logs of two samples, as TSV and as JSON.
func TestZeekLogs(t *testing.T) {
	fixedKey(t)
	cases := []struct {
		golden string
		args   []string
		logs   string
	}{
		{"smtp-attachment.zeek", []string{attachment}, "conn files notice smtp"},
		{"ftp-passive.zeek", []string{"../../samples/ftp/passive-download.pcapng"}, "conn files ftp notice"},
		{"soap11.zeek", []string{"../../samples/soap/soap11.pcapng", "-Y", "number == 2"}, "conn files http"},
		{"ssh-paramiko.zeek", []string{"--zeek-json", "../../samples/ssh/paramiko.pcapng"}, "conn ssh"},
		{"ftps-explicit.zeek", []string{"--zeek-json", "../../samples/ftp/ftps-explicit.pcapng", "-Y", `protocol != "none"`}, "conn ssl"},
	}
	for _, c := range cases {
		t.Run(c.golden, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "logs")
			stdout, stderr, status := sniff(t, nil, append([]string{"read", "-o", "zeek", "-w", dir}, c.args...)...)
			if status != exitDone || stderr != "" || stdout != "" {
				t.Errorf("exit status %d, standard output %q, standard error %q", status, stdout, stderr)
			}
			var all strings.Builder
			for name := range strings.FieldsSeq(c.logs) {
				b, err := os.ReadFile(filepath.Join(dir, name+".log"))
				if err != nil {
					t.Fatal(err)
				}
				all.Write(b)
			}
			compare(t, filepath.Join("testdata", c.golden), all.String())
			if _, stderr, status := sniff(t, nil, append([]string{"read", "-o", "zeek", "-w", dir}, c.args...)...); status == exitDone || !strings.Contains(stderr, "exist") {
				t.Errorf("logs that are there were overwritten: exit status %d, standard error %q", status, stderr)
			}
		})
	}
}

func TestZeekErrors(t *testing.T) {
	fixedKey(t)
	cases := []struct {
		want string
		args []string
	}{
		{"where to write the files of -o zeek is missing", []string{"-o", "zeek"}},
		{"a folder has no meaning for -o table", []string{"-w", "x"}},
		{"--eve-extended has no meaning for -o jsonl", []string{"-o", "jsonl", "--eve-extended"}},
	}
	for _, c := range cases {
		_, stderr, status := sniff(t, nil, append(append([]string{"read"}, c.args...), attachment)...)
		if status != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit status %d, error %q, want it to say %q", c.args, status, stderr, c.want)
		}
	}
}

// zeekDiffers says where sniff's logs are not Zeek's, and why. An empty column
// stands for whole lines, an empty capture for all.
var zeekDiffers = []struct{ log, column, capture, why string }{
	{"*", "uid", "", "ids are made in another way"},
	{"*", "fuid", "", "likewise"},
	{"*", "fuids", "", "likewise"},
	{"*", "orig_fuids", "", "likewise"},
	{"*", "resp_fuids", "", "likewise"},
	{"conn", "tunnel_parents", "", "sniff reads through tunnels and keeps no session for them"},

	{"conn", "service", "", "Zeek confirms a protocol late or gives it up; sniff names what was recognised"},
	{"conn", "", "half-duplex", "Zeek ends a connection with silence of a few seconds and begins another"},
	{"conn", "*", "half-duplex", "likewise"},
	{"conn", "", "Teredo", "Zeek makes a connection of every stray packet behind an end; sniff keeps them together"},
	{"conn", "*", "Teredo", "likewise"},
	{"conn", "", "aruba-amsdu", "802.11 frames in GRE are not read"},
	{"conn", "duration", "get-to-ssh", "Zeek counts packets behind the reset"},
	{"conn", "history", "entity_gap", "Zeek notes the gap when it is acknowledged, sniff when it is sure"},
	{"conn", "history", "header-size", "X: Zeek gave the analysis up, sniff did not"},
	{"conn", "history", "quadratic", "likewise"},
	{"conn", "history", "group18", "likewise"},
	{"conn", "history", "direct-bypass", "likewise"},
	{"conn", "orig_ip_bytes", "atomic-frag", "extension headers are not counted"},

	{"smtp", "ts", "attachment-msg", "Zeek begins with the second command of this one-sided capture"},
	{"smtp", "ts", "nonascii", "Zeek writes 1 for the time 0"},
	{"smtp", "from", "smtp.pcap", "sniff writes names without their quotes"},
	{"smtp", "to", "smtp.pcap", "sniff writes addresses alone without brackets"},
	{"smtp", "to", "bdat-gap", "Zeek loses the message's head to the gap behind it"},
	{"smtp", "subject", "bdat-gap", "likewise"},
	{"smtp", "subject", "header-size", "Zeek cuts it at its own limit"},

	{"ftp", "password", "", "sniff hides the passwords of guests too, unless --reveal"},
	{"ftp", "mime_type", "ftp-ipv6", "Zeek writes the line before it knows"},
	{"ftp", "arg", "missing-space", "Zeek gives RETR without an argument a path"},
	{"ftp", "reply_code", "fake-long", "Zeek pairs the replies with the commands by one off"},
	{"ftp", "reply_msg", "fake-long", "likewise"},
	{"ftp", "reply_code", "invalid-reply", "Zeek drops a reply without a code, sniff shows it"},
	{"ftp", "reply_msg", "invalid-reply", "likewise"},
	{"ftp", "reply_msg", "missing-space", "likewise"},

	{"ssh", "", "get-to-ssh", "Zeek gives up on a client that speaks HTTP, sniff tells of the server"},
	{"ssh", "auth_attempts", "pre-banner", "sniff sees two refused attempts"},
	{"ssh", "auth_success", "pre-banner", "likewise"},
	{"ssh", "host_key_fingerprint", "curve25519", "Zeek digests the certificate, sniff the key in it as OpenSSH does"},
	{"ssh", "host_key_fingerprint", "group18", "Zeek gave the analysis up"},
	{"ssh", "ts", "ssh-on-port-80", "the first line and the second are less than a millisecond apart"},

	{"ssl", "", "smtp.pcap", "two connections without their beginning, which Zeek does not recognise"},
	{"ssl", "ssl_history", "", "the order of the messages is not in sniff's records"},
	{"x509", "ts", "", "sniff's handshake has one time, that of the first hello"},
	{"x509", "certificate.version", "", "not in sniff's records"},
	{"x509", "certificate.exponent", "", "likewise"},
	{"x509", "basic_constraints.path_len", "", "likewise"},
	{"x509", "certificate.subject", "smtp.pcap", "names that were encoded in the unusual order"},
	{"x509", "certificate.issuer", "smtp.pcap", "likewise"},

	{"http", "", "get-to-ssh", "the server speaks SSH: sniff tells of that side"},
	{"http", "", "atomic-frag", "Zeek writes an empty line behind HTTP 0.9, and none where data came before the handshake"},
	{"http", "", "mpls", "mid-stream requests, which Zeek does not recognise"},
	{"http", "resp_mime_types", "", "other lists of first bytes"},
	{"files", "mime_type", "", "likewise"},
	{"files", "", "atomic-frag", "as in http"},
	{"files", "", "attachment-msg", "Zeek counts the line end of an empty message as a file"},
	{"files", "", "bdat-gap", "the two stretches around the gap are one file"},
	{"files", "*", "bdat-gap", "likewise"},
	{"files", "depth", "", "Zeek counts MIME entities; sniff's records have the path"},
	{"files", "ts", "", "the time of a part inside of a message is not in sniff's records"},
	{"files", "duration", "", "the time of a file's last byte is not in sniff's records"},
	{"files", "seen_bytes", "smtp.pcap", "the line end in front of a boundary belongs to the boundary (RFC 2046, section 5.1.1)"},
}

// differs reports whether a difference is a known one.
func differs(used map[int]bool, log, column, capture string) bool {
	for i, d := range zeekDiffers {
		if (d.log == "*" || d.log == log) && (d.column == column || d.column == "*" && column != "") && strings.Contains(capture, d.capture) {
			used[i] = true
			return true
		}
	}
	return false
}

// TestAgainstZeek compares the logs of foreign captures, when they lie beside
// the checkout, with what Zeek writes for them.
func TestAgainstZeek(t *testing.T) {
	const corpus = "../../../shared/corpus"
	expected, _ := filepath.Glob(corpus + "/expected/*/zeek")
	if len(expected) == 0 {
		t.Skip("there are no captures with Zeek's logs beside the checkout")
	}
	fixedKey(t)
	lines, columns := 0, 0
	used := map[int]bool{}
	for _, folder := range expected {
		capture := filepath.Base(filepath.Dir(folder))
		dir := filepath.Join(t.TempDir(), "logs")
		if _, stderr, _ := sniff(t, nil, "read", "-q", "-o", "zeek", "-w", dir, filepath.Join(corpus, "captures", capture)); strings.Contains(stderr, "internal") {
			t.Errorf("%s: %s", capture, stderr)
		}
		for _, log := range []string{"conn", "smtp", "ftp", "ssh", "ssl", "x509", "http", "files"} {
			want, kinds := zeekLines(t, filepath.Join(folder, log+".log"))
			got, _ := zeekLines(t, filepath.Join(dir, log+".log"))
			for _, w := range want {
				if log == "conn" && w["proto"] != "tcp" {
					continue
				}
				i := slices.IndexFunc(got, func(g map[string]string) bool { return zeekKey(log, g) == zeekKey(log, w) })
				if i < 0 {
					if !differs(used, log, "", capture) {
						t.Errorf("%s: %s.log lacks the line of %s", capture, log, zeekKey(log, w))
					}
					continue
				}
				g := got[i]
				got = slices.Delete(got, i, i+1)
				lines++
				for column, value := range w {
					columns++
					if !sameZeek(kinds[column], column, value, g[column]) && !differs(used, log, column, capture) {
						t.Errorf("%s: %s.log, %s: the column %s is %q, want %q", capture, log, zeekKey(log, w), column, g[column], value)
					}
				}
			}
			for _, g := range got {
				if !differs(used, log, "", capture) {
					t.Errorf("%s: %s.log has a line of %s that Zeek has not", capture, log, zeekKey(log, g))
				}
			}
		}
	}
	t.Logf("%d lines, %d values", lines, columns)
	for i, d := range zeekDiffers {
		if !used[i] {
			t.Logf("no longer differs: %s %s %s", d.log, d.column, d.capture)
		}
	}
}

// zeekKey is what a line is about.
func zeekKey(log string, line map[string]string) string {
	if log == "x509" {
		return line["fingerprint"]
	}
	return line["id.orig_h"] + " " + line["id.orig_p"] + " " + line["id.resp_h"] + " " + line["id.resp_p"]
}

// sameZeek compares two values: sets in any order, and host keys as far as
// Zeek's, which is cut, goes.
func sameZeek(kind, column, want, got string) bool {
	if strings.HasPrefix(kind, "set") {
		a, b := strings.Split(want, ","), strings.Split(got, ",")
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	}
	if column == "host_key_fingerprint" {
		return strings.HasPrefix(got, want)
	}
	return want == got
}

// zeekLines reads a log, in order of time, and the types of its columns.
func zeekLines(t *testing.T, path string) (lines []map[string]string, kinds map[string]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	kinds = map[string]string{}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case cells[0] == "#fields":
			names = cells[1:]
		case cells[0] == "#types":
			for i, kind := range cells[1:] {
				kinds[names[i]] = kind
			}
		case !strings.HasPrefix(line, "#"):
			m := map[string]string{}
			for i, name := range names {
				m[name] = cells[i]
			}
			lines = append(lines, m)
		}
	}
	slices.SortStableFunc(lines, func(a, b map[string]string) int { return strings.Compare(a["ts"], b["ts"]) })
	return lines, kinds
}
