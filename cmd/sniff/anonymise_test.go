package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// anonymised makes an anonymised copy of a sample and returns its path.
func anonymised(t *testing.T, path string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pcapng")
	if _, stderr, status := sniff(t, nil, "export", "-q", "--anonymise", "-w", out, path); status != exitDone || stderr != "" {
		t.Fatalf("%s: exit status %d, %s", path, status, stderr)
	}
	return out
}

// TestAnonymisedHidesNames searches the anonymised captures byte by byte for
// every account and secret, and for the addresses and names (of hosts, files,
// subjects), of the originals: as they stand and in the encodings in which they
// can cross a wire.
func TestAnonymisedHidesNames(t *testing.T) {
	fixedKey(t)
	searched := 0
	for _, path := range samples(t) {
		creds, _, _ := sniff(t, nil, "creds", "--reveal", "-o", "jsonl", path)
		sessions, _, _ := sniff(t, nil, "read", "-o", "jsonl", path)
		names := addresses(t, path)
		for line := range strings.Lines(creds) {
			var c struct{ Account, Secret string }
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			names = append(names, c.Account, c.Secret)
		}
		b, err := os.ReadFile(anonymised(t, path))
		if err != nil {
			t.Fatal(err)
		}
		folded := bytes.ToLower(b)
		for _, name := range namesIn(t, sessions) {
			// Within other words it is another word: "Greylisted" says nothing of
			// the mailbox grey.
			searched++
			alone := regexp.MustCompile(`(?i)(^|[^a-z])` + name + `([^a-z]|$)`)
			for how, form := range forms(name) {
				if how == "plain" && alone.Match(b) || how != "plain" && bytes.Contains(b, form) {
					t.Errorf("%s: %q is still there, in %s", path, name, how)
				}
			}
		}
		for _, name := range names {
			if len(name) < 4 || name == "anonymous" {
				continue // three bytes stand in any file by chance, and anonymous is nobody's name
			}
			searched++
			for how, form := range forms(name) {
				if bytes.Contains(b, form) || !strings.HasPrefix(how, "base64") && bytes.Contains(folded, bytes.ToLower(form)) {
					t.Errorf("%s: %q is still there, in %s", path, name, how)
				}
			}
		}
		for line := range strings.Lines(sessions) {
			var s struct {
				Kind           string
				Client, Server netip.AddrPort
			}
			_ = json.Unmarshal([]byte(line), &s) // other kinds have other types
			if s.Kind != "session" {
				continue
			}
			for _, ip := range []netip.Addr{s.Client.Addr(), s.Server.Addr()} {
				if bytes.Contains(b, ip.AsSlice()) || bytes.Contains(b, []byte(ip.String())) {
					t.Errorf("%s: %s is still there", path, ip)
				}
			}
		}
	}
	if searched < 400 {
		t.Errorf("only %d names were searched for", searched)
	}
}

// namesIn returns the words of hosts, files, folders, subjects and addresses in
// records.
func namesIn(t *testing.T, records string) (names []string) {
	t.Helper()
	naming := map[string]bool{
		"host": true, "server_name": true, "hello": true, "domain": true, "common_name": true, "names": true, "message_id": true,
		"path": true, "subject": true, "from": true, "address": true, "user": true, "account": true, "realm": true, "envid": true,
	}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(k, x)
			}
		case []any:
			for _, x := range v {
				walk(key, x)
			}
		case string:
			for _, w := range regexp.MustCompile(`[A-Za-z]{4,}`).FindAllString(v, -1) {
				if naming[key] && !staying[strings.ToLower(w)] && !slices.Contains(names, w) {
					names = append(names, w)
				}
			}
		}
	}
	for line := range strings.Lines(records) {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		walk("", v)
	}
	return names
}

// staying are words of names that name nobody: those of protocols and of
// documentation.
var staying = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("example client server mail hello message soap stou unique anonymous body envelope sender mailer daemon delivery undelivered returned system") {
		m[w] = true
	}
	return m
}()

// addresses returns who mail addresses in the plain payload of a sample name,
// whether a record tells of them or not.
func addresses(t *testing.T, path string) (names []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`<([a-z]{3,}@)[a-z]+\.`).FindAllSubmatch(b, -1) {
		if name := string(m[1]); !slices.Contains(names, name) && name != "postmaster@" {
			names = append(names, name)
		}
	}
	return names
}

// forms returns a name in the encodings to search for.
func forms(name string) map[string][]byte {
	out := map[string][]byte{"plain": []byte(name), "hexadecimal": []byte(hex.EncodeToString([]byte(name)))}
	var qp, url, wide, wideBig strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&qp, "=%02X", name[i])
		fmt.Fprintf(&url, "%%%02X", name[i])
		wide.WriteByte(name[i])
		wide.WriteByte(0)
		wideBig.WriteString("\x00" + name[i:i+1])
	}
	out["quoted-printable"], out["URL encoding"] = []byte(qp.String()), []byte(url.String())
	out["UTF-16"], out["UTF-16, big end first"] = []byte(wide.String()), []byte(wideBig.String())
	// Where a name does not begin with a group of three bytes, the characters
	// at its borders depend on what stands beside it.
	for shift := range 3 {
		enc := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + name + "\x00\x00"))
		from := []int{0, 2, 3}[shift]
		to := (shift + len(name)) * 8 / 6
		if to-from >= 5 {
			out[[]string{"base64", "base64 ", "base64  "}[shift]] = []byte(enc[from:to])
		}
	}
	return out
}

// TestAnonymisedRecords holds that an anonymised capture gives the records of
// the original, apart from the stand-ins: the same kinds in the same order, the
// same fields, the same numbers, and texts of the same length.
func TestAnonymisedRecords(t *testing.T) {
	fixedKey(t)
	for _, path := range samples(t) {
		if filepath.Base(filepath.Dir(path)) == "tls" {
			// Stand-ins within certificates break their signatures, so that
			// what is said of the chain must differ.
			continue
		}
		if filepath.Base(path) == "fragments.pcapng" {
			continue // fragments are left out of an anonymised capture, which is said
		}
		want, _, _ := sniff(t, nil, "read", "-o", "jsonl", path)
		got, stderr, status := sniff(t, nil, "read", "-o", "jsonl", "--check-checksums", anonymised(t, path))
		if status != exitDone || stderr != "" {
			t.Errorf("%s: exit status %d, %s", path, status, stderr)
		}
		w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
		if len(w) != len(g) {
			t.Errorf("%s: %d records, want %d", path, len(g)-1, len(w)-1)
			continue
		}
		for i := range w[:len(w)-1] {
			var a, b any
			if json.Unmarshal([]byte(w[i]), &a) != nil || json.Unmarshal([]byte(g[i]), &b) != nil {
				t.Fatalf("%s: record %d is no JSON", path, i)
			}
			if where := unlike("", a, b); where != "" {
				t.Errorf("%s: record %d differs in %s\nwant %s\ngot  %s", path, i, where, w[i], g[i])
				break
			}
		}
	}
}

// unlike names the first place where two values differ by more than stand-ins.
func unlike(at string, a, b any) string {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return at
		}
		for k, v := range a {
			w, there := b[k]
			if !there {
				return at + "." + k
			}
			if k == "packet" {
				continue
			}
			if where := unlike(at+"."+k, v, w); where != "" {
				return where
			}
		}
		return ""
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return at
		}
		for i := range a {
			if where := unlike(fmt.Sprintf("%s[%d]", at, i), a[i], b[i]); where != "" {
				return where
			}
		}
		return ""
	case string:
		if b, ok := b.(string); ok && len(a) == len(b) {
			return ""
		}
		return at
	}
	if a != b {
		return at
	}
	return ""
}
