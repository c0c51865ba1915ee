package smtp

import (
	"strings"
	"testing"

	"sniff/record"
)

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		args, address, params string
		proper                bool
	}{
		{"FROM:<a@x>", "a@x", "", true},
		{"from:<a@x> SIZE=1", "a@x", "SIZE=1", true},
		{"FROM: <a@x>", "a@x", "", true},
		{"FROM :<a@x>", "a@x", "", true},
		{"FROM:<>", "<>", "", true},
		{"FROM:a@x BODY=7BIT", "a@x", "BODY=7BIT", false},
		{"FROM:<a@x", "a@x", "", false},
		{`FROM:<"a>b"@x>`, `"a>b"@x`, "", true},
		{`FROM:<"a\">b"@x> X`, `"a\">b"@x`, "X", true},
		{"FROM:<@one,@two:a@x>", "a@x", "", true},
		{"a@x", "a@x", "", false},
	} {
		address, params, proper := parsePath(c.args, "FROM")
		if address != c.address || params != c.params || proper != c.proper {
			t.Errorf("%q: %q %q %v, want %q %q %v", c.args, address, params, proper, c.address, c.params, c.proper)
		}
	}
}

func TestParseChunk(t *testing.T) {
	for args, want := range map[string]bool{"0 LAST": true, "12": true, "12 last": true, "": false, "-1": false, "1 2": false, "18446744073709551617": false, "0x10": false, "1 LAST x": false} {
		if _, _, ok := parseChunk(args); ok != want {
			t.Errorf("BDAT %s: understood %v, want %v", args, ok, want)
		}
	}
}

// TestQueueID holds the final replies of the servers that people run.
func TestQueueID(t *testing.T) {
	for text, want := range map[string]string{
		"Ok: queued as 4F2C1A0B3D":                                              "4F2C1A0B3D",
		"Ok: 3462 bytes queued as E4F471CA025":                                  "E4F471CA025",
		"OK id=1Mugho-0003Dg-Un":                                                "1Mugho-0003Dg-Un",
		"o0IBaD6m012345 Message accepted for delivery":                          "o0IBaD6m012345",
		"7ac2b4d1 Message accepted for delivery":                                "7ac2b4d1",
		"<1@x> [InternalId=4711, Hostname=ex.example] Queued mail for delivery": "4711",
		"ok 1700000000 qp 12345":                                                "1700000000 qp 12345",
		"<bob@y> uK2sNQoAAA Saved":                                              "uK2sNQoAAA",
		"OK  1700000000 a1-20020a17si123.45 - gsmtp":                            "a1-20020a17si123.45",
		"Message Queued (0A1B-2C3D.1)":                                          "0A1B-2C3D.1",
		"OK":                                                                    "",
		"Message accepted":                                                      "",
		"OK: message queued":                                                    "",
	} {
		if got := queueID(&record.SMTPReply{Code: 250, Text: []string{text}}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestMeaningByPlace: one code, different words behind different commands.
func TestMeaningByPlace(t *testing.T) {
	for _, c := range []struct {
		verb, enhanced string
		code           int
		want           string
	}{
		{"RCPT", "", 550, "no such user"},
		{".", "", 550, "content"},
		{"MAIL", "", 550, "sender refused"},
		{"RCPT", "", 552, "mailbox full"},
		{".", "", 552, "size"},
		{"RCPT", "", 452, "too many recipients"},
		{".", "", 452, "storage"},
		{"AUTH", "", 454, "authentication is not possible"},
		{"STARTTLS", "", 454, "TLS is not available"},
		{".", "5.7.23", 550, "SPF"},
		{"RCPT", "4.2.2", 452, "mailbox full"},
		{"", "", 421, "closes"},
	} {
		got := meaning(c.verb, &record.SMTPReply{Code: c.code, Enhanced: c.enhanced})
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %d %s: %q, want it to speak of %q", c.verb, c.code, c.enhanced, got, c.want)
		}
	}
}
