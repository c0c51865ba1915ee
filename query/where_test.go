package query

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

var at = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)

func head(kind record.Kind) record.Header {
	return record.Header{RecordKind: kind, Time: at, Session: "sabc", Number: 3, Protocol: "smtp",
		Client: netip.MustParseAddrPort("192.0.2.10:40000"), Server: netip.MustParseAddrPort("[2001:db8::25]:25")}
}

func message() *record.SMTPMessage {
	return &record.SMTPMessage{
		Header: head(record.KindSMTPMessage), From: "alice@client.example", Size: 1200, Outcome: "partly delivered",
		To: []record.SMTPRecipient{
			{Address: "bob@server.example", Fate: "delivered"},
			{Address: "eve@server.example", Fate: "refused", Reply: &record.SMTPReply{Code: 550, Enhanced: "5.1.1"}},
		},
		Times:   record.SMTPTimes{Total: record.Seconds(1500 * time.Millisecond)},
		Content: &record.Content{Message: &record.Message{Subject: "Invoice 42"}},
	}
}

func finding() *record.Finding {
	return &record.Finding{Header: head(record.KindFinding), Code: "smtp.not_encrypted", Severity: record.SeverityWarning, Title: "t"}
}

func session() *record.Session {
	return &record.Session{Header: head(record.KindSession), End: record.EndReset, Duration: record.Seconds(3 * time.Second),
		Midstream: true, OpaqueFrom: map[string]int64{"client": 100}}
}

func TestMatch(t *testing.T) {
	cases := []struct {
		text string
		want string // kinds that match: m, f, s
	}{
		{`kind == "smtp.message"`, "m"},
		{`protocol == "smtp"`, "mfs"},
		{`number == 3 && session == "sabc"`, "mfs"},
		{`cidr(client, "192.0.2.0/24")`, "mfs"},
		{`cidr(client, "10.0.0.0/8", "192.0.2.10")`, "mfs"},
		{`cidr(server, "2001:db8::/32")`, "mfs"},
		{`cidr(server, "192.0.2.0/24")`, ""},
		{`host(client) == "192.0.2.10" && port(server) == 25`, "mfs"},
		{`size > 1000`, "m"},
		{`size < 1000`, ""},
		{`size != 7`, "m"},
		{`size == nil`, "fs"},
		{`size != nil`, "m"},
		{`not (size > 1000)`, "fs"},
		{`times.total > 1`, "m"},
		{`times.total > seconds("1400ms") and times.total < 1.6`, "m"},
		{`content.message.subject matches "(?i)INVOICE"`, "m"},
		{`content.message.subject contains "x" or end == "reset"`, "s"},
		{`any(to, .fate == "refused")`, "m"},
		{`any(to, .reply.code == 550)`, "m"},
		{`all(to, .reply.code == 550) && kind == "smtp.message"`, ""},
		{`count(to, {.fate == "delivered"}) == 1`, "m"},
		{`len(to) == 2`, "m"},
		{`len(to) > 2 || kind == "session"`, "s"},
		{`to[1].reply.enhanced == "5.1.1"`, "m"},
		{`severity >= "notice"`, "f"},
		{`severity > "warning"`, ""},
		{`severity < "error"`, "f"},
		{`severity in ["error", "warning"]`, "f"},
		{`midstream`, "s"},
		{`!midstream`, "mf"},
		{`midstream || severity == "warning"`, "fs"},
		{`duration >= 3 ? true : severity == "warning"`, "fs"},
		{`opaque_from.client == 100`, "s"},
		{`time >= "2026-11-23T05:00:00Z" && time < "2026-11-23 05:00:01"`, "mfs"},
		{`time > "2026-11-23"`, "mfs"},
		{`"2026-11-24" < time`, ""},
		{`time > date("2026-11-22")`, "mfs"},
		{`let big = 1000; size > big`, "m"},
		{`size + long_lines > 1000`, "m"},
		{`lower(from) startsWith "alice"`, "m"},
		{`"bob@server.example" in map(to, .address)`, "m"},
		{`tls`, ""},
		{`tls == false`, "m"},
		{`first(to).fate == "delivered"`, "m"},
	}
	for _, c := range cases {
		w, err := Compile(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := ""
		for _, r := range []struct {
			name string
			r    record.Record
		}{{"m", message()}, {"f", finding()}, {"s", session()}} {
			yes, err := w.Match(r.r)
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
			}
			if yes {
				got += r.name
			}
		}
		if got != c.want {
			t.Errorf("%s: matches %q, want %q", c.text, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	cases := []struct{ text, want string }{
		{`sevrity == "error"`, `unknown field "sevrity"; did you mean severity?`},
		{`times.totl > 1`, `unknown field "times.totl"; did you mean times.total?`},
		{`any(to, .fat == "refused")`, `unknown field "fat"; did you mean fate?`},
		{`to.fate == "refused"`, `unknown field "to.fate"; to is a list: write any(to, .fate == ...)`},
		{`size.x == 1`, `unknown field "size.x"; size has no fields`},
		{`zzzzzz == 1`, `unknown field "zzzzzz"`},
		{`kind == "smtp.mesage"`, `unknown kind "smtp.mesage"; did you mean smtp.message?`},
		{`kind in ["sesion"]`, `unknown kind "sesion"; did you mean session?`},
		{`cdir(client, "10.0.0.0/8")`, `unknown function cdir; did you mean cidr?`},
		{`cidr(client, "10.0.0.0/33")`, `"10.0.0.0/33" is no network: write it like 10.0.0.0/8 or 2001:db8::/32`},
		{`size == "big"`, `size is a number and cannot be compared with a string`},
		{`wait > "200ms"`, `wait is a number and cannot be compared with a string: write seconds("200ms")`},
		{`time > "yesterday"`, `"yesterday" is no time: write it like 2026-11-23T05:00:00Z`},
		{`subject matches "("`, `unknown field "subject"; did you mean content.message.subject?`},
		{`protocol matches "("`, "error parsing regexp: missing closing ): `(` at column 10"},
		{`protocol ==`, `unexpected token EOF at column 11`},
		{`$env`, `unknown field "$env"; did you mean env?`},
	}
	for _, c := range cases {
		_, err := Compile(c.text)
		if err == nil {
			t.Errorf("%s: compiled, want the error %s", c.text, c.want)
		} else if err.Error() != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, err, c.want)
		}
	}
}

// TestNoWayOut: an expression can compute, nothing else.
func TestNoWayOut(t *testing.T) {
	for _, text := range []string{`client.String()`, `time.Unix() > 1`, `<truth>(1)`, `$env["raw0"] == 1`, `len(1..1000000000) > 1 && number > 0`} {
		w, err := Compile(text)
		if err != nil {
			continue
		}
		if yes, err := w.Match(session()); yes || err == nil {
			t.Errorf("%s was evaluated", text)
		}
	}
	if _, err := Compile(strings.Repeat("1+", 5000) + "1 > 0"); err == nil {
		t.Error("an expression of 5000 terms was compiled")
	}
}

func TestKinds(t *testing.T) {
	cases := []struct{ text, want string }{
		{`kind == "session" && number > 1`, "[session]"},
		{`number > 1`, "[]"},
		{`kind == "session" || number > 1`, "[]"},
		{`kind == "session" || kind == "finding"`, "[session finding]"},
		{`kind in ["session", "finding"] && kind == "finding"`, "[finding]"},
	}
	for _, c := range cases {
		w, err := Compile(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(strings.ReplaceAll(sprint(w.Kinds()), ",", ""), `"`, ""); got != c.want {
			t.Errorf("%s: kinds %s, want %s", c.text, got, c.want)
		}
	}
}

func sprint(kinds []record.Kind) string {
	s := make([]string, len(kinds))
	for i, k := range kinds {
		s[i] = string(k)
	}
	return "[" + strings.Join(s, " ") + "]"
}

func TestSecretsStayMasked(t *testing.T) {
	c := &record.Credential{Header: head(record.KindCredential), Mechanism: "PLAIN", Secret: record.NewKeyer([]byte("k")).Secret("hunter2")}
	w, err := Compile(`secret contains "hunter"`)
	if err != nil {
		t.Fatal(err)
	}
	if yes, err := w.Match(c); yes || err != nil {
		t.Errorf("a guess at a masked secret was answered: %v %v", yes, err)
	}
}

func BenchmarkMatch(b *testing.B) {
	w, err := Compile(`kind == "smtp.message" && cidr(client, "192.0.2.0/24") && times.total > 1`)
	if err != nil {
		b.Fatal(err)
	}
	m := message()
	for b.Loop() {
		if yes, _ := w.Match(m); !yes {
			b.Fatal("no match")
		}
	}
}
