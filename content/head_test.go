package content

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

func TestEncodedWords(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain", "plain"},
		{"=?iso-8859-1?q?caf=E9?=", "café"},
		{"=?UTF-8?B?w6k=?= =?UTF-8?B?w6g=?=", "éè"},
		{"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
		{"=?utf-8?B?ww?= =?utf-8?B?qQ?=", "é"}, // a character in two words, without padding
		{"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"},
		{"=?utf-8*en?q?language?=", "language"},
		{"=?euc-kr?B?x9GxuQ==?=", "한국"},
		{"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"},
		{"=?windows-1251?q?=CF=F0=E8=E2=E5=F2?=", "Привет"},
		{"=?utf-8?q?not closed", "=?utf-8?q?not closed"},
		{"=?utf-8?q?with blanks in it?=", "with blanks in it"},
		{"=?utf-8?x?what?=", "=?utf-8?x?what?="},
		{"=?x-unknown?q?=E9?=", "é"},
		{"raw \xe9", "raw é"},
		{"raw é", "raw é"},
		{"=?utf-8?q?=E9?=", "\ufffd"},
		{"=?utf-8?q?=3D?=", "="},
		{"a =?utf-8?q?b?=c", "a bc"},
	} {
		if got := decodeText(test.in, ""); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"a@b.c", []string{"a@b.c"}},
		{"<a@b.c>", []string{"a@b.c"}},
		{`"Doe, Jane" <jane@x.y>, joe@x.y (Joe (the) Doe)`, []string{"Doe, Jane <jane@x.y>", "Joe (the) Doe <joe@x.y>"}},
		{"Team: a@x, B <b@x>; c@x", []string{"a@x", "B <b@x>", "c@x"}},
		{"undisclosed-recipients:;", []string{"undisclosed-recipients:;"}},
		{"<@relay,@other:a@x>", []string{"a@x"}},
		{`"odd local"@x.y`, []string{`"odd local"@x.y`}},
		{"=?utf-8?q?Doe=2C_J=C3=B6rg?= <j@x>", []string{"Doe, Jörg <j@x>"}},
		{`"=?utf-8?q?J=C3=B6rg?=" <j@x>`, []string{"Jörg <j@x>"}},
		{"a@x;b@x", []string{"a@x", "b@x"}},
		{`"never closed <a@x>, b@x`, []string{"never closed <a@x>", "b@x"}},
		{", ,", nil},
		{"<,<,(,a@x", []string{"a@x"}},
		{strings.Repeat("<,", 1<<20) + "a@x", []string{"a@x"}},
	} {
		if got := addresses(nil, test.in, ""); !slices.Equal(got, test.want) {
			t.Errorf("%.100q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestDates(t *testing.T) {
	want := time.Date(2006, 1, 2, 22, 4, 5, 0, time.UTC)
	for _, s := range []string{
		"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 22:04:05 +0000", "Mon, 02 Jan 06 22:04:05 GMT",
		"Mon, 2 Jan 2006 15:04:05 -0700 (MST)", "Mon Jan  2 22:04:05 2006", "2006-01-02T22:04:05Z",
		"Mon, 2 January 2006 22:04:05", "02-Jan-2006 22:04:05", "2006-01-02 22:04:05 +00:00",
		"Mon, 2 Jan 2006 15:04:05 MST", "Mon,2 Jan 2006 17:04:05 EST", "Mon, 2 (day) Jan 2006 22:04:05 UT",
	} {
		if got := parseDate(s); !got.Equal(want) {
			t.Errorf("%q: got %v", s, got)
		}
	}
	for _, s := range []string{"", "yesterday", "31 Jun 2006 10:00:00 +0000", "Mon, 2 Jan 2006", "2 Jan 2006 25:00:00 +0000", "Jan 2006 10:00"} {
		if got := parseDate(s); !got.IsZero() {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestParameters(t *testing.T) {
	for _, test := range []struct{ in, name, param, want string }{
		{`text/plain; charset="utf-8"`, "text/plain", "charset", "utf-8"},
		{`TEXT/Plain;CHARSET=utf-8`, "text/plain", "charset", "utf-8"},
		{`text/plain; charset=us-ascii (Plain text)`, "text/plain", "charset", "us-ascii"},
		{`text/html charset=utf-8`, "text/html", "charset", "utf-8"},
		{`application/pdf; name=my own file.pdf`, "application/pdf", "name", "my own file.pdf"},
		{`application/pdf; name="a;b\"c.pdf"; x=y`, "application/pdf", "name", `a;b"c.pdf`},
		{`a/b; name="C:\temp\x.doc"`, "a/b", "name", `C:\temp\x.doc`},
		{`attachment; filename*=iso-8859-1'de'%FCber.txt`, "attachment", "filename", "über.txt"},
		{`attachment; filename=plain; filename*=utf-8''%C3%BC`, "attachment", "filename", "ü"},
		{`attachment; filename*0="long"; filename*1="name"`, "attachment", "filename", "longname"},
		{`attachment; filename*1*=%20b; filename*0*=utf-8''a; filename*2=.txt`, "attachment", "filename", "a b.txt"},
		{`attachment; filename*0=one; filename*2=three`, "attachment", "filename", "one"},
		{`multipart/mixed; boundary=`, "multipart/mixed", "boundary", ""},
		{`text/plain;; ;charset=x`, "text/plain", "charset", "x"},
		{`text/plain; junk; charset=x`, "text/plain", "charset", "x"},
		{``, "", "charset", ""},
	} {
		mt := parseType(test.in)
		if mt.name != test.name || mt.get(test.param) != test.want {
			t.Errorf("%q: %q %s=%q, want %q", test.in, mt.name, test.param, mt.get(test.param), test.want)
		}
	}
}

func TestHops(t *testing.T) {
	for _, test := range []struct {
		in   string
		want record.Hop
	}{
		{"from a.example (helo [192.0.2.1]) by b.example (Postfix) with ESMTP id X1 for <c@d>; broken",
			record.Hop{From: "a.example", Peer: "helo [192.0.2.1]", By: "b.example", With: "ESMTP", ID: "X1", For: "c@d", Date: "broken"}},
		{"from A (10.0.0.1) by B (10.0.0.2) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE) id 15.20.1",
			record.Hop{From: "A", Peer: "10.0.0.1", By: "B", With: "Microsoft SMTP Server", ID: "15.20.1", TLS: true, TLSText: "version=TLS1_2, cipher=TLS_ECDHE"}},
		{"from [192.0.2.1] (helo=x) by y with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <a@b>) id 1pX-0001 for z@y",
			record.Hop{From: "[192.0.2.1]", Peer: "helo=x", By: "y", With: "esmtps", ID: "1pX-0001", For: "z@y", TLS: true, TLSText: "TLS1.3; TLS_AES_256_GCM_SHA384"}},
		{"(qmail 123 invoked by uid 0)", record.Hop{}},
	} {
		if got := readHop(test.in); got != test.want {
			t.Errorf("%q:\n got %+v\nwant %+v", test.in, got, test.want)
		}
	}
}

func TestAuthenticationFields(t *testing.T) {
	c := read(t, Config{}, mailInfo, message(`Authentication-Results: mx.example.org 1;
	spf=pass (sender is ok; really) smtp.mailfrom=a@example.org;
	dkim=fail reason="bad signature; altered" header.d=example.org
Authentication-Results: spf=softfail (x) smtp.mailfrom=b; dmarc=none
DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=key1; h=from:to:
	subject; bh=xx; b=yy; x=1136239445
ARC-Seal: i=1; a=rsa-sha256; cv=none; d=relay.example; s=arc; b=zz
List-Id: News <news.example.org>
List-Unsubscribe: <mailto:u@example.org>
X-Mailer: Mailer 1.0
X-Originating-IP: [192.0.2.5]
From: a@example.org
From: b@example.org

body
`))
	m := c.Message
	if len(m.Auth) != 4 {
		t.Fatalf("auth %+v", m.Auth)
	}
	if a := m.Auth[1]; a.Server != "mx.example.org" || a.Method != "dkim" || a.Result != "fail" ||
		a.Reason != "bad signature; altered" || a.Properties != "header.d=example.org" {
		t.Errorf("dkim %+v", a)
	}
	if a := m.Auth[2]; a.Server != "" || a.Result != "softfail" {
		t.Errorf("spf without a server %+v", a)
	}
	if d := m.DKIM[0]; d.Domain != "example.org" || d.Headers != "from:to:subject" || d.Expires.Year() != 2006 {
		t.Errorf("dkim %+v", d)
	}
	if a := m.ARC[0]; a.Instance != "1" || a.Chain != "none" {
		t.Errorf("arc %+v", a)
	}
	if m.List.ID != "News <news.example.org>" || m.UserAgent != "Mailer 1.0" || m.OriginatingIP != "192.0.2.5" {
		t.Errorf("%+v %q %q", m.List, m.UserAgent, m.OriginatingIP)
	}
	if m.From != "a@example.org" || !slices.Contains(c.Problems, "head_duplicate") {
		t.Errorf("from %q, problems %v", m.From, c.Problems)
	}
	if n := len(m.Fields); n != 10 || m.Fields[9].Name != "From" || m.Fields[9].Value.String() != "b@example.org" {
		t.Errorf("%d fields: duplicates stay, in order", n)
	}
}

func TestDetect(t *testing.T) {
	for want, s := range map[string]string{
		"":                         "",
		"text/plain":               "hello\n",
		"text/html":                "\r\n<!DOCTYPE HTML><html>",
		"text/xml":                 "\xef\xbb\xbf<soap:Envelope xmlns:soap='x'>",
		"application/json":         ` {"a": 1}`,
		"application/pdf":          "%PDF-1.4\n",
		"application/octet-stream": "\x00\x01\x02",
		"image/png":                "\x89PNG\r\n\x1a\n....",
		"application/zip":          "PK\x03\x04" + strings.Repeat("\x00", 22) + "\x05\x00\x00\x00a.txtdata",
		"application/gzip":         "\x1f\x8b\x08",
		"application/vnd.microsoft.portable-executable": "MZ\x90\x00\x03",
		"application/vnd.oasis.opendocument.text":       "PK\x03\x04" + strings.Repeat("\x00", 22) + "\x08\x00\x00\x00mimetypeapplication/vnd.oasis.opendocument.textPK",
	} {
		if got := detect([]byte(s)); got != want {
			t.Errorf("%.20q: got %q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"MZ is a license plate", "BMW", "<- arrow", "{curly} text", "한국어", "\xc7\xd1\xb1\xb9\xbe\xee"} {
		if got := detect([]byte(s)); got != "text/plain" {
			t.Errorf("%q: got %q", s, got)
		}
	}
}
